"""The plain format: an .npz file with `positions` (frames, 17, 3) in mm and `joint_names`, read
without pickle."""

import difflib
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tips_ray.data.derive import read_joint_map
from tips_ray.data.formats.damage import MAX_ARRAY_BYTES, damage_named
from tips_ray.data.formats.opened import Opened
from tips_ray.data.labels import clean_text
from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS
from tips_ray.store.atomic import replacing

ACCEPTS = "an .npz file of poses"
REQUIRED = ("positions", "joint_names")
OPTIONAL = ("subject", "action", "clip", "clip_names", "clip_action", "up", "sides", "synthetic")


def detect(file: Opened) -> bool:
    """Whether the path names a file of this format."""
    return file.path.suffix == ".npz" or "positions" in file.keys


def read(file: Opened) -> RawPoses:
    """The file's poses, by the user's names of joints if there are any."""
    raw = read_npz(file.path)
    return raw if file.reading.joint_map is None else replace(raw, joint_map=read_joint_map(file.reading.joint_map))


def read_npz(path: Path) -> RawPoses:
    """Read poses from an .npz file of plain arrays.

    Required: `positions` (frames, 17, 3) in mm, `joint_names` (17,) in any order. Optional:
    `subject`, `action`, `clip` (frames,); `up`, the axis that points up, "y" (default), "z", "x",
    "-y", "-z" or "-x"; `sides`, "named" (default) or "swapped"; `synthetic`, a truth value. Labels
    may also be given by clip: `clip` then holds indices into `clip_names` and `clip_action`
    (clips,).

    Raises UserError, in one sentence that names the file, for anything that cannot be read as
    poses.
    """
    arrays, ignored = read_arrays(path)
    missing = [key for key in REQUIRED if key not in arrays]
    if missing:
        raise UserError(
            f"{path}: no {' and no '.join(map(repr, missing))} in the file; it has {', '.join((*arrays, *ignored)) or 'nothing'}."
            f" The plain format has 'joint_names', and 'positions' (frames, {len(JOINTS)}, 3) in millimetres or 'keypoints'"
            f" (frames, {len(JOINTS)}, 2) in pixels, and may have {', '.join(OPTIONAL)}."
        )
    clip, action = expand_clips(arrays, path)
    return RawPoses(
        arrays["positions"],
        path.name,
        joint_names=scalars(np.ravel(arrays["joint_names"]), "joint_names", path),
        subject=arrays.get("subject"),
        action=action,
        clip=clip,
        up=clean_text(scalar(arrays, "up", "y", path)),
        sides=clean_text(scalar(arrays, "sides", "named", path)),
        synthetic=bool(scalar(arrays, "synthetic", False, path)),
        notes=unread(ignored),
        format="plain poses",
    )


def unread(keys: list[str]) -> tuple[str, ...]:
    """What is said of keys that are not read."""
    return (f"The file's {', '.join(keys)} {'is' if len(keys) == 1 else 'are'} not read.",) if keys else ()


def write_npz(poses: PoseSet, path: str | Path) -> None:
    """Write poses in the plain format; `path` holds all of them or is left as it was.

    Raises UserError if `path` does not end in .npz, OSError if it cannot be written.
    """
    path = check_suffix(path)
    with replacing(path) as file:
        np.savez_compressed(
            file,
            positions=poses.positions,
            joint_names=np.array(JOINTS),
            subject=poses.subject,
            action=poses.action,
            clip=poses.clip,
            up=np.array("y"),
            synthetic=np.array(poses.synthetic),
        )


def check_suffix(path: str | Path) -> Path:
    """The path, if its name ends in .npz; raises UserError if not."""
    if Path(path).suffix != ".npz":
        raise UserError(f"{path}: poses are written to a file whose name ends in .npz.")
    return Path(path)


