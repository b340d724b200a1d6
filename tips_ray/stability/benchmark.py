"""The numbers of the paper's Tables 1 and 2 over seeds, by action and on average."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tips_ray.columns import BENCHMARKS, HEADLINE_METRIC
from tips_ray.stability.regret import best_epoch, whole_runs
from tips_ray.stability.statistics import Interval, interval

LAST, BEST = "last epoch", "best epoch (oracle)"
STOPS = (LAST, BEST)


@dataclass(frozen=True)
class BenchmarkScore:
    """One metric of an arm at one stop, over its runs that have not diverged."""

    benchmark: str
    """One of `columns.BENCHMARKS`."""
    arm: str
    stop: str
    """Of STOPS; the best epoch is that with the lowest headline error on the test poses."""
    metric: str
    framewise: Interval
    """Of the mean over all test poses."""
    actionwise: Interval
    """Of the mean over the actions, which all count alike."""
    by_action: dict[str, Interval]


def benchmark_scores(curves: pd.DataFrame, rows: pd.DataFrame, arms: Sequence[str]) -> list[BenchmarkScore]:
    """The scores of all arms in what was measured of their lifters (the table BENCHMARK), by
    benchmark, stop, arm and metric."""
    scores = []
    for benchmark, of_benchmark in rows.groupby("benchmark", sort=False):
        chosen = {arm: stopped_rows(curves, of_benchmark[of_benchmark["arm"] == arm], arm) for arm in arms}
        for stop in STOPS:
            for arm, by_stop in chosen.items():
                table = by_stop[stop].pivot_table(index="seed", columns=["metric", "action"], values="value")
                present = table.columns.get_level_values(0)
                scores += [
                    score_of(str(benchmark), arm, stop, metric, pd.DataFrame(table[metric]))
                    for metric in BENCHMARKS.get(str(benchmark), ())
                    if metric in present
                ]
    return scores


def stopped_rows(curves: pd.DataFrame, rows: pd.DataFrame, arm: str) -> dict[str, pd.DataFrame]:
    """Of an arm's rows those of each run at its last epoch, of the epochs that all runs have, and
    at the best one that was measured, by stop."""
    last, best = [], []
    for seed, run in whole_runs(curves, arm).items():
        of_run = rows[rows["seed"] == seed]
        measured = run[run["epoch"].isin(of_run["epoch"])]
        if len(measured):
            best.append((seed, int(measured["epoch"].iloc[best_epoch(measured[HEADLINE_METRIC].to_numpy(float)) - 1])))
            last.append((seed, len(run)))
    places = pd.MultiIndex.from_frame(rows[["seed", "epoch"]])
    return {LAST: rows[places.isin(last)], BEST: rows[places.isin(best)]}


def score_of(benchmark: str, arm: str, stop: str, metric: str, table: pd.DataFrame) -> BenchmarkScore:
    """The score of a table of one metric, with a row a seed and a column an action, "" for all
    poses."""
    actions = table.drop(columns="")
    return BenchmarkScore(
        benchmark,
        arm,
        stop,
        metric,
        framewise=interval(table[""]),
        actionwise=interval(actions.mean(axis=1)),
        by_action={str(action): interval(actions[action]) for action in actions},
    )
