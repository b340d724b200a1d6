"""Whether the averaged weights of a run want statistics of batch norm that are estimated anew.

    python benchmarks/batch_norm_statistics.py reports/CAMPAIGN --arm single --data poses.npz

The moving average of a run averages the running statistics of batch norm as it does the weights.
Stochastic weight averaging (Izmailov et al., UAI 2018) passes the training data through the
averaged network instead. Both for the last epoch of each run of an arm: P-MPJPE in mm, and the
difference, over runs.
"""

import argparse

import torch

from tips_ray import load_poses
from tips_ray.campaign.evaluate import config_of, load_window
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.data.dataset import prepare
from tips_ray.data.views import Views
from tips_ray.lifting.evaluate import evaluate
from tips_ray.lifting.networks import BatchNorm, Lifter
from tips_ray.stability.campaign import load_campaign
from tips_ray.stability.regret import whole_runs
from tips_ray.stability.statistics import Interval, interval
from tips_ray.stability.stopping import Window
from tips_ray.store.curves import RUNS, run_name
from tips_ray.store.storage import Storage

NUM_VIEWS, BATCH = 65_536, 512


def main() -> None:
    """Print a row a run, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign")
    parser.add_argument("--arm", required=True)
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    folder = Storage(options.campaign)
    loaded = load_campaign(folder)
    config = config_of(folder, loaded.manifest, options.arm)
    dataset = prepare(load_poses(options.data), config.data)
    print("| seed | averaged | estimated anew | difference |\n|---|---|---|---|")
    found = []
    for seed, rows in whole_runs(loaded.curves, options.arm).items():
        last = len(rows)
        lifter = load_window(folder / RUNS / run_name(options.arm, seed), Window(last, last), config)
        averaged = evaluate(lifter, dataset)[HEADLINE_METRIC]
        estimate_anew(lifter, dataset.train.spread(NUM_VIEWS))
        anew = evaluate(lifter, dataset)[HEADLINE_METRIC]
        found.append((averaged, anew, anew - averaged))
        print(f"| {seed} | " + " | ".join(f"{value:.2f}" for value in found[-1]) + " |", flush=True)
    print("| all | " + " | ".join(in_words(interval(values)) for values in zip(*found, strict=True)) + " |")


@torch.no_grad()
def estimate_anew(lifter: Lifter, views: Views) -> None:
    """Set the running statistics to their means over batches of some views, in a random order."""
    norms = [module for module in lifter.modules() if isinstance(module, BatchNorm)]
    order = torch.randperm(len(views), generator=torch.Generator().manual_seed(0))
    lifter.train()
    for number, chosen in enumerate(order.split(BATCH), start=1):
        for norm in norms:
            norm.momentum = 1 / number
        lifter(views.keypoints[chosen])


def in_words(found: Interval) -> str:
    """A mean and its interval."""
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})" if found.n > 1 else f"{found.mean:.2f}"


if __name__ == "__main__":
    main()
