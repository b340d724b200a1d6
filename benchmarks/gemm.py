"""How near a training step at the paper's size (1024 units, 8192 poses) comes to the measured rate
of matrix products.

    python benchmarks/gemm.py                            # half a minute on two cores
    python benchmarks/gemm.py --width 128 --batch 512    # laptop size
    python benchmarks/gemm.py --return-memory            # what page faults cost

Prints the floors of the machine, by its measured products and by its measured copies, and the share
that the step reaches.
"""

import argparse
import statistics

import torch

from count import step_need
from measure import copy_rate, gemm_rate, publish, seconds_of
from tips_ray.config import override
from tips_ray.data.dataset import prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.presets import arm_config, paper


def main() -> None:
    """Measure products, copies and steps on the same threads; the published ratio is the share of
    the products' rate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--arm", default="parts")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--return-memory", action="store_true", help="as PyTorch does of itself, for comparison; not published")
    given = parser.parse_args()
    if not given.return_memory:
        keep_freed_memory()
    torch.set_num_threads(given.threads)
    changes = {"network": {"width": given.width}, "optimiser": {"batch_size": given.batch}, "data": {"num_views": 2}}
    config = override(arm_config(paper().config, given.arm), changes)
    dataset = prepare(synthesise(num_poses=max(1000, given.batch)), config.data)
    run, need = Run(config, dataset, seed=0), step_need(config)
    views = dataset.train
    batch = Batch(views.keypoints[: given.batch], views.pose[: given.batch, :, 2], views.scale[: given.batch])
    before = gemm_rate(given.batch, given.width, rounds=5)
    taken = seconds_of({"step": lambda: run.step(batch, run.draw(given.batch))}, given.rounds, warm_up=1)["step"]
    rate = statistics.fmean([before, gemm_rate(given.batch, given.width, rounds=5)])
    memory, seconds = copy_rate(), statistics.median(taken)
    by_products, by_memory = need.seconds(rate, memory)
    share = by_products / seconds
    print(
        f"{given.arm}, {given.width} units, {given.batch} poses: {need.flops / 1e9:,.1f} GFLOP, {need.num_bytes / 1e9:.2f} GB"
        f"\nfloors: {by_products:.3g} s by products ({rate / 1e9:.1f} GFLOP/s),"
        f" {by_memory:.3g} s by memory ({memory / 1e9:.1f} GB/s)"
        f"\nmeasured: {seconds:.3g} s, {share:.0%} of the products' rate"
    )
    if given.return_memory:
        return
    publish(
        "gemm",
        share,
        0.7,
        arm=given.arm,
        threads=given.threads,
        gflop=need.flops / 1e9,
        gigabytes=need.num_bytes / 1e9,
        gemm_gflops=rate / 1e9,
        copy_gigabytes_per_second=memory / 1e9,
        step_seconds=taken,
    )


if __name__ == "__main__":
    main()
