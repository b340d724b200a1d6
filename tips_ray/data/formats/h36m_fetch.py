"""Human3.6M as h36m-fetch extracts it: an `annot.h5` a sequence, or the folder of all."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tips_ray.data.formats.damage import damage_named
from tips_ray.data.formats.human36m import ACTIONS, image_size
from tips_ray.data.formats.mpi_inf_3dhp import hdf5_keys
from tips_ray.data.formats.opened import Opened
from tips_ray.data.joint_sets import HUMAN36M, HUMAN36M_32_USED
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError
from tips_ray.natural import natural_key

ACCEPTS = "h36m-fetch's annot.h5, or a folder of them"
FILE = "annot.h5"


def detect(file: Opened) -> bool:
    """Whether the path names an `annot.h5`, or a folder with them."""
    if file.path.is_dir():
        return any(any(file.path.glob(f"{depth}{FILE}")) for depth in ("", "*/", "*/*/"))
    return file.is_hdf5 and {"pose", "camera"} <= hdf5_keys(file.path)


def read(file: Opened) -> RawKeypoints:
    """Keypoints with their poses, mm, camera frame, one clip a camera."""
    paths = [file.path] if file.path.is_file() else sorted(file.path.rglob(FILE), key=lambda path: natural_key(str(path)))
    clips = [clip for path in paths for clip in clips_of(path)]
    return RawKeypoints(clips, HUMAN36M, file.name, "Human3.6M of h36m-fetch", len({clip.subject for clip in clips}))


def clips_of(path: Path) -> Iterator[RawClip]:
    """The clips of one sequence."""
    keys = ("pose/2d", "pose/3d", "camera", "frame", "subject", "action", "subaction")
    with damage_named(f"{path}: the file"), h5py.File(path) as file:
        arrays = {key: np.asarray(file[key]) for key in keys if isinstance(file.get(key), h5py.Dataset)}
    missing = [key for key in keys[:4] if key not in arrays]
    frames = len(arrays["camera"]) if "camera" in arrays and arrays["camera"].ndim else 0
    shapes = {"pose/2d": (frames, 32, 2), "pose/3d": (frames, 32, 3), "camera": (frames,), "frame": (frames,)}
    wrong = [key for key in shapes if key in arrays and arrays[key].shape != shapes[key]]
    if missing or wrong or not frames:
        raise UserError(
            f"{path}: {', '.join(map(repr, missing + wrong)) or 'every frame'} is missing or of another shape than h36m-fetch's."
        )
    if any(arrays[key].dtype.kind not in "iuf" for key in shapes):
        raise UserError(f"{path}: its arrays hold no numbers; extract the sequence again.")
    number = {key: int(np.ravel(arrays[key])[0]) if key in arrays and arrays[key].size else None for key in keys[4:]}
    subject = f"S{number['subject']}" if number["subject"] is not None else path.parent.parent.name
    action = number["action"]
    named = ACTIONS[action - 2] if action is not None and 2 <= action < len(ACTIONS) + 2 else path.parent.name.split("-")[0]
    take = number["subaction"]
    label = f"{named} {take - 1}" if take is not None and take > 1 else named
    used = list(HUMAN36M_32_USED)
    for camera in np.unique(arrays["camera"]):
        rows = arrays["camera"] == camera
        yield RawClip(
            arrays["pose/2d"][rows][:, used],
            f"{subject}/{label}/{int(camera)}",
            frame=arrays["frame"][rows].astype(np.int64),
            subject=subject,
            action=label,
            image_size=image_size(str(int(camera))),
            positions=arrays["pose/3d"][rows][:, used],
        )
