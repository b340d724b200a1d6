"""The error of a run in mm, predicted from its label-free signals, with an interval.

A predictor is fitted on campaigns whose errors are known (sources): the logarithm of the error
against the logarithms of signals, over runs, arms and epochs. It is used on campaigns that share no
poses with them (targets). The interval is made of how far this is off on the source that it does
worst on, when it is not fitted on it, in the manner of jackknife+ (Barber et al., Annals of
Statistics 2021): new poses are one more draw of a source, as far as the sources are like draws of
each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.columns import BY_NAME, HEADLINE_METRIC, SIGNALS
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.regret import whole_runs
from tips_ray.stability.rules import WARMUP_SHARE, trailing_mean
from tips_ray.stability.transfer import unsupervised_arms

CONFIDENCE = 0.9
"""Of the intervals."""
EPOCHS = 8
"""Epochs of a run that a predictor is fitted on, evenly spaced after the warm-up, the last among
them."""
SMOOTH_SHARE = 0.1
"""Share of the epochs over which signals and errors are averaged, up to each."""
RIDGE = 0.1
"""Of coefficients on standardised signals, as a share of the number of rows."""
LEAST = 1e-3
"""Signals below it count as it: the logarithm of a share of 0 does not exist."""
TIMELY = tuple(name for name in SIGNALS if not BY_NAME[name].in_hindsight)

BONES = ("bone_asymmetry", "bone_variation", "bone_proportions")
USED = "all signals"
PREDICTORS: dict[str, tuple[str, ...]] = {
    "mean of the sources": (),
    **{BY_NAME[name].label: (name,) for name in TIMELY},
    "bones": BONES,
    "bones and views": (*BONES, "view_inconsistency_mm"),
    "bones, views and fresh critic": (*BONES, "view_inconsistency_mm", "fresh_critic"),
    USED: tuple(name for name in TIMELY if name != "average_distance_mm"),
}
"""By name, the signals that a predictor sees. `USED` is the one to use: how much each signal counts
is left to the fit. That which only runs with a moving average have is not among them."""


@dataclass(frozen=True)
class Line:
    """A linear predictor of the logarithm of the error."""

    signals: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    slope: np.ndarray
    level: float

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Logarithms of the predicted errors in mm."""
        return self.level + (rows[list(self.signals)].to_numpy(float) - self.centre) / self.scale @ self.slope


