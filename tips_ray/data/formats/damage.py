"""What is said of files that are damaged, or made to fill the memory."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tips_ray.data.labels import clean_text
from tips_ray.errors import UserError

MAX_ARRAY_BYTES = 16 << 30
"""Larger arrays are refused before they are unpacked: a small file can hold one that fills the
memory."""


@contextmanager
def damage_named(what: str) -> Iterator[None]:
    """Turn whatever NumPy, zipfile and its decompressors raise on bytes that are not what they
    should be into a UserError of one sentence; an error of the disk stays what it is."""
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError):
            raise UserError(f"{what}: {error}.") from error
        reason = clean_text(error)[:200] or type(error).__name__
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # a place before the file's start
            raise
        if "allow_pickle" in reason:
            raise UserError(
                f"{what} needs pickle, which can run code when it is loaded;"
                " save numbers, and text as numpy.array(names, dtype=str)."
            ) from error
        if isinstance(error, MemoryError):
            raise UserError(f"{what} does not fit into the memory, or is damaged ({reason}).") from error
        raise UserError(f"{what} is damaged ({reason}); write the file again.") from error
