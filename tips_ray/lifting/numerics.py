"""How training is computed."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from tips_ray.config import Numerics


@contextmanager
def computed(numerics: Numerics) -> Iterator[None]:
    """Compute as a config says; `bf16` is up to the networks."""
    with ExitStack() as stack:
        if numerics.deterministic:
            stack.enter_context(deterministic())
        if numerics.tf32:
            stack.enter_context(tensor_floats())
        yield


@contextmanager
def tensor_floats() -> Iterator[None]:
    """Let GPUs multiply in TF32."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@contextmanager
def deterministic() -> Iterator[None]:
    """Let PyTorch use deterministic algorithms only, on GPUs too."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
