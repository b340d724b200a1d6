"""How an epoch's time grows with the number of poses and with the number of seeds.

    python benchmarks/scaling.py          # about four minutes on one core

A pass over all views (one camera) of 10,000, 100,000 and 1,000,000 training poses, solo at laptop
size; then 1, 2, 4 and 8 seeds that take turns in one process, as the seeds of an arm do in a
campaign. The published ratio is the time a pose takes among the most over the time it takes among
the fewest: 1 if cost grows linearly.
"""

import argparse
import itertools
import statistics
import time

import numpy as np
import torch

from measure import publish
from tips_ray.config import override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.lifting.train import fit
from tips_ray.presets import arm_config, laptop

CONFIG = override(arm_config(laptop().config, "solo"), {"data": {"num_views": 1, "epoch_views": None, "test_subjects": ["S1"]}})


def many(poses: PoseSet, count: int) -> PoseSet:
    """The poses over and over, each time as clips of their own, until there are `count` and one
    subject more to test on."""
    test = poses.subject == "S1"
    chosen = np.concatenate([np.flatnonzero(test)[:1000], np.resize(np.flatnonzero(~test), count)])
    turn = np.concatenate([np.zeros(1000, dtype=int), np.arange(count) // (~test).sum()])
    clips = np.char.add(np.char.add(poses.clip[chosen], " turn "), turn.astype(str))
    return make_poseset(
        RawPoses(
            poses.positions[chosen],
            "many",
            subject=poses.subject[chosen],
            action=poses.action[chosen],
            clip=clips,
            synthetic=True,
        )
    )


def seconds_of_an_epoch(dataset: Dataset, epochs: int) -> float:
    """Time of a pass over all views, the median of some."""
    run = Run(CONFIG, dataset, seed=0)
    return statistics.median(run.train_epoch()["train_seconds"] for _ in range(epochs))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--poses", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 4, 8])
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    poses = synthesise(num_poses=30_000)
    by_poses, by_seeds = {}, {}
    for count in given.poses:
        dataset = prepare(many(poses, count), CONFIG.data)
        by_poses[count] = seconds_of_an_epoch(dataset, epochs=max(1, min(5, 200_000 // count)))
        print(f"{count:>9,} poses: {by_poses[count]:8.2f} s an epoch, {1e6 * by_poses[count] / count:6.1f} µs a pose")
    dataset = prepare(many(poses, given.poses[0]), CONFIG.data)
    for count in given.seeds:
        runs = [fit(CONFIG, dataset, seed) for seed in range(count)]
        for run in runs:
            next(run)
        started = time.perf_counter()
        rounds = 2
        for run in itertools.chain.from_iterable([runs] * rounds):
            next(run)
        by_seeds[count] = (time.perf_counter() - started) / rounds
        print(f"{count:>9} seeds: {by_seeds[count]:8.2f} s an epoch of all, {by_seeds[count] / count:6.2f} s a seed")
    least, most = min(by_poses), max(by_poses)
    ratio = by_poses[most] / most / (by_poses[least] / least)
    publish("scaling", ratio, 1.25, at_least=False, seconds_by_poses=by_poses, seconds_by_seeds=by_seeds)


if __name__ == "__main__":
    main()
