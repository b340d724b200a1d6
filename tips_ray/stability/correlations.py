"""Which label-free signals go with the error, within runs and between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.stability.regret import RESAMPLES, whole_runs
from tips_ray.stability.statistics import MIN_RANKED, interval, rank_correlation
from tips_ray.stability.stopping import LABEL_FREE, Curve


def signal_correlations(curves: pd.DataFrame, arms: Sequence[str], students: Sequence[str] = ()) -> list[dict[str, Any]]:
    """How each label-free column goes with the error: {signal, within: {arm: interval}, between,
    between_seeds}.

    `within`: Spearman's correlation over the epochs of the last half of a run, mean over the runs
    of an arm. `between`: that of the means over the last half, over the runs of all arms but
    `students`, which are not independent of their teachers: {rank_correlation, low, high, n}. It
    may tell arms apart alone; `between_seeds` is that of the ranks within each arm. The last half,
    since everything falls while a lifter learns.
    """
    seen = []
    for arm in arms:
        for run in whole_runs(curves, arm).values():
            late = slice(len(run) // 2, None)
            curve, error = Curve(run), run[HEADLINE_METRIC].to_numpy(float)[late]
            values = {signal: curve[signal][late] for signal in LABEL_FREE if signal in curve}
            within = spearman(np.array([*values.values()]).reshape(-1, len(error)), error)
            means = [each[np.isfinite(each)].mean() if np.isfinite(each).any() else np.nan for each in values.values()]
            seen += [(arm, *each, error.mean()) for each in zip(values, within, means, strict=True)]
    table = pd.DataFrame(seen, columns=["arm", "signal", "within", "mean", "error"])
    found = []
    for signal in LABEL_FREE:
        own = table[table["signal"] == signal]
        if len(own):
            within = {arm: interval(own.loc[own["arm"] == arm, "within"], resamples=RESAMPLES) for arm in arms}
            apart = own.loc[~own["arm"].isin(list(students)) & np.isfinite(own["mean"]), ["arm", "mean", "error"]]
            several = apart[apart["arm"].duplicated(keep=False)]  # an arm's only run has no other seeds
            ranks = several.groupby("arm")[["mean", "error"]].rank()
            alike = ranks - ranks.groupby(several["arm"]).transform("mean")
            found.append(
                {
                    "signal": signal,
                    "within": within,
                    "between": rank_correlation(apart["mean"], apart["error"]),
                    "between_seeds": rank_correlation(alike["mean"], alike["error"]),
                }
            )
    return found


def spearman(values: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row of `values` with `other`, over the places at which
    both are numbers.

    NaN for a row with fewer than MIN_RANKED such places, or with one value alone.
    """
    from scipy.stats import rankdata

    known = np.isfinite(values) & np.isfinite(other)
    found = np.full(len(values), np.nan)
    for pattern in np.unique(known, axis=0):  # rows that are known at the same places, at once
        if (n := int(pattern.sum())) < MIN_RANKED:
            continue
        rows = (known == pattern).all(axis=1)
        one, two = (rankdata(each, axis=-1) - (n + 1) / 2 for each in (values[rows][:, pattern], other[pattern]))
        scale = np.sqrt((one**2).sum(-1) * (two**2).sum())
        found[rows] = np.divide((one * two).sum(-1), scale, out=np.full(len(one), np.nan), where=scale > 0)
    return found
