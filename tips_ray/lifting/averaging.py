"""A moving average of a lifter's weights."""

import torch
from torch import nn


def decay_at(step: int, decay: float) -> float:
    """How much of the average is kept at a step, counted from 0: less at first, so that the average
    forgets where training started."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def average_into(average: nn.Module, trained: nn.Module, keep: float) -> None:
    """Move an average towards the weights of a module, statistics of batch norm included: `keep`
    times the average, and the rest of the module's."""
    for old, new in zip(average.state_dict().values(), trained.state_dict().values(), strict=True):
        old.lerp_(new, 1.0 - keep)
