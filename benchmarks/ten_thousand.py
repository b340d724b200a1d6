"""A search of 10,000 trials x 100 epochs: what its driver holds in memory, how soon it resumes, and
whether it can be reported.

    python benchmarks/ten_thousand.py                                # README.md says for how long
    python benchmarks/ten_thousand.py --trials 300 --tune-trials 60  # a try

Training is replaced by one recorded run of a tiny network, its errors and losses times a factor of
each trial's own; a trial's rows are written once, whole, where a real run writes them after each
epoch. Records, curves and Optuna's study are the real ones. The first --tune-trials go through
`run_search` and Ray, the others through the queue of trials. How the memory of Ray's driver grew
over the second half of its trials is extrapolated to all.

Resuming is timed as a user waits for it, with all imports: when all trials have ended, and when one
is open.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import publish

STEPS = ("record", "tune", "fill", "resume_ended", "begin", "resume_open", "report")


def main() -> None:
    """Perform all steps and publish what they took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--tune-trials", type=int, default=500)
    given = parser.parse_args()
    options = [f"--trials={given.trials}", f"--epochs={given.epochs}", f"--tune-trials={given.tune_trials}"]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            script = str(Path(__file__).with_name("ten_thousand_steps.py"))
            started = time.perf_counter()
            said = subprocess.run(
                [sys.executable, script, step, "--folder", folder, *options], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
            found[step] = {"seconds": time.perf_counter() - started, **json.loads(said.splitlines()[-1])}
            print(step, {name: round(value, 3) for name, value in found[step].items()}, flush=True)
    resume = max(found["resume_ended"]["seconds"], found["resume_open"]["seconds"])
    memory = max(found["tune"]["gigabytes_of_all"], *(step["gigabytes"] for step in found.values()))
    publish("ten_thousand_resume", resume, 30.0, at_least=False, unit="s", trials=given.trials, steps=found)
    publish("ten_thousand_memory", memory, 2.0, at_least=False, unit="GB", trials=given.trials)


if __name__ == "__main__":
    main()
