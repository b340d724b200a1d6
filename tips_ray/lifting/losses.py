"""The terms of equations 2 to 6, unweighted, and how equations 8 and 9 weigh them.

A consistency term is one function of what a training step made, and one weight of the same name in
`tips_ray.config.Weights`; its unweighted value is the column `loss_NAME` of `tips_ray.columns`.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from tips_ray.config import Adversary, Weights
from tips_ray.poses.anatomy import LIMBS, limb_vote
from tips_ray.poses.bones import LEFT_BONES, PROPORTIONS, RIGHT_BONES, BoneLengths, bone_of, smooth_lengths
from tips_ray.poses.geometry import lift
from tips_ray.poses.select import select
from tips_ray.poses.skeleton import LEGS, LIFTED, TORSO, Part
from tips_ray.poses.types import Depth, DepthBatch, Keypoints, KeypointsBatch, PerPose, PoseBatch, Scalar

PerJoint = Float[Tensor, " joints"]
Term = Float[Tensor, "*joints"]
"""One value a joint, of which each part has its mean; or one for the whole body."""

ADULT_SHARES = 2 * tuple(share for _, share in PROPORTIONS.values())
LIMB_SEGMENTS = tuple(bone_of(f"{side}_{joint}") for side in "lr" for joint, _ in PROPORTIONS.values())
KNEES = [(limb, sides, direction) for limb, sides, direction in LIMBS if limb[1].endswith("knee")]
LEAST_BEND = 0.02
"""A knee is pushed forwards until it is so far before the line from hip to ankle, in the unit of
the keypoints."""
LEAST_FACING = 0.8
"""Cosine, about 37 degrees: hips and shoulders that face within it are left alone."""


@dataclass(frozen=True)
class Step:
    """What one training step made of a batch of max-normalised keypoints, for the terms."""

    lifter: Callable[[Keypoints], Depth]
    """The lifter, in training mode and in the run's precision."""
    keypoints: KeypointsBatch
    """The 2D poses that were observed."""
    scale: PerPose
    """Their size before they were normalised; the second half of a batch of pairs has the partners
    of the first."""
    depth: DepthBatch
    """Their depths, as lifted."""
    turned_depths: tuple[DepthBatch, ...]
    """What the lifter makes of the lifted poses after each quarter turn."""
    expected_depths: tuple[DepthBatch, ...]
    """The depths that these turned poses have."""
    reprojected: KeypointsBatch
    """The lifted poses as seen from a new viewpoint."""
    lifted_again: DepthBatch
    """Their depths, as lifted."""
    cycled: KeypointsBatch
    """The keypoints after lifting, rotating, reprojecting, lifting again and rotating back."""
    augmented: tuple[DepthBatch, DepthBatch] | None = None
    """What the lifter makes of the lifted poses after augmentation, and the depths that these
    have."""

    @cached_property
    def pose(self) -> PoseBatch:
        """The lifted poses."""
        return lift(self.keypoints, self.depth)

    @cached_property
    def lengths(self) -> BoneLengths:
        """The lengths of their bones, in the unit of the keypoints."""
        return smooth_lengths(self.pose)


def reprojection_loss(step: Step) -> PerJoint:
    """Equation 2: mean over poses and both coordinates of the squared difference."""
    return (step.cycled - step.keypoints).square().mean(dim=(0, 2))


def ninety_degree_loss(step: Step) -> PerJoint:
    """Equations 3 to 5: squared difference of depths, mean over poses, summed over the turns."""
    pairs = zip(step.turned_depths, step.expected_depths, strict=True)
    return torch.stack([(depth - expected).square().mean(dim=0) for depth, expected in pairs]).sum(0)


def augmented_loss(step: Step) -> PerJoint:
    """Squared difference of depths, mean over poses, as equations 3 to 5 have it, of poses with
    other bones and bent limbs that are seen from elsewhere (after PoseAug)."""
    assert step.augmented is not None, "a step with this term augments its poses"
    found, expected = step.augmented
    return (found - expected).square().mean(dim=0)


