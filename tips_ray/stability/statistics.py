"""Statistics of error curves over seeds.

The seed is the unit of replication. The epochs of one run depend on each other: their spread shows
how much the error varies with the stop epoch, and is no error of a mean. Curves are the tidy table
with one row a run and epoch.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC

STATISTICS = ("best", "last_half", "last")
"""The errors that sum up one run. `best` is an oracle's: its epoch is chosen with 3D labels."""

MARGIN_MM = 2.0
"""An epoch this close to the run's best counts as a good moment to stop."""

SHORT_SHARE = 0.5
"""Runs with fewer epochs than this share of the longest run's of their arm are left out: all others
would be cut to theirs."""

BEGUN = "begun"
"""Status of such a run."""
LEFT_OUT = ("diverged", BEGUN)
"""Statuses of runs that are in no statistic of errors."""

MIN_RANKED = 8
"""The fewest rows of which a rank correlation is computed."""


@dataclass(frozen=True)
class Interval:
    """The mean over n seeds, their standard deviation, and a bootstrap interval of the mean."""

    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """The mean of n paired differences, and its bootstrap interval."""

    difference: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedDifference(Difference):
    """A statistic of arm `a` minus that of arm `b`, over the seeds that both finished, at the
    first `epochs` epochs."""

    a: str
    b: str
    metric: str
    statistic: str
    epochs: int


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of n rows, and its bootstrap interval."""

    rank_correlation: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Divergence:
    """A run that ended with a loss that was not finite, and the epoch in which that happened."""

    arm: str
    run: str
    seed: int
    epoch: int


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
        return Interval(float(given[0]) if n else None, None, None, None, n)
    low, high = _bootstrap(given, seed, confidence, resamples)
    return Interval(float(given.mean()), float(given.std(ddof=1)), low, high, n)


def _bootstrap(values: np.ndarray, seed: int, confidence: float, resamples: int) -> tuple[float, float]:
    from scipy.stats import bootstrap  # imported here, since it takes most of a second and opening a report needs none of it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of equal values BCa divides by zero and returns NaN
        for method in ("BCa", "percentile"):
            rng = np.random.default_rng(seed)
            result = bootstrap((values,), np.mean, confidence_level=confidence, n_resamples=resamples, method=method, rng=rng)
            low, high = (float(end) for end in result.confidence_interval)
            if np.isfinite([low, high]).all():
                return low, high
    raise AssertionError("a percentile of finite means is finite")


def spearman(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman's rank correlation along an axis, without missing values; NaN where all values of
    one of the two are equal."""
    from scipy.stats import rankdata

    middle = (one.shape[axis] + 1) / 2
    one, other = (rankdata(values, axis=axis) - middle for values in (one, other))
    scale = np.sqrt((one**2).sum(axis) * (other**2).sum(axis))
    return np.divide((one * other).sum(axis), scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def rank_correlation(one: pd.Series, other: pd.Series, seed: int = 0, resamples: int = 2000) -> Correlation:
    """Spearman's rank correlation of two columns, with its 95% bootstrap interval over rows.

    Rows that lack one of the two are left out; of fewer than MIN_RANKED rows, or where all values
    of a column are equal, None.
    """
    rows = np.stack([one.to_numpy(float), other.to_numpy(float)])
    rows = rows[:, np.isfinite(rows).all(axis=0)]
    n = rows.shape[1]
    if n < MIN_RANKED or (rows == rows[:, :1]).all(axis=1).any():
        return Correlation(None, None, None, n)
    from scipy.stats import bootstrap  # imported here, since it takes most of a second

    def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.nan_to_num(spearman(x, y, axis))  # 0 where one row alone was drawn

    rng = np.random.default_rng(seed)
    result = bootstrap(tuple(rows), correlation, paired=True, n_resamples=resamples, batch=100, method="percentile", rng=rng)
    low, high = (float(end) for end in result.confidence_interval)
    return Correlation(float(spearman(*rows)), low, high, n)


def arms_of(curves: pd.DataFrame) -> list[str]:
    """Names of the arms that have rows, in the order in which they stand."""
    return [] if curves.empty else [str(arm) for arm in curves["arm"].unique()]


def runs_of(curves: pd.DataFrame, arm: str) -> pd.DataFrame:
    """One row a run of `arm`, by seed: run, epochs (the last one with a row), status.

    `diverged`; `stopped`: a stop rule has ended it; `begun`: neither, and it has less than
    SHORT_SHARE of the epochs of the longest run that has not diverged; or `ok`.
    """
    if curves.empty:
        return pd.DataFrame(columns=["run", "epochs", "status"])
    of_arm = np.flatnonzero(curves["arm"] == arm)
    seeds, epochs = (curves[name].to_numpy()[of_arm] for name in ("seed", "epoch"))
    by_seed = np.lexsort((epochs, seeds))
    last = of_arm[by_seed[np.diff(seeds[by_seed], append=np.inf) > 0]]
    runs = curves[["seed", "run", "epoch", "status"]].iloc[last].rename(columns={"epoch": "epochs"}).set_index("seed")
    longest = runs.loc[runs["status"] != "diverged", "epochs"].max()
    has_begun = (runs["status"] == "ok") & (runs["epochs"] < SHORT_SHARE * longest)
    return runs.assign(status=runs["status"].mask(has_begun, BEGUN))


def last_shared_epoch(runs: pd.DataFrame) -> int:
    """The last epoch that all runs have, of the rows of `runs_of` that are not LEFT_OUT: those that
    a stop rule has ended go on for ever with the weights that they had then."""
    going = runs[runs["status"] != "stopped"]
    return int(going["epochs"].min() if len(going) else runs["epochs"].max())


def errors_of(curves: pd.DataFrame, arm: str, metric: str = HEADLINE_METRIC) -> pd.DataFrame:
    """`metric` by epoch (rows, 1 to the last that every run has reached) and seed (columns).

    Cut to equal length, since a longer run would bias every mean over seeds; without diverged runs,
    which have no last epoch to compare (`divergences` lists them), and without those that have
    hardly begun (`begun_runs`). A run that a stop rule has ended keeps its last values. Where an
    epoch stands twice, as after a restart, the later row holds.
    """
    return errors_by_metric(curves, arm, [metric])[metric]


def errors_by_metric(curves: pd.DataFrame, arm: str, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """`errors_of` of several metrics, in a fraction of the time."""
    runs = runs_of(curves, arm)
    whole = runs[~runs["status"].isin(LEFT_OUT)]
    if whole.empty:
        return {metric: pd.DataFrame(index=pd.RangeIndex(0, name="epoch")) for metric in metrics}
    rows = curves.reindex(columns=["seed", "epoch", *metrics])[curves["arm"] == arm]  # few columns first: curves are wide
    rows = rows[rows["seed"].isin(whole.index) & (rows["epoch"] <= last_shared_epoch(whole))]
    (epochs, row), (seeds, column) = (np.unique(rows[name], return_inverse=True) for name in ("epoch", "seed"))
    index, columns = pd.Index(epochs, name="epoch"), pd.Index(seeds, name="seed")
    ends, tables = whole["epochs"].where(whole["status"] == "stopped"), {}
    for metric in metrics:
        values = np.full((len(epochs), len(seeds)), np.nan)
        values[row, column] = rows[metric].to_numpy(float)  # of an epoch that stands twice, the later row
        tables[metric] = held_after(pd.DataFrame(values, index, columns, copy=False), ends)
    return tables


def held_after(errors: pd.DataFrame, ends: pd.Series) -> pd.DataFrame:
    """Errors by epoch and seed, each seed's at its end also at later epochs; NaN: it has none."""
    after = errors.index.to_numpy()[:, None] > ends.reindex(errors.columns).to_numpy(float)
    return errors.mask(after, errors.ffill()) if after.any() else errors


def divergences(curves: pd.DataFrame) -> list[Divergence]:
    """Runs that ended with a loss that was not finite."""
    return [
        Divergence(arm, str(run), int(seed), int(epoch))
        for arm in arms_of(curves)
        for seed, run, epoch, status in runs_of(curves, arm).reset_index()[["seed", "run", "epochs", "status"]].to_numpy()
        if status == "diverged"
    ]


def last_half(errors: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last half of training: of epochs 1 to E, those after E // 2 (the paper's 400
    to 800)."""
    return errors.loc[errors.index > len(errors) // 2]


def late_epochs(num_epochs: int) -> int:
    """How many epochs `last_half` takes."""
    return num_epochs - num_epochs // 2


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
    intervals = {name: interval(runs[name], seed) for name in (*STATISTICS, "regret", "epochs_within_2mm")}
    return {**intervals, "last_half": replace(intervals["last_half"], std=finite(runs["spread"].mean()))}


def finite(value: float) -> float | None:
    """The value as a plain float, or None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def at_epochs(errors: pd.DataFrame, epochs: Sequence[int], seed: int = 0) -> dict[int, Interval]:
    """Interval over seeds of the error at each given epoch; n = 0 for one that was not reached by
    all."""
    return {epoch: interval(errors.loc[epoch].to_numpy() if epoch in errors.index else (), seed) for epoch in epochs}


def difference(values: Sequence[float] | np.ndarray | pd.Series, seed: int = 0) -> Difference:
    """The mean of paired differences with its interval over seeds."""
    over = interval(values, seed)
    return Difference(over.mean, over.low, over.high, over.n)


def paired(curves: pd.DataFrame, a: str, b: str, metric: str = HEADLINE_METRIC, seed: int = 0) -> list[PairedDifference]:
    """Differences a - b over the seeds that both arms finished, at the same number of epochs; one
    for each statistic.

    The bootstrap interval is that of the mean of the per-seed differences, since runs of one seed
    share their data, views and starting weights' stream.
    """
    return paired_errors({a: errors_of(curves, a, metric), b: errors_of(curves, b, metric)}, metric, seed)


def paired_errors(errors: Mapping[str, pd.DataFrame], metric: str, seed: int = 0) -> list[PairedDifference]:
    """`paired` of the tables of errors of two arms."""
    (a, left), (b, right) = errors.items()
    shared, epochs = (left.columns.intersection(right.columns), min(len(left), len(right)))
    one, other = (run_statistics(table.loc[:epochs, shared]) for table in (left, right))
    gaps = {statistic: difference(one[statistic] - other[statistic], seed) for statistic in STATISTICS}
    return [PairedDifference(**vars(gap), a=a, b=b, metric=metric, statistic=name, epochs=epochs) for name, gap in gaps.items()]
