"""How much of a search's time goes to Ray and Optuna: 50 trials of laptop size, of a few epochs
each.

    python benchmarks/search_share.py                      # about eight minutes on two cores

The share is the core time, from before Ray's start until after its end, in which no trial trains or
evaluates: starting Ray and its workers, suggesting, scheduling, storing, and cores that wait for
the last trial all count. Trials of a real search take longer (80 epochs at laptop size, several
seeds), so its share is lower.
"""

import argparse
import tempfile
from dataclasses import asdict

from campaigns import TINY, timed_search
from measure import publish
from tips_ray.data.synthetic import synthesise
from tips_ray.presets import laptop
from tips_ray.store.storage import Storage


def main() -> None:
    """Run the search and publish the share."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--tiny", action="store_true", help="tiny networks, to try this out")
    given = parser.parse_args()
    config = TINY if given.tiny else laptop().config
    with tempfile.TemporaryDirectory() as folder:
        cost = timed_search(config, synthesise(), Storage(folder), given.trials, given.epochs)
    share = 1 - cost.training / (cost.slots * cost.wall)
    of_trials = 1 - cost.training / (cost.slots * cost.trials)
    print(
        f"{given.trials} trials x {given.epochs} epochs: {cost.wall:.0f} s, of which {cost.ray_start:.0f} s until Ray had started"
    )
    print(f"Share of Ray and Optuna: {share:.1%}; {of_trials:.1%} from the first trial's start to the last one's end")
    publish(
        "search_share",
        share,
        0.10,
        at_least=False,
        unit="of the core time",
        from_first_to_last_trial=round(of_trials, 4),
        num_trials=given.trials,
        num_epochs=given.epochs,
        seconds=asdict(cost),
    )


if __name__ == "__main__":
    main()
