"""Errors by joint on a drawn body, one for each arm."""

from dataclasses import dataclass
from typing import Any

from tips_ray.poses.skeleton import BONES, JOINTS, LIFTED
from tips_ray.report.text import mm
from tips_ray.stability.predictions import Predictions

WIDTH, HEIGHT = 200, 225
PLACES = {
    "pelvis": (100, 112),
    "r_hip": (84, 114),
    "r_knee": (78, 160),
    "r_ankle": (74, 206),
    "l_hip": (116, 114),
    "l_knee": (122, 160),
    "l_ankle": (126, 206),
    "spine": (100, 84),
    "thorax": (100, 52),
    "neck": (100, 36),
    "head": (100, 14),
    "l_shoulder": (136, 66),
    "l_elbow": (150, 96),
    "l_wrist": (158, 136),
    "r_shoulder": (64, 66),
    "r_elbow": (50, 96),
    "r_wrist": (42, 136),
}
"""Of the joints of a body that faces the reader, in a drawing of this size."""
SMALLEST, LARGEST = 4.0, 10.0
"""Radius of a joint without an error, and of the one that errs most over all arms."""


@dataclass(frozen=True)
class DrawnJoint:
    """A joint in a drawing."""

    name: str
    x: float
    y: float
    radius: float
    share: float
    """Of the error of the joint that errs most over all arms, from 0 to 1: its colour."""
    text: str


@dataclass(frozen=True)
class DrawnBody:
    """The body of an arm."""

    arm: str
    result: str
    joints: list[DrawnJoint]
    bones: list[tuple[int, int, int, int]]


def joint_bodies(predicted: Predictions) -> list[DrawnBody]:
    """A body for each arm, and for the flat prediction."""
    top = max((float(errors.max()) for errors in predicted.by_joint.values()), default=1.0) or 1.0
    return [drawn_body(arm, errors, top) for arm, errors in predicted.by_joint.items()]


def drawn_body(arm: str, errors: Any, top: float) -> DrawnBody:
    """The body of one arm."""
    by_joint = dict(zip(LIFTED, map(float, errors), strict=True))
    joints = [
        DrawnJoint(
            joint.replace("_", " "),
            *PLACES[joint],
            round(SMALLEST + (LARGEST - SMALLEST) * error / top, 1),
            round(error / top, 2),
            mm(error),
        )
        for joint, error in by_joint.items()
    ]
    worst, best = max(by_joint, key=by_joint.__getitem__), min(by_joint, key=by_joint.__getitem__)
    said = [f"{joint.replace('_', ' ')} {mm(by_joint[joint])} mm" for joint in (worst, best)]
    bones = [(*PLACES[JOINTS[parent]], *PLACES[JOINTS[child]]) for parent, child in BONES]
    return DrawnBody(arm, f"{arm}: the joint that errs most is {said[0]}, least {said[1]}", joints, bones)
