"""DeepLabCut's tables of one or several individuals: .csv, or .h5 as pandas writes it."""

from typing import Any

import h5py
import numpy as np

from tips_ray.data.derive import seen
from tips_ray.data.formats.damage import damage_named
from tips_ray.data.formats.mpi_inf_3dhp import hdf5_keys
from tips_ray.data.formats.opened import Opened
from tips_ray.data.formats.tables import numbers, rows_of
from tips_ray.data.image_names import split_name
from tips_ray.data.people import Person, Recording, chosen_clips
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.data.unpickle import plain_pickle
from tips_ray.errors import UserError

ACCEPTS = "DeepLabCut's .csv or .h5"
LEVELS = ("scorer", "individuals", "bodyparts", "coords")
COORDINATES = ("x", "y", "likelihood")
Column = tuple[str, str, str]
"""Individual, body part, and coordinate."""


def detect(file: Opened) -> bool:
    """Whether the file begins with DeepLabCut's header, or holds a table of pandas."""
    if file.is_hdf5:
        keys = hdf5_keys(file.path)
        named = any(key.startswith("df_with_missing") or key in ("keypoints", "df", "tracks") for key in keys)
        return named and "node_names" not in keys
    return file.head.removeprefix(b"\xef\xbb\xbf").lstrip(b'"').startswith(b"scorer")


def read(file: Opened) -> RawKeypoints:
    """Everyone in every frame; empty cells are missing."""
    columns, values, frames = from_hdf5(file) if file.is_hdf5 else from_csv(file)
    individuals = list(dict.fromkeys(individual for individual, _, _ in columns))
    parts = list(dict.fromkeys(part for _, part, _ in columns))
    at = {column: place for place, column in enumerate(columns)}
    people = []
    for individual in individuals:
        # A part that an individual lacks, as those of the arena in "single", is missing for it.
        own = np.full((len(values), len(parts), 3), np.nan)
        for joint, part in enumerate(parts):
            for axis, coordinate in enumerate(COORDINATES):
                if (place := at.get((individual, part, coordinate))) is not None:
                    own[:, joint, axis] = values[:, place]
                elif coordinate == "likelihood":
                    own[:, joint, axis] = 1
        visible = seen(own[..., :2]).any(axis=1)
        track = individual if len(individuals) > 1 else ""
        people += [Person(int(frames[row]), own[row, :, :2], own[row, :, 2], track) for row in np.flatnonzero(visible)]
    recording = Recording(file.path.stem.split("DLC")[0] or file.path.stem, [int(frame) for frame in frames], people)
    chosen = chosen_clips([recording], file.reading.person, len(parts))
    return RawKeypoints(chosen.clips, parts, file.name, "DeepLabCut", chosen.people, notes=chosen.notes)


def from_csv(file: Opened) -> tuple[list[Column], np.ndarray, np.ndarray]:
    """Columns, cells (frames, columns) and numbers of frames."""
    rows = rows_of(file.text, file.path)
    header = {}
    while rows and rows[0] and rows[0][0].lower() in LEVELS:
        level, *_ = row = rows.pop(0)
        header[level.lower()] = row
    if not {"bodyparts", "coords"} <= set(header) or not rows:
        raise UserError(f"{file.path}: no rows 'bodyparts' and 'coords' above the numbers; give DeepLabCut's own .csv.")
    width = len(header["coords"])
    used = [place for place, name in enumerate(header["coords"]) if name in COORDINATES]
    if not used or any(len(row) != width for row in (*header.values(), *rows)):
        raise UserError(f"{file.path}: rows have different lengths, or no column is x, y or likelihood; write the file again.")
    individuals = header.get("individuals", [""] * width)
    columns = [(individuals[place], header["bodyparts"][place], header["coords"][place]) for place in used]
    cells = numbers([[row[place] for place in used] for row in rows], str(file.path))
    return columns, cells, frames_named(["/".join(row[: used[0]]) for row in rows])


def frames_named(names: list[str]) -> np.ndarray:
    """Numbers of frames from the first cells of rows: a number, or the path of an image."""
    found = [split_name(name)[1] for name in names]
    return np.array([at if number is None else number for at, number in enumerate(found)], dtype=np.int64)


def from_hdf5(file: Opened) -> tuple[list[Column], np.ndarray, np.ndarray]:
    """The same from pandas' two forms of tables, without PyTables, which would run what the file
    says."""
    with damage_named(f"{file.path}: the file"), h5py.File(file.path) as stored:
        group: Any = next(stored[key] for key in stored if isinstance(stored[key], h5py.Group))
        columns, values, index = table_form(group) if "table" in group else fixed_form(group)
    if values.ndim != 2 or values.shape[1] != len(columns) or not len(values):
        raise UserError(f"{file.path}: a table of shape {values.shape} with {len(columns)} columns; write the file again.")
    named = [tuple(map(text, column)) for column in columns]
    shaped = [(column[-3] if len(column) > 3 else "", column[-2], column[-1]) for column in named if len(column) >= 3]
    used = [place for place, column in enumerate(shaped) if column[2] in COORDINATES]
    if len(shaped) != len(named) or not used:
        raise UserError(f"{file.path}: no column is x, y or likelihood of a body part; give DeepLabCut's own .h5.")
    frames = frames_named([text(entry) for entry in index]) if len(index) == len(values) else np.arange(len(values))
    return [shaped[place] for place in used], values[:, used].astype(np.float64), frames


def table_form(group: Any) -> tuple[list[Any], np.ndarray, list[Any]]:
    """Columns, values and index of a table that pandas wrote with format="table"."""
    table = group["table"][:]
    (_, columns), *_ = plain_pickle(bytes(group.attrs["non_index_axes"]))
    blocks = [name for name in table.dtype.names if name.startswith("values_block")]
    if len(blocks) != 1:
        raise UserError("its columns are of several kinds; write it again from DeepLabCut")
    index = table["index"].tolist() if "index" in table.dtype.names else []
    return list(columns), table[blocks[0]], index


def fixed_form(group: Any) -> tuple[list[Any], np.ndarray, list[Any]]:
    """Columns, values and index of a table that pandas wrote with format="fixed"."""
    levels = int(group.attrs["axis0_nlevels"])
    names = [[text(name) for name in group[f"axis0_level{level}"][:]] for level in range(levels)]
    codes = [group[f"axis0_label{level}"][:] for level in range(levels)]
    columns = [tuple(own[code] for own, code in zip(names, row, strict=True)) for row in zip(*codes, strict=True)]
    return columns, group["block0_values"][:], group["axis1"][:].tolist() if "axis1" in group else []


def text(value: Any) -> str:
    """Text from bytes or anything else."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