def all_angles_loss(step: Step) -> PerJoint:
    """Equation 16 for a lifter whose depths depend on several joints: x = -sum_j z_j dG/dx_j.

    The derivative of equation 12 by the angle, at angle 0: of the observed poses and of their
    reprojections. One derivative in one direction gives it, by forward mode, which torch then
    differentiates.
    """
    seen = torch.stack([step.keypoints, step.reprojected], dim=1)
    depth = torch.stack([step.depth, step.lifted_again], dim=1)
    direction = torch.stack([-depth, torch.zeros_like(depth)], dim=-1)
    return (directional_derivative(step.lifter, seen, direction) - seen[..., 0]).square().mean(dim=(0, 1))


def symmetry_loss(step: Step) -> Scalar:
    """Squared difference of left and right bones, as a share of the pose's mean bone length; mean
    over poses and pairs of bones."""
    return ((select(step.lengths, LEFT_BONES) - select(step.lengths, RIGHT_BONES)) / _mean_length(step.lengths)).square().mean()


def proportions_loss(step: Step) -> Scalar:
    """Squared difference of the 8 limb segments from adult ones, both in units of their mean; mean
    over poses and segments (Drillis & Contini)."""
    segments = select(step.lengths, LIMB_SEGMENTS)
    return (segments / segments.mean(-1, keepdim=True) - _adult_segments(segments.device, segments.dtype)).square().mean()


def knees_loss(step: Step) -> Scalar:
    """How far knees lack being before the line from hip to ankle by `LEAST_BEND`; mean over poses
    and both knees.

    Not elbows, of which a quarter of true poses are forwards.
    """
    return torch.stack([(LEAST_BEND - limb_vote(step.pose, *knee)).relu() for knee in KNEES]).mean()


def facing_loss(step: Step) -> Scalar:
    """How far the cosine between hips and shoulders, seen from above, is below `LEAST_FACING`; mean
    over poses. It ties the torso's depth sign to that of the legs."""
    hips, shoulders = _across(step.pose, "hip"), _across(step.pose, "shoulder")
    sizes = (hips.square().sum(-1) + 1e-6) * (shoulders.square().sum(-1) + 1e-6)
    return (LEAST_FACING - (hips * shoulders).sum(-1) / sizes.sqrt()).relu().mean()


def rigidity_loss(step: Step) -> Scalar:
    """Squared difference of a bone's length in the two frames of a pair, at the size before
    normalisation, as a share of the pair's mean bone length; mean over pairs and bones."""
    one, other = (step.lengths * step.scale[:, None]).chunk(2)
    return ((one - other) / _mean_length((one + other) / 2)).square().mean()


TERMS: dict[str, Callable[[Step], Term]] = {
    "reprojection": reprojection_loss,
    "ninety_degree": ninety_degree_loss,
    "all_angles": all_angles_loss,
    "symmetry": symmetry_loss,
    "proportions": proportions_loss,
    "knees": knees_loss,
    "facing": facing_loss,
    "rigidity": rigidity_loss,
    "augmented": augmented_loss,
}
"""The consistency terms by the names of their weights."""


def consistency_terms(step: Step, weights: Weights) -> dict[str, Term]:
    """The unweighted terms whose weight is not 0, by name."""
    return {name: term(step) for name, term in TERMS.items() if getattr(weights, name)}


def generator_loss(adversarial: Scalar, terms: Mapping[str, Term], weights: Mapping[str, Scalar], part_means: PerJoint) -> Scalar:
    """Equations 8 and 9: the adversarial term, whose weights are in its gradient
    (`weigh_gradient`), plus the weighted consistency terms: those of joints summed over parts after
    the mean over a part's joints (`part_means`), those of the whole body as they are."""
    of_joints, of_bodies = torch.zeros_like(part_means), torch.zeros_like(adversarial)
    for name, term in terms.items():
        weighted = weights[name] * term
        if term.ndim:
            of_joints = of_joints + weighted
        else:
            of_bodies = of_bodies + weighted
    return adversarial + (of_joints * part_means).sum() + of_bodies


