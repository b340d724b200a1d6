"""The terms of equations 2 to 6, unweighted, and how equations 8 and 9 weigh them.

A consistency term is one function of what a training step made, and one weight of the same name in
`tips_ray.config.Weights`; its unweighted value is the column `loss_NAME` of `tips_ray.columns`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from tips_ray.config import Adversary, Weights
from tips_ray.poses.skeleton import LEGS, LIFTED, TORSO, Part
from tips_ray.poses.types import DepthBatch, Keypoints, KeypointsBatch, PerPose

PerJoint = Float[Tensor, " joints"]


@dataclass(frozen=True)
class Step:
    """What one training step made of a batch of max-normalised keypoints, for the terms."""

    keypoints: KeypointsBatch
    """The 2D poses that were observed."""
    depth: DepthBatch
    """Their depths, as lifted."""
    cycled: KeypointsBatch
    """The keypoints after lifting, rotating, reprojecting, lifting again and rotating back."""
    turned_depths: tuple[DepthBatch, ...]
    """What the lifter makes of the lifted poses after each quarter turn."""
    expected_depths: tuple[DepthBatch, ...]
    """The depths that these turned poses have."""


def reprojection_loss(step: Step) -> PerJoint:
    """Equation 2: mean over poses and both coordinates of the squared difference."""
    return (step.cycled - step.keypoints).square().mean(dim=(0, 2))


def ninety_degree_loss(step: Step) -> PerJoint:
    """Equations 3 to 5: squared difference of depths, mean over poses, summed over the turns."""
    pairs = zip(step.turned_depths, step.expected_depths, strict=True)
    return torch.stack([(depth - expected).square().mean(dim=0) for depth, expected in pairs]).sum(0)


TERMS: dict[str, Callable[[Step], PerJoint]] = {
    "reprojection": reprojection_loss,
    "ninety_degree": ninety_degree_loss,
}
"""The consistency terms by the names of their weights."""


def consistency_terms(step: Step, weights: Weights) -> dict[str, PerJoint]:
    """The unweighted terms whose weight is not 0, by name."""
    return {name: term(step) for name, term in TERMS.items() if getattr(weights, name)}


def generator_loss(
    adversarial: Float[Tensor, ""], terms: dict[str, PerJoint], weights: Weights, part_means: PerJoint
) -> Float[Tensor, ""]:
    """Equations 8 and 9: the adversarial term, whose weights are in its gradient
    (`weigh_gradient`), plus the weighted consistency terms, each summed over parts after the mean
    over a part's joints (`part_means`)."""
    consistency = sum((getattr(weights, name) * term for name, term in terms.items()), torch.zeros_like(part_means))
    return adversarial + (consistency * part_means).sum()


def generator_adversarial_loss(logits: PerPose, adversary: Adversary) -> Float[Tensor, ""]:
    """The generators' side of equation 6 (non-saturating, or least squares)."""
    return _score(logits, logits.new_ones(()), adversary)


def discriminator_loss(
    real: PerPose, fake: PerPose, adversary: Adversary, swapped: Bool[Tensor, ""] | None = None
) -> Float[Tensor, ""]:
    """The discriminator's side of equation 6: observed poses score `real_label`, reprojected ones
    0; mean of the two.

    Where `swapped` is true it is the other way round; a tensor, so that the host need not wait to
    know it.
    """
    high, low = real.new_full((), adversary.real_label), real.new_zeros(())
    if swapped is not None:
        high, low = torch.where(swapped, low, high), torch.where(swapped, high, low)
    return (_score(real, high, adversary) + _score(fake, low, adversary)) / 2


def part_weights(parts: tuple[Part, ...], weights: Weights) -> Float[Tensor, " joints"]:
    """For every joint, the adversarial weight of the part it belongs to.

    w1 belongs to the 6 leg joints and w4 to the 10 torso joints, in equal shares; a part weighs the
    sum of its joints' shares. Hence legs: w1, torso: w4, the whole body: w1 + w4.
    """
    share = {joint: weights.legs / len(LEGS) for joint in LEGS} | {joint: weights.torso / len(TORSO) for joint in TORSO}
    weight = {joint: sum(share[other] for other in part.joints) for part in parts for joint in part.joints}
    return torch.tensor([weight[joint] for joint in LIFTED])


def part_means(parts: tuple[Part, ...]) -> Float[Tensor, " joints"]:
    """Factors that turn a sum over joints into the sum over parts of each part's mean (the 1/N of
    equations 2 to 5)."""
    size = {joint: len(part.joints) for part in parts for joint in part.joints}
    return torch.tensor([1.0 / size[joint] for joint in LIFTED])


def weigh_gradient(keypoints: Keypoints, weight: Float[Tensor, " joints"]) -> Keypoints:
    """The same values, with each joint's gradient multiplied by its weight.

    One backward pass then gives every part its own adversarial weight exactly, since a joint
    depends on one generator only.
    """
    still = keypoints.detach()
    return still + weight[:, None] * (keypoints - still)


def _score(logits: PerPose, label: Float[Tensor, ""], adversary: Adversary) -> Float[Tensor, ""]:
    if adversary.loss == "least_squares":
        return (logits - label).square().mean()
    return functional.binary_cross_entropy_with_logits(logits, label.expand_as(logits))
