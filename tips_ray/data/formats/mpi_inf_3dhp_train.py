"""MPI-INF-3DHP's official training annotations: an `annot.mat` a sequence with 28 joints of 14
cameras, or the folder of all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from tips_ray.data.formats.damage import damage_named
from tips_ray.data.formats.opened import Opened, floats
from tips_ray.data.joint_sets import MPI_INF_3DHP_28
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError
from tips_ray.natural import natural_key

ACCEPTS = "MPI-INF-3DHP's annot.mat, or a folder of them"
FILE = "annot.mat"
IMAGE_SIZE = (2048, 2048)
JOINTS = len(MPI_INF_3DHP_28)


def detect(file: Opened) -> bool:
    """Whether the path names a file of MATLAB 5, or a folder with such annotations."""
    if file.path.is_dir():
        return any(any(file.path.glob(f"{depth}{FILE}")) for depth in ("", "*/", "*/*/"))
    return file.head.startswith(b"MATLAB 5.0 MAT-file")


def read(file: Opened) -> RawKeypoints:
    """Keypoints with their poses (`univ_annot3`), mm, camera frame, one clip a camera."""
    paths = [file.path] if file.path.is_file() else sorted(file.path.rglob(FILE), key=lambda path: natural_key(str(path)))
    clips = [clip for path in paths for clip in clips_of(path)]
    names = [joint or f"joint {at}" for at, joint in enumerate(MPI_INF_3DHP_28)]
    return RawKeypoints(clips, names, file.name, "MPI-INF-3DHP training", len({clip.subject for clip in clips}))


def clips_of(path: Path) -> Iterator[RawClip]:
    """The clips of one sequence, of which the folders name subject and sequence."""
    with damage_named(f"{path}: the file"):
        content = loadmat(path)
    keys = ("annot2", "univ_annot3" if "univ_annot3" in content else "annot3")
    cells = [content[key] for key in keys if isinstance(content.get(key), np.ndarray) and content[key].dtype.hasobject]
    if len(cells) != 2 or cells[0].size != cells[1].size:
        raise UserError(f"{path}: no 'annot2' and 'univ_annot3' with a cell a camera; give an {FILE} of MPI-INF-3DHP.")
    subject, sequence = path.resolve().parts[-3:-1]
    for camera, (seen, posed) in enumerate(zip(*(cell.ravel() for cell in cells), strict=True)):
        keypoints, positions = floats(seen, f"{path}: 'annot2'"), floats(posed, f"{path}: 'univ_annot3'")
        frames = len(keypoints) if keypoints.ndim == 2 else 0
        if not frames or keypoints.shape != (frames, 2 * JOINTS) or positions.shape != (frames, 3 * JOINTS):
            raise UserError(f"{path}: camera {camera} has arrays that are not of {JOINTS} joints a frame.")
        yield RawClip(
            keypoints.reshape(frames, JOINTS, 2),
            f"{subject}/{sequence}/{camera}",
            subject=subject,
            action=sequence,
            image_size=IMAGE_SIZE,
            positions=positions.reshape(frames, JOINTS, 3),
        )
