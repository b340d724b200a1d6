"""Adam, its learning rates by epoch, and one step of it."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tips_ray.config import Optimiser

LEAST_RATE = 0.01
"""Share of a learning rate that is left at the end of its cosine."""


def adam(parameters: Sequence[Tensor], rate: float, settings: Optimiser, capturable: bool = False) -> torch.optim.Adam:
    """An optimiser of some parameters; a `capturable` one, whose steps a CUDA graph can hold, has
    its learning rate on their device."""
    lr = torch.tensor(rate, dtype=torch.float32, device=parameters[0].device) if capturable else rate
    return torch.optim.Adam(parameters, lr=lr, betas=(settings.beta1, settings.beta2), fused=True, capturable=capturable)


class AdamOfRuns(torch.optim.Adam):
    """Adam of several runs as one model, each with a learning rate of its own: parameters have a
    leading dimension for the runs. Its states are those of torch's Adam, which has one rate."""

    def __init__(self, parameters: Sequence[Tensor], rates: Sequence[float], settings: Optimiser) -> None:
        super().__init__(parameters, betas=(settings.beta1, settings.beta2))
        self.rates = torch.tensor(rates, dtype=parameters[0].dtype, device=parameters[0].device)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter by its gradient."""
        (group,) = self.param_groups
        beta1, beta2 = group["betas"]
        for parameter in group["params"]:
            state, gradient = self.state[parameter], parameter.grad
            state["step"] += 1
            mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
            square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            count = state["step"].double()
            rates = (self.rates / (1 - beta1**count)).view(-1, *[1] * (parameter.ndim - 1))
            parameter.sub_(rates * mean / (square / (1 - beta2**count)).sqrt_().add_(group["eps"]))


def descend(parameters: Sequence[Tensor], optimiser: torch.optim.Adam, loss: Float[Tensor, "*runs"]) -> Float[Tensor, "*runs"]:
    """One optimiser step on some parameters; returns the norm of their gradient.

    Of several runs as one model, each parameter has a leading dimension for them, and so have the
    loss and the norms.
    """
    gradients = torch.autograd.grad(loss.sum(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        # Fused Adam on a CPU reads a gradient as if it lay in memory as its parameter does.
        parameter.grad = gradient.contiguous()
    optimiser.step()
    norms = [torch.linalg.vector_norm(gradient.flatten(loss.ndim), dim=-1) for gradient in gradients]
    return torch.linalg.vector_norm(torch.stack(norms), dim=0)


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


def set_rates(optimiser: torch.optim.Adam, rates: Sequence[float]) -> None:
    """Let the next steps have the learning rates of some runs."""
    if isinstance(optimiser, AdamOfRuns):
        optimiser.rates.copy_(torch.tensor(rates, dtype=optimiser.rates.dtype))
    else:
        set_rate(optimiser, rates[0])


def set_rate(optimiser: torch.optim.Adam, rate: float) -> None:
    """Let the next steps have a learning rate."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
