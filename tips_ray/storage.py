"""A folder on any file system that pyarrow knows: local disk, NFS, S3, GCS.

Files are small and written whole. A reader sees the old file or the new one, never half of one: object stores publish whole
objects, and on disk the new file is written aside, flushed, and renamed.
"""

import io
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import fs


@dataclass(frozen=True)
class Storage:
    """A folder by its path or URI, such as `reports/x` or `s3://bucket/x`; cheap to make, and to send to another process."""

    location: str

    def __post_init__(self) -> None:
        if "://" not in self.location:  # other processes, to which this is sent, work in other folders
            object.__setattr__(self, "location", str(Path(self.location).expanduser().resolve()))

    @cached_property
    def _place(self) -> tuple[fs.FileSystem, str]:
        if "://" not in self.location:
            return fs.LocalFileSystem(), self.location
        try:
            return fs.FileSystem.from_uri(self.location)
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"Cannot use {self.location!r} as storage ({error}); give a folder, or a URI such as s3://bucket/path."
            ) from error

    def __getstate__(self) -> dict[str, str]:
        return {"location": self.location}

    def __truediv__(self, name: str) -> "Storage":
        return Storage(f"{self.location.rstrip('/')}/{name}")

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
        try:
            self._place[0].create_dir(self.path(), recursive=True)
            self.write(".writable", b"")
            self._place[0].delete_file(self.path(".writable"))
        except OSError as error:
            raise OSError(
                f"Cannot write to the storage {self.location!r} ({error}); choose another folder or check your rights to it."
            ) from error

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return self._place[0].get_file_info(self.path(name)).type != fs.FileType.NotFound

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders in a folder, sorted; none if there is no such folder."""
        selector = fs.FileSelector(self.path(folder), allow_not_found=True)
        return sorted(info.base_name for info in self._place[0].get_file_info(selector))

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError if there is none."""
        with self._place[0].open_input_stream(self.path(name), compression=None) as source:
            return source.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole, and its folder if need be."""
        filesystem, path = self._place[0], self.path(name)
        if not self.is_local:
            with filesystem.open_output_stream(path, compression=None) as sink:
                sink.write(content)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}.new")
        with aside.open("wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(target)

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._place[0].delete_file(self.path(name))

    def read_table(self, name: str) -> pd.DataFrame:
        """A parquet file as a table."""
        return pd.read_parquet(io.BytesIO(self.read(name)))

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as a parquet file."""
        sink = io.BytesIO()
        table.to_parquet(sink, index=False)
        self.write(name, sink.getvalue())
