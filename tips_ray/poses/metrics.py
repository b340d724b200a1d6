"""Errors of 3D poses: one value a pose, in the unit of the input; the caller averages.

Inputs have any leading dimensions, float32 or float64. All functions raise ValueError for non-finite input, so that a NaN never
passes for an error, and for poses that differ in shape or type. Degenerate poses (collinear, coincident, all zero) give finite
values: where no scale is defined it is 0, and where several rotations fit equally well one of them is taken, since they give the
same squared error.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from tips_ray.poses.types import PerPose, Pose

AUC_THRESHOLDS_MM = tuple(map(float, range(0, 151, 5)))
"""MPI-INF-3DHP's thresholds: 0, 5, ..., 150 mm."""


def mpjpe(predicted: Pose, target: Pose) -> PerPose:
    """Mean distance of the joints (Human3.6M protocol I); both poses are taken as they are, root-centred by convention."""
    _check(predicted, target)
    return _distances(predicted, target).mean(-1)


def n_mpjpe(predicted: Pose, target: Pose) -> PerPose:
    """MPJPE after the least-squares scale (Rhodin et al., CVPR 2018), negative for a prediction that points the other way."""
    _check(predicted, target)
    predicted = _unit(predicted)
    scale = _ratio((predicted * target).sum((-2, -1)), predicted.square().sum((-2, -1)))
    return _distances(predicted * scale[..., None, None], target).mean(-1)


def p_mpjpe(predicted: Pose, target: Pose, reflection: bool = False) -> PerPose:
    """MPJPE after the least-squares similarity (Human3.6M protocol II): translation, scale and rotation.

    With `reflection` the alignment may also mirror the pose. That hides a wrong depth sign, and numbers with and without it
    are not comparable.
    """
    return _distances(procrustes(predicted, target, reflection), target).mean(-1)


def procrustes(predicted: Pose, target: Pose, reflection: bool = False) -> Pose:
    """`predicted` moved onto `target` by the least-squares similarity (Umeyama, PAMI 1991)."""
    _check(predicted, target)
    moved, goal = _unit(_centred(predicted)), _centred(target)
    rotated = moved @ best_rotation(moved, goal, reflection)
    scale = _ratio((rotated * goal).sum((-2, -1)), moved.square().sum((-2, -1)))
    return scale[..., None, None] * rotated + target.mean(-2, keepdim=True)


def best_rotation(moved: Pose, goal: Pose, reflection: bool = False) -> Float[Tensor, "*poses 3 3"]:
    """The orthogonal matrix R for which `moved @ R` is nearest to `goal`; without `reflection` its determinant is +1.

    Where a pose is flat or collinear and leaves R open, R is one of those that fit equally well.
    """
    left, _, right = torch.linalg.svd(moved.mT @ goal)
    if not reflection:
        left = torch.cat([left[..., :2], left[..., 2:] * torch.det(left @ right).sign()[..., None, None]], dim=-1)
    return left @ right


def pck(predicted: Pose, target: Pose, threshold: float = 150.0) -> PerPose:
    """Share of joints nearer than `threshold` (strictly, as MPI-INF-3DHP's evaluation), in the unit of the poses."""
    _check(predicted, target)
    return (_distances(predicted, target) < threshold).to(predicted.dtype).mean(-1)


def auc(predicted: Pose, target: Pose, thresholds: tuple[float, ...] = AUC_THRESHOLDS_MM) -> PerPose:
    """Mean PCK over the thresholds, MPI-INF-3DHP's area under the curve."""
    _check(predicted, target)
    distances = _distances(predicted, target)
    limits = torch.as_tensor(thresholds, dtype=distances.dtype, device=distances.device)
    return (distances[..., None] < limits).to(predicted.dtype).mean((-2, -1))


def _distances(predicted: Tensor, target: Tensor) -> Tensor:
    return torch.linalg.vector_norm(predicted - target, dim=-1)


def _centred(pose: Tensor) -> Tensor:
    return pose - pose.mean(-2, keepdim=True)


def _unit(pose: Tensor) -> Tensor:
    """The pose scaled to a largest coordinate of 1, so that no square of it over- or underflows; a zero pose stays zero."""
    largest = pose.abs().amax((-2, -1), keepdim=True)
    return pose / torch.where(largest > 0, largest, torch.ones_like(largest))


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, and 0 where the denominator is 0: a pose that is a single point has no scale."""
    defined = denominator > 0
    return torch.where(defined, numerator / torch.where(defined, denominator, torch.ones_like(denominator)), 0.0)


def _check(predicted: Tensor, target: Tensor) -> None:
    if predicted.shape != target.shape or predicted.ndim < 2 or predicted.shape[-1] != 3 or predicted.shape[-2] == 0:
        raise ValueError(
            f"The poses have shapes {tuple(predicted.shape)} and {tuple(target.shape)};"
            " give two of the same shape (..., joints, 3)."
        )
    if predicted.dtype != target.dtype or not predicted.is_floating_point():
        raise ValueError(f"The poses are of {predicted.dtype} and {target.dtype}; give two of the same type, float32 or float64.")
    for name, pose in {"predicted": predicted, "target": target}.items():
        if not torch.isfinite(pose).all():
            raise ValueError(f"The {name} poses hold NaN or infinity; an error is defined for finite poses only.")