@dataclass(frozen=True)
class Predicted:
    """The predicted error of a run at its last epoch, and the true one where it is known."""

    campaign: str
    arm: str
    seed: int
    predictor: str
    error_mm: float
    low_mm: float
    high_mm: float
    true_mm: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the true error lies within the interval."""
        return None if self.true_mm is None else self.low_mm <= self.true_mm <= self.high_mm


@dataclass(frozen=True)
class Tried:
    """A predictor on campaigns that it was not fitted on: how far it is off in the median over n
    runs, and how often its interval holds the true error."""

    predictor: str
    median_deviation_mm: float
    coverage: float
    n: int


def rows_of(campaign: LoadedCampaign) -> pd.DataFrame:
    """Of each unsupervised run, at EPOCHS epochs: arm, seed, epoch, `last`, the logarithms of the
    signals, and the logarithm of the error (NaN where it is not known)."""
    tables = []
    for arm in unsupervised_arms(campaign):
        for seed, run in whole_runs(campaign.curves, arm).items():
            length = max(1, round(SMOOTH_SHARE * len(run)))
            columns = run.reindex(columns=[*TIMELY, HEADLINE_METRIC]).to_numpy(float).T
            smooth = trailing_mean(columns, length).T
            table = pd.DataFrame(np.log(np.maximum(smooth, LEAST)), columns=[*TIMELY, "error"])
            table = table.assign(arm=arm, seed=seed, epoch=run["epoch"].to_numpy(), last=run["epoch"].to_numpy() == len(run))
            places = np.linspace(int(WARMUP_SHARE * len(run)), len(run) - 1, EPOCHS).round().astype(int)
            tables.append(table.iloc[np.unique(places)])
    columns = [*TIMELY, "error", "arm", "seed", "epoch", "last"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def fit(rows: pd.DataFrame, signals: Sequence[str]) -> Line | None:
    """Ridge regression of the logarithm of the error on standardised signals; each campaign has the
    same weight. None where no row has all signals and an error."""
    whole = rows[[*signals, "error", "campaign"]].dropna()
    if whole.empty:
        return None
    weight = 1 / whole.groupby("campaign")["error"].transform("size").to_numpy(float)
    weight /= weight.sum()
    values, error = whole[list(signals)].to_numpy(float), whole["error"].to_numpy(float)
    centre, level = weight @ values, float(weight @ error)
    scale = np.sqrt(np.maximum(weight @ (values - centre) ** 2, 1e-12))
    standard = (values - centre) / scale
    gram = (standard * weight[:, None]).T @ standard + RIDGE * np.eye(len(signals))
    slope = np.linalg.solve(gram, (standard * weight[:, None]).T @ (error - level))
    return Line(tuple(signals), centre, scale, slope, level)


def shared_signals(signals: Sequence[str], rows: pd.DataFrame) -> list[str]:
    """Those of the signals that each of the campaigns has."""
    present = rows[[*signals, "campaign"]].groupby("campaign").count().gt(0).all()
    return [name for name in signals if present[name]]


def ratios_left_out(rows: pd.DataFrame, signals: Sequence[str], related: Mapping[str, Sequence[str]]) -> list[np.ndarray]:
    """For each campaign, the logarithms of true over predicted error of its runs at their last
    epochs, by a line that was fitted without it and those related to it, or, where all are related,
    without it alone."""
    ratios = []
    for name in rows["campaign"].unique():
        others = rows[~rows["campaign"].isin([name, *related.get(name, ())])]
        line = fit(others if len(others) else rows[rows["campaign"] != name], signals)
        there = last_rows(rows[rows["campaign"] == name], signals).dropna(subset="error")
        if line and len(there):
            ratios.append(there["error"].to_numpy(float) - line(there))
    return ratios


def last_rows(rows: pd.DataFrame, signals: Sequence[str]) -> pd.DataFrame:
    """Of the last epochs those that have all signals."""
    return rows[rows["last"]].dropna(subset=list(signals))


def half_width(ratios: Sequence[np.ndarray]) -> float:
    """What CONFIDENCE of the absolute ratios of a campaign are below, in the campaign where that is
    largest: runs on the same poses are off together, so that the runs of all campaigns would count
    as more than they are."""
    return max(float(np.quantile(np.abs(each), CONFIDENCE)) for each in ratios)


def predict(sources: pd.DataFrame, targets: pd.DataFrame, name: str, related: Mapping[str, Sequence[str]]) -> list[Predicted]:
    """The errors of the runs of `targets` at their last epochs, by the predictor of a `name` that
    is fitted on `sources`, with those of its signals that all of these have; none where they have
    none of them, or where the sources are too few to say how far it is off."""
    signals = shared_signals(PREDICTORS[name], pd.concat([sources, targets[targets["last"]]]))
    line, ratios, there = fit(sources, signals), ratios_left_out(sources, signals, related), last_rows(targets, signals)
    if len(signals) < min(1, len(PREDICTORS[name])) or line is None or not ratios or there.empty:
        return []
    error, factor = np.exp(line(there)), np.exp(half_width(ratios))
    truth = np.exp(there["error"].to_numpy(float))
    keys = zip(there["campaign"], there["arm"], there["seed"].tolist(), strict=True)
    return [
        Predicted(str(campaign), str(arm), seed, name, one, one / factor, one * factor, None if np.isnan(true) else true)
        for (campaign, arm, seed), one, true in zip(keys, error.tolist(), truth.tolist(), strict=True)
    ]


def try_all(rows: pd.DataFrame, related: Mapping[str, Sequence[str]]) -> list[Tried]:
    """Each predictor but the one that is used on each labelled campaign as a target."""
    tried, others = [], [name for name in PREDICTORS if name != USED]
    for name in others:
        made = [entry for target in rows["campaign"].unique() for entry in predict_left_out(rows, str(target), related, name)]
        tried += tried_on(name, made)
    return tried


def tried_on(name: str, made: Sequence[Predicted]) -> list[Tried]:
    """How good the predictor of a `name` is on those of its targets whose error is known; none
    where there are none."""
    deviations = [abs(entry.error_mm - entry.true_mm) for entry in made if entry.true_mm is not None]
    held = [entry.holds for entry in made if entry.holds is not None]
    return [Tried(name, float(np.median(deviations)), float(np.mean(held)), len(held))] if held else []


def predict_left_out(rows: pd.DataFrame, target: str, related: Mapping[str, Sequence[str]], name: str = USED) -> list[Predicted]:
    """The errors of the runs of a campaign, predicted from the labelled campaigns that share no
    poses with it; none where these are fewer than two."""
    sources = rows[~rows["campaign"].isin([target, *related.get(target, ())])].dropna(subset=["error"])
    if sources["campaign"].nunique() < 2:
        return []
    return predict(sources, rows[rows["campaign"] == target], name, related)
