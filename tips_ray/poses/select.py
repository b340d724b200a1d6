"""Columns of tensors by fixed places."""

from functools import cache

import torch
from torch import Tensor


def select(values: Tensor, places: tuple[int, ...]) -> Tensor:
    """Some columns of the last dimension.

    Indexing by a list would copy it to the device each time, for which the host waits, and which no
    CUDA graph can hold.
    """
    return values.index_select(-1, _on(values.device, places))


@cache
def _on(device: torch.device, places: tuple[int, ...]) -> Tensor:
    return torch.tensor(places, device=device)
