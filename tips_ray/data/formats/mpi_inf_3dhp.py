"""MPI-INF-3DHP: the official annotations (`annot_data.mat` of a test sequence, or the folder of
all), and P-STMO's `data_test_3dhp.npz` and `data_train_3dhp.npz`."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tips_ray.data.formats.damage import damage_named
from tips_ray.data.formats.opened import Opened, floats
from tips_ray.data.joint_sets import MPI_INF_3DHP
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError
from tips_ray.natural import natural_key

ACCEPTS = "MPI-INF-3DHP's annot_data.mat, or a folder of them"
OFFICIAL = "annot_data.mat"
ACTIVITIES = ("Standing/Walking", "Exercise", "Sitting", "Crouch/Reach", "On the Floor", "Sports", "Miscellaneous")
"""Numbered from 1."""


def detect(file: Opened) -> bool:
    """Whether the path names the annotations, a folder with them, or P-STMO's file."""
    if file.path.is_dir():
        return any(file.path.glob(f"*/{OFFICIAL}")) or (file.path / OFFICIAL).is_file()
    if file.is_hdf5:
        return "annot2" in hdf5_keys(file.path)
    return "data" in file.keys and "keypoints" not in file.keys and "positions" not in file.keys


def hdf5_keys(path: Path) -> set[str]:
    """Names at the top of an HDF5 file; none if it is damaged."""
    try:
        with h5py.File(path) as file:
            return set(file)
    except (OSError, RuntimeError, ValueError, KeyError):
        return set()


def read(file: Opened) -> RawKeypoints:
    """Keypoints with their poses, mm, camera frame; frames that are not valid are left out."""
    if file.keys:
        sequences = list(repacked(file))
    else:
        paths = [file.path] if file.path.is_file() else sorted(file.path.rglob(OFFICIAL), key=lambda path: natural_key(str(path)))
        sequences = [clip for path in paths for clip in by_activity(*official(path))]
    if not sequences:
        raise UserError(
            f"{file.path}: no sequence of MPI-INF-3DHP in it; P-STMO has {{'TS1': {{'data_2d', 'data_3d', 'valid'}}}}."
        )
    return RawKeypoints(sequences, MPI_INF_3DHP, file.name, "MPI-INF-3DHP", len({clip.subject for clip in sequences}))


def official(path: Path) -> tuple[RawClip, np.ndarray]:
    """One test sequence, and the number of each frame's activity, 0 where it is not known;
    `univ_annot3`, the poses scaled to one height, are what errors are measured on."""
    with damage_named(f"{path}: the file"), h5py.File(path) as file:
        arrays = {
            key: np.asarray(file[key], dtype=np.float64)
            for key in ("annot2", "univ_annot3", "annot3", "valid_frame", "activity_annotation")
            if isinstance(file.get(key), h5py.Dataset)
        }
    poses = arrays.get("univ_annot3", arrays.get("annot3"))
    if "annot2" not in arrays or arrays["annot2"].size % 34 or (poses is not None and poses.size % 51):
        raise UserError(f"{path}: no 'annot2' and 'univ_annot3' of 17 joints; give an {OFFICIAL} of MPI-INF-3DHP's test set.")
    clip = sequence(
        path,
        path.parent.name or path.stem,
        keypoints=arrays["annot2"].reshape(-1, 17, 2),
        poses=None if poses is None else poses.reshape(-1, 17, 3),
        valid=np.ravel(arrays["valid_frame"]) if "valid_frame" in arrays else None,
    )
    numbers = np.nan_to_num(np.ravel(arrays.get("activity_annotation", np.zeros(0))))
    return clip, numbers if len(numbers) == len(clip.keypoints) else np.zeros(len(clip.keypoints))


def by_activity(clip: RawClip, numbers: np.ndarray) -> Iterator[RawClip]:
    """The frames of a sequence, a clip for each of its activities."""
    frames = np.arange(len(numbers))
    several = len(np.unique(numbers)) > 1
    for number in np.unique(numbers):
        rows = numbers == number
        action = ACTIVITIES[int(number) - 1] if number in range(1, len(ACTIVITIES) + 1) else ""
        yield replace(
            clip,
            keypoints=clip.keypoints[rows],
            clip=f"{clip.clip}/{action or 'unnamed'}" if several else clip.clip,
            frame=frames[rows],
            action=action,
            positions=None if clip.positions is None else clip.positions[rows],
        )


def repacked(file: Opened) -> Iterator[RawClip]:
    """The sequences of P-STMO's files: of the test, or of training with one entry a camera."""
    content = file.item("data")
    if not isinstance(content, dict):
        raise UserError(f"{file.path}: 'data' is no dict; P-STMO's files have {{'TS1': {{'data_2d', 'data_3d', 'valid'}}}}.")
    for name, entry in content.items():
        entry = entry[0] if isinstance(entry, list | tuple) and entry else entry
        if not isinstance(entry, dict):
            raise UserError(f"{file.path}: {clean_text(name)[:40]!r} is no sequence of P-STMO's.")
        cameras = {"": entry} if "data_2d" in entry else entry
        for camera, arrays in cameras.items():
            if not isinstance(arrays, dict) or "data_2d" not in arrays:
                raise UserError(f"{file.path}: {clean_text(name)[:40]!r} has no 'data_2d'.")
            yield packed_sequence(file.path, f"{clean_text(name)}/{clean_text(camera)}".rstrip("/"), arrays)


def packed_sequence(path: Path, name: str, arrays: dict[str, Any]) -> RawClip:
    """One sequence of P-STMO's files."""
    what = f"{path}: {name}"
    valid = arrays.get("valid")
    keypoints = floats(arrays["data_2d"], f"{what} 'data_2d'")
    poses = floats(arrays["data_3d"], f"{what} 'data_3d'") if arrays.get("data_3d") is not None else None
    return sequence(path, name, keypoints, poses, None if valid is None else np.ravel(floats(valid, f"{what} 'valid'")))


def sequence(path: Path, name: str, keypoints: np.ndarray, poses: np.ndarray | None, valid: np.ndarray | None) -> RawClip:
    """A clip of its valid frames."""
    frames = len(keypoints) if keypoints.ndim else 0
    shapes = [keypoints.shape == (frames, 17, 2), poses is None or poses.shape == (frames, 17, 3)]
    if not frames or not all(shapes) or (valid is not None and valid.shape != (frames,)):
        raise UserError(f"{path}: {name} has arrays of different shapes; MPI-INF-3DHP has 17 joints a frame.")
    keypoints = keypoints.copy()
    if valid is not None:
        keypoints[~(valid > 0)] = np.nan
    match = re.fullmatch(r"(T?S[0-9]+)\b.*", name)
    size = {"TS5": (1920, 1080), "TS6": (1920, 1080)}.get(name, (2048, 2048))
    return RawClip(keypoints, name, subject=match[1] if match else name, image_size=size, positions=poses)
