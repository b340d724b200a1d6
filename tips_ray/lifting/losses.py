"""The terms of equations 2 to 6, unweighted, and how equations 8 and 9 weigh them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from tips_ray.config import Adversary, Weights
from tips_ray.lifting.networks import Lifter
from tips_ray.poses.geometry import quarter_turns
from tips_ray.poses.skeleton import LEGS, LIFTED, TORSO, Part
from tips_ray.poses.types import DepthBatch, Keypoints, KeypointsBatch, PerPose


class GeneratorTerms(NamedTuple):
    """Unweighted terms of the generators' loss; the consistency terms are per joint, averaged over the batch."""

    adversarial: Float[Tensor, ""]
    reprojection: Float[Tensor, " joints"]
    ninety_degree: Float[Tensor, " joints"]


def squared(predicted: KeypointsBatch, target: KeypointsBatch) -> Float[Tensor, " joints"]:
    """Equation 2 for each joint: mean over poses and both coordinates of the squared difference."""
    return (predicted - target).square().mean(dim=(0, 2))


def ninety_degree(lifter: Lifter, keypoints: KeypointsBatch, depth: DepthBatch) -> Float[Tensor, " joints"]:
    """Equations 3 to 5 for each joint, summed over the three turns, mean over poses."""
    turns = quarter_turns(keypoints, depth)
    return torch.stack([(lifter(seen) - answer).square().mean(dim=0) for seen, answer in turns]).sum(0)


def fool(logits: PerPose, adversary: Adversary) -> Float[Tensor, ""]:
    """The generators' side of equation 6 (non-saturating, or least squares)."""
    return _score(logits, 1.0, adversary)


def tell_apart(real: PerPose, fake: PerPose, adversary: Adversary, swapped: bool = False) -> Float[Tensor, ""]:
    """The discriminator's side of equation 6: observed poses score `real_label`, reprojected ones 0; mean of the two."""
    labels = (0.0, adversary.real_label) if swapped else (adversary.real_label, 0.0)
    return (_score(real, labels[0], adversary) + _score(fake, labels[1], adversary)) / 2


def part_weights(parts: tuple[Part, ...], weights: Weights) -> Float[Tensor, " joints"]:
    """For every joint, the adversarial weight of the part it belongs to.

    w1 belongs to the 6 leg joints and w4 to the 10 torso joints, in equal shares; a part weighs the sum of its joints' shares.
    Hence legs: w1, torso: w4, the whole body: w1 + w4.
    """
    share = {joint: weights.legs / len(LEGS) for joint in LEGS} | {joint: weights.torso / len(TORSO) for joint in TORSO}
    weight = {joint: sum(share[other] for other in part.joints) for part in parts for joint in part.joints}
    return torch.tensor([weight[joint] for joint in LIFTED])


def part_means(parts: tuple[Part, ...]) -> Float[Tensor, " joints"]:
    """Factors that turn a sum over joints into the sum over parts of each part's mean (the 1/N of equations 2 to 5)."""
    size = {joint: len(part.joints) for part in parts for joint in part.joints}
    return torch.tensor([1.0 / size[joint] for joint in LIFTED])


def weigh_gradient(keypoints: Keypoints, weight: Float[Tensor, " joints"]) -> Keypoints:
    """The same values, with each joint's gradient multiplied by its weight.

    One backward pass then gives every part its own adversarial weight exactly, since a joint depends on one generator only.
    """
    still = keypoints.detach()
    return still + weight[:, None] * (keypoints - still)


def _score(logits: PerPose, label: float, adversary: Adversary) -> Float[Tensor, ""]:
    if adversary.loss == "least_squares":
        return (logits - label).square().mean()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
