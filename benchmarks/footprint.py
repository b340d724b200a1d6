"""How much memory a laptop run takes, whatever its number of epochs, and how fast a report's code
is imported.

    python benchmarks/footprint.py

The run is in a process of its own: 40,000 training poses seen by 4 cameras, part generators, every
epoch stored as in a campaign. Its memory is the most that the process ever held (ru_maxrss), Python
and PyTorch included.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from measure import publish

NUM_POSES = 40_000
IMPORT = "import sys, tips_ray.report.publish; assert not {'torch', 'ray'} & sys.modules.keys(), 'a report loads torch or ray'"


def peak_gigabytes() -> float:
    """The most memory that this process has held so far (Linux: kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def train(num_epochs: int) -> None:
    """Train and store a run; prints the memory peak after each epoch as one JSON list."""
    import torch

    from tips_ray.campaign.checkpoints import StoredRun
    from tips_ray.config import override
    from tips_ray.data.dataset import prepare
    from tips_ray.data.synthetic import synthesise
    from tips_ray.lifting.memory import keep_freed_memory
    from tips_ray.lifting.run import Run
    from tips_ray.presets import laptop
    from tips_ray.store.storage import Storage

    torch.set_num_threads(1)
    keep_freed_memory()  # as in a campaign, though it costs memory
    poses = synthesise(num_poses=NUM_POSES * 4 // 3)  # a quarter of the subjects is held out
    config = override(laptop().config, {"data": {"max_train_poses": NUM_POSES, "epoch_views": 8192}})
    dataset = prepare(poses, config.data)
    peaks = [peak_gigabytes()]
    with tempfile.TemporaryDirectory() as folder:
        run = StoredRun(Storage(folder), "parts", Run(config, dataset, 0))
        for _ in range(num_epochs):
            run.advance()
            peaks.append(peak_gigabytes())
    print(json.dumps({"poses": len(dataset.train_poses), "views": len(dataset.train), "peaks": peaks}))


def main() -> None:
    """Publish the seconds of the import, then the gigabytes of the run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-epochs", type=int, default=20)
    parser.add_argument("--train", action="store_true", help="be the process that trains")
    given = parser.parse_args()
    if given.train:
        return train(given.num_epochs)
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORT], check=True)
        seconds.append(time.perf_counter() - started)
    publish("report_import", statistics.median(seconds), 1.2, at_least=False, unit="s", seconds=seconds)
    command = [sys.executable, __file__, "--train", "--num-epochs", str(given.num_epochs)]
    run = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    peaks = run["peaks"]
    middle, last = len(peaks) // 2, len(peaks) - 1
    print(
        f"{run['poses']:,} poses, {run['views']:,} views: {peaks[0]:.2f} GB when the data are there, {peaks[1]:.2f} after an"
        f" epoch, {peaks[middle]:.2f} after {middle}, {peaks[last]:.2f} after {last}"
    )
    publish("footprint", peaks[-1], 1.2, at_least=False, unit="GB", **run)


if __name__ == "__main__":
    main()
