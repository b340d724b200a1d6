"""A folder on any file system that pyarrow knows: local disk, NFS, S3, GCS.

Files are small and written whole. A reader sees the old file or the new one, never half of one:
object stores publish whole objects, and on disk the new file is written aside, flushed, and
renamed. A storage that fails for a while is waited for.
"""

import io
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tips_ray.errors import UserError
from tips_ray.secrets import without_secrets
from tips_ray.store.atomic import GIBIBYTE, LARGEST_FILE, TEMPORARY, read_file, replace_file, too_large
from tips_ray.store.retry import LONGEST_SILENCE, StorageError, has_answered, note_answer, with_retries

LARGEST_TABLE = 4 * GIBIBYTE
"""Bytes of a table in memory."""
WITHOUT_BUCKET = ("file", "hdfs", "viewfs")
"""Schemes of URIs that may name no host or bucket."""
GOOGLE_RETRY = "retry_limit_seconds"
"""How long Google's client tries by itself; without a limit it is silent for a quarter of an
hour."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, repr=False)
class Storage:
    """A folder by its path or URI, such as `reports/x` or `s3://bucket/x`; cheap to make, and to
    send to another process.

    Its text hides the passwords that a URI may hold; `location` has them. Raises UserError for a
    path or URI that names no place.
    """

    location: str

    def __post_init__(self) -> None:
        if re.match(r"(s3|gs|gcs|abfss?|hdfs|viewfs|file):(?!//)|[\w+.-]+://", self.location):
            address = urlsplit(self.location)
            if not (address.netloc or (address.path and address.scheme in WITHOUT_BUCKET)):
                raise UserError(f"The storage {str(self)!r} names no bucket; give a folder, or a URI such as s3://bucket/path.")
            return
        try:  # other processes, to which this is sent, work in other folders
            object.__setattr__(self, "location", str(Path(self.location).expanduser().resolve()))
        except (RuntimeError, OSError, ValueError) as error:  # no such user, links in a circle, a NUL character
            raise UserError(f"Cannot use {str(self)!r} as storage ({error}); give another folder.") from error

    @property
    def is_uri(self) -> bool:
        """Whether it is named by a URI."""
        return "://" in self.location

    @cached_property
    def _place(self) -> tuple[fs.FileSystem, str]:
        if not self.is_uri:
            return fs.LocalFileSystem(), self.location
        location = self.location
        if location.startswith(("gs:", "gcs:")) and GOOGLE_RETRY not in location:
            location += f"{'&' if '?' in location else '?'}{GOOGLE_RETRY}={LONGEST_SILENCE:.0f}"
        try:
            filesystem, path = with_retries(self.location, lambda: fs.FileSystem.from_uri(location))
        except (pa.ArrowInvalid, ValueError) as error:
            raise UserError(
                f"Cannot use {str(self)!r} as storage ({without_secrets(str(error))}); give a folder, or a URI such as"
                " s3://bucket/path."
            ) from error
        return (impatient(filesystem) if isinstance(filesystem, fs.S3FileSystem) else filesystem), path

    def _with_retries(self, action: Callable[[], Answer]) -> Answer:
        answer = with_retries(self.location, action)
        note_answer(self.location)
        return answer

    def __getstate__(self) -> dict[str, Any]:
        return {"location": self.location, "answered": has_answered(self.location)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "location", state["location"])
        if state["answered"]:
            note_answer(self.location)

    def __truediv__(self, name: str) -> "Storage":
        place, mark, query = self.location.partition("?" if self.is_uri else "\0")
        return Storage(f"{place.rstrip('/')}/{quote(name) if self.is_uri else name}{mark}{query}")

    def __str__(self) -> str:
        return without_secrets(self.location)

    __repr__ = __str__

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
            raise StorageError(
                f"Cannot write to the storage {str(self)!r} ({without_secrets(str(error))}); choose another folder or check your"
                " rights to it."
            ) from error

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        filesystem = self._place[0]
        return self._with_retries(lambda: filesystem.get_file_info(self.path(name))).type != fs.FileType.NotFound

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders in a folder, sorted, without hidden ones; none if there is
        no such folder."""
        filesystem, selector = self._place[0], fs.FileSelector(self.path(folder), allow_not_found=True)
        entries = self._with_retries(lambda: filesystem.get_file_info(selector))
        return sorted(info.base_name for info in entries if not info.base_name.startswith("."))

    def versions(self, names: Collection[str]) -> list[tuple[str, int | None, int | None]]:
        """Path, bytes and time of the last change (ns) of each of some files; None for one that is
        not there."""
        filesystem, paths = self._place[0], [self.path(name) for name in names]
        return [(info.path, info.size, info.mtime_ns) for info in self._with_retries(lambda: filesystem.get_file_info(paths))]

    def read(self, name: str, limit: int = LARGEST_FILE) -> bytes:
        """A file's bytes; raises FileNotFoundError if there is none, and UserError for what is no
        regular file, or has more bytes than the limit."""
        if self.is_local:
            return self._with_retries(lambda: read_file(Path(self.path(name)), limit))
        filesystem = self._place[0]

        def attempt() -> bytes:
            with filesystem.open_input_stream(self.path(name), compression=None) as source:
                return source.read(limit + 1)

        content = self._with_retries(attempt)
        if len(content) > limit:
            raise UserError(too_large(str(self / name), limit))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole, and its folder if need be; raises UserError if something else than a
        regular file is in its place."""
        filesystem, path = self._place[0], self.path(name)

        def attempt() -> None:
            with filesystem.open_output_stream(path, compression=None) as sink:
                sink.write(content)

        self._with_retries((lambda: replace_file(Path(path), content)) if self.is_local else attempt)

    def delete(self, name: str) -> None:
        """Delete a file, if there is one."""
        filesystem = self._place[0]

        def attempt() -> None:
            with suppress(FileNotFoundError):  # also when the answer to an earlier attempt was lost
                filesystem.delete_file(self.path(name))

        self._with_retries(attempt)

    def sweep(self, folder: str = "") -> None:
        """Delete what writers of files in a folder left there when they were killed; only for the
        one process that writes there."""
        if self.is_local:
            for temporary in Path(self.path(folder)).glob(TEMPORARY):
                temporary.unlink(missing_ok=True)

    def read_table(self, name: str, columns: Collection[str] | None = None) -> pd.DataFrame:
        """A parquet file as a table, with all its columns or those of some that it has; raises
        FileNotFoundError if there is none, and UserError for one that is damaged."""
        content = self.read(name, LARGEST_TABLE)
        try:
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
            groups = [file.metadata.row_group(index).total_byte_size for index in range(file.num_row_groups)]
            if sum(groups) > LARGEST_TABLE:
                raise pa.ArrowInvalid("it has more bytes than any table of tips-ray")
            chosen = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
            table = file.read(chosen, use_threads=False)
            return table.replace_schema_metadata().to_pandas()  # without pandas' notes, which have no checksum
        except Exception as error:  # pandas and pyarrow have no common kind of error for content that they cannot read
            raise UserError(f"{str(self / name)!r} is damaged ({error}).") from error

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as a parquet file."""
        sink = io.BytesIO()
        table.to_parquet(sink, index=False, write_page_checksum=True)
        self.write(name, sink.getvalue())


def impatient(filesystem: fs.S3FileSystem) -> fs.S3FileSystem:
    """The same, but each operation is tried once, and ends after `LONGEST_SILENCE`; a URI cannot
    say so."""
    _, (options,) = filesystem.__reduce__()
    timeouts = {"connect_timeout": LONGEST_SILENCE, "request_timeout": LONGEST_SILENCE}
    return fs.S3FileSystem(**options | timeouts, retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1))
