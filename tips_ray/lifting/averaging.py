"""A moving average of a lifter's weights."""

from collections.abc import Iterable

import torch
from torch import Tensor


def decay_at(step: int, decay: float) -> float:
    """How much of the average is kept at a step, counted from 0: less at first, so that the average
    forgets where training started."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def average_into(average: Iterable[Tensor], trained: Iterable[Tensor], share: float | Tensor) -> None:
    """Move averages of weights, and of statistics of batch norm, towards those of a lifter, by a
    share of the way."""
    for old, new in zip(average, trained, strict=True):
        old.lerp_(new, share)
