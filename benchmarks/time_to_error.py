"""Seconds of one core until a run's error on validation subjects stays under some bounds.

    python benchmarks/time_to_error.py --poses cmu17.npz    # parts and single, by hand
    python benchmarks/time_to_error.py --poses cmu17.npz --arms clips --seeds 0 1 2 --minutes 6

Each run trains with the laptop preset's networks for some minutes, its epochs being short. The time
is that of training alone. A run reaches a bound at the end of the first epoch from which on its
error is below it. The test subjects of CMU's split are left out altogether.
"""

import statistics
from dataclasses import replace
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.table import Table

from measure import publish
from preset_search import CMU_TEST_SUBJECTS, VALIDATION_SUBJECTS
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Data
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.load import load_poses
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.train import fit
from tips_ray.presets import arm_config, small

BOUNDS_MM = (85.0, 75.0, 65.0, 55.0, 50.0)
GOAL_SECONDS = 120.0
"""Until the lowest bound."""
VIEWS = 8192
"""Views in an epoch: the error is measured every few seconds."""
SPLIT = Data(epoch_views=VIEWS, test_subjects=VALIDATION_SUBJECTS, left_out_subjects=CMU_TEST_SUBJECTS)


def curve_of(arm: str, seed: int, dataset: Dataset, minutes: float) -> list[tuple[float, float]]:
    """Seconds of training and error in mm after each epoch; a run that diverges ends early."""
    config = replace(arm_config(small(VIEWS), arm), data=SPLIT)
    curve, seconds = [], 0.0
    for epoch in fit(config, dataset, seed):
        seconds += epoch.row["train_seconds"]
        if epoch.diverged:
            break
        curve.append((seconds, epoch.row[HEADLINE_METRIC]))
        if seconds > 60 * minutes:
            break
    return curve


def seconds_until(curve: list[tuple[float, float]], bound: float) -> float | None:
    """When the error is below a bound for good; None if it is not at the end."""
    reached = None
    for seconds, error in reversed(curve):
        if error >= bound:
            break
        reached = seconds
    return reached


def main(
    poses: Path,
    arms: tuple[str, ...] = ("parts", "single"),
    seeds: tuple[int, ...] = (0, 1, 2),
    minutes: float = 4.0,
) -> None:
    """Print the seconds of each run, and publish the median over seeds of the last arm's to the
    lowest bound."""
    torch.set_num_threads(1)
    keep_freed_memory()
    dataset = prepare(load_poses(str(poses)), SPLIT)
    table = Table("arm", "seed", *(f"< {bound:g} mm" for bound in BOUNDS_MM), "last error, mm")
    times: dict[str, list[float | None]] = {arm: [] for arm in arms}
    curves = []
    for arm in arms:
        for seed in seeds:
            curve = curve_of(arm, seed, dataset, minutes)
            reached = [seconds_until(curve, bound) for bound in BOUNDS_MM]
            times[arm].append(reached[-1])
            cells = ["never" if seconds is None else f"{seconds:.0f} s" for seconds in reached]
            table.add_row(arm, str(seed), *cells, f"{curve[-1][1]:.1f}" if curve else "diverged")
            curves.append({"arm": arm, "seed": seed, "curve": [[round(value, 2) for value in point] for point in curve]})
    Console().print(table)
    print(f"never: not within {minutes:g} minutes of training on one core")
    last = [float("inf") if seconds is None else seconds for seconds in times[arms[-1]]]
    publish("time_to_error", statistics.median(last), GOAL_SECONDS, at_least=False, unit="s", arm=arms[-1], curves=curves)


if __name__ == "__main__":
    tyro.cli(main)
