"""Measure the weights that runs have kept: what reports need of them, and training does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import ray
import torch
from rich.console import Console

from tips_ray.campaign.execute import worker_resources
from tips_ray.campaign.plan import Campaign, Resources
from tips_ray.campaign.saved import kept_epochs, load_lifter, load_window
from tips_ray.campaign.seeds import seen_on, what_is_seen
from tips_ray.campaign.teaching import teachers_of
from tips_ray.config import Config
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import Dataset
from tips_ray.lifting.evaluate import evaluate, lift_views, voters, witnessed
from tips_ray.lifting.probes import outside_share, sensitivity
from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.agreement import as_lifted, lifted_name, with_agreement
from tips_ray.stability.curves import CURVE, RUNS, read_curves, run_name
from tips_ray.stability.measured import CODEPENDENCE, KEYS, TAUGHT, TRAIN_METRIC, WINDOWS, read_measured
from tips_ray.stability.regrets import stops, whole_runs, windows_of
from tips_ray.stability.statistics import METRICS
from tips_ray.stability.stopping import Window
from tips_ray.storage import Storage

SIGNAL = "frechet_2d"
"""A column that runs of earlier versions do not have."""
NUM_PROBED = 10_000
"""Test views over which the codependence of joints is averaged."""


@dataclass(frozen=True)
class Task:
    """What is to be measured of one run, all of one kind."""

    folder: Storage
    arm: str
    seed: int
    config: Config
    kind: str
    """`epochs`, or the table that the rows are for."""
    windows: tuple[Window, ...]

    @property
    def run(self) -> Storage:
        """The run's folder."""
        return self.folder / RUNS / run_name(self.arm, self.seed)


def measure(campaign: Campaign, arms: Sequence[str], resources: Resources, poses: PoseSet, console: Console) -> None:
    """Measure all that reports need of some arms and the folder lacks, on the Ray that is running."""
    epochs = unmeasured(campaign, arms)
    if epochs:
        console.print(
            f"Measuring {sum(len(task.windows) for task in epochs):,} epochs that an earlier version did not measure ..."
        )
        _each(epochs, measure_epochs, resources, poses)
    tasks = untabled(campaign, arms)
    if tasks:
        console.print("Measuring what runs have kept ...")
        rows = _each(tasks, measure_rows, resources, poses)
        for table in dict.fromkeys(task.kind for task in tasks):
            new = [row for task, found in zip(tasks, rows, strict=True) if task.kind == table for row in found]
            whole = pd.DataFrame([*read_measured(campaign.folder, table).to_dict("records"), *new])
            campaign.folder.write_table(table, whole.drop_duplicates(KEYS[table], keep="last"))


def is_unmeasured(campaign: Campaign) -> bool:
    """Whether `measure` would find something to do."""
    arms = list(campaign.arms)
    return bool(unmeasured(campaign, arms) or untabled(campaign, arms))


def unmeasured(campaign: Campaign, arms: Sequence[str]) -> list[Task]:
    """Epochs that lack signals, of runs whose weights were kept: a task a run."""
    curves = read_curves(campaign.folder, campaign.name)
    lacking = curves[(curves["status"] == "ok") & curves.reindex(columns=[SIGNAL])[SIGNAL].isna() & curves["arm"].isin(arms)]
    tasks = []
    for (arm, seed), rows in lacking.groupby(["arm", "seed"], sort=False):
        arm, seed = str(arm), int(str(seed))
        kept = kept_epochs(campaign.folder / RUNS / run_name(arm, seed))
        windows = tuple(Window(epoch, epoch) for epoch in rows["epoch"].tolist() if epoch in kept)
        if windows:
            tasks.append(Task(campaign.folder, arm, seed, campaign.arms[arm], "epochs", windows))
    return tasks


