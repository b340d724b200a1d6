"""Distillation: the depths of teachers, which a student learns (section 3.4)."""

from collections.abc import Sequence

import torch
from torch import nn

from tips_ray.data.views import Views
from tips_ray.errors import UserError
from tips_ray.lifting.networks import Lifter
from tips_ray.poses.types import Depth, Keypoints

ASKED_AT_ONCE = 4096


class Teachers(nn.Module):
    """One trained lifter, or several whose depths are averaged once each has the sign that anatomy
    voted for."""

    def __init__(self, lifters: Sequence[Lifter], signs: Sequence[float], identity: str) -> None:
        """`identity` tells these teachers from others: a student that was started with them is
        continued with them alone.

        Raises ValueError for no lifter, and for lifters of different partitions or networks: such
        depths are no errors about one mean, and an average over them would belong to no arm.
        """
        if not lifters or len(lifters) != len(signs):
            raise UserError(f"{len(lifters)} teachers and {len(signs)} depth signs; give at least one, and a sign for each.")
        partitions = {lifter.parts: " + ".join(part.name for part in lifter.parts) for lifter in lifters}
        if len(partitions) > 1 or len({str(lifter.generators) for lifter in lifters}) > 1:
            names = ", ".join(sorted(set(partitions.values())))
            differ = f"partitions ({names})" if len(partitions) > 1 else "networks or normalisations"
            raise UserError(f"The teachers have different {differ}; an ensemble is made of runs of one arm.")
        super().__init__()
        self.lifters = nn.ModuleList(lifters).eval()
        self.signs, self.identity = tuple(signs), identity
        self.known: tuple[Views, Depth] | None = None

    @torch.no_grad()
    def forward(self, keypoints: Keypoints) -> Depth:
        """The mean of the teachers' depths (poses, 16) of max-normalised keypoints (poses, 16, 2);
        without gradients."""
        lifted = [sign * lifter(keypoints) for lifter, sign in zip(self.lifters, self.signs, strict=True)]
        return torch.stack(lifted).mean(0)

    def depths_of(self, views: Views) -> Depth:
        """The depths (views, 16) of all of some views, which are kept until others are asked for:
        a student sees the same views in every epoch."""
        if self.known is None or self.known[0] is not views:
            self.known = views, torch.cat([self(keypoints) for keypoints in views.keypoints.split(ASKED_AT_ONCE)])
        return self.known[1]
