"""What evaluating and storing add to an epoch's time, and how large what is stored is.

    python benchmarks/epoch.py                          # the synthetic poses
    python benchmarks/epoch.py --poses cmu17.npz --data.test-subjects 6 8 9 14 35 906

A laptop run on one core, stored as in a campaign; the share is of all that is not training, the
table of the curve included.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass, field

import torch
import tyro

from measure import publish
from tips_ray.campaign.checkpoints import StoredRun, state_name, weights_name
from tips_ray.config import Data, KeepWeights, override
from tips_ray.data.dataset import prepare
from tips_ray.data.load import load_poses
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.presets import arm_config, laptop
from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class Options:
    """Which run is measured."""

    poses: str = "synthetic"
    arm: str = "parts"
    num_epochs: int = 6
    data: Data = laptop().config.data
    keep_weights: KeepWeights = field(default_factory=KeepWeights)


def main(options: Options) -> None:
    """Publish the share of an epoch that is not training, as the median over epochs but the
    first."""
    torch.set_num_threads(1)
    keep_freed_memory()
    config = arm_config(laptop().config, options.arm)
    config = override(config, {"data": options.data})
    dataset = prepare(load_poses(options.poses), config.data)
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        run = StoredRun(storage, options.arm, Run(config, dataset, 0), options.keep_weights)
        shares, evaluating, storing = [], [], []
        for _ in range(options.num_epochs):
            started = time.perf_counter()
            row = run.advance()
            whole = time.perf_counter() - started
            shares.append(1 - row["train_seconds"] / whole)
            evaluating.append(row["evaluate_seconds"])
            storing.append(whole - row["train_seconds"] - row["evaluate_seconds"])
        kept = len(run.folder.read(weights_name(run.num_epochs))) / 1e3
        latest = len(run.folder.read(state_name(run.num_epochs))) / 1e3
    share = statistics.median(shares[1:])
    print(
        f"{options.arm}: {len(dataset.test or ()):,} test views; {statistics.median(evaluating[1:]):.3f} s to evaluate,"
        f" {statistics.median(storing[1:]):.3f} s to store, {share:.1%} of an epoch; {kept:.0f} kB for each epoch that is kept,"
        f" {latest:.0f} kB for the latest state"
    )
    sizes = {"weights_kilobytes": kept, "state_kilobytes": latest}
    publish("epoch", share, 0.1, at_least=False, evaluate_seconds=evaluating, store_seconds=storing, **sizes)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
