"""Tables behind the report's figures: curves in, tidy means with bands over seeds out. No drawing
here."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.stability.profiles import action_errors, bounds_of, errors_by_action, shares_below
from tips_ray.stability.statistics import (
    MARGIN_MM,
    Interval,
    arms_of,
    errors_by_metric,
    errors_of,
    interval,
    last_half,
    regret,
    runs_of,
)
from tips_ray.stability.summary import Summary

RESAMPLES = 1000
CONFIDENCE = 0.95
BAND = ["mean", "low", "high", "n"]
ROWS_AT_ONCE = 50
"""Epochs whose draws fit into the cache of a processor."""
MAX_PANEL_EPOCHS = 100
"""A small panel has no room for more."""


def band(values: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean, low, high and n over the columns (seeds) of `values`, for each row (epoch).

    The band is the pointwise 95% percentile bootstrap of the mean. Whole curves are drawn, so that
    the band is as smooth as they are; a draw is a row of weights, so that all epochs of all draws
    are one matrix product. Fewer than two values: no band.
    """
    given, seeds = values.to_numpy(float), values.shape[1]
    present = ~np.isnan(given)
    n = present.sum(axis=1)
    sums = np.where(present, given, 0.0)
    mean = np.divide(sums.sum(axis=1), n, out=np.full(len(given), np.nan), where=n > 0)
    ends = np.full((len(given), 2), np.nan)
    if (n > 1).any():
        weights = np.random.default_rng(seed).multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES).T.astype(float)
        for rows in np.array_split(np.flatnonzero(n > 1), 1 + len(given) // ROWS_AT_ONCE):
            drawn = float(seeds) if present[rows].all() else present[rows] @ weights
            with np.errstate(invalid="ignore"):  # NaN where only seeds were drawn that lack the epoch
                means = sums[rows] @ weights / drawn
            ends[rows] = percentiles(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return pd.DataFrame({"mean": mean, "low": ends[:, 0], "high": ends[:, 1], "n": n}, index=values.index)


def percentiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """`np.nanquantile` of each row, one column a share, in a quarter of the time; sorts `values`
    in place."""
    values.sort(axis=1)  # NaN last
    place = np.multiply.outer(np.count_nonzero(~np.isnan(values), axis=1) - 1, np.asarray(shares))
    below = np.floor(place).astype(int)
    low, high = (np.take_along_axis(values, at, axis=1) for at in (below, np.ceil(place).astype(int)))
    return low + (high - low) * (place - below)


def _by_arm(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=["arm", "epoch", *BAND])
    return pd.concat(tables, names=["arm"]).reset_index()


def seed_band(curves: pd.DataFrame, metric: str = HEADLINE_METRIC) -> pd.DataFrame:
    """Columns arm, epoch, mean, low, high, n: `metric` over the seeds of each arm, up to the last
    epoch that all have reached."""
    return _by_arm({arm: band(errors_of(curves, arm, metric)) for arm in arms_of(curves)})


def seed_lines(curves: pd.DataFrame, metric: str = HEADLINE_METRIC) -> pd.DataFrame:
    """Columns arm, seed, epoch, value, diverged: every run's whole curve; `diverged` is true on all
    rows of a run that did."""
    if curves.empty:
        return pd.DataFrame(columns=["arm", "seed", "epoch", "value", "diverged"])
    rows = curves.reindex(columns=["arm", "seed", "epoch", "status", metric])
    rows = rows.drop_duplicates(["arm", "seed", "epoch"], keep="last").sort_values(["seed", "epoch"], kind="stable")
    rows["diverged"] = (rows["status"] == "diverged").groupby([rows["arm"], rows["seed"]]).transform("any")
    lines = pd.concat([rows[rows["arm"] == arm] for arm in arms_of(curves)], ignore_index=True)
    return lines.rename(columns={metric: "value"})[["arm", "seed", "epoch", "value", "diverged"]]


def regret_table(curves: pd.DataFrame, metric: str = HEADLINE_METRIC, without: Sequence[str] = ()) -> pd.DataFrame:
    """Columns arm, epoch, mean, low, high, n: error at each stop epoch minus the run's lowest; arms
    in `without` left out."""
    return _by_arm({arm: band(regret(errors_of(curves, arm, metric))) for arm in arms_of(curves) if arm not in without})


def regret_lines(curves: pd.DataFrame, metric: str = HEADLINE_METRIC, without: Sequence[str] = ()) -> pd.DataFrame:
    """Columns arm, seed, epoch, value, diverged, as `seed_lines`: error at each stop epoch minus
    the run's lowest, of the runs that did not diverge, up to the epoch that all of an arm have."""
    tables = {arm: regret(errors_of(curves, arm, metric)) for arm in arms_of(curves) if arm not in without}
    rows = [
        pd.DataFrame({"arm": arm, "seed": seed, "epoch": table.index, "value": table[seed].to_numpy(float)})
        for arm, table in tables.items()
        for seed in table
    ]
    columns = pd.DataFrame(columns=["arm", "seed", "epoch", "value"])
    return (pd.concat(rows, ignore_index=True) if rows else columns).assign(diverged=False)


def shares_within(curves: pd.DataFrame, metric: str = HEADLINE_METRIC) -> dict[str, list[float]]:
    """By arm, for each epoch: the share of its runs whose error there is at most MARGIN_MM above
    their lowest."""
    tables = {arm: regret(errors_of(curves, arm, metric)) for arm in arms_of(curves)}
    return {arm: (table <= MARGIN_MM).mean(axis=1).round(3).tolist() for arm, table in tables.items() if len(table)}


def term_table(curves: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Columns arm, epoch, mean, low, high, n, term: any per-epoch columns of the curves; those that
    an arm lacks are left out."""
    present = [column for column in columns if column in curves]
    errors = {arm: errors_by_metric(curves, arm, present) for arm in arms_of(curves)}
    tables = [_by_arm({arm: band(errors[arm][column]) for arm in errors}).assign(term=column) for column in present]
    if not tables:
        return pd.DataFrame(columns=["arm", "epoch", *BAND, "term"])
    return pd.concat(tables, ignore_index=True).dropna(subset="mean").reset_index(drop=True)


def profile_table(curves: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Columns arm, bound, mean, low, high, n: the percentage of runs × actions whose error over the
    last half of training is at most a bound in mm, with the band over seeds."""
    errors = {arm: action_errors(errors_by_action(curves, arm)) for arm in arms}
    errors = {arm: table for arm, table in errors.items() if table.size}
    bounds = bounds_of(errors) if errors else np.zeros(0)
    bands = {arm: band(100 * shares_below(table, bounds)) for arm, table in errors.items()}
    return pd.concat(bands, names=["arm"]).reset_index() if bands else pd.DataFrame(columns=["arm", "bound", *BAND])


def epochs_in_a_point(table: pd.DataFrame) -> int:
    """How many epochs a point of a small panel is the mean of."""
    return max(1, math.ceil(table["epoch"].max() / MAX_PANEL_EPOCHS)) if len(table) else 1


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """Bands of one term as means over `epochs_in_a_point`, each at the last of its epochs."""
    step = epochs_in_a_point(table)
    if step == 1:
        return table
    block = ((table["epoch"] - 1) // step).rename("block")
    means = table.groupby(["term", "arm", block], sort=False)[["epoch", *BAND]].agg(
        dict.fromkeys(BAND, "mean") | {"epoch": "max"}
    )
    return means.reset_index()


def described_panels(panels: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, Any]]:
    """What pages say of groups of panels: their terms and arms, and `epochs_in_a_point`."""
    return {
        group: {
            "terms": list(table["term"].unique()),
            "arms": list(table["arm"].unique()),
            "step": epochs_in_a_point(table),
        }
        for group, table in panels.items()
    }


def action_intervals(curves: pd.DataFrame, metric: str = HEADLINE_METRIC) -> dict[str, dict[str, Interval]]:
    """The last-half error over seeds by action and arm, the hardest action first."""
    prefix = f"{metric}/"
    columns = [column for column in map(str, curves) if column.startswith(prefix)]
    errors = {arm: errors_by_metric(curves, arm, columns) for arm in arms_of(curves)}
    return hardest_first(
        {
            column.removeprefix(prefix): {arm: interval(last_half(errors[arm][column]).mean()) for arm in errors}
            for column in columns
        }
    )


def subject_intervals(summary: Summary) -> dict[str, dict[str, Interval]]:
    """The last epoch's error over seeds by test subject and arm, the hardest subject first, below
    the mean over subjects; nothing where no curve has it by subject. Without variants."""
    arms = {**{arm: summary.arms[arm] for arm in summary.shown}, **summary.supervised}
    names = dict.fromkeys(name for arm in arms.values() for name in arm.last_epoch.by_subject)
    by_subject = {
        name: {arm: entry.last_epoch.by_subject.get(name, interval(())) for arm, entry in arms.items()} for name in names
    }
    mean = {arm: entry.last_epoch.over_subjects for arm, entry in arms.items()}
    return {"mean over subjects": mean, **hardest_first(by_subject)} if names else {}


def hardest_first(by_group: Mapping[str, Mapping[str, Interval]]) -> dict[str, dict[str, Interval]]:
    """Groups of poses and their intervals by arm, by the mean of these, the highest first."""

    def mean(group: str) -> float:
        means = [interval.mean for interval in by_group[group].values() if interval.mean is not None]
        return fmean(means) if means else -math.inf

    return {group: dict(by_group[group]) for group in sorted(by_group, key=mean, reverse=True)}


def largest_mean(by_group: Mapping[str, Mapping[str, Interval]]) -> float:
    """The highest mean of a table of intervals; 1 if there is none."""
    return max((interval.mean for by_arm in by_group.values() for interval in by_arm.values() if interval.mean), default=1.0)


def cost_table(curves: pd.DataFrame) -> pd.DataFrame:
    """Columns arm, runs, epochs, poses_per_second (median), minutes_a_run (training and evaluation,
    mean over runs)."""
    rows = []
    for arm in arms_of(curves):
        rows_of_arm = curves[curves["arm"] == arm].drop_duplicates(["seed", "epoch"], keep="last")
        seconds = rows_of_arm.reindex(columns=["train_seconds", "evaluate_seconds"]).sum(axis=1, min_count=1)
        speed = rows_of_arm.reindex(columns=["poses_per_second"])["poses_per_second"].median()
        minutes = seconds.groupby(rows_of_arm["seed"]).sum(min_count=1).mean() / 60
        runs = runs_of(curves, arm)
        rows.append((arm, len(runs), int(runs["epochs"].sum()), speed, minutes))
    return pd.DataFrame(rows, columns=["arm", "runs", "epochs", "poses_per_second", "minutes_a_run"])


def reference_lines(summary: Summary, metric: str = HEADLINE_METRIC) -> dict[str, float]:
    """Horizontal lines by name: references as given, and the last-half mean of arms that saw
    labels."""
    lines = {name: errors.get(metric) for name, errors in summary.references.items()}
    lines |= {name: arm.last_half[metric].mean for name, arm in summary.supervised.items()}
    return {name: float(value) for name, value in lines.items() if value is not None}
