"""Batches, and how they are varied: seen in a mirror, turned, with bent limbs and other bones."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tips_ray.config import Augmentation
from tips_ray.lifting.draws import Draws
from tips_ray.poses.bones import LEFT_BONES, RIGHT_BONES, bend, stretch
from tips_ray.poses.geometry import View, lift, max_normalise, mirror_keypoints, mirror_sides, reproject, rotate
from tips_ray.poses.select import select
from tips_ray.poses.skeleton import BONES
from tips_ray.poses.types import DepthBatch, KeypointsBatch, PerPose

LEFT_OF = dict(zip(RIGHT_BONES, LEFT_BONES, strict=True))
SIDES_ALIKE = tuple(LEFT_OF.get(bone, bone) for bone in range(len(BONES)))
"""Each bone, those of the right side by their left one."""


class Batch(NamedTuple):
    """What one training step is given."""

    keypoints: KeypointsBatch
    """Max-normalised 2D poses; of a batch of pairs, the second half has the partners of the
    first."""
    depth: DepthBatch
    """True depths, or those of teachers, in units of the keypoints; an adversarial step looks at
    none."""
    scale: PerPose
    """Size of the 2D poses before they were normalised."""


def mirror_half(batch: Batch, numbers: Float[Tensor, " half"], in_pairs: bool = False) -> Batch:
    """Each view, or each pair, seen in a mirror with probability 1/2."""
    chosen = numbers < 0.5
    chosen = chosen.repeat(2) if in_pairs else chosen
    keypoints = torch.where(chosen[:, None, None], mirror_keypoints(batch.keypoints), batch.keypoints)
    return Batch(keypoints, torch.where(chosen[:, None], mirror_sides(batch.depth), batch.depth), batch.scale)


def turn_share(batch: Batch, augmentation: Augmentation, elevation_limit: float, draws: Draws) -> Batch:
    """The first poses of the batch, as many as there are numbers for, replaced by the same seen
    from elsewhere, with bent limbs, stretched bones and noise on what is seen: depths are known
    there exactly, whoever told those of the batch (after PoseAug).

    `elevation_limit` is in radians.
    """
    azimuth, elevation = 2 * draws["turn"] - 1
    count = len(azimuth)
    pose = lift(batch.keypoints[:count], batch.depth[:count])
    if augmentation.bent:
        pose = bend(pose, (augmentation.bent * draws["bend"]).to(pose))
    if augmentation.stretched:
        pose = stretch(pose, stretch_factors(draws["stretch"], augmentation.stretched).to(pose))
    turned = rotate(pose, View(math.pi * azimuth, elevation_limit * elevation))
    seen = reproject(turned)
    if augmentation.noise:
        seen = with_noise(seen, augmentation.noise * draws["noisy"].to(seen), draws["noise"].to(seen))
    keypoints, size = max_normalise(seen)
    return Batch(
        torch.cat([keypoints, batch.keypoints[count:]]),
        torch.cat([turned[..., 2] / size[:, None], batch.depth[count:]]),
        torch.cat([batch.scale[:count] * size, batch.scale[count:]]),
    )


def with_noise(keypoints: KeypointsBatch, spread: PerPose, normal: KeypointsBatch) -> KeypointsBatch:
    """Keypoints with noise made of `normal` numbers; `spread` is its standard deviation as a share
    of a pose's largest coordinate."""
    _, size = max_normalise(keypoints)
    return keypoints + (spread * size)[:, None, None] * normal


def stretch_factors(normal: Float[Tensor, "poses bones"], spread: float) -> Float[Tensor, "poses bones"]:
    """Factors on bones, the same left and right: exp of normal numbers with standard deviation
    `spread`."""
    return select(normal, SIDES_ALIKE).mul(spread).exp()
