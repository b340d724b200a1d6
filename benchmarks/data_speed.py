"""How long the embedded poses take to make: 30,000 on one core, target under 5 s.

python benchmarks/data_speed.py
"""

import json
import time

from tips_ray.data.synthetic import synthesise


def main() -> None:
    """Print the median of three timings as one JSON object."""
    seconds = []
    for seed in range(3):
        started = time.perf_counter()
        poses = synthesise(30_000, seed=seed)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"name": "synthetic_poses", "poses": len(poses), "seconds": round(sorted(seconds)[1], 2), "target": 5.0}))


if __name__ == "__main__":
    main()
