"""The seeds of one arm, trained side by side by one process, or dealt to several that pool their
rows after each epoch."""

import logging
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import ray
import torch

from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.teachers import teachers_of
from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC, SIGNAL_SHARES
from tips_ray.config import Config, Data, Evaluation, KeepWeights, Placement
from tips_ray.data.dataset import Dataset, Sources, prepare
from tips_ray.errors import UserError, sentence
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.lifting.together import Together
from tips_ray.lifting.train import next_epochs
from tips_ray.stability.agreement import error_bound
from tips_ray.stability.early import causal_rule
from tips_ray.store.storage import Storage

NOTICES = "notices"
"""In a result: sentences for the user, such as which files were damaged and made anew."""
FAILURE = "failure"
"""In a result: why the arm ends for good. What is no crash would fail again, so it is not tried
again."""
EpochOfRun = tuple[dict[str, Any], np.ndarray | None]
"""The row of an epoch, and what was lifted then (views, 16) in mm, with the sign that anatomy voted
for; None of an epoch that was trained before."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What all trials of an execution have in common."""

    folder: Storage
    """Where runs keep their rows and states, which alone decide how far each one got."""
    seeds: list[int]
    num_epochs: int
    placement: Placement
    evaluation: Evaluation = field(default_factory=Evaluation)
    keep_weights: KeepWeights = field(default_factory=KeepWeights)
    stop: str = ""
    """The stop rule that ends runs, if any, but those that see labels."""


@dataclass(frozen=True)
class ArmTask:
    """What one trial trains: the seeds of an arm."""

    training: Training
    sources: ray.ObjectRef
    arm: str
    config: Config


def train_seeds(
    task: ArmTask,
    seeds: list[int],
    device: str,
    pool: Callable[[Any], list[Any]],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Advance this process's runs an epoch at a time; pool the rows of all processes and report
    their means."""
    training, arm = task.training, task.arm
    torch.set_num_threads(max(1, int(training.placement.cpus_per_worker)))
    keep_freed_memory()
    runs, failure = result_or_failure(stored_runs, task, seeds, device)
    behind = min((run.num_epochs for run in runs if not run.ended), default=training.num_epochs)
    shares = pool((behind, [notice for run in runs for notice in run.notices], failure))
    done = min(behind for behind, _, _ in shares)
    notices = list(dict.fromkeys(notice for _, share, _ in shares for notice in share))
    if notices:
        report({**epoch_result(arm, done, []), NOTICES: notices})
    failures = [failure for _, _, failure in shares if failure]
    groups = SeedGroups(training.placement)
    while done < training.num_epochs and not failures:
        epochs, failure = result_or_failure(advance, runs, done + 1, groups)
        shares = pool((epochs, failure, all(run.ended for run in runs)))
        failures = [failure for _, failure, _ in shares if failure]
        if not failures:
            done += 1
            report(epoch_result(arm, done, [epoch for epochs, _, _ in shares for epoch in epochs]))
            if all(ended for _, _, ended in shares):
                break
    if failures:
        report({**epoch_result(arm, done, []), FAILURE: failures[0]})


def stored_runs(task: ArmTask, seeds: list[int], device: str) -> list[StoredRun]:
    """The runs of some seeds of an arm, each after the last epoch that its folder has."""
    training, arm, config = task.training, task.arm, task.config
    dataset = dataset_on(task.sources, config.data, training.evaluation, device)
    teachers = {seed: teachers_of(training.folder, arm, seed, device) for seed in seeds if config.teacher}
    runs = {seed: Run(config, dataset, seed, teachers.get(seed)) for seed in seeds}
    stop = causal_rule(training.stop, training.num_epochs) if training.stop and config.objective != "supervised" else None
    return [StoredRun(training.folder, arm, run, training.keep_weights, stop) for run in runs.values()]


class SeedGroups:
    """The runs that a process trains at once, as many as its placement says."""

    def __init__(self, placement: Placement | None = None) -> None:
        self.placement = placement or Placement()
        self.models: dict[tuple[int, ...], Together] = {}
        """By the seeds of their runs; a model stays for the next epoch if its runs do."""

    def advance(self, runs: list[StoredRun]) -> None:
        """Train the next epoch of some runs, all after the same one, and store it."""
        size, record = self.placement.seeds_per_process, self.placement.cuda_graphs
        groups = [runs[first : first + size] for first in range(0, len(runs), size)]
        groups = {tuple(run.run.seed for run in group): group for group in groups}
        self.models = {seeds: model for seeds, model in self.models.items() if seeds in groups}
        for seeds, group in groups.items():
            if len(group) == 1 and not record:
                group[0].advance()
                continue
            if seeds not in self.models:
                self.models[seeds] = Together([run.run for run in group], record)
            epochs = next_epochs([run.run for run in group], self.models[seeds])
            for run, epoch in zip(group, epochs, strict=True):
                run.store(epoch)


def advance(runs: list[StoredRun], number: int, groups: SeedGroups | None = None) -> list[EpochOfRun]:
    """Train the runs that lack an epoch; of all that have it, the rows and what they lifted, and of
    those that the stop rule has ended the last row."""
    (groups or SeedGroups()).advance([run for run in runs if run.num_epochs < number and not run.ended])
    return [
        (run.rows[min(number, run.num_epochs) - 1], run.signed_depths if run.num_epochs == number else None)
        for run in runs
        if run.num_epochs >= number or not run.diverged
    ]


def result_or_failure(action: Callable[..., list[Any]], *arguments: Any) -> tuple[list[Any], str | None]:
    """What an action returns, or why it cannot be done, in a sentence; an error that no user can
    mend (a crash) is raised."""
    try:
        return action(*arguments), None
    except (UserError, OSError) as error:
        log.exception("This arm ends.")
        return [], sentence(error)


def epoch_result(arm: str, number: int, epochs: list[EpochOfRun]) -> dict[str, Any]:
    """What is reported of an epoch: means over the seeds that have not diverged, NaN if there is
    none, and what their error is at least (`error_bound`), NaN where not all have lifted."""
    finite = [row for row, _ in epochs if row["status"] != "diverged"]
    depths = [lifted for row, lifted in epochs if row["status"] != "diverged" and lifted is not None]
    errors = [row[HEADLINE_METRIC] for row in finite if HEADLINE_METRIC in row]
    consistency = [sum(row.get(term, float("nan")) for term in CONSISTENCY) for row in finite]
    signals = [sum(row.get(name, float("nan")) * share for name, share in SIGNAL_SHARES.items()) for row in finite]
    nan = float("nan")
    return {
        "arm": arm,
        "epoch": number,
        "error_mm": statistics.fmean(errors) if errors else nan,
        "spread_mm": statistics.pstdev(errors) if errors else nan,
        "bound_mm": error_bound(np.stack(depths)) if len(depths) == len(finite) > 1 else nan,
        "consistency": statistics.fmean(consistency) if finite else nan,
        "signals": statistics.fmean(signals) if finite else nan,
        "num_diverged": len(epochs) - len(finite),
    }


def is_epoch(result: dict[str, Any]) -> bool:
    """Whether a result is of an epoch, and not of notices or of an arm's failure."""
    return NOTICES not in result and FAILURE not in result


@lru_cache(maxsize=1)
def dataset_on(sources: ray.ObjectRef, data: Data, evaluation: Evaluation, device: str) -> Dataset:
    """What runs see of a study's poses, on a device; kept for the next trial of this process."""
    given: Sources = ray.get(sources)
    return prepare(given.poses, data, evaluation, given.labelled).to(device)
