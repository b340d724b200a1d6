"""Pairs of frames of one clip, seen by one camera.

Two cameras of one pose would tell its depth, so they never make a pair.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tips_ray.poses.types import KeypointsBatch, PerPose

Shown = Float[Tensor, "shown joints_of_all 2"]
"""Keypoints as a discriminator takes them: of a pose, or of both frames of a pair."""


class Partners:
    """For each view, the other frames of its clip and camera."""

    def __init__(self, clip: Int[Tensor, " views"]) -> None:
        """`clip` is that of `tips_ray.data.views.Views`: one index for a clip as seen by one
        camera, its frames in time order."""
        self.order = clip.argsort(stable=True)
        self.place = torch.empty_like(self.order)
        self.place[self.order] = torch.arange(len(clip), device=clip.device)
        _, counts = clip[self.order].unique_consecutive(return_counts=True)
        ends = counts.cumsum(0)
        self.first, self.last = (ends - counts).repeat_interleave(counts), (ends - 1).repeat_interleave(counts)

    def of(
        self, views: Int[Tensor, "*runs chosen"], gap: int | None, numbers: Float[Tensor, "*runs chosen"]
    ) -> Int[Tensor, "*runs chosen"]:
        """For each of some views another frame of its clip, by uniform numbers in [0, 1): all at
        most `gap` frames away alike; None: all of the clip. The only frame of a clip is its own
        partner."""
        place = self.place[views]
        low, high = self.first[place], self.last[place]
        if gap is not None:
            low, high = torch.maximum(low, place - gap), torch.minimum(high, place + gap)
        others = high - low
        drawn = (numbers * others).long()
        other = low + torch.minimum(drawn, (others - 1).clamp(min=0))  # a product may be rounded up to `others`
        other = other + ((other >= place) & (others > 0))
        return self.order[other]


def in_frames(keypoints: KeypointsBatch, scale: PerPose, num_frames: int) -> Shown:
    """Keypoints as a discriminator of so many frames takes them: poses as they are, or the
    keypoints of both frames of each pair, at one scale.

    Keypoints are in the unit of the observed ones, which were divided by `scale` each; the second
    half of the batch has the partners of the first. At a pair's scale, the largest coordinate that
    was observed in its two frames is 1.
    """
    if num_frames == 1:
        return keypoints
    one, other = scale.chunk(2)
    share = scale / torch.maximum(one, other).repeat(2)
    return torch.cat((keypoints * share[:, None, None]).chunk(2), dim=1)
