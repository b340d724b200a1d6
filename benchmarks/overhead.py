"""What Ray and Optuna add to a trial, measured on trials that cost nothing: 100 of one epoch of a
tiny network.

    python benchmarks/overhead.py                          # about a minute and a half on two cores
    python -m cProfile -s cumulative benchmarks/overhead.py  # and where the driver's time goes

Overhead is the time from the first trial's start to the last one's end, less what the trials
trained and evaluated, over the trials that ran at once. It contains the start of the workers'
processes, but not that of Ray.
"""

import argparse
import tempfile
from dataclasses import asdict

from campaigns import TINY, timed_search
from measure import publish
from tips_ray.data.synthetic import synthesise
from tips_ray.store.storage import Storage


def main() -> None:
    """Run the trials and publish the overhead of one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cost = timed_search(TINY, synthesise(num_poses=1000), Storage(folder), given.trials, num_epochs=1)
    print(
        f"{given.trials} trials on {cost.slots} slots: {cost.trials:.1f} s, of which training {cost.training / cost.slots:.1f} s"
    )
    print(f"Ray started in {cost.ray_start:.1f} s; {cost.wall:.1f} s in all")
    overhead = (cost.trials - cost.training / cost.slots) / given.trials
    publish("overhead", overhead, 0.6, at_least=False, unit="s a trial", num_trials=given.trials, seconds=asdict(cost))


if __name__ == "__main__":
    main()
