"""Files of a disk: replaced whole, so that a reader sees the old one or the new one, and read only
where they are regular files."""

import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tips_ray.errors import UserError

TEMPORARY = ".tips-ray-*.new"
"""What a file is called while it is written; one that stays was left by a process that was
killed."""
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
GIBIBYTE = 2**30
LARGEST_FILE = 16 * GIBIBYTE
"""Bytes; a run's state of the paper's networks has a third of a gibibyte."""


@contextmanager
def replacing(path: Path) -> Iterator[io.BufferedWriter]:
    """Yield a new file beside `path`, to be written to; it becomes `path` if the block ends well,
    survives a power failure from then on, and is removed if the block does not end well.

    Makes missing folders. Raises UserError if there is something else than a regular file at
    `path` (symbolic links are not followed), and OSError if the place cannot be written.
    """
    refuse_other_than_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))  # nobody can have put a link there
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the file's new name
    finally:
        os.close(folder)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


def refuse_other_than_file(path: Path) -> None:
    """Raise UserError for a path at which there is something else than a regular file."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise UserError(f"{str(path)!r} is {kind_of(mode)} and is not replaced; give the path of a file.")


def read_file(path: Path, limit: int = LARGEST_FILE) -> bytes:
    """The bytes of a file; raises UserError for what is no regular file, or has more bytes than the
    limit, and OSError if it cannot be read."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # or else a pipe without a writer would block

    with open(path, "rb", opener=opener) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{str(path)!r} is {kind_of(status.st_mode)}, not a file; delete it, or restore the file.")
        if status.st_size > limit:
            raise UserError(too_large(str(path), limit))
        return file.read()


def too_large(name: str, limit: int) -> str:
    """What a user is told of a file that has more bytes than a limit."""
    return f"{name!r} has more than {limit / GIBIBYTE:g} GiB, which no file of tips-ray has; delete it, or restore the file."


def kind_of(mode: int) -> str:
    """What a mode of `stat` is of, in words."""
    return KINDS.get(stat.S_IFMT(mode), "no regular file")
