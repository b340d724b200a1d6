"""Statistics of error curves over seeds.

The seed is the unit of replication: the epochs of one run follow from each other, so their spread
says how much luck there is in the moment of stopping, not how well a mean is known. Curves are the
tidy table with one row a run and epoch.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC

STATISTICS = ("best", "last_half", "last")
"""What one run's curve is summed up to. `best` is an oracle: its epoch is chosen with 3D labels."""

MARGIN_MM = 2.0
"""An epoch this close to the run's best counts as a good moment to stop."""

MIN_RANKED = 8
"""Rows of which a rank correlation says something."""

Interval = dict[str, float | int | None]
"""`{mean, std, low, high, n}`: n seeds, their mean and standard deviation, and a bootstrap interval
of the mean."""


def interval(
    values: Sequence[float] | np.ndarray | pd.Series, seed: int = 0, confidence: float = 0.95, resamples: int = 9999
) -> Interval:
    """Mean, standard deviation (n - 1) and bootstrap interval of the mean of `values`, one a seed.

    The interval is BCa (Efron 1987), or percentile where BCa is undefined, as for equal values.
    Values that are not finite are left out of n. One value has no spread and no interval, none has
    no mean either: None.
    """
    given = np.asarray(list(values), dtype=float)
    given = given[np.isfinite(given)]
    n = len(given)
    if n < 2:
        return {"mean": float(given[0]) if n else None, "std": None, "low": None, "high": None, "n": n}
    low, high = _bootstrap(given, seed, confidence, resamples)
    return {"mean": float(given.mean()), "std": float(given.std(ddof=1)), "low": low, "high": high, "n": n}


def _bootstrap(values: np.ndarray, seed: int, confidence: float, resamples: int) -> tuple[float, float]:
    from scipy.stats import bootstrap  # here, as it takes most of a second, which who only opens a report need not wait

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # equal values: BCa divides by zero, answers NaN, and percentile takes over
        for method in ("BCa", "percentile"):
            rng = np.random.default_rng(seed)
            found = bootstrap((values,), np.mean, confidence_level=confidence, n_resamples=resamples, method=method, rng=rng)
            low, high = (float(end) for end in found.confidence_interval)
            if np.isfinite([low, high]).all():
                return low, high
    raise AssertionError("a percentile of finite means is finite")


def rank_correlation(one: pd.Series, other: pd.Series, seed: int = 0, resamples: int = 2000) -> dict[str, float | int | None]:
    """Spearman's rank correlation of two columns, with its 95% bootstrap interval over rows:
    {rank_correlation, low, high, n}.

    Rows that lack one of the two are left out; of fewer than MIN_RANKED rows, or where a column has
    one value alone, None.
    """
    from scipy.stats import bootstrap, rankdata

    rows = np.stack([one.to_numpy(float), other.to_numpy(float)])
    rows = rows[:, np.isfinite(rows).all(axis=0)]
    n = rows.shape[1]
    if n < MIN_RANKED or (rows == rows[:, :1]).all(axis=1).any():
        return {"rank_correlation": None, "low": None, "high": None, "n": n}

    def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> Any:
        ranks = [rankdata(values, axis=axis) for values in (x, y)]
        x, y = (values - values.mean(axis=axis, keepdims=True) for values in ranks)
        scale = np.sqrt((x**2).sum(axis=axis) * (y**2).sum(axis=axis))
        return np.divide((x * y).sum(axis=axis), scale, out=np.zeros_like(scale), where=scale > 0)  # of equal rows drawn: 0

    rng = np.random.default_rng(seed)
    found = bootstrap(tuple(rows), correlation, paired=True, n_resamples=resamples, batch=100, method="percentile", rng=rng)
    low, high = (float(end) for end in found.confidence_interval)
    return {"rank_correlation": float(correlation(*rows)), "low": low, "high": high, "n": n}


def arms_of(curves: pd.DataFrame) -> list[str]:
    """Names of the arms that have rows, in the order in which they stand."""
    return [] if curves.empty else [str(arm) for arm in curves["arm"].unique()]


def runs_of(curves: pd.DataFrame, arm: str) -> pd.DataFrame:
    """One row a run of `arm`, by seed: run, epochs (the last one with a row), status (`ok` or
    `diverged`)."""
    if curves.empty:
        return pd.DataFrame(columns=["run", "epochs", "status"])
    rows = curves.loc[curves["arm"] == arm, ["run", "seed", "epoch", "status"]].sort_values("epoch", kind="stable")
    last = rows.drop_duplicates("seed", keep="last").rename(columns={"epoch": "epochs"})
    return last.set_index("seed").sort_index()


