"""The steps of `ten_thousand.py`, each a process of its own, whose last line says what it found and
the most memory it held."""

import argparse
import json
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ray import tune
from rich.console import Console

import tips_ray.campaign.tune
from campaigns import TINY, search_of
from footprint import peak_gigabytes
from ten_thousand import STEPS
from tips_ray.campaign.session import Session
from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC
from tips_ray.config import Placement
from tips_ray.data.dataset import Sources, prepare
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.train import fit
from tips_ray.report.publish import publish_search
from tips_ray.search.plan import Budget, Search
from tips_ray.search.queue import TrialQueue
from tips_ray.search.run import run_search
from tips_ray.seeding import derived_seed
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.records import TRIALS, trial_name, trial_number
from tips_ray.store.storage import Storage

RECORDED = "recorded.parquet"
SECONDS_BETWEEN_SAMPLES = 0.2


def store(folder: Storage, number: int) -> pd.DataFrame:
    """Write the rows of a trial where its run would: those recorded, with errors and losses times a
    factor around 1."""
    rows = folder.read_table(RECORDED)
    factor = np.exp(0.2 * np.random.default_rng(derived_seed(0, "factor", number)).standard_normal())
    scaled = [name for name in rows.columns if name.endswith("_mm") or name.startswith("loss_")]
    run = run_name(trial_name(number), 0)
    rows = rows.assign(arm=trial_name(number), run=run, seed=0, **{name: rows[name] * factor for name in scaled})
    (folder / RUNS / run).write_table(CURVE, rows)
    return rows


def replay(config: dict[str, Any], shared: dict[str, Any]) -> None:
    """The Tune trainable in place of the one that trains: as many reports of the same form."""
    arm = config["arms"][0]["name"]
    for row in store(shared["training"].folder, trial_number(arm)).to_dict("records"):
        scores = {"error_mm": row[HEADLINE_METRIC], "spread_mm": 0.0, "consistency": sum(row[term] for term in CONSISTENCY)}
        tune.report({"arm": arm, "epoch": row["epoch"], "num_diverged": 0, **scores})


def resident_gigabytes() -> float:
    """The memory that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e9


def through_ray(search: Search, poses: PoseSet, num_tuned: int, num_trials: int) -> dict[str, Any]:
    """Conduct the search's first trials; returns what they took, and the memory that all would
    take."""
    tips_ray.campaign.tune.train_suggested = replay  # all else is what a search does
    samples: list[tuple[float, int, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SECONDS_BETWEEN_SAMPLES):
            samples.append((time.monotonic(), len(search.folder.names(TRIALS)), resident_gigabytes()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run_study(search, poses, num_tuned)
    finally:
        ended.set()
        watcher.join()
    seconds, trials, memory = np.array(samples).T
    reached, first = np.unique(trials, return_index=True)  # not how long the last one, or Ray's end, took
    later = first[reached > num_tuned / 2]
    per_trial = np.polyfit(trials[later], np.stack([memory[later], seconds[later]], axis=1), 1)[0]
    return {
        "trials": num_tuned,
        "seconds_a_trial": per_trial[1],
        "megabytes_a_trial": 1e3 * per_trial[0],
        "gigabytes_of_all": peak_gigabytes() + max(0.0, per_trial[0]) * (num_trials - num_tuned),
    }


def run_study(search: Search, poses: PoseSet, num_trials: int) -> None:
    """What `studies/weight_search.py` does before its confirmation."""
    run_search(search, Budget(num_trials), None, Session(Sources(poses), "synthetic", Placement(), Console(quiet=True)))


def fill(queue: TrialQueue, folder: Storage) -> dict[str, Any]:
    """End all trials of the budget; returns the seconds of a trial among the first and the last
    hundred."""
    clock = [time.perf_counter()]
    while (record := queue.next()) is not None:
        store(folder, record.number)
        queue.end(record.number)
        clock.append(time.perf_counter())
    taken = np.diff(clock)
    return {"trials": len(taken), "seconds_at_first": taken[:100].mean(), "seconds_at_last": taken[-100:].mean()}


def perform(step: str, folder: str, num_trials: int, num_epochs: int, num_tuned: int) -> dict[str, Any]:
    """One step, in this process; raises RuntimeError if the search resumes with other trials than
    it was left with."""
    torch.set_num_threads(1)
    poses = synthesise(num_poses=1000)
    search = search_of(TINY, poses, Storage(folder), num_epochs)
    if step == "record":
        epochs = islice(fit(search.base, prepare(poses, search.base.data), seed=0), num_epochs)
        search.folder.write_table(RECORDED, pd.DataFrame([{"epoch": epoch.number, **epoch.row} for epoch in epochs]))
        return {}
    if step == "tune":
        return through_ray(search, poses, num_tuned, num_trials)
    if step == "report":
        publish_search(search.folder)
        return {"megabytes": len(search.folder.read("report.html")) / 1e6}
    if step == "resume_ended":
        run_study(search, poses, num_trials)  # finds that nothing is to be done
        return {}
    queue = TrialQueue(search, Budget(num_trials if step == "fill" else num_trials + 1))
    if step == "fill":
        return fill(queue, search.folder)
    if step == "begin":
        queue.next()  # and die
    elif (queue.num_trials, len(queue.open)) != (num_trials + 1, 1):
        raise RuntimeError(f"Of {num_trials + 1} trials, one of them open, {queue.num_trials} were found, {queue.open} open.")
    return {}


def main() -> None:
    """Perform the step that the options name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--folder", required=True, help="of the search")
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--tune-trials", type=int, required=True)
    given = parser.parse_args()
    found = perform(given.step, given.folder, given.trials, given.epochs, given.tune_trials)
    print(json.dumps({**found, "gigabytes": peak_gigabytes()}))


if __name__ == "__main__":
    main()
