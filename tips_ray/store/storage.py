"""A folder on any file system that pyarrow knows: local disk, NFS, S3, GCS.

Files are small and written whole. A reader sees the old file or the new one, never half of one:
object stores publish whole objects, and on disk the new file is written aside, flushed, and
renamed. A storage that fails for a while is waited for.
"""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
from pyarrow import fs

from tips_ray.errors import UserError
from tips_ray.store.retry import StorageError, with_retries

ASIDE = ".*.new"
"""What a file is called while it is written; one that stays was left by a process that died."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Storage:
    """A folder by its path or URI, such as `reports/x` or `s3://bucket/x`; cheap to make, and to
    send to another process."""

    location: str

    def __post_init__(self) -> None:
        if "://" not in self.location:  # other processes, to which this is sent, work in other folders
            object.__setattr__(self, "location", str(Path(self.location).expanduser().resolve()))

    @cached_property
    def _place(self) -> tuple[fs.FileSystem, str]:
        if "://" not in self.location:
            return fs.LocalFileSystem(), self.location
        try:
            return self._with_retries(lambda: fs.FileSystem.from_uri(self.location))
        except pa.ArrowInvalid as error:
            raise UserError(
                f"Cannot use {self.location!r} as storage ({error}); give a folder, or a URI such as s3://bucket/path."
            ) from error

    def _with_retries(self, action: Callable[[], Answer]) -> Answer:
        return with_retries(self.location, action)

    def __getstate__(self) -> dict[str, str]:
        return {"location": self.location}

    def __truediv__(self, name: str) -> "Storage":
        place, mark, query = self.location.partition("?" if "://" in self.location else "\0")
        return Storage(f"{place.rstrip('/')}/{name}{mark}{query}")

    def __str__(self) -> str:
        return self.location

    @property
    def is_local(self) -> bool:
        """Whether this is a folder of this machine (or mounted in it)."""
        return isinstance(self._place[0], fs.LocalFileSystem)

    def path(self, name: str = "") -> str:
        """The path of a file inside, in the words of the file system."""
        return f"{self._place[1]}/{name}" if name else self._place[1]

    def make(self) -> None:
        """Make the folder, and prove that it can be written to; raises OSError if not."""
        filesystem = self._place[0]
        try:
            self._with_retries(lambda: filesystem.create_dir(self.path(), recursive=True))
            self.write(".writable", b"")
            self.delete(".writable")
        except StorageError:
            raise
        except OSError as error:
            raise OSError(
                f"Cannot write to the storage {self.location!r} ({error}); choose another folder or check your rights to it."
            ) from error

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        filesystem = self._place[0]
        return self._with_retries(lambda: filesystem.get_file_info(self.path(name))).type != fs.FileType.NotFound

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders in a folder, sorted, without hidden ones; none if there is
        no such folder."""
        filesystem, selector = self._place[0], fs.FileSelector(self.path(folder), allow_not_found=True)
        found = self._with_retries(lambda: filesystem.get_file_info(selector))
        return sorted(info.base_name for info in found if not info.base_name.startswith("."))

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError if there is none."""
        filesystem = self._place[0]

        def attempt() -> bytes:
            with filesystem.open_input_stream(self.path(name), compression=None) as source:
                return source.read()

        return self._with_retries(attempt)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole, and its folder if need be."""
        filesystem, path = self._place[0], self.path(name)

        def attempt() -> None:
            with filesystem.open_output_stream(path, compression=None) as sink:
                sink.write(content)

        self._with_retries((lambda: replace(Path(path), content)) if self.is_local else attempt)

    def delete(self, name: str) -> None:
        """Delete a file, if there is one."""
        filesystem = self._place[0]

        def attempt() -> None:
            with suppress(FileNotFoundError):  # also when the answer to an earlier attempt was lost
                filesystem.delete_file(self.path(name))

        self._with_retries(attempt)

    def sweep(self, folder: str = "") -> None:
        """Delete what writers of files in a folder left there when they were killed; only for who
        alone writes there."""
        if self.is_local:
            for aside in Path(self.path(folder)).glob(ASIDE):
                aside.unlink(missing_ok=True)

    def read_table(self, name: str) -> pd.DataFrame:
        """A parquet file as a table; raises ValueError for one that is damaged."""
        content = self.read(name)
        try:
            return pd.read_parquet(io.BytesIO(content), page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{str(self / name)!r} is damaged ({error}).") from error

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as a parquet file."""
        sink = io.BytesIO()
        table.to_parquet(sink, index=False, write_page_checksum=True)
        self.write(name, sink.getvalue())


def replace(target: Path, content: bytes) -> None:
    """Write a file on a disk so that it survives the machine, and make its folder if need be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with aside.open("wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # its new name
    finally:
        os.close(folder)
