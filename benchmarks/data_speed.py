"""How long the embedded poses take to make: 30,000 on one core, target under 5 s.

python benchmarks/data_speed.py
"""

import statistics
import time

from measure import publish
from tips_ray.data.synthetic import synthesise


def main() -> None:
    """Print the median of three timings ."""
    seconds = []
    for seed in range(3):
        started = time.perf_counter()
        poses = synthesise(30_000, seed=seed)
        seconds.append(time.perf_counter() - started)
    publish("synthetic_poses", statistics.median(seconds), 5.0, at_least=False, unit="s", poses=len(poses), seconds=seconds)


if __name__ == "__main__":
    main()
