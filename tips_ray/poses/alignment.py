"""P-MPJPE in closed form: the least-squares similarities of many poses at once, without LAPACK.

The singular values s1 >= s2 >= s3 of the covariance M of two poses follow from a cubic equation,
and the best rotation is a rational function of them and M (Markley, "Attitude determination using
vector observations: a fast optimal matrix algorithm", J. Astronautical Sciences 1993). The best
reflection differs by the sign of s3 alone, so that one decomposition gives both.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Block = Float[Tensor, "3 joints poses"]
PerSign = Float[Tensor, "signs poses"]

FREE = 3e-3
"""Least firmness, relative to the trace, that the closed form can tell; a pose with less is almost
free to turn about some axis. There, rounding moves the P-MPJPE of poses as large as a person by
less than 1e-3 mm (float32) or 1e-6 mm (float64)."""
SAFE = (1e-20, 1e20)
"""Sums of products of coordinates whose sixth powers neither over- nor underflow."""


class Rotations(NamedTuple):
    """The orthogonal matrices R of each sign, determinant +1 or -1, for which trace(R^T M) is
    largest."""

    matrix: Float[Tensor, "3 3 signs poses"]
    trace: PerSign
    """trace(R^T M) = s1 + s2 + s3, where s3 has the sign of det(R) det(M)."""
    firmness: PerSign
    """s2 + s3: how steeply that trace falls when R turns about the axis that matters least."""


def similarity_errors(predicted: Block, target: Block, signs: tuple[int, ...]) -> tuple[PerSign, PerSign]:
    """Mean distance of the joints after the least-squares translation, scale and rotation (+1) or
    reflection (-1), and the trace of each: the sign with the larger trace has the smaller squared
    error. Overwrites its input.

    NaN for poses that this closed form cannot tell: degenerate ones, and sizes of which it would
    over- or underflow.
    """
    moved, goal = (pose.sub_(pose.mean(1, keepdim=True)) for pose in (predicted, target))
    size = torch.stack([axis.square().sum(0) for axis in moved]).sum(0).double()
    covariance = moved.new_zeros((3, 3, moved.shape[-1]))
    for joint, other in zip(moved.unbind(1), goal.unbind(1), strict=True):
        covariance.addcmul_(joint[:, None], other)
    matrix, trace, firmness = closed_form(covariance.double(), signs)

    scaled = matrix.mul_(trace / size).to(moved.dtype).unsqueeze(-2)
    square = moved.new_zeros((len(signs), *goal[0].shape))
    for axis in range(3):
        aligned = (moved[0] * scaled[0, axis]).addcmul_(moved[1], scaled[1, axis]).addcmul_(moved[2], scaled[2, axis])
        aligned -= goal[axis]
        square.addcmul_(aligned, aligned)
    strongest = trace.amax(0)
    firm = firmness.amin(0) > FREE * strongest  # where the trace is small, so is the scale that multiplies an error of R
    safe = (torch.minimum(size, strongest) > SAFE[0]) & (torch.maximum(size, strongest) < SAFE[1])
    return torch.where(firm & safe, square.sqrt_().mean(1), math.nan), trace


def closed_form(covariance: Float[Tensor, "3 3 poses"], signs: tuple[int, ...]) -> Rotations:
    """Markley's rotations of covariances M in float64, uncertain by rounding over firmness; NaN for
    a multiple of a rotation.

    R = ((s1 s2 + s2 s3 + s3 s1 + |M|^2) M + det(R) (s1 + s2 + s3) cof(M) - M M^T M) / ((s1 + s2)
    (s2 + s3) (s3 + s1))
    """
    rows = torch.cat([covariance, covariance[:2]])
    periodic = torch.cat([rows, rows[:, :2]], dim=1)
    cofactors = (periodic[1:4, 1:4] * periodic[2:, 2:]).sub_(periodic[1:4, 2:] * periodic[2:, 1:4])
    determinant = (covariance[0] * cofactors[0]).sum(0)
    square, cofactor_square = covariance.square().sum((0, 1)), cofactors.square().sum((0, 1))

    # These are the invariants of M^T M; its eigenvalues are on a circle, at a third of an angle
    # (Smith, Comm. ACM 1961).
    centre = square / 3
    radius_square = centre.square() - cofactor_square / 3
    radius = radius_square.sqrt()
    cosine = (centre * (centre.square() - cofactor_square / 2) + determinant.square() / 2) / (radius_square * radius)
    angle = cosine.clamp_(-1, 1).acos_() / 3
    s1 = (centre + 2 * radius * angle.cos()).sqrt_()
    s2 = (centre + 2 * radius * (angle - 2 * math.pi / 3).cos_()).sqrt_()
    sign = _column(signs, covariance.dtype, covariance.device)
    s3 = sign * (determinant / (s1 * s2))

    trace, pairs, gaps = s1 + s2 + s3, s1 * s2 + s3 * (s1 + s2), (s1 + s2) * (s2 + s3) * (s3 + s1)
    cube = _product(covariance, _product(covariance.transpose(0, 1), covariance))
    matrix = ((pairs + square) * covariance[:, :, None]).addcmul_(sign * trace, cofactors[:, :, None]).sub_(cube[:, :, None])
    return Rotations(matrix.div_(gaps), trace, s2 + s3)


@cache
def _column(signs: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Made once: the host would wait for each copy to the device."""
    return torch.tensor(signs, dtype=dtype, device=device)[:, None]


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Matrix products (3, 3, poses)."""
    return (left[:, 0, None] * right[0]).addcmul_(left[:, 1, None], right[1]).addcmul_(left[:, 2, None], right[2])
