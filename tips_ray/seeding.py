"""Named random streams derived from one seed, so that adding a use of chance moves no other."""

import hashlib

import torch


def derived_seed(seed: int, *names: object) -> int:
    """A 63-bit seed that depends on `seed` and on every name."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: object, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator for one use of chance, named by that use."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *names))
