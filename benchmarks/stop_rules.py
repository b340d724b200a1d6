"""How long it takes to say what stop rules cost: the standard ones on 4 arms x 50 seeds x 800
epochs, within 2 s.

python benchmarks/stop_rules.py
"""

import statistics
import time

import numpy as np
import pandas as pd
import tyro

from measure import publish
from tips_ray.columns import DERIVED, LABEL_FREE, METRICS, TRAIN_METRIC
from tips_ray.stability.correlations import signal_correlations
from tips_ray.stability.regret import rank_rules, score_stops, stops, windows_of
from tips_ray.store.measurements import KEYS, WINDOWS

ERRORS = [*METRICS, TRAIN_METRIC]


def made_up(arms: int, seeds: int, epochs: int) -> pd.DataFrame:
    """Curves with all columns that rules and reports look at, of noise around a fall."""
    rng = np.random.default_rng(0)
    columns = [*ERRORS, *(name for name in LABEL_FREE if name not in DERIVED)]
    runs = pd.MultiIndex.from_product([[f"arm-{arm}" for arm in range(arms)], range(seeds), range(1, epochs + 1)])
    keys = runs.to_frame(index=False, name=["arm", "seed", "epoch"])
    values = rng.lognormal(sigma=0.1, size=(len(keys), len(columns))) + 1 / np.sqrt(keys[["epoch"]].to_numpy())
    keys["run"], keys["status"] = keys["arm"] + "-seed" + keys["seed"].astype(str), "ok"
    return pd.concat([keys, pd.DataFrame(values, columns=columns)], axis=1)


def measured(named: pd.DataFrame) -> pd.DataFrame:
    """Made-up errors of the windows."""
    errors = np.random.default_rng(1).lognormal(size=(len(named), len(ERRORS)))
    return pd.concat([named[KEYS[WINDOWS]], pd.DataFrame(errors, columns=ERRORS)], axis=1)


def main(arms: int = 4, seeds: int = 50, epochs: int = 800, rounds: int = 5) -> None:
    """Time the steps, and publish the seconds that stops, errors and ranking take together."""
    curves = made_up(arms, seeds, epochs)
    names = list(curves["arm"].unique())
    windows = measured(windows_of(stops(curves, names)))
    taken: dict[str, list[float]] = {name: [] for name in ("stops", "score_stops", "rank_rules", "signal_correlations")}
    for _ in range(rounds):
        ticks = [time.perf_counter()]
        found = stops(curves, names)
        ticks.append(time.perf_counter())
        scored_stops = score_stops(curves, found, windows)
        ticks.append(time.perf_counter())
        rank_rules(scored_stops)
        ticks.append(time.perf_counter())
        signal_correlations(curves, names)
        ticks.append(time.perf_counter())
        for name, seconds in zip(taken, np.diff(ticks).tolist(), strict=True):
            taken[name].append(seconds)
    seconds = {name: round(statistics.median(times), 3) for name, times in taken.items()}
    print(f"{len(scored_stops)} stops of {arms * seeds} runs of {epochs} epochs: {seconds} s")
    total = sum(seconds[name] for name in ("stops", "score_stops", "rank_rules"))
    publish("stop_rules", total, 2.0, at_least=False, unit="s", arms=arms, seeds=seeds, epochs=epochs, raw_seconds=taken)


if __name__ == "__main__":
    tyro.cli(main)
