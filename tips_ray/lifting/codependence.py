"""How much each depth depends on each keypoint: the codependence that part generators are made to
prevent (TIPS-GAN)."""

import torch
from jaxtyping import Float
from torch import Tensor

from tips_ray.errors import UserError
from tips_ray.lifting.losses import directional_derivative
from tips_ray.lifting.networks import Lifter
from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED, Part, partition

JOINTS = len(LIFTED)


@torch.no_grad()
def sensitivity(lifter: Lifter, keypoints: Float[Tensor, "poses 16 2"], at_once: int = 256) -> Float[Tensor, "16 16"]:
    """How far depth i (row) moves with keypoint j (column): the mean over poses of |dz_i/dx_j| +
    |dz_i/dy_j|.

    In units of depth per unit of max-normalised keypoints. The lifter is probed as it lifts, in
    eval mode, and left in the mode it came in; keypoints are of its device and type. Taking
    `at_once` poses at a time bounds the memory. Raises ValueError for keypoints that are none, not
    finite, or not of shape (poses, 16, 2), and for a lifter that has diverged.
    """
    if keypoints.shape[1:] != (JOINTS, 2) or not len(keypoints):
        raise UserError(
            f"The keypoints have the shape {tuple(keypoints.shape)}; give at least one pose, in the shape (poses, {JOINTS}, 2)."
        )
    if not torch.isfinite(keypoints).all():
        raise UserError("The keypoints hold NaN or infinity; leave such poses out.")
    modes = {module: module.training for module in lifter.modules()}
    lifter.eval()
    try:
        slopes = torch.stack([_summed_slopes(lifter, seen) for seen in keypoints.split(at_once)]).sum(0)
    finally:
        for module, training in modes.items():
            module.training = training
    return slopes / len(keypoints)


def outside_share(sensitivity: Float[Tensor, "16 16"], parts: tuple[Part, ...] = LEGS_TORSO) -> float:
    """Which share of a depth's sensitivity lies on keypoints outside the depth's own part, as the
    mean over the 16 depths.

    0 for generators measured by their own parts; for the legs and torso, 0.47 where all keypoints
    count alike. A depth that depends on no keypoint counts as 0. Raises ValueError unless the parts
    hold each joint once, as `partition` does.
    """
    outside = torch.ones_like(sensitivity)
    for part in partition({part.name: part.joints for part in parts}):
        own = torch.tensor(part.indices, device=outside.device)
        outside[own[:, None], own] = 0.0
    total = sensitivity.sum(1)
    return float(((sensitivity * outside).sum(1) / total.where(total != 0, 1.0)).mean())


def _summed_slopes(lifter: Lifter, keypoints: Float[Tensor, "poses 16 2"]) -> Float[Tensor, "16 16"]:
    """The sum over poses instead of the mean, by forward mode: the lifter carries 32 directions
    beside the poses.

    In eval mode poses do not see each other, so that one direction moves the same coordinate of all
    poses.
    """
    directions = torch.eye(2 * JOINTS, dtype=keypoints.dtype, device=keypoints.device).view(-1, 1, JOINTS, 2)

    def slopes_along(direction: Tensor) -> Tensor:
        return directional_derivative(lifter, keypoints, direction.expand_as(keypoints))

    slopes = torch.vmap(slopes_along)(directions)
    if not (torch.isfinite(lifter(keypoints)).all() and torch.isfinite(slopes).all()):
        raise UserError("The lifter answers with NaN or infinity, so its training has diverged; probe an earlier epoch.")
    return slopes.abs().sum(1).view(JOINTS, 2, JOINTS).sum(1).T