def read_arrays(
    path: Path, required: tuple[str, ...] = REQUIRED, optional: tuple[str, ...] = OPTIONAL
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of the plain format that the file holds, and the names of its others.

    Raises UserError for a file that is not a sound .npz of them, and for a name that is clearly a
    misspelt one of the format.
    """
    if not path.is_file():
        fault = "a folder, not a file" if path.is_dir() else "not a file" if path.exists() else "no such file"
        raise UserError(f"{path}: {fault}; give an .npz file of poses.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: not an .npz file; write one with numpy.savez(path, positions=..., joint_names=...).")
    with path.open("rb") as stream:  # NumPy leaves a file open that it cannot read
        with damage_named(f"{path}: the file"):
            file = np.load(stream, allow_pickle=False)
        with file:
            ignored = [clean_text(key) for key in file.files if key not in (*required, *optional)]
            check_spelling(ignored, {*required, *optional}.difference(file.files), path)
            return {key: read_array(file, key, path) for key in (*required, *optional) if key in file.files}, ignored


def check_spelling(ignored: list[str], lacking: set[str], path: Path) -> None:
    """Raise UserError for a key that is all but one of the format's that the file lacks, such as
    "subjects"."""
    absent = {alike(key): key for key in sorted(lacking)}
    for key in ignored:
        if meant := difflib.get_close_matches(alike(key), absent, n=1, cutoff=0.9):
            raise UserError(f"{path}: {key!r} is not a key of the plain format; rename it to {absent[meant[0]]!r}.")


def alike(key: str) -> str:
    """The key without capitals, hyphens and the plural's s."""
    return re.sub(r"[^a-z0-9]", "", key.lower()).rstrip("s")


def read_array(file: np.lib.npyio.NpzFile, key: str, path: Path) -> np.ndarray:
    """One array of an open file; raises UserError if it is too large, of Python objects, or
    damaged."""
    assert file.zip is not None
    size = max((entry.file_size for entry in file.zip.infolist() if entry.filename in (key, f"{key}.npy")), default=0)
    if size > MAX_ARRAY_BYTES:
        raise UserError(f"{path}: {key!r} is {size / 2**30:,.0f} GiB; an array of at most {MAX_ARRAY_BYTES >> 30} GiB is read.")
    with damage_named(f"{path}: {key!r}"):
        array = file[key]
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path}: {key!r} is no NumPy array; write the file again with numpy.savez.")
    return array


def expand_clips(arrays: dict[str, np.ndarray], path: Path) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Clip and action of each frame, looked up by clip where the file gives them so."""
    clip, action = arrays.get("clip"), arrays.get("action")
    by_clip = {key: arrays[key] for key in ("clip_names", "clip_action") if key in arrays}
    if not by_clip:
        return clip, action
    if clip is None or clip.ndim != 1 or clip.dtype.kind not in "iu":
        raise UserError(
            f"{path}: {' and '.join(map(repr, by_clip))} need 'clip', a whole number (frames,) that points into them."
        )
    for key, values in by_clip.items():
        if values.ndim != 1 or (len(clip) and not 0 <= clip.min() <= clip.max() < len(values)):
            raise UserError(f"{path}: {key!r} has shape {values.shape}; 'clip' must point into it, from 0 to {len(values) - 1}.")
    if action is None and "clip_action" in by_clip:
        action = by_clip["clip_action"][clip]
    return by_clip["clip_names"][clip] if "clip_names" in by_clip else clip, action


def scalar(arrays: dict[str, np.ndarray], key: str, default: object, path: Path) -> object:
    """A single value of the file; raises UserError for several."""
    if key not in arrays:
        return default
    if arrays[key].size != 1:
        raise UserError(f"{path}: {key!r} has shape {arrays[key].shape}; give one value.")
    return scalars(arrays[key].ravel(), key, path)[0]


def scalars(array: np.ndarray, key: str, path: Path) -> list[object]:
    """The values of an array (entries,) as Python's own; raises UserError for damaged text."""
    with damage_named(f"{path}: {key!r}"):
        return [clean_text(value) if isinstance(value, str | bytes) else value for value in array.tolist()]
