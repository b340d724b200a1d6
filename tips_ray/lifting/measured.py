"""What is measured of several runs after an epoch, as one batched computation or one after the
other."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from tips_ray.lifting.evaluate import lift_views, measure, rows_of, voters
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.run import Run
from tips_ray.lifting.together import stacked_states

VIEWS_AT_ONCE = 1 << 21
"""Views that several runs lift at once, of all runs together: a few GB of poses and what is made of
them."""

Measured = tuple[dict[str, Tensor], Tensor]
"""What `measure` finds of some runs, with a leading dimension for the runs."""


def lifted_now(run: Run) -> Tensor:
    """The poses (voters, 16, 3) in mm that a run lifts as it stands."""
    return lift_views(run.lifter, voters(run.dataset)) if run.lifted is None else run.lifted


@torch.no_grad()
def measured(runs: Sequence[Run], before: Mapping[Run, Tensor], vmapped: bool) -> dict[Run, dict[str, Any]]:
    """The rows of what is measured of some runs of a dataset after the same epoch, given the poses
    that they lifted before it, unless it was the first; leaves each run what it lifts now.

    With `vmapped`, each layer computes all runs at once, nothing waits for the device, and one
    transfer brings all numbers to the host. Each took an equal share of the seconds.
    """
    rows: dict[Run, dict[str, Any]] = {}
    for some in _alike(runs) if vmapped else [[run] for run in runs]:
        started = time.perf_counter()
        for run in some:
            run.networks.eval()
        values, lifted = (measure_together if vmapped else _by_itself)(some, [before[run] for run in some if run in before])
        found = rows_of(values, some[0].dataset)
        seconds = (time.perf_counter() - started) / len(some)
        for run, row, poses in zip(some, found, lifted, strict=True):
            rows[run], run.lifted = row | {"evaluate_seconds": seconds}, poses
    return rows


def _alike(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs whose lifters differ in numbers alone."""
    groups = [[run for run in runs if run.lifter.mirror_mean == mirror_mean] for mirror_mean in (False, True)]
    return [some for some in groups if some]


def _by_itself(runs: Sequence[Run], before: Sequence[Tensor]) -> Measured:
    (run,) = runs
    values, lifted = measure(run.dataset, *before, **_lifters(run))
    return {name: value[None] for name, value in values.items()}, lifted[None]


def measure_together(runs: Sequence[Run], before: Sequence[Tensor]) -> Measured:
    """`measure` of several runs whose lifters differ in numbers alone, without waiting for the
    device."""
    dataset, lifters = runs[0].dataset, [_lifters(run) for run in runs]
    weights = {name: stacked_states([of_run[name].state_dict() for of_run in lifters]) for name in lifters[0]}

    def of_one(weights: dict[str, dict[str, Tensor]], before: list[Tensor]) -> Measured:
        return measure(
            dataset, *before, **{name: partial(functional_call, lifters[0][name], own) for name, own in weights.items()}
        )

    num_views = max(len(views) for views in (voters(dataset), dataset.test) if views is not None)
    chunk_size = max(1, VIEWS_AT_ONCE // num_views)
    return torch.vmap(of_one, randomness="same", chunk_size=chunk_size)(weights, [torch.stack(list(before))] if before else [])


def _lifters(run: Run) -> dict[str, Lifter]:
    """What `measure` is given."""
    return {"lifter": run.lifter} | ({} if run.trained is run.lifter else {"trained": run.trained})
