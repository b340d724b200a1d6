"""Least-squares similarities between poses that are right for poses of any kind: by singular value
decomposition, one LAPACK call each, and without, for devices for which nobody should wait."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips_ray.poses.blocks import check_alike, check_finite
from tips_ray.poses.types import Pose

SQUARINGS = 36
"""Powers of 2 of the matrix of which `rotation_by_squaring` finds the largest eigenvalue."""


def procrustes(predicted: Pose, target: Pose, reflection: bool = False) -> Pose:
    """`predicted` moved onto `target` by the least-squares similarity (Umeyama, PAMI 1991); any
    leading dimensions.

    Where no scale is defined, as for joints at one point, it is 0. Raises ValueError for poses that
    differ in shape or type, or are not finite.
    """
    check_alike(predicted, target)
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    return fitted(predicted, target, lambda moved, goal: best_rotation(moved, goal, reflection))


def fitted(predicted: Pose, target: Pose, rotation: Callable[[Pose, Pose], Tensor]) -> Pose:
    """`predicted` moved onto `target` by a translation, the least-squares scale, and a rotation
    (..., 3, 3) that is found of both when they are centred."""
    moved, goal = unit(centred(predicted)), centred(target)
    rotated = moved @ rotation(moved, goal)
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


def rotation_by_squaring(moved: Pose, goal: Pose) -> Float[Tensor, "*poses 3 3"]:
    """What `best_rotation` finds, by a fixed number of matrix products instead of LAPACK.

    Its quaternion is the eigenvector of the largest eigenvalue of a symmetric matrix (Horn, JOSA A
    1987), and the powers of that matrix tend to the projector on it. Rotations of which the trace
    differs by less than 1e-9 of the largest are not told apart.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in (moved.mT @ goal).unbind(-2))
    matrix = _matrix(
        (xx + yy + zz, zy - yz, xz - zx, yx - xy),
        (zy - yz, xx - yy - zz, xy + yx, xz + zx),
        (xz - zx, xy + yx, yy - xx - zz, yz + zy),
        (yx - xy, xz + zx, yz + zy, zz - xx - yy),
    )
    size = torch.linalg.vector_norm(matrix, dim=(-2, -1), keepdim=True)
    power = matrix / size.clamp(min=1e-300) + torch.eye(4, dtype=matrix.dtype, device=matrix.device)  # no eigenvalue below 0
    for _ in range(SQUARINGS):
        power = power @ power
        power = power / power.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    largest = power.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    quaternion = power.gather(-1, largest.expand(*power.shape[:-1], 1)).squeeze(-1)
    w, x, y, z = nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    return _matrix(
        (w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
    )


def _matrix(*rows: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


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
