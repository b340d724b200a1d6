"""How well a critic that is trained from nothing tells the reprojections of a lifter that stands
still from observed 2D poses."""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Adam

from tips_ray.lifting.networks import Layer, bone_products, initialise, residual_network
from tips_ray.poses.types import KeypointsBatch
from tips_ray.seeding import stream

WIDTH, STEPS, BATCH, LEARNING_RATE = 64, 100, 256, 3e-3


def fresh_critic(observed: KeypointsBatch, reprojected: KeypointsBatch) -> Tensor:
    """Share of the pairs of an observed and a reprojected pose of which a fresh critic says rightly
    which is which (area under the ROC curve): 0.5 where nobody could tell them apart, 1 where all
    can.

    Both are max-normalised (views, 16, 2). The critic is a small network that sees keypoints and
    inner products of bones; it is trained on the even views and asked about the odd ones, with
    the same first weights and batches at every epoch. It is what the duality gap of a GAN
    (Grnarova et al., NeurIPS 2019) has for the lifter: how far the best adversary beats it,
    whatever the adversary that it was trained with has become; as a two-sample test after
    Lopez-Paz & Oquab (ICLR 2017). NaN where a keypoint is; 0.5 of a single view, of which none is
    left to ask about.
    """
    if not (torch.isfinite(observed).all() and torch.isfinite(reprojected).all()):
        return reprojected.new_tensor(math.nan)
    if len(observed) < 2:
        return reprojected.new_tensor(0.5)
    rng = stream(0, "fresh critic")
    features = torch.stack([torch.cat([seen.flatten(1), bone_products(seen)], dim=1) for seen in (observed, reprojected)])
    features = (features - features[0].mean(0)) / features[0].std(0).clamp(min=1e-6)
    critic = residual_network(features.shape[2], 1, 1, WIDTH, partial(Layer, norm="none", dropout=0.0, slope=0.01, rng=rng))
    initialise(critic, rng)
    critic.to(features)
    optimiser = Adam(critic.parameters(), lr=LEARNING_RATE)
    shown = features[:, ::2]
    target = features.new_tensor([1.0, 0.0])[:, None].expand(2, min(BATCH, shown.shape[1]))
    with torch.enable_grad():
        for _ in range(STEPS):
            batch = shown[:, torch.randint(shown.shape[1], target.shape[1:], generator=rng).to(shown.device)]
            optimiser.zero_grad()
            functional.binary_cross_entropy_with_logits(critic(batch).squeeze(-1), target).backward()
            optimiser.step()
    with torch.no_grad():
        real, fake = critic(features[:, 1::2]).squeeze(-1)
    margin = real[:, None] - fake
    return (margin > 0).to(observed.dtype).add(0.5 * (margin == 0)).mean()
