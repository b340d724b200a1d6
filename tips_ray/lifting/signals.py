"""Label-free signals of how good a lifter is, measured on views it was trained on.

Each is lower for a better lifter. None uses a true depth, a true pose, or another camera's view of
the same pose.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tips_ray.config import ELEVATION_DEGREES
from tips_ray.data.views import Views
from tips_ray.lifting.critic import fresh_critic
from tips_ray.poses.anatomy import LIMBS, bend, sign_votes
from tips_ray.poses.bones import LEFT_BONES, PROPORTIONS, RIGHT_BONES, bone_of, bone_vectors
from tips_ray.poses.geometry import View, lift, max_normalise, reproject, rotate
from tips_ray.poses.select import select
from tips_ray.poses.skeleton import LEGS_TORSO
from tips_ray.poses.types import Depth, Keypoints, KeypointsBatch, Pose, Scalar
from tips_ray.seeding import stream

SHARPEST_DEGREES = 25.0
"""Knees and elbows do not close further than to this angle between the segments (about 155 degrees
of flexion)."""
HYPEREXTENSION_DEGREES = 10.0
"""Knees do not bend the wrong way by more than this."""

FRECHET = "frechet_2d"

Lengths = Float[Tensor, "views bones"]
"""In mm, in the order of `BONES`."""
Lifts = Callable[[Keypoints], Depth]
"""A lifter in eval mode, or what computes as it does with other weights."""
Moments = Float[Tensor, "rows coordinates"]
"""The mean of keypoints as vectors of 32 coordinates, and their covariance (32, 32) below it, in
float64."""


@torch.no_grad()
def signals(lifter: Lifts, views: Views, pose: Pose, sign: Scalar | float) -> dict[str, float]:
    """All signals of a lifter in eval mode, by name, given the poses (views, 16, 3) in mm that it
    lifts of some views, with their depths multiplied by the `sign` that anatomy voted for.
    """
    return {name: float(value) for name, value in finished(signal_tensors(lifter, views, pose, sign)).items()}


def signal_tensors(lifter: Lifts, views: Views, pose: Pose, sign: Scalar | float) -> dict[str, Tensor]:
    """The same, computed without waiting for the device: each a scalar, but for what `finished`
    turns into one."""
    lengths = bone_lengths(pose)
    return {
        "bone_asymmetry": asymmetry(lengths),
        "bone_variation": variation(lengths, views.clip),
        "bone_proportions": proportions(lengths),
        "flipped_vote_share": flipped_vote_share(pose),
        "joint_limits": joint_limit_violations(pose),
        "depth_anisotropy": anisotropy(pose),
        **seen_elsewhere(lifter, views, pose, sign),
    }


def finished(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values with the Fréchet distance in place of the moments that it is made of: eigenvalues
    are found on the host."""
    return {name: frechet_distance(*value) if name == FRECHET else value for name, value in values.items()}


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
    group = torch.searchsorted(clip.sort().values, clip)  # the place of its clip's first view in the order of clips
    count = group_sums(group, torch.ones_like(lengths[:, 0]), len(clip))
    mean = group_sums(group, lengths, len(clip)) / count[:, None]
    degrees = (count - 1).clamp(min=0).sum()
    deviation = ((lengths - mean[group]).square().sum(0) / degrees).sqrt()  # 0 / 0 without two views of a clip
    return (deviation / lengths.mean(0).clamp(min=1e-9)).mean()


def group_sums(
    group: Int[Tensor, " views"], values: Float[Tensor, " views *values"], num_groups: int
) -> Float[Tensor, " groups *values"]:
    """The sum of the values of each group."""
    zeros = torch.zeros((num_groups, *values.shape[1:]), dtype=values.dtype, device=values.device)
    return torch.index_add(zeros, 0, group, values)


def proportions(lengths: Lengths) -> Scalar:
    """How far the mean limb segments are from the proportions of adults: deviation of the
    logarithms, root mean square.

    Of thigh, shin, upper arm and forearm, as shares of their sum.
    """
    mean = lengths.mean(0).clamp(min=1e-9)
    lifted = torch.stack([mean[bone_of(f"l_{joint}")] + mean[bone_of(f"r_{joint}")] for joint, _ in PROPORTIONS.values()])
    return (lifted / lifted.sum()).log().sub(_adult(lifted.dtype, lifted.device)).square().mean().sqrt()


@cache
def _adult(dtype: torch.dtype, device: torch.device) -> Float[Tensor, " segments"]:
    """Logarithms of the shares of adults."""
    share = torch.tensor([share for _, share in PROPORTIONS.values()], dtype=dtype)
    return (share / share.sum()).log().to(device)


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


def seen_elsewhere(lifter: Lifts, views: Views, pose: Pose, sign: Scalar | float) -> dict[str, Tensor]:
    """Signals of the poses (views, 16, 3) in mm as seen from one random camera each; the cameras
    are the same at every epoch.

    `view_inconsistency_mm`: mean distance of the joints between a pose and what the lifter makes of
    its image in that camera, both in that camera's frame. `frechet_2d`: the moments of the observed
    and of the reprojected keypoints, of which `frechet_distance` makes a distance. `fresh_critic`:
    how well a fresh critic tells the two apart.
    """
    azimuth, elevation = _cameras(len(views), pose.dtype, pose.device)
    view = View(azimuth * math.pi, elevation * math.radians(ELEVATION_DEGREES))
    rotated = rotate(pose / views.scale[:, None, None], view)
    reprojected = reproject(rotated)
    lifted_again = lift(reprojected, sign * lifter(reprojected))
    distance = torch.linalg.vector_norm(lifted_again - rotated, dim=-1) * views.scale[:, None]
    seen, _ = max_normalise(reprojected)
    return {
        "view_inconsistency_mm": distance.mean(),
        FRECHET: torch.stack([moments(views.keypoints), moments(seen)]),
        "fresh_critic": fresh_critic(views.keypoints, seen),
    }


@cache
def _cameras(count: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "2 cameras"]:
    """Azimuths and elevations as shares of their limits."""
    return (2 * torch.rand(2, count, generator=stream(0, "signals"), dtype=torch.float32) - 1).to(device, dtype)


def frechet(observed: Keypoints, reprojected: Keypoints) -> Scalar:
    """Fréchet distance between normal distributions of keypoints (views, 16, 2): |m - m'|^2 + tr(C
    + C' - 2 (C C')^(1/2)).

    FID (Heusel et al., NeurIPS 2017) is this distance of features of images; here it is of
    max-normalised keypoints. NaN where some of them are.
    """
    return frechet_distance(moments(observed), moments(reprojected))


def moments(keypoints: KeypointsBatch) -> Moments:
    """What a normal distribution of keypoints (views, 16, 2) is made of."""
    seen = keypoints.flatten(1).double()
    apart = seen.T - seen.T.mean(1, keepdim=True)
    spread = apart @ apart.T / max(1, len(seen) - 1)  # torch.cov would wait for the device; of one view: 0
    return torch.cat([seen.mean(0, keepdim=True), spread])


def frechet_distance(observed: Moments, reprojected: Moments) -> Scalar:
    """`frechet`, given the moments of both."""
    if not (torch.isfinite(observed).all() and torch.isfinite(reprojected).all()):
        return torch.full_like(reprojected[0, 0], math.nan)
    (mean, spread), (other_mean, other_spread) = ((each[0], each[1:]) for each in (observed, reprojected))
    values, vectors = torch.linalg.eigh(spread)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ other_spread @ root).clamp(min=0).sqrt().sum()
    return (mean - other_mean).square().sum() + spread.trace() + other_spread.trace() - 2 * overlap
