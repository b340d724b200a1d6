"""The lifter, one generator a part, and the discriminator: residual networks after Martinez et al. (ICCV 2017)."""

import torch
from torch import Tensor, nn

from tips_ray.config import Network
from tips_ray.poses.skeleton import LIFTED, Part
from tips_ray.poses.types import Depth, Keypoints, PerPose


class Affine(nn.Module):
    """A learnt scale and shift without statistics: what batch norm is when it always runs in inference mode."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias, x, self.weight)


NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "affine": Affine, "none": lambda width: nn.Identity()}


class Dropout(nn.Module):
    """Dropout whose random stream belongs to the run, so that runs in one process do not disturb each other."""

    def __init__(self, probability: float, chance: torch.Generator) -> None:
        super().__init__()
        self.keep = 1.0 - probability
        self.chance = chance

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.keep == 1.0:
            return x
        kept = torch.rand(x.shape, generator=self.chance, device=x.device) < self.keep
        return x * kept * (1.0 / self.keep)


class Layer(nn.Sequential):
    """Linear, normalisation, leaky ReLU, dropout."""

    def __init__(self, inputs: int, width: int, norm: str, dropout: float, slope: float, chance: torch.Generator) -> None:
        super().__init__(
            nn.Linear(inputs, width), NORMS[norm](width), nn.LeakyReLU(slope, inplace=norm != "affine"), Dropout(dropout, chance)
        )


class Residual(nn.Module):
    """Two layers and a bridge over them."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def residual_network(
    inputs: int, outputs: int, blocks: int, network: Network, norm: str, dropout: float, chance: torch.Generator
) -> nn.Sequential:
    """One layer, `blocks` residual blocks of two, and a linear output (figure 4 of the paper, before its tanh)."""

    def layer(width_in: int) -> Layer:
        return Layer(width_in, network.width, norm, dropout, network.negative_slope, chance)

    body = [Residual(layer(network.width), layer(network.width)) for _ in range(blocks)]
    return nn.Sequential(layer(inputs), *body, nn.Linear(network.width, outputs))


class Lifter(nn.Module):
    """Predicts the depth of each of the 16 joints; each part's generator sees that part's keypoints only (equation 1)."""

    order: Tensor

    def __init__(self, parts: tuple[Part, ...], network: Network, chance: torch.Generator) -> None:
        super().__init__()
        self.parts = parts
        self.generators = nn.ModuleDict(
            {
                part.name: residual_network(
                    2 * len(part.joints),
                    len(part.joints),
                    network.generator_blocks,
                    network,
                    network.generator_norm,
                    network.generator_dropout,
                    chance,
                )
                for part in parts
            }
        )
        inputs = [index for part in parts for index in part.indices]
        self.register_buffer("order", torch.tensor([inputs.index(joint) for joint in range(len(LIFTED))]), persistent=False)
        for part in parts:
            self.register_buffer(f"{part.name}_joints", torch.tensor(part.indices), persistent=False)

    def forward(self, keypoints: Keypoints) -> Depth:
        """Depths in (-1, 1) of max-normalised keypoints (poses, 16, 2)."""
        depths = [
            self.generators[part.name](keypoints.index_select(-2, self.get_buffer(f"{part.name}_joints")).flatten(-2))
            for part in self.parts
        ]
        return torch.tanh(torch.cat(depths, dim=-1).index_select(-1, self.order))


class Discriminator(nn.Module):
    """Tells 2D poses that were observed from reprojected ones; answers with one logit."""

    def __init__(self, network: Network, chance: torch.Generator) -> None:
        super().__init__()
        self.network = residual_network(
            2 * len(LIFTED),
            1,
            network.discriminator_blocks,
            network,
            network.discriminator_norm,
            network.discriminator_dropout,
            chance,
        )

    def forward(self, keypoints: Keypoints) -> PerPose:
        """Logits (poses,), positive for poses that look observed."""
        return self.network(keypoints.flatten(-2)).squeeze(-1)


def initialise(module: nn.Module, chance: torch.Generator) -> None:
    """Draw every linear layer uniformly within 1 / sqrt(inputs), as PyTorch does, but from `chance`."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            limit = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -limit, limit, generator=chance)
            nn.init.uniform_(layer.bias, -limit, limit, generator=chance)
