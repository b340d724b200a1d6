"""The plain format: an .npz file with `positions` (frames, 17, 3) in mm and `joint_names`, read
without pickle."""

import zipfile
import zlib
from pathlib import Path
from typing import TypeVar

import numpy as np

from tips_ray.data.poseset import PoseSet, make_poseset
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS
from tips_ray.store.atomic import replacing

T = TypeVar("T", str, bool)

REQUIRED = ("positions", "joint_names")
OPTIONAL = ("subject", "action", "clip", "clip_names", "clip_action", "up", "synthetic")


def read_npz(path: str | Path) -> PoseSet:
    """Read poses from an .npz file of plain arrays.

    Required: `positions` (frames, 17, 3) in mm, `joint_names` (17,) in any order. Optional:
    `subject`, `action`, `clip` (frames,); `up`, "y" (default) or "z"; `synthetic`, a truth value.
    Labels may also be given by clip: `clip` then holds indices into `clip_names` and `clip_action`
    (clips,).

    Raises ValueError, in one sentence that names the file, for anything that cannot be read as
    poses.
    """
    path = Path(path)
    arrays = read_arrays(path)
    missing = [key for key in REQUIRED if key not in arrays]
    if missing:
        raise UserError(
            f"{path}: no {' and no '.join(map(repr, missing))} in the file; the plain format has"
            f" 'positions' (frames, {len(JOINTS)}, 3) in millimetres and 'joint_names', and may have {', '.join(OPTIONAL)}."
        )
    clip, action = expand_clips(arrays, path)
    return make_poseset(
        arrays["positions"],
        name=path.name,
        joint_names=np.atleast_1d(arrays["joint_names"]).ravel().tolist(),
        subject=arrays.get("subject"),
        action=action,
        clip=clip,
        up=scalar(arrays, "up", "y", path),
        synthetic=scalar(arrays, "synthetic", False, path),
    )


def write_npz(poses: PoseSet, path: str | Path) -> None:
    """Write poses in the plain format; `path` holds all of them or is left as it was.

    Raises ValueError if `path` does not end in .npz, OSError if it cannot be written.
    """
    path = check_suffix(path)
    with replacing(path) as temporary, temporary.open("xb") as file:
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
    """The path, if its name ends in .npz; raises ValueError if not."""
    if Path(path).suffix != ".npz":
        raise UserError(f"{path}: poses are written to a file whose name ends in .npz.")
    return Path(path)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the plain format that the file holds; raises ValueError for a file that is not
    a sound .npz of them."""
    if not path.is_file():
        raise UserError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}; give an .npz file of poses.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: not an .npz file; write one with numpy.savez(path, positions=..., joint_names=...).")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: read_array(file, key) for key in (*REQUIRED, *OPTIONAL) if key in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: {error}; write the file again.") from error


def read_array(file: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    """One array of an open file; raises ValueError if it is of Python objects or damaged."""
    try:
        return file[key]
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"{key!r} needs pickle, which can run code when it is loaded;"
                f" save numbers, and text as numpy.array(names, dtype=str)"
            ) from error
        raise UserError(f"{key!r} is damaged ({error})") from error
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{key!r} is damaged ({error})") from error


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


def scalar(arrays: dict[str, np.ndarray], key: str, default: T, path: Path) -> T:
    """A single value of the file as the type of its default; raises ValueError for several."""
    if key not in arrays:
        return default
    if arrays[key].size != 1:
        raise UserError(f"{path}: {key!r} has shape {arrays[key].shape}; give one value.")
    return type(default)(arrays[key].item())