def untabled(campaign: Campaign, arms: Sequence[str]) -> list[Task]:
    """What the tables of `tips_ray.stability.measured` lack of runs that have not diverged: a task a run and table."""
    folder = campaign.folder
    curves = with_agreement(read_curves(folder, campaign.name), folder)
    known = {table: set(read_measured(folder, table)[KEYS[table]].itertuples(index=False, name=None)) for table in KEYS}
    named = windows_of(stops(curves, [arm for arm in arms if campaign.arms[arm].objective != "supervised"]))
    named = named[[row not in known[WINDOWS] for row in named.itertuples(index=False, name=None)]]
    probed = {key[:3] for key in known[CODEPENDENCE]}
    tasks = []
    for arm in arms:
        config = campaign.arms[arm]
        for seed, run in whole_runs(curves, arm).items():
            kept, last = kept_epochs(folder / RUNS / run_name(arm, seed)), len(run)
            own = named[(named["arm"] == arm) & (named["seed"] == seed) & named["last"].isin(kept)]
            wanted = {
                WINDOWS: [
                    Window(first, until, half or None)
                    for first, until, half in zip(own["first"], own["last"], own["half_life"], strict=True)
                ],
                CODEPENDENCE: [Window(last, last)] if last in kept and (arm, seed, last) not in probed else [],
                TAUGHT: [Window(last, last)] if config.objective == "distilled" and (arm, seed) not in known[TAUGHT] else [],
            }
            tasks += [Task(folder, arm, seed, config, table, tuple(each)) for table, each in wanted.items() if each]
    return tasks


def measure_epochs(task: Task, dataset: Dataset) -> None:
    """Add to a run's curve, and to its folder, what a lifter's weights still tell of some epochs."""
    curve, kept = task.run.read_table(CURVE).set_index("epoch", drop=False), kept_epochs(task.run)
    for epoch in (window.last for window in task.windows):
        lifter = load_lifter(task.run, epoch, task.config)
        before = lift_views(load_lifter(task.run, epoch - 1, task.config), voters(dataset)) if epoch - 1 in kept else None
        for name, value in evaluate(lifter, dataset, before).items():
            curve.loc[epoch, name] = value
        task.run.write(lifted_name(epoch), as_lifted(witnessed(lifter, dataset)))
    task.run.write_table(CURVE, curve)


def measure_rows(task: Task, dataset: Dataset) -> list[dict[str, Any]]:
    """The rows of a run for a table."""
    run = {"arm": task.arm, "seed": task.seed}
    rows = []
    for window in task.windows:
        if task.kind == TAUGHT:
            rows.append({**run, **scores(teachers_of(task.folder, task.arm, task.seed, "cpu"), dataset)})
            continue
        lifter = load_window(task.run, window, task.config)
        if task.kind == WINDOWS:
            keys = {"first": window.first, "last": window.last, "half_life": window.half_life or 0.0}
            rows.append({**run, **keys, **scores(lifter, dataset)})
        else:
            found = sensitivity(lifter, dataset.test.spread(NUM_PROBED).keypoints)
            share = outside_share(found)
            for depth, values in zip(LIFTED, found.tolist(), strict=True):
                own = {**run, "epoch": window.last, "depth": depth, "outside_share": share}
                rows += [own | {"keypoint": seen, "sensitivity": value} for seen, value in zip(LIFTED, values, strict=True)]
    return rows


def scores(lifter: torch.nn.Module, dataset: Dataset) -> dict[str, float]:
    """Errors in mm; NaN of a lifter that answers with what is no number."""
    found = evaluate(lifter, dataset)
    return {name: found.get(name, float("nan")) for name in (*METRICS, TRAIN_METRIC)}


Action = Callable[[Task, Dataset], Any]
"""What is done with a task, on what it sees."""


def _each(tasks: Sequence[Task], action: Action, resources: Resources, poses: PoseSet) -> list[Any]:
    """What an action returns for each task; as many at once as there are CPUs, which is all they use."""
    cpus = worker_resources(resources)["CPU"]
    remote, shared = ray.remote(num_cpus=cpus)(_one), ray.put(poses)
    return ray.get([remote.remote(task, action, [shared], max(1, int(cpus))) for task in tasks])


def _one(task: Task, action: Action, holder: list[Any], threads: int) -> Any:
    """An action's answer for one task, on a worker; the poses come as a reference."""
    torch.set_num_threads(threads)
    return action(task, seen_on(holder[0], what_is_seen(task.config), "cpu"))