def generator_adversarial_loss(fake: PerPose, adversary: Adversary, real: PerPose | None = None) -> Scalar:
    """The generators' side of equation 6 (non-saturating, or least squares), or of the relativistic
    loss, which needs the logits of the observed poses too."""
    if adversary.loss == "relativistic":
        assert real is not None
        return functional.softplus(real - fake).mean()
    return _score(fake, fake.new_ones(()), adversary)


def discriminator_loss(
    real: PerPose,
    fake: PerPose,
    adversary: Adversary,
    swapped: Bool[Tensor, ""] | None = None,
    real_label: Scalar | None = None,
) -> Scalar:
    """The discriminator's side of equation 6: observed poses score `real_label`, reprojected ones
    0; mean of the two. Relativistic: each observed pose scores more than its reprojection.

    Where `swapped` is true it is the other way round; a tensor, so that the host need not wait to
    know it. `real_label` is the adversary's unless it is given, as that of one of several runs.
    """
    if adversary.loss == "relativistic":
        lead = real - fake
        return functional.softplus(-lead if swapped is None else torch.where(swapped, lead, -lead)).mean()
    high = real.new_full((), adversary.real_label) if real_label is None else real_label.to(real.dtype)
    low = real.new_zeros(())
    if swapped is not None:
        high, low = torch.where(swapped, low, high), torch.where(swapped, high, low)
    return (_score(real, high, adversary) + _score(fake, low, adversary)) / 2


def accuracies(real: PerPose, fake: PerPose, adversary: Adversary, real_label: Scalar | None = None) -> dict[str, Scalar]:
    """The shares of observed and of reprojected poses that the discriminator's logits tell right;
    `real_label` as for its loss."""
    if adversary.loss == "relativistic":
        share = (real > fake).to(real.dtype).mean()
        return {"real_accuracy": share, "fake_accuracy": share}
    label = adversary.real_label if real_label is None else real_label
    middle = 0.5 * label if adversary.loss == "least_squares" else 0.0
    return {
        "real_accuracy": (real > middle).to(real.dtype).mean(),
        "fake_accuracy": (fake < middle).to(fake.dtype).mean(),
    }


def gradient_penalty(logits: Float[Tensor, "*runs poses"], keypoints: Keypoints) -> Float[Tensor, "*runs"]:
    """Half the squared gradient of logits by the poses that they are of; mean over poses (R1 by
    observed, R2 by reprojected ones), for one run or for each of several."""
    (gradient,) = torch.autograd.grad(logits.sum(), keypoints, create_graph=True)
    return gradient.square().sum(dim=(-2, -1)).mean(-1) / 2


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


def directional_derivative(function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor) -> Tensor:
    """The derivative of a function in one direction, by forward mode; it can be differentiated."""
    with warnings.catch_warnings():  # forward mode, when first used, loads rules by a function that PyTorch itself deprecates
        warnings.filterwarnings("ignore", "`torch.jit.script` is", DeprecationWarning)
        return torch.func.jvp(function, (at,), (direction,))[1]


@cache
def _adult_segments(device: torch.device, dtype: torch.dtype) -> Float[Tensor, " segments"]:
    """In units of their mean."""
    adult = torch.tensor(ADULT_SHARES, device=device, dtype=dtype)
    return adult / adult.mean()


def _mean_length(lengths: BoneLengths) -> Float[Tensor, "*poses 1"]:
    """A pose's mean bone length, which is no way to make a term smaller."""
    return lengths.mean(-1, keepdim=True).detach()


def _across(pose: PoseBatch, joint: str) -> Float[Tensor, "poses 2"]:
    """From the right to the left joint, seen from above."""
    return (pose[:, LIFTED.index(f"l_{joint}")] - pose[:, LIFTED.index(f"r_{joint}")])[:, ::2]


def _score(logits: PerPose, label: Float[Tensor, ""], adversary: Adversary) -> Float[Tensor, ""]:
    if adversary.loss == "least_squares":
        return (logits - label).square().mean()
    return functional.binary_cross_entropy_with_logits(logits, label.expand_as(logits))
