"""Named random streams derived from one seed, so that adding a use of chance moves no other."""

import hashlib

import torch
from torch import Tensor

CPU_STATE_BYTES, CUDA_STATE_BYTES = torch.Generator().get_state().numel(), 16
"""Of a generator's state, by the kind of device."""


def derived_seed(seed: int, *names: object) -> int:
    """A 63-bit seed that depends on `seed` and on every name."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: object, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator for one use of chance, named by that use."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *names))


def is_of_another_device(saved: Tensor, own: Tensor) -> bool:
    """Whether of two generators' states (bytes) one is a CPU's and the other a CUDA device's."""
    return {saved.numel(), own.numel()} == {CPU_STATE_BYTES, CUDA_STATE_BYTES}
