"""Least-squares similarities between poses by singular value decomposition: right for poses of any
kind, one LAPACK call each."""

import torch
from jaxtyping import Float
from torch import Tensor

from tips_ray.poses.blocks import check_alike, check_finite
from tips_ray.poses.types import Pose


def procrustes(predicted: Pose, target: Pose, reflection: bool = False) -> Pose:
    """`predicted` moved onto `target` by the least-squares similarity (Umeyama, PAMI 1991); any
    leading dimensions.

    Where no scale is defined, as for joints at one point, it is 0. Raises ValueError for poses that
    differ in shape or type, or are not finite.
    """
    check_alike(predicted, target)
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    moved, goal = unit(centred(predicted)), centred(target)
    rotated = moved @ best_rotation(moved, goal, reflection)
    scale = ratio((rotated * goal).sum((-2, -1)), moved.square().sum((-2, -1)))
    return scale[..., None, None] * rotated + target.mean(-2, keepdim=True)


def best_rotation(moved: Pose, goal: Pose, reflection: bool = False) -> Float[Tensor, "*poses 3 3"]:
    """The orthogonal matrix R for which `moved @ R` is nearest to `goal`; without `reflection` its
    determinant is +1.

    Where a pose is flat or collinear and leaves R open, R is one of those that fit equally well.
    """
    left, _, right = torch.linalg.svd(moved.mT @ goal)
    if not reflection:
        left = torch.cat([left[..., :2], left[..., 2:] * torch.det(left @ right).sign()[..., None, None]], dim=-1)
    return left @ right


def centred(pose: Tensor) -> Tensor:
    """The pose (..., joints, 3) with its joints' mean at the origin."""
    return pose - pose.mean(-2, keepdim=True)


def unit(pose: Tensor, dim: tuple[int, int] = (-2, -1)) -> Tensor:
    """The pose scaled to a largest coordinate of 1, so that no square of it over- or underflows; a
    zero pose stays zero."""
    largest = pose.abs().amax(dim, keepdim=True)
    return pose / torch.where(largest > 0, largest, torch.ones_like(largest))


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, and 0 where the denominator is 0: a pose that is a single point has no
    scale."""
    defined = denominator > 0
    return torch.where(defined, numerator / torch.where(defined, denominator, torch.ones_like(denominator)), 0.0)
