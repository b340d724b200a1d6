"""Errors of 3D poses: one value a pose, in the unit of the input; the caller averages.

Inputs have any leading dimensions, float32 or float64. All functions raise ValueError for
non-finite input, so that a NaN never passes for an error, and for poses that differ in shape or
type. Under torch.vmap the host does not wait to see whether values are finite, and the error of a
NaN is NaN. Degenerate poses (collinear, coincident, all zero) give finite values: where no scale is
defined it is 0, and where several rotations fit equally well one of them is taken, since they give
the same squared error. The errors have no gradients, and need little memory beyond themselves for
any number of poses.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tips_ray.poses.alignment import similarity_errors
from tips_ray.poses.blocks import by_blocks
from tips_ray.poses.procrustes import best_rotation, fitted, procrustes, ratio, rotation_by_squaring, unit
from tips_ray.poses.types import PerPose, Pose

__all__ = [
    "AUC_THRESHOLDS_MM",
    "PMpjpe",
    "auc",
    "best_rotation",
    "mpjpe",
    "n_mpjpe",
    "p_mpjpe",
    "p_mpjpe_by_sign",
    "pck",
    "procrustes",
]

AUC_THRESHOLDS_MM = tuple(map(float, range(0, 151, 5)))
"""MPI-INF-3DHP's thresholds: 0, 5, ..., 150 mm."""


class PMpjpe(NamedTuple):
    """P-MPJPE of predictions whose depths may have the wrong sign."""

    proper: PerPose
    """Rotation only: `p_mpjpe(predicted, target)`."""
    mirrored: PerPose
    """Rotation only, of the prediction turned inside out: `p_mpjpe(mirror_depth(predicted),
    target)`."""
    reflected: PerPose
    """Of the two, the one with the smaller squared error: `p_mpjpe(predicted, target,
    reflection=True)`."""


def mpjpe(predicted: Pose, target: Pose) -> PerPose:
    """Mean distance of the joints (Human3.6M protocol I); both poses are taken as they are,
    root-centred by convention."""
    return by_blocks(lambda guess, truth: _distances(guess, truth).mean(0), predicted, target)


def n_mpjpe(predicted: Pose, target: Pose) -> PerPose:
    """MPJPE after the least-squares scale (Rhodin et al., CVPR 2018), negative for a prediction
    that points the other way."""

    def scaled(guess: Tensor, truth: Tensor) -> Tensor:
        guess = unit(guess, dim=(0, 1))
        scale = ratio((guess * truth).sum((0, 1)), guess.square().sum((0, 1)))
        return _distances(guess.mul_(scale), truth).mean(0)

    return by_blocks(scaled, predicted, target)


def p_mpjpe(predicted: Pose, target: Pose, reflection: bool = False) -> PerPose:
    """MPJPE after the least-squares similarity (Human3.6M protocol II): translation, scale and
    rotation.

    With `reflection` the alignment may also mirror the pose. That hides a wrong depth sign, and
    numbers with and without it are not comparable.
    """
    if reflection:
        return p_mpjpe_by_sign(predicted, target).reflected

    def aligned(guess: Tensor, truth: Tensor) -> Tensor:
        return similarity_errors(guess, truth, (1,))[0][0]

    return by_blocks(aligned, predicted, target, _aligned_by_svd, lambda guess, truth: _by_sign_by_squaring(guess, truth)[0])


def p_mpjpe_by_sign(predicted: Pose, target: Pose) -> PMpjpe:
    """P-MPJPE of the predictions, of their mirror images, and of whichever fits better, from one
    decomposition."""

    def aligned(guess: Tensor, truth: Tensor) -> Tensor:
        (proper, mirrored), trace = similarity_errors(guess, truth, (1, -1))
        return torch.stack([proper, mirrored, torch.where(trace[1] > trace[0], mirrored, proper)])

    def aligned_by_svd(guess: Tensor, truth: Tensor) -> Tensor:
        either = _aligned_by_svd(guess, truth, reflection=True)
        return torch.stack([_aligned_by_svd(guess, truth), _aligned_by_svd(-guess, truth), either])

    return PMpjpe(*by_blocks(aligned, predicted, target, aligned_by_svd, _by_sign_by_squaring))


def pck(predicted: Pose, target: Pose, threshold: float = 150.0) -> PerPose:
    """Share of joints nearer than `threshold` (strictly, as MPI-INF-3DHP's evaluation), in the unit
    of the poses."""
    return auc(predicted, target, (threshold,))


def auc(predicted: Pose, target: Pose, thresholds: tuple[float, ...] = AUC_THRESHOLDS_MM) -> PerPose:
    """Mean PCK over the thresholds, MPI-INF-3DHP's area under the curve."""

    def near(guess: Tensor, truth: Tensor) -> Tensor:
        distances = _distances(guess, truth)
        return torch.stack([(distances < threshold).to(distances.dtype).mean(0) for threshold in thresholds]).mean(0)

    return by_blocks(near, predicted, target)


def _distances(predicted: Tensor, target: Tensor) -> Tensor:
    """Of the joints of poses (3, joints, poses), which it overwrites."""
    return predicted.sub_(target).square_().sum(0).sqrt_()


def _aligned_by_svd(predicted: Tensor, target: Tensor, reflection: bool = False) -> Tensor:
    """P-MPJPE in float64, right also for degenerate, huge and tiny poses (n, joints, 3)."""
    predicted, target = predicted.double(), target.double()
    return torch.linalg.vector_norm(procrustes(predicted, target, reflection) - target, dim=-1).mean(-1)


def _by_sign_by_squaring(predicted: Tensor, target: Tensor) -> Tensor:
    """The rows of `p_mpjpe_by_sign` in float64, of poses of any kind, without LAPACK."""
    predicted, target = predicted.double(), target.double()
    proper, mirrored = (fitted(guess, target, rotation_by_squaring) - target for guess in (predicted, -predicted))
    is_nearer = mirrored.square().sum((-2, -1)) < proper.square().sum((-2, -1))
    errors = [torch.linalg.vector_norm(distance, dim=-1).mean(-1) for distance in (proper, mirrored)]
    return torch.stack([*errors, torch.where(is_nearer, errors[1], errors[0])])
