"""Adam, its learning rates by epoch, and one step of it."""

import math

import torch
from torch import nn

from tips_ray.config import Optimiser
from tips_ray.poses.types import Scalar

LEAST_RATE = 0.01
"""Share of a learning rate that is left at the end of its cosine."""


def adam(module: nn.Module, rate: float, settings: Optimiser) -> torch.optim.Adam:
    """An optimiser of all parameters of a module."""
    return torch.optim.Adam(module.parameters(), lr=rate, betas=(settings.beta1, settings.beta2), fused=True)


def descend(module: nn.Module, optimiser: torch.optim.Adam, loss: Scalar) -> Scalar:
    """One optimiser step on the parameters of `module` alone; returns the norm of their
    gradient."""
    parameters = list(module.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimiser.step()
    return nn.utils.get_total_norm(gradients)


def rate_factor(settings: Optimiser, epoch: int) -> float:
    """Both learning rates after so many epochs, as a share of those at the start.

    It depends on the epoch alone, so that a curve that is made longer goes on as if it had been
    meant to be as long.
    """
    factor = settings.decay**epoch
    if settings.cosine_epochs is None:
        return factor
    progress = min(1.0, epoch / settings.cosine_epochs)
    return factor * (LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * progress)) / 2)


def set_rate(optimiser: torch.optim.Adam, rate: float) -> None:
    """Let the next steps have a learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
