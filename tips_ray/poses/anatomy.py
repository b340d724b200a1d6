"""Whether a lifted pose is inside out, told from anatomy alone.

No loss of an unsupervised lifter changes when all its depths change sign. A body is not as
symmetric: knees bend forwards and elbows backwards of the way the body faces. A depth mirror swaps
forwards and backwards, so bent limbs vote on the sign. The sign of a lifter is voted on by knees
alone: a quarter of the elbows in true poses of motion capture, and most of those that are lifted
from sports videos, are forwards of the shoulders' facing.
"""

import torch

from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED, Part
from tips_ray.poses.types import PerPose, Pose, Scalar

LIMBS = tuple(
    ((f"{side}_{root}", f"{side}_{hinge}", f"{side}_{end}"), (f"l_{root}", f"r_{root}"), direction)
    for root, hinge, end, direction in (("hip", "knee", "ankle", 1.0), ("shoulder", "elbow", "wrist", -1.0))
    for side in ("l", "r")
)
"""((root, hinge, end), (left, right) joints that tell the facing, +1 if the hinge bends forwards or
-1 backwards)."""


def sign_votes(pose: Pose, part: Part) -> PerPose:
    """How clearly the part's limbs say that the pose (..., 16, 3) is the right way out (> 0) or
    inside out (< 0).

    Each limb (knee or elbow) votes with the hinge's distance from the line between its neighbours
    along the facing direction, in the pose's unit; exactly odd under a depth mirror. Zero where all
    limbs are straight, or the part has no limb. Facing is (left - right) x up, from hips for legs
    and shoulders for arms, so that a limb votes by its own end of the body.
    """
    votes = [limb_vote(pose, limb, sides, sign) for limb, sides, sign in LIMBS if set(limb) <= set(part.joints)]
    return torch.stack(votes).sum(0) if votes else torch.zeros_like(pose[..., 0, 0])


def depth_sign(pose: Pose) -> Scalar:
    """One sign for all poses (N, 16, 3): -1.0 if the votes of all knees together say that they are
    inside out, else 1.0."""
    legs, _ = LEGS_TORSO
    return torch.where(sign_votes(pose, legs).sum() < 0, -1.0, 1.0).to(pose.dtype)


def correct_sign_share(pose: Pose, part: Part) -> Scalar:
    """Share of the poses (N, 16, 3) whose part votes for the sign they have, among those that vote
    at all."""
    votes = sign_votes(pose, part)
    return (votes > 0).sum() / (votes != 0).sum().clamp(min=1)


def bend(pose: Pose, limb: tuple[str, str, str], sides: tuple[str, str]) -> tuple[PerPose, PerPose]:
    """The angle at a limb's hinge, between its segments, in radians (pi if straight), and how far
    the hinge is forwards of the line between its neighbours, in the pose's unit.
    """
    root, hinge, end = (pose[..., LIFTED.index(joint), :] for joint in limb)
    upper, lower = root - hinge, end - hinge
    lengths = torch.linalg.vector_norm(upper, dim=-1) * torch.linalg.vector_norm(lower, dim=-1)
    cosine = (upper * lower).sum(-1) / lengths.clamp(min=1e-12)
    return cosine.clamp(-1.0, 1.0).acos(), limb_vote(pose, limb, sides, 1.0)


def limb_vote(pose: Pose, limb: tuple[str, str, str], sides: tuple[str, str], sign: float) -> PerPose:
    """How far a hinge is from the line between its neighbours, forwards (`sign` 1) or backwards
    (-1), in the pose's unit."""
    root, hinge, end = (pose[..., LIFTED.index(joint), :] for joint in limb)
    left, right = (pose[..., LIFTED.index(joint), :] for joint in sides)
    across = left - right
    facing = torch.stack([-across[..., 2], torch.zeros_like(across[..., 0]), across[..., 0]], dim=-1)
    facing = facing / torch.linalg.vector_norm(facing, dim=-1, keepdim=True).clamp(min=1e-9)
    line = end - root
    along = ((hinge - root) * line).sum(-1, keepdim=True) / line.square().sum(-1, keepdim=True).clamp(min=1e-12)
    bend = hinge - root - along * line
    return sign * (bend * facing).sum(-1)
