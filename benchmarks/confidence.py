"""Which number tells best where a lifter errs, and whether several seeds help.

    python benchmarks/confidence.py reports/CAMPAIGN --arm single --data poses.npz --subjects 6 8 9

Of the mean of the first runs of an arm, each with the average of its last 10 % of epochs: P-MPJPE
in mm, and over poses Spearman's rank correlation with it of how far joints move between views
(`Lifter.spread`), of how far runs disagree, and of both together. Poses are seen exactly, with
noise of 2 % of the body's height, and with two joints missing.
"""

import argparse
from dataclasses import replace

import numpy as np

from tips_ray import Lifter, load_poses
from tips_ray.config import Data
from tips_ray.data.views import labelled_views
from tips_ray.lift.measure import errors
from tips_ray.lift.trained import trained_lifter
from tips_ray.stability.campaign import load_campaign
from tips_ray.stability.choice import DEFAULT_RULE, Choice
from tips_ray.stability.regret import stops
from tips_ray.stability.statistics import spearman
from tips_ray.store.storage import Storage

MAX_RUNS = 4
NOISE = 0.02


def main() -> None:
    """Print a table for each way of seeing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign")
    parser.add_argument("--arm", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--subjects", nargs="+", required=True)
    options = parser.parse_args()
    lifters = lifters_of(Storage(options.campaign), options.arm)
    poses = load_poses(options.data)
    views = labelled_views(poses.select(np.isin(poses.subject, options.subjects)), 1, Data())
    keypoints = np.insert((views.keypoints * views.scale[:, None, None]).numpy(), 0, 0.0, axis=1)
    for name, seen in ways_of_seeing(keypoints).items():
        print(f"\n{name}\n| runs | error, mm | spread | disagreement | both |\n|---|---|---|---|---|")
        lifted = np.stack([lifter.lift(seen, y_down=False) for lifter in lifters])
        spreads = np.stack([lifter.spread(poses) for lifter, poses in zip(lifters, lifted, strict=True)])
        for count in range(1, len(lifters) + 1):
            mean = lifted[:count].mean(axis=0)
            error = errors(mean, views).numpy()
            spread = spreads[:count].mean(axis=0)
            apart = np.sqrt(np.square(lifted[:count] - mean).sum(axis=-1).mean(axis=0))
            found = [float(spearman(value.mean(axis=1), error)) for value in (spread, apart, np.hypot(spread, apart))]
            cells = found[:1] if count == 1 else found
            shown = [f"{value:.2f}" for value in cells] + [""] * (3 - len(cells))
            print(f"| {count} | {error.mean():.1f} | {' | '.join(shown)} |", flush=True)


def lifters_of(folder: Storage, arm: str) -> list[Lifter]:
    """The first runs of an arm that have gone furthest."""
    loaded = load_campaign(folder)
    rows = loaded.curves[loaded.curves["arm"] == arm]
    last = rows["epoch"].max()
    whole = replace(loaded, curves=rows[rows["run"].isin(rows.loc[rows["epoch"] == last, "run"])])
    stopped = stops(whole.curves, [arm])
    windows = stopped[stopped["rule"] == DEFAULT_RULE].sort_values("seed").head(MAX_RUNS)
    choices = [
        Choice(f"{arm}-seed{seed}", seed, window.first, window.last)
        for seed, window in zip(windows["seed"], windows["window"], strict=True)
    ]
    return [trained_lifter(folder, whole, arm, choice, DEFAULT_RULE) for choice in choices]


def ways_of_seeing(keypoints: np.ndarray) -> dict[str, np.ndarray]:
    """The keypoints (poses, 17, 2) as they are, noisy, and with joints missing."""
    rng = np.random.default_rng(0)
    height = np.ptp(keypoints[..., 1], axis=1)[:, None, None]
    noisy = keypoints + NOISE * height * rng.normal(size=keypoints.shape)
    lacking = keypoints.copy()
    order = rng.permuted(np.tile(np.arange(keypoints.shape[1]), (len(keypoints), 1)), axis=1)
    np.put_along_axis(lacking, order[:, :2, None], np.nan, axis=1)
    return {"exact": keypoints, "noise of 2 %": noisy, "two joints missing": lacking}


if __name__ == "__main__":
    main()
