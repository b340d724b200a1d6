"""The seeds of arms, trained side by side by one process, or dealt to several that pool their rows
after each epoch."""

import logging
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import ray
import torch

from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.groups import SeedGroups
from tips_ray.campaign.teachers import teachers_of
from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC, SIGNAL_SHARES
from tips_ray.config import Config, Data, Evaluation, KeepWeights, Placement
from tips_ray.data.dataset import Dataset, Sources, prepare
from tips_ray.errors import UserError, sentence
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.stability.agreement import error_bound
from tips_ray.stability.early import causal_rule
from tips_ray.store.records import is_pruned
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
    pruner: str | None = None
    """Of a search, whose trials end when one of their runs diverges or their records say that they
    were pruned; None: no arm is a trial."""


@dataclass(frozen=True)
class ArmsTask:
    """What one Tune trial trains: the seeds of an arm, or of several whose configs can share a
    model."""

    training: Training
    sources: ray.ObjectRef
    arms: dict[str, Config]


@dataclass
class ArmRuns:
    """The runs of an arm that a process trains."""

    arm: str
    runs: list[StoredRun]
    failure: str | None = None
    """Why the arm ends for good."""
    done: int = 0
    """Epochs that its runs have, those of all processes, but for runs that ended before."""
    over: bool = False
    """Whether it is not trained any more."""

    def begun(self, num_epochs: int) -> tuple[int, list[str], str | None, bool]:
        """Of its runs here: how far they are, notices, why they cannot be trained, and whether one
        has diverged."""
        behind = min((run.num_epochs for run in self.runs if not run.ended), default=num_epochs)
        notices = [notice for run in self.runs for notice in run.notices]
        return behind, notices, self.failure, any(run.diverged for run in self.runs)

    def advanced(self) -> tuple[list[EpochOfRun], str | None, bool]:
        """Of its runs here: the epoch after those that are done, why they cannot go on, and whether
        all have ended."""
        return epochs_of(self.runs, self.done + 1), self.failure, all(run.ended for run in self.runs)


def train_seeds(
    task: ArmsTask,
    seeds: list[int],
    device: str,
    pool: Callable[[Any], list[Any]],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Train this process's runs of some arms, each from where its folder is; `pool` gathers a value
    from all processes, `report` tells Tune."""
    torch.set_num_threads(max(1, int(task.training.placement.cpus_per_worker)))
    keep_freed_memory()
    arms = [ArmRuns(arm, *result_or_failure(stored_runs, task, arm, seeds, device)) for arm in task.arms]
    train_arms(task.training, arms, pool, report)


def train_arms(
    training: Training,
    arms: list[ArmRuns],
    pool: Callable[[Any], list[Any]],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Advance runs an epoch at a time, those of arms that are behind first; pool the rows of all
    processes and report the means of each arm."""
    groups, is_search = SeedGroups(training.placement), training.pruner is not None
    for arm, shares in pooled(pool, arms, lambda arm: arm.begun(training.num_epochs)):
        arm.done = min(behind for behind, _, _, _ in shares)
        notices = list(dict.fromkeys(notice for _, share, _, _ in shares for notice in share))
        if notices:
            report({**epoch_result(arm.arm, arm.done, []), NOTICES: notices})
        has_diverged = any(diverged for _, _, _, diverged in shares)
        arm.over = arm.done >= training.num_epochs or (is_search and has_diverged)
        end_with_failure(arm, [failure for _, _, failure, _ in shares if failure], report)
    while left := still_trained(training, arms, pool):
        number = min(arm.done for arm in left) + 1
        behind = {arm.arm: arm for arm in left if arm.done < number}
        for run, epoch in groups.train([run for arm in behind.values() for run in lacking(arm.runs, number)]):
            _, failure = result_or_failure(run.store, epoch)
            arm = behind[run.keys["arm"]]
            arm.failure = arm.failure or failure
        for arm, shares in pooled(pool, behind.values(), ArmRuns.advanced):
            if end_with_failure(arm, [failure for _, failure, _ in shares if failure], report):
                continue
            result = epoch_result(arm.arm, number, [epoch for epochs, _, _ in shares for epoch in epochs])
            has_ended = all(ended for _, _, ended in shares) or (is_search and result["num_diverged"] > 0)
            arm.done, arm.over = number, has_ended or number >= training.num_epochs
            report(result)


def pooled(
    pool: Callable[[Any], list[Any]], arms: Iterable[ArmRuns], share: Callable[[ArmRuns], Any]
) -> Iterator[tuple[ArmRuns, tuple[Any, ...]]]:
    """Each arm with its shares from all processes."""
    arms = list(arms)
    return zip(arms, zip(*pool([share(arm) for arm in arms]), strict=True), strict=True)


def lacking(runs: list[StoredRun], number: int) -> list[StoredRun]:
    """The runs that are to train an epoch of a number."""
    return [run for run in runs if run.num_epochs < number and not run.ended]


def epochs_of(runs: list[StoredRun], number: int) -> list[EpochOfRun]:
    """Of all runs that have an epoch, the rows and what they lifted, and of those that the stop
    rule has ended the last row."""
    return [
        (run.rows[min(number, run.num_epochs) - 1], run.signed_depths if run.num_epochs == number else None)
        for run in runs
        if run.num_epochs >= number or not run.diverged
    ]


def still_trained(training: Training, arms: list[ArmRuns], pool: Callable[[Any], list[Any]]) -> list[ArmRuns]:
    """The arms that are not over, once it was looked up which trials of a search the driver has
    pruned; of a single one Tune says it itself."""
    left = [arm for arm in arms if not arm.over]
    if len(arms) > 1 and training.pruner not in (None, "none"):
        pruned = set().union(*pool([arm.arm for arm in left if is_pruned(training.folder, arm.arm, training.num_epochs)]))
        for arm in left:
            arm.over = arm.arm in pruned
    return [arm for arm in left if not arm.over]


def end_with_failure(arm: ArmRuns, failures: list[str], report: Callable[[dict[str, Any]], None]) -> bool:
    """End an arm and report why, if it failed in a process; returns whether it did."""
    if failures:
        arm.over = True
        report({**epoch_result(arm.arm, arm.done, []), FAILURE: failures[0]})
    return bool(failures)


def stored_runs(task: ArmsTask, arm: str, seeds: list[int], device: str) -> list[StoredRun]:
    """The runs of some seeds of an arm, each after the last epoch that its folder has."""
    training, config = task.training, task.arms[arm]
    dataset = dataset_on(task.sources, config.data, training.evaluation, device)
    teachers = {seed: teachers_of(training.folder, arm, seed, device) for seed in seeds if config.teacher}
    runs = {seed: Run(config, dataset, seed, teachers.get(seed)) for seed in seeds}
    stop = causal_rule(training.stop, training.num_epochs) if training.stop and config.objective != "supervised" else None
    return [StoredRun(training.folder, arm, run, training.keep_weights, stop) for run in runs.values()]


def result_or_failure(action: Callable[..., Any], *arguments: Any) -> tuple[Any, str | None]:
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
