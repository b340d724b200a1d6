"""A file or folder that a user names, and what the readers look at to know its format; each part is
read once."""

import json
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tips_ray.config import FileReading
from tips_ray.data.formats.damage import MAX_ARRAY_BYTES, damage_named
from tips_ray.data.labels import clean_text
from tips_ray.data.unpickle import read_object_array
from tips_ray.errors import UserError
from tips_ray.store.atomic import read_file

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Opened:
    """A path, and how its content is to be read."""

    path: Path
    reading: FileReading = field(default_factory=FileReading)

    @property
    def name(self) -> str:
        """The last part of the path, for labels."""
        return clean_text(self.path.name or self.path.resolve().name)

    @cached_property
    def head(self) -> bytes:
        """The first bytes of a regular file; nothing for anything else."""
        if not self.path.is_file():
            return b""
        with self.path.open("rb") as file:
            return file.read(HEAD_BYTES)

    @cached_property
    def text(self) -> str:
        """The whole file as text, without a byte order mark."""
        return read_file(self.path).decode("utf-8-sig", errors="replace")

    @cached_property
    def looks_like_json(self) -> bool:
        """Whether the file begins as JSON objects and lists do."""
        return self.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") and self.path.suffix != ".npz"

    @cached_property
    def json(self) -> Any:
        """The content of a JSON file, None if it is none; raises UserError if it is damaged. Of a
        file with a JSON text a line, or a list of such texts, a list of what they hold."""
        if not self.looks_like_json:
            return None
        try:
            return parsed(self.text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise UserError(f"{self.path}: the JSON is damaged ({clean_text(error)[:100]}); write the file again.") from error

    @cached_property
    def keys(self) -> frozenset[str]:
        """The names of the arrays in an .npz file, empty for anything else."""
        if not self.head.startswith(b"PK"):
            return frozenset()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return frozenset(entry.removesuffix(".npy") for entry in archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return frozenset()

    @property
    def is_hdf5(self) -> bool:
        """Whether the file is of HDF5, as MATLAB's since 7.3 are; theirs begin with 512 bytes of
        text."""
        return b"\x89HDF\r\n\x1a\n" in (self.head[:8], self.head[512:520])

    def array(self, key: str) -> np.ndarray:
        """One array of an .npz file, also of objects; raises UserError if it is not there, too
        large or damaged, or holds objects that are not NumPy's."""
        if key not in self.keys:
            raise UserError(f"{self.path}: no {key!r} in the file; it has {', '.join(sorted(map(clean_text, self.keys)))}.")
        with damage_named(f"{self.path}: {key!r}"), zipfile.ZipFile(self.path) as archive:
            entry = archive.getinfo(f"{key}.npy")
            if entry.file_size > MAX_ARRAY_BYTES:
                raise UserError(f"an array of at most {MAX_ARRAY_BYTES >> 30} GiB is read")
            with archive.open(entry) as stream:
                try:
                    return np.lib.format.read_array(stream, allow_pickle=False)
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
            with archive.open(entry) as stream:
                return read_object_array(stream)

    def item(self, key: str) -> Any:
        """The one value of an array of objects, such as a dict."""
        array = self.array(key)
        if array.size != 1:
            raise UserError(
                f"{self.path}: {key!r} is an array of shape {array.shape}, and not one dict as in the files of other projects;"
                " the plain format calls poses 'positions', and keypoints 'keypoints'."
            )
        return array.reshape(()).item()


def parsed(text: str) -> Any:
    """The content of JSON text, or of a text a line; texts of JSON in a list are read too."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        content = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(content, list) and content and all(isinstance(entry, str) and entry[:1] in ("[", "{") for entry in content):
        return [json.loads(entry) for entry in content]
    return content


def floats(values: Any, what: str) -> np.ndarray:
    """Numbers as float64, NaN for None; raises UserError for anything else."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{what} holds what is no number, or rows of different lengths; give equally many numbers a row"
        ) from error
    return array


def whole(value: Any, what: str) -> int:
    """A whole number; raises UserError for anything else, and for what no counter reaches."""
    try:
        number = int(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{what} is {clean_text(value)[:40]!r}; give a whole number") from error
    if abs(number) > 10**15:
        raise UserError(f"{what} is {number:.3g}; give a whole number of at most 15 digits")
    return number
