"""Networks as if they had been trained."""

import torch

from tips_ray.config import Network
from tips_ray.lifting import networks
from tips_ray.lifting.networks import initialise
from tips_ray.poses.skeleton import LEGS_TORSO
from tips_ray.seeding import stream


def made_network(network: Network, seed: int = 0) -> networks.Lifter:
    """A lifter with statistics and scales as if it had been trained."""
    lifter = networks.Lifter(LEGS_TORSO, network)
    initialise(lifter, stream(seed, "initialise"))
    rng = torch.Generator().manual_seed(seed)
    for module in lifter.modules():
        if isinstance(module, networks.BatchNorm | networks.Affine):
            for values in (*module.parameters(), *module.buffers()):
                values.data = 0.5 + torch.rand(values.shape, generator=rng)
    return lifter.eval()
