"""What runs that train as one model may have of their own: weights, labels and learning rates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace

import torch
from torch import Tensor, nn

from tips_ray.config import Config, Weights, parts_of
from tips_ray.lifting.losses import TERMS, part_weights

FREE_WEIGHTS = ("legs", "torso", "reprojection", "symmetry", "proportions", "knees", "facing")
"""Weights that may be 0 in one run and not in another. Other terms call the lifter, which moves
statistics of batch norm and takes numbers of dropout, or need batches of pairs."""


class StepSettings(nn.Module):
    """The numbers by which a step weighs its losses and labels its poses, as tensors, so that each
    of several runs that train as one model can have its own."""

    adversarial: Tensor
    terms: Tensor
    real_label: Tensor
    swap_labels: Tensor
    r1: Tensor
    r2: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        weights, adversary = config.weights, config.adversary
        self.register_buffer("adversarial", part_weights(parts_of(config), weights), persistent=False)
        self.register_buffer("terms", torch.tensor([getattr(weights, name) for name in TERMS]), persistent=False)
        for name in ("real_label", "swap_labels", "r1", "r2"):
            self.register_buffer(name, torch.tensor(getattr(adversary, name)), persistent=False)

    @property
    def weights(self) -> dict[str, Tensor]:
        """Those of the consistency terms, by name."""
        return dict(zip(TERMS, self.terms.unbind(-1), strict=True))


def sharing_key(config: Config) -> Config:
    """Runs whose configs have equal keys can train as one model, on one dataset: the config with
    everything at a fixed value that such runs may have of their own.

    That is: weights, learning rates and their schedules, labels, R1 and R2, and what a step does
    not use. Where it matters to a step whether a value is 0, runs must agree on that.
    """
    weights = {name: 0.0 if name in FREE_WEIGHTS else float(value > 0) for name, value in asdict(config.weights).items()}
    return replace(
        config,
        weights=Weights(**weights),
        network=replace(config.network, start_depth=1.0, mirror_mean=False),
        adversary=replace(config.adversary, real_label=1.0, swap_labels=float(config.adversary.swap_labels > 0), r1=0.0, r2=0.0),
        optimiser=replace(config.optimiser, learning_rate=1.0, discriminator_learning_rate=None, decay=1.0, cosine_epochs=None),
    )


def joint_config(configs: Sequence[Config]) -> Config:
    """A config of the same key whose step computes each loss that one of some configs has a weight
    for."""
    weights = {entry.name: max(getattr(config.weights, entry.name) for config in configs) for entry in fields(Weights)}
    penalties = {name: max(getattr(config.adversary, name) for config in configs) for name in ("r1", "r2")}
    return replace(configs[0], weights=Weights(**weights), adversary=replace(configs[0].adversary, **penalties))


def weighed(losses: Mapping[str, float], config: Config) -> dict[str, float]:
    """Losses by column without those that a config has no weight for, which a run of it by itself
    does not compute."""
    weights = asdict(config.weights) | {"r1": config.adversary.r1, "r2": config.adversary.r2}
    foreign = {f"loss_{name}" for name, weight in weights.items() if not weight}
    return {name: loss for name, loss in losses.items() if name not in foreign}
