"""The random numbers of training steps, drawn before the steps from the named streams of runs: a
step itself draws none."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tips_ray.config import Config, parts_of
from tips_ray.poses.skeleton import BONES, LIFTED

Draws = Mapping[str, Tensor]
"""What one step uses, by the name of the stream that it comes from: uniform numbers in [0, 1), but
normal ones of `NORMAL`. Those of dropout are `dropout_lift`, `dropout_judge` and
`dropout_learn`."""
PARTS = ("lift", "judge", "learn")
"""Of a step: a batch is lifted, the discriminator is trained, the generators are trained."""
NORMAL = ("stretch", "bend", "noise")
AT_ONCE = 1 << 24
"""Numbers that a run draws in one call, if a step needs fewer: a GPU is then asked once for several
steps. On a CPU the numbers are the same for any value."""


def shapes(config: Config, num_poses: int) -> dict[str, tuple[int, ...]]:
    """How many numbers one step on a batch of so many poses uses, by stream; the pairs of a batch
    are drawn before it."""
    varied, adversary = config.augmentation, config.adversary
    needed: dict[str, tuple[int, ...]] = {"dropout": (sum(num_dropped(config, num_poses)),)}
    if varied.mirror:
        needed["mirror"] = (num_poses // 2 if config.has_pairs else num_poses,)
    if config.objective == "adversarial":
        num_views = num_shown(config, num_poses) if adversary.rotation == "pose" else 1
        needed |= {"azimuth": (num_views,), "elevation": (num_views,)}
        needed |= {"swap": ()} if adversary.swap_labels else {}
        needed |= {"pairs": (num_poses // 2,)} if config.has_pairs else {}
    if num_turned := round(config.share_augmented * num_poses):
        needed["turn"] = (2, num_turned)
        needed |= {"stretch": (num_turned, len(BONES))} if varied.stretched else {}
        needed |= {"bend": (num_turned, len(BONES), 3)} if varied.bent else {}
        needed |= {"noise": (num_turned, len(LIFTED), 2), "noisy": (num_turned,)} if varied.noise else {}
    return {name: shape for name, shape in needed.items() if shape != (0,)}


def num_shown(config: Config, num_poses: int) -> int:
    """What a discriminator is shown of a batch: poses, or pairs of them."""
    return num_poses // 2 if config.adversary.sees == "pair" else num_poses


def num_dropped(config: Config, num_poses: int) -> tuple[int, int, int]:
    """Units that dropout decides on, in each of the `PARTS` of a step."""
    network, weights = config.network, config.weights

    def units(blocks: int, dropout: float) -> int:
        return (1 + 2 * blocks) * network.width if dropout else 0

    lifted = num_poses * len(parts_of(config)) * units(network.generator_blocks, network.generator_dropout)
    if config.objective != "adversarial":
        return lifted, 0, 0
    judged = num_shown(config, num_poses) * units(network.discriminator_blocks, network.discriminator_dropout)
    lifts = 1 + 3 * (weights.ninety_degree > 0) + 2 * (weights.all_angles > 0) + (weights.augmented > 0)
    judgements = 2 if config.adversary.loss == "relativistic" else 1
    return lifted, 2 * judged, lifts * lifted + judgements * judged


def draw_steps(config: Config, num_poses: int, streams: Sequence[Mapping[str, torch.Generator]], count: int) -> Iterator[Draws]:
    """The numbers of so many steps of one run or several of a config, by their streams: (runs,
    *shape) each.

    What a run draws does not depend on which others there are.
    """
    needed = shapes(config, num_poses)
    a_step = sum(torch.Size(shape).numel() for shape in needed.values())
    at_once = max(1, AT_ONCE // max(1, a_step))
    for first in range(0, count, at_once):
        steps = min(at_once, count - first)
        numbers = {name: drawn(name, (steps, *shape), streams) for name, shape in needed.items()}
        if "dropout" in numbers:
            parts = numbers.pop("dropout").split(list(num_dropped(config, num_poses)), dim=-1)
            numbers |= {f"dropout_{part}": values for part, values in zip(PARTS, parts, strict=True)}
        for step in range(steps):
            yield {name: values[:, step] for name, values in numbers.items()}


def drawn(name: str, shape: tuple[int, ...], streams: Sequence[Mapping[str, torch.Generator]]) -> Tensor:
    """Numbers (runs, steps, ...) of one name, those of each run from its own stream."""
    values = torch.empty(len(streams), *shape, device=streams[0][name].device)
    for of_run, rng in zip(values, streams, strict=True):
        if name not in NORMAL:
            of_run.uniform_(generator=rng[name])
            continue
        for of_step in of_run:
            of_step.normal_(generator=rng[name])
    return values
