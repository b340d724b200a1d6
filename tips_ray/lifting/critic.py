"""How well a critic that is fitted anew tells the reprojections of a lifter that stands still from
observed 2D poses."""

import math

import torch
from torch import Tensor

from tips_ray.lifting.networks import bone_products
from tips_ray.poses.types import KeypointsBatch

RIDGE = 0.01
"""Of the weights of standardised features, as a share of the number of poses."""
FARTHEST = 5.0
"""Features count as at most so many standard deviations from their mean."""


def fresh_critic(observed: KeypointsBatch, reprojected: KeypointsBatch) -> Tensor:
    """Share of the pairs of an observed and a reprojected pose of which a fresh critic says rightly
    which is which (area under the ROC curve): 0.5 where it could not tell them apart, 1 where it
    always can.

    Both are max-normalised (views, 16, 2). The critic is linear in the keypoints and in the inner
    products of bones; it is fitted to the even views by ridge regression, and asked about the odd
    ones. It is what the duality gap of a GAN (Grnarova et al., NeurIPS 2019) has for the lifter:
    how far a best adversary beats it, whatever the adversary that it was trained with has become;
    as a two-sample test after Lopez-Paz & Oquab (ICLR 2017). NaN where a keypoint is; 0.5 of a
    single view, of which none is left to ask about.
    """
    if len(observed) < 2:
        return torch.full_like(reprojected[0, 0, 0], 0.5)
    features = torch.stack(
        [torch.cat([seen.flatten(1), bone_products(seen)], dim=1) for seen in (observed, reprojected)]
    ).double()
    spread = features[0].std(0, correction=0).clamp(min=1e-6)
    features = ((features - features[0].mean(0)) / spread).clamp(-FARTHEST, FARTHEST)
    features = torch.nn.functional.pad(features, (0, 1), value=1.0)  # for the level
    shown = features[:, ::2]
    eye = torch.eye(shown.shape[2], dtype=shown.dtype, device=shown.device)
    moments = torch.einsum("cvi,cvj->ij", shown, shown) + RIDGE * shown[..., 0].numel() * eye
    answer, _ = torch.linalg.solve_ex(moments, shown[0].sum(0) - shown[1].sum(0))  # solve would wait to see whether it can
    real, fake = (scores.sort().values for scores in features[:, 1::2] @ answer)
    beaten = torch.searchsorted(fake, real) + torch.searchsorted(fake, real, right=True)  # ties count half
    share = beaten.sum() / (2.0 * len(real) * len(fake))
    is_finite = torch.isfinite(observed).all() & torch.isfinite(reprojected).all()
    return torch.where(is_finite, share, math.nan).to(observed.dtype)
