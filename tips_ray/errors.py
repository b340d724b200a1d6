"""How a command tells a user what went wrong: one sentence, exit code 2, no traceback."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from tips_ray.secrets import without_secrets
from tips_ray.terminal import printable, steady_output

FAULT = "This is a fault of tips-ray, not of your command; please report it with the lines above."


class UserError(ValueError):
    """What a user can mend, in a sentence that says what was given, what is accepted, and what to
    do."""


@contextmanager
def user_errors() -> Iterator[None]:
    """End the program with `error: <sentence>` on stderr and exit code 2 on a UserError or an
    OSError: the command, or the machine's disk or network, is to be mended.

    Any other error is a fault of the program: its traceback is printed, and the exit code is 1. Set
    the environment variable TIPS_RAY_TRACEBACK to see where a UserError came from, too.
    """
    with steady_output():
        try:
            yield
        except (UserError, OSError) as error:
            if os.environ.get("TIPS_RAY_TRACEBACK"):
                raise
            print(f"error: {sentence(error)}", file=sys.stderr)
            raise SystemExit(2) from error
        except Exception as error:
            print(without_secrets(traceback.format_exc()), FAULT, sep="\n", file=sys.stderr)
            raise SystemExit(1) from error


def sentence(error: Exception) -> str:
    """An error's message on one line, without secrets; an error of the operating system says what
    it was about."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"Cannot use {str(error.filename)!r} ({error.strerror}); check the path and your rights to it."
    return printable(without_secrets(" ".join(text.split()))) or type(error).__name__
