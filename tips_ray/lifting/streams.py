"""The random streams of a run: which there are, and how they are continued."""

from collections.abc import Mapping

import torch
from torch import Tensor

from tips_ray.config import Config
from tips_ray.seeding import derived_seed, is_of_another_device, stream

STREAMS = ("shuffle", "azimuth", "elevation", "swap", "dropout")
"""Those of every run."""


def make_streams(config: Config, seed: int, device: torch.device) -> dict[str, torch.Generator]:
    """The streams that a run of a config draws from, by name; none depends on which others there
    are."""
    varied = config.augmentation
    needed = {
        "pairs": config.has_pairs,
        "mirror": varied.mirror,
        "turn": config.share_augmented,
        "stretch": varied.stretched,
        "bend": varied.bent,
        "noise": varied.noise,
        "noisy": varied.noise,
    }
    names = (*STREAMS, *(name for name, is_needed in needed.items() if is_needed))
    return {name: stream(seed, name, device=device) for name in names}


def continue_streams(streams: Mapping[str, torch.Generator], states: Mapping[str, Tensor], seed: int, epoch: int) -> bool:
    """Bring streams to saved states; returns whether they had to be made anew instead, from seed,
    name and epoch.

    They have to be if the states are of another kind of device: a stream cannot be carried from a
    CPU to a GPU or back.
    """
    saved = {name: states[name].cpu() for name in streams}
    renewed = all(is_of_another_device(saved[name], rng.get_state()) for name, rng in streams.items())
    for name, rng in streams.items():
        if renewed:
            rng.manual_seed(derived_seed(seed, name, "renewed", epoch))
        else:
            rng.set_state(saved[name])
    return renewed
