"""What the benchmarks of campaigns share: poses, a tiny and a laptop config, and a search that is
run and timed."""

import time
from dataclasses import dataclass

import optuna
import ray
from rich.console import Console

from tips_ray.campaign.ray_session import running_ray
from tips_ray.campaign.session import Session
from tips_ray.config import Config, Data, KeepWeights, Network, Optimiser, Placement, WeightRanges, override
from tips_ray.data.dataset import Sources
from tips_ray.data.poseset import PoseSet
from tips_ray.search.plan import Budget, Search
from tips_ray.search.run import run_search, split_for_search
from tips_ray.search.space import weight_space
from tips_ray.store.curves import read_curves
from tips_ray.store.storage import Storage

TINY = Config(
    data=Data(num_views=1, epoch_views=64),
    network=Network(width=8, generator_blocks=1, discriminator_blocks=1),
    optimiser=Optimiser(batch_size=64),
)
"""Trains an epoch in milliseconds: what is left of a trial is what the campaign adds."""


@dataclass(frozen=True)
class Cost:
    """Where the time of a search went, in seconds."""

    ray_start: float
    wall: float
    """From before Ray's start until after its end."""
    trials: float
    """From the first trial's start to the last one's end, by Optuna's study."""
    training: float
    """That all trials trained and evaluated, by their curves."""
    slots: int
    """Trials that ran at the same time."""


def search_of(config: Config, poses: PoseSet, storage: Storage, num_epochs: int) -> Search:
    """A search for the four weights, one seed a trial."""
    seen, _ = split_for_search(poses, config.data, ())
    return Search(
        "search",
        storage,
        override(config, {"data": seen}),
        weight_space(WeightRanges()),
        1,
        num_epochs,
        keep_weights=KeepWeights(every=1_000_000),
    )


def timed_search(config: Config, poses: PoseSet, storage: Storage, num_trials: int, num_epochs: int) -> Cost:
    """Run a search as `studies/weight_search.py` does, one CPU a trial, on the Ray cluster at hand
    or one started here.

    Raises RuntimeError if not all trials end.
    """
    search = search_of(config, poses, storage, num_epochs)
    began = time.perf_counter()
    with running_ray():
        ray_start = time.perf_counter() - began
        slots = int(ray.cluster_resources()["CPU"])
        ending = run_search(
            search, Budget(num_trials), None, Session(Sources(poses), "synthetic", Placement(), Console(quiet=True))
        )
    wall = time.perf_counter() - began
    if ending.failures or ending.unfinished:
        raise RuntimeError(f"Not all trials ended: {ending}")
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{search.folder.path('study.db')}")
    starts, ends = zip(*((trial.datetime_start, trial.datetime_complete) for trial in study.trials), strict=True)
    curves = read_curves(search.folder, "search")
    if len(curves) != num_trials * num_epochs or len(starts) != num_trials:
        raise RuntimeError(
            f"{num_trials} trials x {num_epochs} epochs left {len(curves)} rows, and {len(starts)} in Optuna's study."
        )
    training = float((curves["train_seconds"] + curves["evaluate_seconds"]).sum())
    return Cost(ray_start, wall, (max(ends) - min(starts)).total_seconds(), training, slots)
