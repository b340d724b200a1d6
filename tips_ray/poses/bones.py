"""The 16 bones of lifted poses: as vectors, as lengths, and made longer or shorter."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from tips_ray.poses.skeleton import BONES, JOINTS, LEFT, LIFTED, PARENTS, ROOT, mirrored

BoneVectors = Float[Tensor, "*poses bones dimensions"]
"""From each bone's parent to its child, in the order of `BONES`, which is that of `LIFTED`."""
BoneLengths = Float[Tensor, "*poses bones"]


def bone_of(joint: str) -> int:
    """The bone that ends in a joint."""
    return next(place for place, (_, child) in enumerate(BONES) if JOINTS[child] == joint)


LEFT_BONES = tuple(bone_of(joint) for joint in LEFT)
RIGHT_BONES = tuple(bone_of(mirrored(joint)) for joint in LEFT)
"""The bones of the other side, in the same order."""

PROPORTIONS = {"thigh": ("knee", 0.245), "shin": ("ankle", 0.246), "upper arm": ("elbow", 0.186), "forearm": ("wrist", 0.146)}
"""The joint at the end of each limb segment, and the segment's share of stature: Drillis & Contini
(1966), see Winter (2009)."""


def bone_vectors(points: Float[Tensor, "*poses joints dimensions"]) -> BoneVectors:
    """Bones of poses or keypoints (..., 16, 3 or 2), relative to the root."""
    with_root = torch.cat([torch.zeros_like(points[..., :1, :]), points], dim=-2)
    return points - with_root.index_select(-2, _parents(points.device))


def smooth_lengths(pose: Float[Tensor, "*poses joints 3"], least: float = 1e-3) -> BoneLengths:
    """Lengths of the bones of poses in the networks' unit, never below `least`, so that their
    gradient exists for a bone of length 0."""
    return (bone_vectors(pose).square().sum(-1) + least**2).sqrt()


def stretch(pose: Float[Tensor, "*poses joints 3"], factors: BoneLengths) -> Float[Tensor, "*poses joints 3"]:
    """The pose with each bone's length multiplied by a factor, and its direction kept."""
    return _joined(bone_vectors(pose) * factors[..., None])


def bend(pose: Float[Tensor, "*poses joints 3"], noise: Float[Tensor, "*poses bones 3"]) -> Float[Tensor, "*poses joints 3"]:
    """The pose with `noise`, in units of a bone's length, added to the end of each bone, whose
    length is kept."""
    bones = bone_vectors(pose)
    length = bones.norm(dim=-1, keepdim=True)
    return _joined(functional.normalize(bones + noise * length, dim=-1) * length)


def _joined(bones: Float[Tensor, "*poses bones 3"]) -> Float[Tensor, "*poses joints 3"]:
    """The joints of bones that start where their parents end."""
    placed: dict[int, Tensor] = {ROOT: torch.zeros_like(bones[..., 0, :])}
    for bone, (parent, child) in enumerate(BONES):  # a parent comes before its children
        placed[child] = placed[parent] + bones[..., bone, :]
    return torch.stack([placed[JOINTS.index(joint)] for joint in LIFTED], dim=-2)


@cache
def _parents(device: torch.device) -> Tensor:
    return torch.tensor(PARENTS[1:], device=device)
