"""Detectron's keypoints of one video, as VideoPose3D's inference writes them: an .npz file with a
list of people a frame."""

import numpy as np

from tips_ray.data.formats.opened import Opened, floats
from tips_ray.data.formats.videopose3d import size_of
from tips_ray.data.joint_sets import COCO
from tips_ray.data.people import Person, Recording, chosen_clips
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "Detectron's keypoints of a video (.npz)"


def detect(file: Opened) -> bool:
    """Whether the file has boxes, segments and keypoints."""
    return {"boxes", "keypoints"} <= file.keys and "joint_names" not in file.keys


def read(file: Opened) -> RawKeypoints:
    """COCO's 17 joints of everyone in each frame; the joint's row is x, y, a logit and a
    probability."""
    metadata = file.item("metadata") if "metadata" in file.keys else None
    frames = file.array("keypoints")
    people = []
    for number, frame in enumerate(frames):
        found = frame[-1] if isinstance(frame, list | tuple | np.ndarray) and len(frame) else []
        array = floats(found, f"{file.path}: frame {number} of 'keypoints'")
        if not array.size:
            continue
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[1] not in (3, 4) or array.shape[2] != len(COCO):
            raise UserError(f"{file.path}: frame {number} has keypoints of shape {array.shape}; Detectron has (people, 4, 17).")
        people += [Person(number, one[:2].T, one[-1]) for one in array]
    name = file.name.removesuffix(".npz")
    recording = Recording(name, range(len(frames)), people, image_size=size_of(metadata))
    chosen = chosen_clips([recording], file.reading.person, len(COCO))
    return RawKeypoints(chosen.clips, COCO, file.name, "Detectron keypoints of a video", chosen.people, notes=chosen.notes)
