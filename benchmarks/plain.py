"""The training step written down straight from the equations, as a yardstick: nothing in it is
shared or fused.

Five separate lifts; real and fake poses judged apart; a backward pass of its own for every term
that a part weighs; every number logged as soon as it is known. The networks are PyTorch's own
layers.
"""

import torch
from torch import Tensor, nn

from tips_ray.config import Config, Network, Weights, parts_of
from tips_ray.poses.skeleton import LEGS, TORSO, Part

NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": lambda width: nn.Identity()}


class Block(nn.Module):
    """A residual block of two layers."""

    def __init__(self, network: Network, norm: str, dropout: float) -> None:
        super().__init__()
        self.first = layer(network.width, network, norm, dropout)
        self.second = layer(network.width, network, norm, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(poses, width) to (poses, width)."""
        return x + self.second(self.first(x))


def layer(inputs: int, network: Network, norm: str, dropout: float) -> nn.Sequential:
    """Linear, normalisation, leaky ReLU, dropout."""
    return nn.Sequential(
        nn.Linear(inputs, network.width), NORMS[norm](network.width), nn.LeakyReLU(network.negative_slope), nn.Dropout(dropout)
    )


def generator(joints: int, network: Network) -> nn.Sequential:
    """One part's generator."""
    norm, dropout = network.generator_norm, network.generator_dropout
    blocks = [Block(network, norm, dropout) for _ in range(network.generator_blocks)]
    return nn.Sequential(layer(2 * joints, network, norm, dropout), *blocks, nn.Linear(network.width, joints), nn.Tanh())


def discriminator(network: Network) -> nn.Sequential:
    """The discriminator, of the whole pose."""
    norm, dropout = network.discriminator_norm, network.discriminator_dropout
    blocks = [Block(network, norm, dropout) for _ in range(network.discriminator_blocks)]
    return nn.Sequential(layer(32, network, norm, dropout), *blocks, nn.Linear(network.width, 1))


class Plain:
    """Trains as `tips_ray.lifting.train.Run` does, at the settings that all presets share
    (non-saturating loss, no decay)."""

    def __init__(self, config: Config) -> None:
        self.config, self.parts = config, parts_of(config)
        self.generators = nn.ModuleList([generator(len(part.joints), config.network) for part in self.parts])
        self.discriminator = discriminator(config.network)
        rate, betas = config.optimiser.learning_rate, (config.optimiser.beta1, config.optimiser.beta2)
        self.optimisers = [torch.optim.Adam(each.parameters(), lr=rate, betas=betas) for each in self.generators]
        self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=rate, betas=betas)
        self.bce = nn.BCEWithLogitsLoss()

    def lift(self, keypoints: Tensor) -> Tensor:
        """Depths (poses, 16) of keypoints (poses, 16, 2)."""
        depth = torch.zeros(keypoints.shape[:-1])
        for part, network in zip(self.parts, self.generators, strict=True):
            depth[:, list(part.indices)] = network(keypoints[:, list(part.indices)].flatten(1))
        return depth

    def step(self, keypoints: Tensor, azimuth: Tensor, elevation: Tensor) -> dict[str, float]:
        """One step of the discriminator and of every generator, seen anew from these angles;
        returns what is logged."""
        adversary, weights = self.config.adversary, self.config.weights
        depth = self.lift(keypoints)
        turn = rotation(azimuth, elevation)
        pose = torch.cat([keypoints, depth[..., None]], dim=-1) @ turn
        seen = pose[..., :2]
        shown = seen / seen.abs().amax(dim=(1, 2), keepdim=True) if adversary.renormalise else seen

        real = self.discriminator(keypoints.flatten(1))
        fake = self.discriminator(shown.detach().flatten(1))
        judged = (self.bce(real, torch.full_like(real, adversary.real_label)) + self.bce(fake, torch.zeros_like(fake))) / 2
        self.discriminator_optimiser.zero_grad()
        judged.backward()
        self.discriminator_optimiser.step()

        again = (torch.cat([seen, self.lift(seen)[..., None]], dim=-1) @ turn.mT)[..., :2]
        quarter = []
        across, up = keypoints.unbind(-1)
        for sideways, answer in ((depth, -across), (-depth, across), (-across, -depth)):
            quarter.append(self.lift(torch.stack([sideways, up], dim=-1)) - answer)
        score = self.discriminator(shown.flatten(1))
        adversarial = self.bce(score, torch.ones_like(score))
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        adversarial.backward(retain_graph=True)
        consistency = torch.zeros(())
        terms: dict[str, Tensor] = {}
        for part, network in zip(self.parts, self.generators, strict=True):
            chosen, share = list(part.indices), adversarial_share(part, weights)
            for parameter in network.parameters():
                if parameter.grad is not None:
                    parameter.grad *= share
            terms[f"reprojection_{part.name}"] = (again - keypoints)[:, chosen].square().mean()
            terms[f"ninety_degree_{part.name}"] = torch.stack([error[:, chosen].square().mean() for error in quarter]).sum()
            consistency = consistency + weights.reprojection * terms[f"reprojection_{part.name}"]
            consistency = consistency + weights.ninety_degree * terms[f"ninety_degree_{part.name}"]
        consistency.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        gradients = [parameter.grad for parameter in self.generators.parameters() if parameter.grad is not None]
        return {
            "loss_discriminator": judged.item(),
            "loss_adversarial": adversarial.item(),
            "real_accuracy": (real > 0).float().mean().item(),
            "fake_accuracy": (fake < 0).float().mean().item(),
            "generator_gradient_norm": nn.utils.get_total_norm(gradients).item(),
            **{name: term.item() for name, term in terms.items()},
        }


def adversarial_share(part: Part, weights: Weights) -> float:
    """The adversarial weight of a part: w1 and w4 in equal shares of their joints."""
    legs, torso = len(set(part.joints) & set(LEGS)), len(set(part.joints) & set(TORSO))
    return weights.legs * legs / len(LEGS) + weights.torso * torso / len(TORSO)


def rotation(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Matrices (poses, 3, 3) by which row vectors are multiplied: about y by the azimuth, then
    about x by the elevation."""
    cos, sin, zero, one = azimuth.cos(), azimuth.sin(), torch.zeros_like(azimuth), torch.ones_like(azimuth)
    about_y = torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], dim=-1).view(-1, 3, 3)
    cos, sin = elevation.cos(), elevation.sin()
    about_x = torch.stack([one, zero, zero, zero, cos, sin, zero, -sin, cos], dim=-1).view(-1, 3, 3)
    return about_y @ about_x
