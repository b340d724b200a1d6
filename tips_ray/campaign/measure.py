"""Measure the weights that runs have kept: what reports need of them, and training does not."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import ray
import torch

from tips_ray.campaign.evaluate import kept_epochs, load_window
from tips_ray.campaign.plan import Campaign
from tips_ray.campaign.progress import tracked
from tips_ray.campaign.seeds import dataset_on
from tips_ray.campaign.session import Session
from tips_ray.campaign.teachers import teachers_of
from tips_ray.campaign.tune import worker_resources
from tips_ray.columns import HEADLINE_METRIC, METRICS, TRAIN_METRIC
from tips_ray.config import Config, Evaluation, Placement
from tips_ray.data.dataset import Dataset, Sources
from tips_ray.errors import UserError, sentence
from tips_ray.lifting.benchmarks import benchmark_rows
from tips_ray.lifting.bodies import body_rows
from tips_ray.lifting.codependence import outside_share, sensitivity
from tips_ray.lifting.evaluate import evaluate
from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.choice import choose_weights
from tips_ray.stability.regret import best_epoch, stops, whole_runs, windows_of
from tips_ray.stability.stopping import Window
from tips_ray.store.curves import RUNS, run_name
from tips_ray.store.measurements import BENCHMARK, BODIES, CODEPENDENCE, KEYS, TAUGHT, WINDOWS, read_measured
from tips_ray.store.storage import Storage

NUM_PROBED = 10_000
"""Test views over which the codependence of joints is averaged."""


@dataclass(frozen=True)
class Task:
    """What is to be measured of one run, all of one kind."""

    folder: Storage
    arm: str
    seed: int
    config: Config
    evaluation: Evaluation
    table: str
    """What the rows are for."""
    windows: tuple[Window, ...]
    benchmark: str = ""

    @property
    def run(self) -> Storage:
        """The run's folder."""
        return self.folder / RUNS / run_name(self.arm, self.seed)


def measure(campaign: Campaign, state: LoadedCampaign, arms: Collection[str], session: Session) -> dict[str, str]:
    """Measure all that reports need of some arms and the folder lacks, on the Ray that is running.

    What was measured stays on Ctrl-C. Returns why arms could not be measured, if some weights are
    damaged.
    """
    tasks, failures = unmeasured(campaign, state, arms), {}
    rows: dict[str, list[dict[str, Any]]] = {task.table: [] for task in tasks}
    if not tasks:
        return {}
    try:
        results = _each(tasks, session.placement, session.sources)
        for task, result in tracked(results, len(tasks), "Measuring the weights that runs have kept", session.console):
            if isinstance(result, str):
                failures[task.arm] = result
            else:
                rows[task.table] += result
    finally:
        for table, new in rows.items():
            if new:
                whole = pd.DataFrame([*read_measured(campaign.folder, table).to_dict("records"), *new])
                campaign.folder.write_table(table, whole.drop_duplicates(KEYS[table], keep="last"))
    return failures


def unmeasured(campaign: Campaign, state: LoadedCampaign, arms: Collection[str]) -> list[Task]:
    """What the tables of `tips_ray.store.measurements` lack of runs that have not diverged: a task
    a run and table. Without labels, nothing that is an error."""
    folder, curves = campaign.folder, state.curves
    tables = {WINDOWS: state.measured.windows, TAUGHT: state.measured.taught, CODEPENDENCE: state.measured.codependence}
    tables[BODIES] = state.measured.bodies
    known = {table: set(rows[KEYS[table]].itertuples(index=False, name=None)) for table, rows in tables.items()}
    labelled = state.manifest["data"].get("labelled", True)
    stopped = stops(curves, [arm for arm in arms if campaign.arms[arm].objective != "supervised"])
    missing = [row for row in windows_of(stopped).itertuples(index=False, name=None) if row not in known[WINDOWS]]
    probed, lifted = ({key[:length] for key in known[table]} for table, length in ((CODEPENDENCE, 3), (BODIES, 4)))
    scored = set(state.measured.benchmark[["benchmark", "arm", "seed", "epoch"]].itertuples(index=False, name=None))
    tasks = []
    for arm in arms:
        config, choice = campaign.arms[arm], choose_weights(curves, arm, stopped)
        for seed, run in whole_runs(curves, arm).items():
            kept, last = kept_epochs(folder / RUNS / run_name(arm, seed)), len(run)
            wanted = {
                WINDOWS: [
                    Window(first, until, half_life or None)
                    for *run_of, first, until, half_life in missing
                    if run_of == [arm, seed] and until in kept
                ],
                CODEPENDENCE: [Window(last, last)] if last in kept and (arm, seed, last) not in probed else [],
                BENCHMARK: [
                    Window(epoch, epoch)
                    for epoch in ends_and_bests(run, kept if campaign.benchmark else ())
                    if (campaign.benchmark, arm, seed, epoch) not in scored
                ],
                TAUGHT: [Window(last, last)] if config.teacher and (arm, seed) not in known[TAUGHT] else [],
                BODIES: [
                    each.window
                    for each in (choice,)
                    if each and each.seed == seed and each.last in kept and (arm, seed, each.first, each.last) not in lifted
                ],
            }
            tasks += [
                Task(folder, arm, seed, config, campaign.evaluation, table, tuple(each), campaign.benchmark)
                for table, each in wanted.items()
                if each and (labelled or table in (CODEPENDENCE, BODIES))
            ]
    return tasks


