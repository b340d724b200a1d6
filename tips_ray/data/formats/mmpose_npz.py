"""MMPose's .npz files of Human3.6M and MPI-INF-3DHP: keypoints `part` and poses `S` in the frame of
the camera."""

import re
from collections import defaultdict

import numpy as np

from tips_ray.data.formats.human36m import image_size
from tips_ray.data.formats.opened import Opened, floats
from tips_ray.data.joint_sets import HUMAN36M, MPI_INF_3DHP
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "MMPose's h36m_*.npz or mpi_inf_3dhp_*.npz"
HUMAN36M_IMAGE = re.compile(r"(?P<subject>S[0-9]+)_(?P<action>.+)\.(?P<camera>[0-9]+)_(?P<frame>[0-9]{1,15})\.\w+")
MPI_INF_IMAGE = re.compile(
    r"(?P<subject>S[0-9]+|TS[0-9]+)_(?P<action>Seq[0-9]+)_(?P<camera>Cam[0-9]+)_(?P<frame>[0-9]{1,15})\.\w+"
)


def detect(file: Opened) -> bool:
    """Whether the file has MMPose's arrays."""
    return {"imgname", "part"} <= file.keys


def read(file: Opened) -> RawKeypoints:
    """Keypoints with their poses, metres in the file; subject, action, camera and frame are in the
    images' names."""
    names = [clean_text(name).rsplit("/", 1)[-1] for name in np.ravel(file.array("imgname")).tolist()]
    part = floats(file.array("part"), f"{file.path}: 'part'")
    poses = floats(file.array("S"), f"{file.path}: 'S'") if "S" in file.keys else None
    for key, array, axes in (("part", part, (2, 3)), ("S", poses, (3, 4))):
        if array is not None and (array.shape[:2] != (len(names), 17) or array.ndim != 3 or array.shape[2] not in axes):
            raise UserError(
                f"{file.path}: {key!r} has shape {array.shape} for {len(names)} images; MMPose has (images, 17, {axes[-1]})."
            )
    clips: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    pattern = HUMAN36M_IMAGE if all(map(HUMAN36M_IMAGE.fullmatch, names)) else MPI_INF_IMAGE
    for row, name in enumerate(names):
        match = pattern.fullmatch(name)
        if match is None:
            raise UserError(f"{file.path}: the image {name[:60]!r} is not named as in Human3.6M or MPI-INF-3DHP.")
        action = match["action"].replace("_", " ")
        clips[match["subject"], action, match["camera"]].append((int(match["frame"]), row))
    raw = []
    for (subject, action, camera), places in clips.items():
        numbers, rows = map(list, zip(*places, strict=True))
        seen = None
        if poses is not None:
            flag = poses[rows][..., 3:] > 0 if poses.shape[2] == 4 else np.ones((len(rows), 17, 1), bool)
            seen = np.where(flag, poses[rows][..., :3] * 1000, np.nan)
        raw.append(
            RawClip(
                part[rows][..., :2],
                f"{subject}/{action}/{camera}",
                confidence=part[rows][..., 2] if part.shape[2] == 3 else None,
                frame=np.array(numbers),
                subject=subject,
                action=action,
                image_size=image_size(camera),
                positions=seen,
            )
        )
    human36m = pattern is HUMAN36M_IMAGE
    kind = f"MMPose {'Human3.6M' if human36m else 'MPI-INF-3DHP'}"
    joints = HUMAN36M if human36m else MPI_INF_3DHP
    return RawKeypoints(raw, joints, file.name, kind, len({clip.subject for clip in raw}))