def errors_of(curves: pd.DataFrame, arm: str, metric: str = HEADLINE_METRIC) -> pd.DataFrame:
    """`metric` by epoch (rows, 1 to the last that every run has reached) and seed (columns).

    Cut to equal length, since a longer run would bias every mean over seeds; without diverged runs,
    which have no last epoch to compare (`divergences` lists them). Where an epoch stands twice, as
    after a restart, the later row holds.
    """
    runs = runs_of(curves, arm)
    whole = runs[runs["status"] != "diverged"]
    if whole.empty:
        return pd.DataFrame(index=pd.RangeIndex(0, name="epoch"))
    rows = curves.reindex(columns=["seed", "epoch", metric])[curves["arm"] == arm]  # few columns first: curves are wide
    rows = rows[rows["seed"].isin(whole.index) & (rows["epoch"] <= whole["epochs"].min())]
    return rows.drop_duplicates(["seed", "epoch"], keep="last").pivot(index="epoch", columns="seed", values=metric).astype(float)


def divergences(curves: pd.DataFrame) -> list[dict[str, str | int]]:
    """Runs that ended with a non-finite loss: arm, run, seed, and the epoch in which it
    happened."""
    found = []
    for arm in arms_of(curves):
        lost = runs_of(curves, arm).query("status == 'diverged'").reset_index()
        found += [
            {"arm": arm, "run": str(run), "seed": int(seed), "epoch": int(epoch)}
            for seed, run, epoch in lost[["seed", "run", "epochs"]].to_numpy()
        ]
    return found


def last_half(errors: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last half of training: of epochs 1 to E, those after E // 2 (the paper's 400
    to 800)."""
    return errors.loc[errors.index > len(errors) // 2]


def regret(errors: pd.DataFrame) -> pd.DataFrame:
    """What stopping at each epoch costs: the error there minus the run's lowest, by epoch and
    seed."""
    return errors - errors.min()


def run_statistics(errors: pd.DataFrame) -> pd.DataFrame:
    """One row a seed: best_epoch, best, last, last_half (mean of the window), spread, regret,
    epochs_within_2mm.

    `spread` is the standard deviation over the epochs of the last half; `regret` that of stopping
    at the last epoch; `epochs_within_2mm` counts the epochs that are at most 2 mm worse than the
    run's best.
    """
    errors = errors.dropna(axis="columns", how="all")
    if errors.empty:
        return pd.DataFrame(
            columns=["best_epoch", "best", "last", "last_half", "spread", "regret", "epochs_within_2mm"], dtype=float
        )
    window = last_half(errors)
    return pd.DataFrame(
        {
            "best_epoch": errors.idxmin().astype("Int64"),
            "best": errors.min(),
            "last": errors.iloc[-1],
            "last_half": window.mean(),
            "spread": window.std(),
            "regret": regret(errors).iloc[-1],
            "epochs_within_2mm": (regret(errors) <= MARGIN_MM).sum().astype("Int64"),
        }
    )


def over_seeds(errors: pd.DataFrame, seed: int = 0) -> dict[str, Interval]:
    """Intervals over seeds of best, last, last_half, regret and epochs_within_2mm.

    The std of `last_half` is the mean over seeds of the spread over its epochs, as the paper's
    "45.4 ± 1.1"; all others' is the standard deviation over seeds.
    """
    runs = run_statistics(errors)
    found = {name: interval(runs[name], seed) for name in (*STATISTICS, "regret", "epochs_within_2mm")}
    spread = runs["spread"].mean()
    found["last_half"]["std"] = float(spread) if np.isfinite(spread) else None
    return found


def at_epochs(errors: pd.DataFrame, epochs: Sequence[int], seed: int = 0) -> dict[int, Interval]:
    """Interval over seeds of the error at each given epoch; n = 0 for one that was not reached by
    all."""
    return {epoch: interval(errors.loc[epoch].to_numpy() if epoch in errors.index else (), seed) for epoch in epochs}


def difference(values: Sequence[float] | np.ndarray | pd.Series, seed: int = 0) -> dict[str, float | int | None]:
    """The mean of paired differences with its interval over seeds: {difference, low, high, n}."""
    found = interval(values, seed)
    return {"difference": found["mean"], "low": found["low"], "high": found["high"], "n": found["n"]}


def paired(curves: pd.DataFrame, a: str, b: str, metric: str = HEADLINE_METRIC, seed: int = 0) -> list[dict]:
    """Differences a - b over the seeds that both arms finished, at the same number of epochs; one
    entry for each statistic.

    Entries are {a, b, metric, statistic, difference, low, high, n, epochs}: the bootstrap interval
    is that of the mean of the per-seed differences, since runs of one seed share their data, views
    and starting weights' stream.
    """
    left, right = errors_of(curves, a, metric), errors_of(curves, b, metric)
    shared, epochs = (left.columns.intersection(right.columns), min(len(left), len(right)))
    one, other = (run_statistics(errors.loc[:epochs, shared]) for errors in (left, right))
    entries = []
    for statistic in STATISTICS:
        entry = difference(one[statistic] - other[statistic], seed)
        entries.append({"a": a, "b": b, "metric": metric, "statistic": statistic, **entry, "epochs": epochs})
    return entries
