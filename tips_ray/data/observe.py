"""What a camera and a detector make of poses: orthographic or perspective 2D, with noise and
missing joints."""

import torch
from jaxtyping import Bool
from torch import Tensor

from tips_ray.config import Observation
from tips_ray.poses.geometry import reproject
from tips_ray.poses.skeleton import JOINTS, LIFTED, PARENTS, ROOT
from tips_ray.poses.types import KeypointsBatch, PoseBatch
from tips_ray.seeding import stream

MM_PER_M = 1000.0


def observe(pose: PoseBatch, observation: Observation, seed: int, occasion: object = "once") -> KeypointsBatch:
    """The 2D, in mm at the root's distance, of poses in mm in their cameras' frames.

    Noise and missing joints depend on the seed and the occasion alone, not on each other.
    """
    keypoints = reproject(pose) if observation.distance_m is None else perspective(pose, MM_PER_M * observation.distance_m)
    if observation.noise_mm:
        drawn = torch.randn(keypoints.shape, generator=stream(seed, "noise", occasion))
        keypoints = keypoints + observation.noise_mm * drawn.to(keypoints)
    if observation.missing:
        drawn = torch.rand(keypoints.shape[:-1], generator=stream(seed, "missing", occasion))
        keypoints = without(keypoints, (drawn < observation.missing).to(keypoints.device))
    return keypoints


def perspective(pose: PoseBatch, distance: float) -> KeypointsBatch:
    """What a pinhole camera sees that looks at the root from so far away: what is nearer is
    larger."""
    return reproject(pose) * (distance / (distance - pose[..., 2:]))


def without(keypoints: KeypointsBatch, missing: Bool[Tensor, "poses joints"]) -> KeypointsBatch:
    """Keypoints of which each missing one lies where its parent in the skeleton does, as if its
    bone pointed at the camera; the root is never missing."""
    places = dict.fromkeys([JOINTS[ROOT]], torch.zeros_like(keypoints[:, 0]))
    for place, joint in enumerate(LIFTED):  # parents come first
        parent = places[JOINTS[PARENTS[JOINTS.index(joint)]]]
        places[joint] = torch.where(missing[:, place, None], parent, keypoints[:, place])
    return torch.stack([places[joint] for joint in LIFTED], dim=1)
