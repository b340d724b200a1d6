"""Rank correlations of label-free signals with the error, within runs and between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, LABEL_FREE
from tips_ray.stability.regret import RESAMPLES, whole_runs
from tips_ray.stability.statistics import MIN_RANKED, Correlation, Interval, interval, rank_correlation, spearman
from tips_ray.stability.stopping import Curve


@dataclass(frozen=True)
class SignalCorrelation:
    """Rank correlations of one label-free column with the error, over the last half of the
    epochs."""

    signal: str
    within: dict[str, Interval]
    """By arm: over the epochs of a run, mean over the arm's runs."""
    between: Correlation
    """Of the runs' means, over the runs of all arms but students, which are not independent of
    their teachers. It may be high only because the signal differs between arms."""
    between_seeds: Correlation
    """Of the ranks of the runs' means within each arm."""


def signal_correlations(curves: pd.DataFrame, arms: Sequence[str], students: Sequence[str] = ()) -> list[SignalCorrelation]:
    """The correlations of each label-free column with the error over the last half of the epochs;
    in the first half nearly all columns fall as the error does, whatever they measure."""
    rows = []
    for arm in arms:
        for run in whole_runs(curves, arm).values():
            late = slice(len(run) // 2, None)
            curve, error = Curve(run), run[HEADLINE_METRIC].to_numpy(float)[late]
            values = {signal: curve[signal][late] for signal in LABEL_FREE if signal in curve}
            within = correlations_by_row(np.array([*values.values()]).reshape(-1, len(error)), error)
            means = [each[np.isfinite(each)].mean() if np.isfinite(each).any() else np.nan for each in values.values()]
            rows += [(arm, *each, error.mean()) for each in zip(values, within, means, strict=True)]
    table = pd.DataFrame(rows, columns=["arm", "signal", "within", "mean", "error"])
    correlations = []
    for signal in LABEL_FREE:
        of_signal = table[table["signal"] == signal]
        if of_signal.empty:
            continue
        within = {arm: interval(of_signal.loc[of_signal["arm"] == arm, "within"], resamples=RESAMPLES) for arm in arms}
        means = of_signal[~of_signal["arm"].isin(list(students)) & np.isfinite(of_signal["mean"])]
        several = means[means["arm"].duplicated(keep=False)]  # an arm with one run has no other seeds
        ranks = several.groupby("arm")[["mean", "error"]].rank()
        centred = ranks - ranks.groupby(several["arm"]).transform("mean")
        between_seeds = rank_correlation(centred["mean"], centred["error"])
        correlations.append(SignalCorrelation(signal, within, rank_correlation(means["mean"], means["error"]), between_seeds))
    return correlations


def correlations_by_row(values: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row of `values` with `other`, over the places at which
    both are numbers.

    NaN for a row with fewer than MIN_RANKED such places, or whose values there are all equal.
    """
    present = np.isfinite(values) & np.isfinite(other)
    correlations = np.full(len(values), np.nan)
    for pattern in np.unique(present, axis=0):  # rows with the same missing places at once
        if pattern.sum() >= MIN_RANKED:
            rows = (present == pattern).all(axis=1)
            correlations[rows] = spearman(values[rows][:, pattern], other[None, pattern])
    return correlations
