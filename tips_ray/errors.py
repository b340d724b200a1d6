"""How a command tells a user what went wrong: one sentence, exit code 2, no traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def user_errors() -> Iterator[None]:
    """End the program with `error: <sentence>` on stderr and exit code 2 on a ValueError or
    OSError.

    Set the environment variable TIPS_RAY_TRACEBACK to see where an error came from instead.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if os.environ.get("TIPS_RAY_TRACEBACK"):
            raise
        print(f"error: {sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from error


def sentence(error: Exception) -> str:
    """An error's message on one line; an error of the operating system says what it was about."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"Cannot use {str(error.filename)!r} ({error.strerror}); check the path and your rights to it."
    return " ".join(str(error).split()) or type(error).__name__
