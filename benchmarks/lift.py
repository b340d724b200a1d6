"""How fast the lifter that comes along lifts: poses a second on one core, and its start.

    python benchmarks/lift.py

With and without the mean over each pose and its mirror image, and one pose by onnxruntime. The
start is that of a process of its own, from nothing to the first pose.
"""

import argparse
import os
import statistics
import subprocess
import sys

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy

import numpy as np
import onnxruntime

from measure import publish, seconds_of
from tips_ray import Lifter
from tips_ray.lift.lifter import SHIPPED
from tips_ray.lift.onnx import onnx_bytes

BATCHES = (1, 64, 8192)
GOAL = 200_000
"""Poses a second of the largest batch, each lifted once."""
ONNX_GOAL_MS = 0.3
"""For one pose, by onnxruntime."""
START = "import numpy as np; from tips_ray import Lifter; Lifter.open().lift(np.random.rand(1, 17, 2))"


def main() -> None:
    """Print a line a batch, and publish poses a second of the largest one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    lifter, rng = Lifter.open(), np.random.default_rng(0)
    size = sum(file.stat().st_size for file in SHIPPED.iterdir()) / 1e6
    (start,) = seconds_of({"start": lambda: subprocess.run([sys.executable, "-c", START], check=True)}, 3, warm_up=1).values()
    print(f"{lifter.card.name}: {size:.2f} MB, {statistics.median(start):.2f} s from nothing to the first pose")
    speeds = {}
    for batch in BATCHES:
        keypoints = rng.random((batch, 17, 2)).astype(np.float32)
        taken = seconds_of(
            {
                "once": lambda seen=keypoints: lifter.lift_whole(seen, mirror_mean=False),
                "with its mirror image": lambda seen=keypoints: lifter.lift_whole(seen, mirror_mean=True),
            },
            rounds * (1 if batch == BATCHES[-1] else 20),
        )
        for way, seconds in taken.items():
            middle = statistics.median(seconds)
            speeds[f"{batch}, {way}"] = batch / middle
            print(f"batch of {batch:,}, {way}: {middle * 1e3:.3f} ms, {batch / middle:,.0f} poses a second")
    onnx_ms = statistics.median(onnx_seconds(lifter, 50 * rounds)) * 1e3
    verdict = "met" if onnx_ms <= ONNX_GOAL_MS else "missed"
    print(f"one pose, with its mirror image, by onnxruntime: {onnx_ms:.3f} ms (goal {ONNX_GOAL_MS}: {verdict})")
    publish(
        "lift",
        speeds[f"{BATCHES[-1]}, once"],
        GOAL,
        unit="poses/s",
        speeds=speeds,
        start_seconds=start,
        megabytes=size,
        onnx_ms=onnx_ms,
    )


def onnx_seconds(lifter: Lifter, rounds: int) -> list[float]:
    """Of each call that lifts one pose, as an ONNX graph, on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx_bytes(lifter), options, providers=["CPUExecutionProvider"])
    keypoints = np.random.default_rng(0).random((1, 17, 2)).astype(np.float32)
    return seconds_of({"one": lambda: session.run(["poses"], {"keypoints": keypoints})}, rounds)["one"]


if __name__ == "__main__":
    main()
