"""What a whole study costs: wall time, memory, and Ray's share of it.

    python benchmarks/study_cost.py    # make study: under 6 minutes, under 4 GB
    python benchmarks/study_cost.py --preset laptop --data poses.npz ...    # any study

Memory is the fall of what the machine has available while the study runs, so run nothing else.
Ray's share is the wall time in which no core of the critical path trains or evaluates: start-up,
scheduling, storing and reporting all count as overhead.
"""

import argparse
import heapq
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from measure import publish
from tips_ray.store.curves import read_curves
from tips_ray.store.records import read_manifest
from tips_ray.store.storage import Storage

SECONDS_BETWEEN_SAMPLES = 0.5
TARGET_MINUTES = {"quick": 6.0, "laptop": 25.0}


def available_gb() -> float:
    """Memory that this machine can still give, in GB (Linux)."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 1e6


def makespan(campaign: Storage) -> float:
    """Seconds that the arms' own training and evaluation take on the cores that they were given, by
    list scheduling."""
    manifest = read_manifest(campaign)
    curves = read_curves(campaign, manifest["name"])
    execution = manifest["executions"][-1]
    workers = max(1, execution["num_workers"])
    slots = [0.0] * max(1, int(execution["machine"]["cores"] / (workers * execution["cpus_per_worker"])))
    for arm in manifest["arms"]:
        own = curves[curves["arm"] == arm].assign(seconds=lambda rows: rows["train_seconds"] + rows["evaluate_seconds"])
        per_worker = own.groupby(own["seed"] % workers)["seconds"].sum()
        heapq.heappush(slots, heapq.heappop(slots) + per_worker.max())
    return max(slots)


def main() -> None:
    """Run the study that the options name and publish its cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", help="folder for the campaign, which is thrown away otherwise")
    given, passed_on = parser.parse_known_args()
    preset = next((after for word, after in itertools.pairwise(passed_on) if word == "--preset"), "quick")
    if preset not in TARGET_MINUTES:
        parser.error(f"there is no target for the preset {preset!r}; give {' or '.join(TARGET_MINUTES)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or scratch
        lows = [available_gb()]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(SECONDS_BETWEEN_SAMPLES):
                lows.append(available_gb())

        watcher = threading.Thread(target=watch)
        watcher.start()
        started = time.perf_counter()
        options = [*passed_on, "--storage", folder, "--campaign", "cost"]
        study = subprocess.run([sys.executable, "studies/stability.py", *options], check=False)
        wall = time.perf_counter() - started
        ended.set()
        watcher.join()
        if study.returncode:
            raise SystemExit(study.returncode)
        training = makespan(Storage(folder) / "cost")
    publish(
        f"study_{preset}",
        wall / 60,
        TARGET_MINUTES[preset],
        at_least=False,
        unit="min",
        options=passed_on,
        memory_gb=round(lows[0] - min(lows), 2),
        training_seconds=round(training),
        ray_share=round(1 - training / wall, 3),
    )


if __name__ == "__main__":
    main()
