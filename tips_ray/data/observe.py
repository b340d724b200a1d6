"""What a camera and a detector make of poses: orthographic or perspective 2D, with noise and
missing joints."""

import numpy as np
import torch

from tips_ray.config import Observation
from tips_ray.data.completion import Prior
from tips_ray.poses.geometry import reproject
from tips_ray.poses.skeleton import ROOT
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
        keypoints = completed(keypoints.masked_fill((drawn < observation.missing).to(keypoints.device)[..., None], torch.nan))
    return keypoints


def perspective(pose: PoseBatch, distance: float) -> KeypointsBatch:
    """What a pinhole camera sees that looks at the root from so far away: what is nearer is
    larger."""
    return reproject(pose) * (distance / (distance - pose[..., 2:]))


def completed(keypoints: KeypointsBatch) -> KeypointsBatch:
    """Keypoints relative to the root, of which those that are NaN are put where the others make
    them likely, were all of these poses normally distributed (`Prior`).

    The distribution is that of the keypoints that are there, then once more that of whole poses.
    """
    lacking = np.insert(keypoints.cpu().double().numpy(), ROOT, 0.0, axis=1)
    whole = lacking
    for _ in range(2):
        prior = Prior.of(np.delete(whole - whole[:, [ROOT]], ROOT, axis=1))
        whole = prior.complete(lacking, least_seen=1)
    return torch.from_numpy(np.delete(whole - whole[:, [ROOT]], ROOT, axis=1)).to(keypoints)
