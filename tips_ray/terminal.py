"""Output that ends no training: to a terminal that is closed, full, or not of UTF-8, and of names
that others chose."""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from typing import Any

from rich.markup import escape

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Those of ASCII and Latin-1, such as the escape that begins a terminal's commands, and those that
change the direction of writing."""


class SteadyStream:
    """A text stream whose failures raise nothing: a character that its encoding lacks is written as
    `?`, and once it cannot be written to, all further output is dropped."""

    def __init__(self, stream: TextIOBase) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text as far as that is possible."""
        encoding = self.stream.encoding or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
        except (OSError, ValueError):  # ValueError: it is closed
            self._drop_output()
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            self.stream.flush()
        except (OSError, ValueError):
            self._drop_output()

    def _drop_output(self) -> None:
        """Let the stream write to nowhere, also when Python flushes it at the program's end."""
        try:
            descriptor = self.stream.fileno()
        except (OSError, ValueError):
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


@contextmanager
def steady_output() -> Iterator[None]:
    """Let neither output nor warnings of libraries end the program during a block, whatever
    PYTHONWARNINGS says. Also covers the processes started meanwhile."""
    with ExitStack() as stack:
        if sys.warnoptions:
            os.environ.pop("PYTHONWARNINGS", None)
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("default")
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is not None and not isinstance(stream, SteadyStream):
                stack.enter_context(redirect(SteadyStream(stream)))  # type: ignore[arg-type]
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()


def printable(text: object) -> str:
    """A name or message as a terminal may show it: without its control characters."""
    return CONTROL_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", str(text))


def escaped(text: object) -> str:
    """A name for rich to print: without control characters, and not read as markup."""
    return escape(printable(text))
