"""What the steps of an epoch are given, and the means of what they return."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tips_ray.config import Config
from tips_ray.data.dataset import Dataset
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.draws import Draws, draw_steps
from tips_ray.lifting.pairs import Partners


def steps_of_epoch(config: Config, num_views: int) -> int:
    """How many steps an epoch of so many training views has: whole batches alone."""
    return min(config.data.epoch_views or num_views, num_views) // config.optimiser.batch_size


def step_inputs(
    config: Config,
    dataset: Dataset,
    epoch: int,
    streams: Sequence[Mapping[str, torch.Generator]],
    teachers: Sequence[Teachers] = (),
) -> Iterator[tuple[Batch, Draws]]:
    """The batch and the numbers of each step of an epoch, counted from 0, of one run or several
    with the same data: all have a leading dimension for the runs.

    What a run is given depends on its own streams and teachers alone: its depths are what its
    teachers say of the observed views, or without teachers the true ones.
    """
    views, size = dataset.training_views(config.data, epoch), config.optimiser.batch_size
    count = steps_of_epoch(config, len(views))
    partners = Partners(views.clip) if config.has_pairs else None
    device = views.keypoints.device
    orders = [torch.randperm(len(views), generator=rng["shuffle"], device=device)[: count * size] for rng in streams]
    numbers = draw_steps(config, size, streams, count)
    taught = [of_run.depths_of(views) for of_run in teachers]
    for chosen, draws in zip(torch.stack(orders).split(size, dim=1), numbers, strict=True):
        if partners:
            first = chosen[:, : size // 2]
            chosen = torch.cat([first, partners.of(first, config.adversary.gap, draws["pairs"])], dim=1)
        scale = views.scale[chosen]
        if taught:
            depth = torch.stack([depths[places] for depths, places in zip(taught, chosen, strict=True)])
        else:
            depth = views.pose[..., 2][chosen] / scale[..., None]
        yield Batch(views.keypoints[chosen], depth, scale), draws


def stacked(losses: Mapping[str, Tensor]) -> Tensor:
    """What a step returns, (losses, *runs)."""
    return torch.stack([value.detach() for value in losses.values()])


def means(names: Sequence[str], total: Tensor, count: int) -> list[dict[str, float]]:
    """The mean losses of so many steps, by name, for each run, given the sum of what the steps
    returned."""
    of_runs = total.view(len(names), -1).div(count).T.tolist()
    return [dict(zip(names, values, strict=True)) for values in of_runs]