def ends_and_bests(run: pd.DataFrame, kept: Collection[int]) -> list[int]:
    """Of the epochs of a run whose weights were kept, the last one of its curve and the best, which
    is an oracle's."""
    rows = run[run["epoch"].isin(list(kept))]
    if rows.empty:
        return []
    best = int(rows["epoch"].iloc[best_epoch(rows[HEADLINE_METRIC].to_numpy(float)) - 1])
    return sorted({best, *(epoch for epoch in (len(run),) if epoch in kept)})


def measure_rows(task: Task, dataset: Dataset) -> list[dict[str, Any]]:
    """The rows of a run for a table."""
    run = {"arm": task.arm, "seed": task.seed}
    rows = []
    for window in task.windows:
        if task.table == TAUGHT:
            rows.append({**run, **scores(teachers_of(task.folder, task.arm, task.seed, "cpu"), dataset)})
            continue
        lifter = load_window(task.run, window, task.config)
        if task.table == WINDOWS:
            keys = {"first": window.first, "last": window.last, "half_life": window.half_life or 0.0}
            rows.append({**run, **keys, **scores(lifter, dataset)})
        elif task.table == BODIES:
            rows += [{**run, "first": window.first, "last": window.last, **row} for row in body_rows(lifter, dataset)]
        elif task.table == BENCHMARK:
            place = {"benchmark": task.benchmark, **run, "epoch": window.last}
            rows += [{**place, **row} for row in benchmark_rows(lifter, dataset, task.benchmark)]
        else:
            found = sensitivity(lifter, (dataset.test or dataset.train).spread(NUM_PROBED).keypoints)
            share = outside_share(found)
            for depth, values in zip(LIFTED, found.tolist(), strict=True):
                own = {**run, "epoch": window.last, "depth": depth, "outside_share": share}
                rows += [own | {"keypoint": seen, "sensitivity": value} for seen, value in zip(LIFTED, values, strict=True)]
    return rows


def scores(lifter: torch.nn.Module, dataset: Dataset) -> dict[str, float]:
    """Errors in mm; NaN of a lifter that answers with what is no number."""
    found = evaluate(lifter, dataset)
    return {name: found.get(name, float("nan")) for name in (*METRICS, TRAIN_METRIC)}


def _each(tasks: Sequence[Task], placement: Placement, sources: Sources) -> Iterator[tuple[Task, list[dict[str, Any]] | str]]:
    """The rows of each task, or why there are none, as they come; as many at once as there are
    CPUs, which is all they use."""
    cpus = worker_resources(placement)["CPU"]
    remote, shared = ray.remote(num_cpus=cpus)(_attempt), ray.put(sources)
    waiting = {remote.remote(task, [shared], max(1, int(cpus))): task for task in tasks}
    while waiting:
        done, _ = ray.wait(list(waiting))
        yield waiting.pop(done[0]), ray.get(done[0])


def _attempt(task: Task, holder: list[Any], threads: int) -> list[dict[str, Any]] | str:
    """The rows of a task, on a worker, or why it cannot be done, in a sentence; the poses come as a
    reference."""
    torch.set_num_threads(threads)
    try:
        return measure_rows(task, dataset_on(holder[0], task.config.data, task.evaluation, "cpu"))
    except (UserError, OSError) as error:
        return f"{task.run} cannot be measured: {sentence(error)}"
