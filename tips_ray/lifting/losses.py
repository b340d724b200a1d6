"""The terms of equations 2 to 6, unweighted, and how equations 8 and 9 weigh them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from tips_ray.config import Adversary, Weights
from tips_ray.poses.skeleton import LEGS, LIFTED, TORSO, Part
from tips_ray.poses.types import DepthBatch, Keypoints, KeypointsBatch, PerPose


class GeneratorTerms(NamedTuple):
    """Unweighted terms of the generators' loss; the consistency terms are per joint, averaged over
    the batch."""

    adversarial: Float[Tensor, ""]
    reprojection: Float[Tensor, " joints"]
    ninety_degree: Float[Tensor, " joints"]


def reprojection_loss(predicted: KeypointsBatch, target: KeypointsBatch) -> Float[Tensor, " joints"]:
    """Equation 2 for each joint: mean over poses and both coordinates of the squared difference."""
    return (predicted - target).square().mean(dim=(0, 2))


def ninety_degree_loss(answers: Sequence[DepthBatch], known: Sequence[DepthBatch]) -> Float[Tensor, " joints"]:
    """Equations 3 to 5 for each joint, summed over the three turns, mean over poses."""
    return torch.stack([(answer - depth).square().mean(dim=0) for answer, depth in zip(answers, known, strict=True)]).sum(0)


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
