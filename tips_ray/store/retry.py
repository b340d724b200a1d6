"""What a failing storage raises: which of it passes and is waited for, and what a user is told of
the rest."""

import errno
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from tips_ray.secrets import without_secrets

PATIENCE = 120.0
"""Seconds for which a storage that does not answer is asked again."""
FIRST_PATIENCE = 10.0
"""The same, before an object store has answered once: its address may be wrong."""
LONGEST_SILENCE = 5.0
"""Seconds without a byte after which an attempt at an object store ends."""
LONGEST_WAIT = 8.0

TRANSIENT = {
    getattr(errno, name)
    for name in (
        *("EIO", "EREMOTEIO", "ESTALE", "EAGAIN", "EBUSY", "EINTR", "ETIMEDOUT", "ENOTCONN", "EPIPE", "ESHUTDOWN"),
        *("ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETRESET", "ENETUNREACH"),
    )
    if hasattr(errno, name)
}
FULL = {errno.ENOSPC, errno.EDQUOT}
# Errors of object stores have no number, only what pyarrow makes of the store's answer.
TRANSIENT_WORDS = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|THROTTLING|REQUEST_TIMEOUT|REQUEST_TIME_TOO_SKEWED"
    r"|HTTP status (429|5\d\d)|\(?UNAVAILABLE|DEADLINE_EXCEEDED|timed out|timeout was reached",
    re.IGNORECASE,
)
REFUSED_WORDS = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION"
    r"|INVALID_SIGNATURE|EXPIRED_?TOKEN|PERMISSION_DENIED|UNAUTHENTICATED|AuthenticationException|HTTP status 40[013]",
    re.IGNORECASE,
)
NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|Bucket '.*' not found")

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class StorageError(OSError):
    """A storage that cannot be used, in one sentence that says what to do."""


def with_retries(location: str, action: Callable[[], Answer]) -> Answer:
    """Do something with a storage; while it does not answer, do it again for `PATIENCE` seconds, or
    for `FIRST_PATIENCE` if it is an object store that has not answered before, and log that it
    waits.

    Files that are missing, rights that are lacking, and full disks are not waited for. Raises
    StorageError for what a user can mend, and other OSErrors as they are.
    """
    began, shown = time.monotonic(), without_secrets(location)
    patience = PATIENCE if has_answered(location) else FIRST_PATIENCE

    def log_waiting(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome:
            log.warning("%s fails (%s); trying again for %.0f s.", shown, reason(state.outcome.exception()), patience)

    retrying = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_exponential_jitter(max=LONGEST_WAIT),
        stop=stop_after_delay(patience),
        before_sleep=log_waiting,
        reraise=True,
    )
    try:
        answer = retrying(action)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, pa.ArrowInvalid):  # the URI is none
            raise
        sentence = explained(location, error, time.monotonic() - began)
        if sentence is None:
            raise
        raise StorageError(sentence) from error
    if retrying.statistics.get("attempt_number", 1) > 1:
        log.warning("%s answers again, after %.0f s.", shown, time.monotonic() - began)
    return answer


_answered: set[tuple[str, str, str]] = set()


def note_answer(location: str) -> None:
    """Keep in mind that an object store has answered."""
    _answered.add(_address(location))


def has_answered(location: str) -> bool:
    """Whether a storage has answered this process, or the one that sent it here; a disk always
    has."""
    return "://" not in location or _address(location) in _answered


def _address(location: str) -> tuple[str, str, str]:
    parts = urlsplit(location)
    return parts.scheme, parts.netloc, parts.query


def is_transient(error: BaseException) -> bool:
    """Whether an error is of the kind that goes away by itself."""
    if not isinstance(error, OSError) or isinstance(error, StorageError):
        return False
    return error.errno in TRANSIENT if error.errno else bool(TRANSIENT_WORDS.search(str(error)))


def explained(location: str, error: Exception, seconds: float) -> str | None:
    """What a user is told of an error of a storage that was tried for some seconds; None if its own
    words will do."""
    shown = without_secrets(location)
    if isinstance(error, OSError) and error.errno in FULL:
        return f"No space is left in {shown!r}; free some, and run the same command again."
    if isinstance(error, NotADirectoryError):
        return f"{shown!r} lies below a file; give the path of a folder as --storage."
    if is_transient(error):
        first = "" if has_answered(location) else "check its address and the network, and "
        return f"{shown!r} failed for {seconds:.0f} s ({reason(error)}); {first}run the same command again when it answers."
    if isinstance(error, OSError) and error.errno:
        return None
    if NO_BUCKET.search(str(error)):
        return f"The bucket of {shown!r} does not exist; make it, or give another --storage."
    if not REFUSED_WORDS.search(str(error)):
        return None if isinstance(error, OSError) else f"{shown!r} cannot be used ({reason(error)}); give another --storage."
    if not location.startswith("s3:"):
        return f"{shown!r} refuses access ({reason(error)}); check your credentials, and their rights to it."
    names = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if not has_aws_credentials(location):
        return f"There are no credentials for {shown!r}: set {names}."
    return f"{shown!r} refuses access ({reason(error)}); set {names}, to those of a user who may read and write there."


def reason(error: BaseException | None) -> str:
    """The gist of an error, short enough for a line."""
    text = without_secrets(" ".join(str(error).split()))
    text = re.sub(r"^.*AWS Error (\w+).*?operation: ", r"\1: ", text)
    return re.split(r"; Details|\.? \(Request ID", text)[0][:200]


def has_aws_credentials(location: str) -> bool:
    """Whether credentials for S3 are set in one of the usual places of a machine; a role may lend
    it some all the same."""
    files = [
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    ]
    names = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    named = "@" in location.partition("://")[2].partition("/")[0]
    return named or any(map(os.environ.get, names)) or any(Path(file).expanduser().exists() for file in files)
