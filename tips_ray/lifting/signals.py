"""Label-free signals of how good a lifter is, measured on views it was trained on.

Each is lower for a better lifter. None uses a true depth, a true pose, or another camera's view of
the same pose.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tips_ray.config import ELEVATION_DEGREES
from tips_ray.data.views import Views
from tips_ray.lifting.critic import fresh_critic
from tips_ray.poses.anatomy import LIMBS, bend, sign_votes
from tips_ray.poses.bones import LEFT_BONES, PROPORTIONS, RIGHT_BONES, bone_of, bone_vectors
from tips_ray.poses.geometry import View, lift, max_normalise, reproject, rotate
from tips_ray.poses.select import select
from tips_ray.poses.skeleton import LEGS_TORSO
from tips_ray.poses.types import Keypoints, Pose, Scalar
from tips_ray.seeding import stream

SHARPEST_DEGREES = 25.0
"""Knees and elbows do not close further than to this angle between the segments (about 155 degrees
of flexion)."""
HYPEREXTENSION_DEGREES = 10.0
"""Knees do not bend the wrong way by more than this."""

Lengths = Float[Tensor, "views bones"]
"""In mm, in the order of `BONES`."""


@torch.no_grad()
def signals(lifter: nn.Module, views: Views, pose: Pose, sign: float) -> dict[str, float]:
    """All signals of a lifter in eval mode, by name, given the poses (views, 16, 3) in mm that it
    lifts of some views, with their depths multiplied by the `sign` that anatomy voted for.
    """
    lengths = bone_lengths(pose)
    values = {
        "bone_asymmetry": asymmetry(lengths),
        "bone_variation": variation(lengths, views.clip),
        "bone_proportions": proportions(lengths),
        "flipped_vote_share": flipped_vote_share(pose),
        "joint_limits": joint_limit_violations(pose),
        "depth_anisotropy": anisotropy(pose),
        **seen_elsewhere(lifter, views, pose, sign),
    }
    return {name: float(value) for name, value in values.items()}


def bone_lengths(pose: Pose) -> Lengths:
    """Lengths in mm of the 16 bones of poses (views, 16, 3) in mm, relative to the root."""
    return torch.linalg.vector_norm(bone_vectors(pose), dim=-1)


def asymmetry(lengths: Lengths) -> Scalar:
    """Difference between the left and the right bone of a pose as a share of their mean length;
    mean over poses and pairs."""
    left, right = select(lengths, LEFT_BONES).T, select(lengths, RIGHT_BONES).T
    return ((left - right).abs().mean(1) / (left + right).mean(1).div(2).clamp(min=1e-9)).mean()


def variation(lengths: Lengths, clip: Int[Tensor, " views"]) -> Scalar:
    """How much a bone's length changes within a clip, as a share of its mean length; mean over
    bones.

    The standard deviation about each clip's own mean (n - 1), pooled over clips with at least two
    views; NaN without any. The bones of a body do not change.
    """
    _, group = clip.unique(return_inverse=True)
    count = torch.bincount(group).to(lengths.dtype)
    mean = torch.zeros(len(count), lengths.shape[1], dtype=lengths.dtype, device=lengths.device)
    mean = mean.index_add_(0, group, lengths) / count[:, None]
    deviation = ((lengths - mean[group]).square().sum(0) / (count - 1).sum()).sqrt()  # 0 / 0 without two views of a clip
    return (deviation / lengths.mean(0).clamp(min=1e-9)).mean()


def proportions(lengths: Lengths) -> Scalar:
    """How far the mean limb segments are from the proportions of adults: deviation of the
    logarithms, root mean square.

    Of thigh, shin, upper arm and forearm, as shares of their sum.
    """
    mean = lengths.mean(0).clamp(min=1e-9)
    lifted = torch.stack([mean[bone_of(f"l_{joint}")] + mean[bone_of(f"r_{joint}")] for joint, _ in PROPORTIONS.values()])
    adult = lifted.new_tensor([share for _, share in PROPORTIONS.values()])
    return (lifted / lifted.sum()).log().sub((adult / adult.sum()).log()).square().mean().sqrt()


def flipped_vote_share(pose: Pose) -> Scalar:
    """Share of the votes of knees and elbows (see `tips_ray.poses.anatomy`) for a depth of the
    other sign; mean over legs and torso.

    0.5 for a part whose votes are divided evenly, or that has no vote.
    """
    votes = torch.stack([sign_votes(pose, part) for part in LEGS_TORSO])
    against, all_votes = votes.clamp(max=0).neg().sum(1), votes.abs().sum(1)
    return torch.where(all_votes > 0, against / all_votes.clamp(min=1e-9), 0.5).mean()


def joint_limit_violations(pose: Pose) -> Scalar:
    """Share of knees and elbows that are closed further than a joint can be, and of knees that bend
    the wrong way."""
    violations = []
    for limb, sides, direction in LIMBS:
        angle, forwards = bend(pose, limb, sides)
        violated = angle < math.radians(SHARPEST_DEGREES)
        if direction > 0:  # knees; how a forearm hangs at an elbow depends on the shoulder too
            violated |= (forwards < 0) & (angle < math.radians(180.0 - HYPEREXTENSION_DEGREES))
        violations.append(violated)
    return torch.stack(violations).to(pose.dtype).mean()


def anisotropy(pose: Pose) -> Scalar:
    """How far the spread of depths is from the spread of x, to which cameras all around give the
    same size: |log ratio|, mean over joints."""
    spread = pose.square().mean(0).clamp(min=1e-9)
    return (0.5 * (spread[:, 2] / spread[:, 0]).log()).abs().mean()


def seen_elsewhere(lifter: nn.Module, views: Views, pose: Pose, sign: float) -> dict[str, Scalar]:
    """Signals of the poses (views, 16, 3) in mm as seen from one random camera each; the cameras
    are the same at every epoch.

    `view_inconsistency_mm`: mean distance of the joints between a pose and what the lifter makes of
    its image in that camera, both in that camera's frame. `frechet_2d`: distance of the reprojected
    keypoints from the observed ones (`frechet`). `fresh_critic`: how well a fresh critic tells the
    two apart.
    """
    rng = stream(0, "signals")
    azimuth, elevation = (2 * torch.rand(2, len(views), generator=rng) - 1).to(pose)
    view = View(azimuth * math.pi, elevation * math.radians(ELEVATION_DEGREES))
    rotated = rotate(pose / views.scale[:, None, None], view)
    reprojected = reproject(rotated)
    lifted_again = lift(reprojected, sign * lifter(reprojected))
    distance = torch.linalg.vector_norm(lifted_again - rotated, dim=-1) * views.scale[:, None]
    seen, _ = max_normalise(reprojected)
    return {
        "view_inconsistency_mm": distance.mean(),
        "frechet_2d": frechet(views.keypoints, seen),
        "fresh_critic": fresh_critic(views.keypoints, seen),
    }


def frechet(observed: Keypoints, reprojected: Keypoints) -> Scalar:
    """Fréchet distance between normal distributions of keypoints (views, 16, 2): |m - m'|^2 + tr(C
    + C' - 2 (C C')^(1/2)).

    FID (Heusel et al., NeurIPS 2017) is this distance of features of images; here it is of
    max-normalised keypoints. NaN where some of them are.
    """
    if not (torch.isfinite(observed).all() and torch.isfinite(reprojected).all()):
        return reprojected.new_tensor(math.nan)
    one, other = observed.flatten(1).double(), reprojected.flatten(1).double()
    spread, other_spread = (torch.cov(each.T, correction=min(1, len(each) - 1)) for each in (one, other))  # of one view: 0
    values, vectors = torch.linalg.eigh(spread)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ other_spread @ root).clamp(min=0).sqrt().sum()
    return (one.mean(0) - other.mean(0)).square().sum() + spread.trace() + other_spread.trace() - 2 * overlap
