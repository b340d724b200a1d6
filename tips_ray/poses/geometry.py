"""Lift, rotate and reproject poses under an orthographic camera.

Camera frame: x to the image's right, y up, z towards the viewer (right-handed), root at the origin.
Angles are in radians.
"""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tips_ray.poses.skeleton import LIFTED, mirrored
from tips_ray.poses.types import Depth, Keypoints, PerPose, Pose, Scalar


class View(NamedTuple):
    """Where a pose is seen from: first turned about y by `azimuth`, then about x by `elevation`;
    shapes broadcast over poses."""

    azimuth: PerPose
    elevation: PerPose
    tilt: PerPose | None = None
    """Elevation of the camera that observed the pose, undone before both; None: not undone."""


def lift(keypoints: Keypoints, depth: Depth) -> Pose:
    """Join 2D keypoints and their depths."""
    return torch.cat([keypoints, depth.unsqueeze(-1)], dim=-1)


def reproject(pose: Pose) -> Keypoints:
    """Orthographic projection: drop the depth."""
    return pose[..., :2]


def rotate(pose: Pose, view: View) -> Pose:
    """Turn a pose into the frame of a new camera (equation 11 for the azimuth, then the
    elevation)."""
    x, y, z = pose.unbind(-1)
    if view.tilt is not None:
        y, z = _turn(y, z, -view.tilt)
    x, z = _turn(x, z, view.azimuth)
    y, z = _turn(y, z, view.elevation)
    return torch.stack([x, y, z], dim=-1)


def rotate_back(pose: Pose, view: View) -> Pose:
    """The inverse of `rotate`."""
    x, y, z = pose.unbind(-1)
    y, z = _turn(y, z, -view.elevation)
    x, z = _turn(x, z, -view.azimuth)
    if view.tilt is not None:
        y, z = _turn(y, z, view.tilt)
    return torch.stack([x, y, z], dim=-1)


def quarter_turns(keypoints: Keypoints, depth: Depth) -> list[tuple[Keypoints, Depth]]:
    """What a consistent lifter sees and should answer after turns by -90, 90 and 180 degrees about
    y (equations 3 to 5)."""
    x, y = keypoints.unbind(-1)
    turned = [(depth, -x), (-depth, x), (-x, -depth)]
    return [(torch.stack([seen, y], dim=-1), answer) for seen, answer in turned]


def max_normalise(keypoints: Keypoints) -> tuple[Keypoints, PerPose]:
    """Scale each pose by one number so that its largest coordinate is 1; returns also the scales.

    A pose whose joints all coincide with the root keeps scale 1, so that nothing is divided by
    zero.
    """
    scale = keypoints.abs().amax(dim=(-2, -1))
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return keypoints / scale[..., None, None], scale


def mirror_depth(pose: Pose) -> Pose:
    """The pose turned inside out: every depth with the other sign."""
    return signed(pose, -1.0)


def signed(pose: Pose, sign: Scalar | float) -> Pose:
    """The pose with its depths multiplied by a sign, 1 or -1."""
    return torch.cat([pose[..., :2], sign * pose[..., 2:]], dim=-1)


def mirror_keypoints(keypoints: Keypoints) -> Keypoints:
    """What a mirror shows: x with the other sign, left and right joints swapped; its own
    inverse."""
    swapped = keypoints.index_select(-2, _mirror_order(keypoints.device))
    return torch.stack([-swapped[..., 0], swapped[..., 1]], dim=-1)


def mirror_sides(values: Float[Tensor, "*poses joints"]) -> Float[Tensor, "*poses joints"]:
    """Values of left and right joints swapped, as a mirror does with depths; its own inverse."""
    return values.index_select(-1, _mirror_order(values.device))


@cache
def _mirror_order(device: torch.device) -> Tensor:
    return torch.tensor([LIFTED.index(mirrored(joint)) for joint in LIFTED], device=device)


def _turn(first: Tensor, second: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = torch.cos(angle)[..., None], torch.sin(angle)[..., None]
    return first * cos - second * sin, first * sin + second * cos
