"""The error of a run in mm, predicted from its label-free signals, with an interval.

A predictor is fitted on campaigns whose errors are known (sources): the logarithm of the error
against the logarithms of signals, over runs, arms and epochs. It is used on campaigns that share no
poses with them (targets). Its interval is made of how far it is off on sources that it was not
fitted on, in the manner of jackknife+ (Barber et al., Annals of Statistics 2021): new poses are one
more draw of a source, as far as the sources are like draws of each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.columns import BY_NAME, HEADLINE_METRIC, SIGNALS
from tips_ray.errors import UserError
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

PREDICTORS: dict[str, tuple[str, ...]] = {
    "mean of the sources": (),
    **{BY_NAME[name].label: (name,) for name in TIMELY},
    "bones": ("bone_asymmetry", "bone_variation", "bone_proportions"),
    "bones and views": ("bone_asymmetry", "bone_variation", "bone_proportions", "view_inconsistency_mm"),
    "fresh critic and views": ("fresh_critic", "view_inconsistency_mm"),
    "fresh critic, bones and views": (
        "fresh_critic",
        "bone_asymmetry",
        "bone_variation",
        "bone_proportions",
        "view_inconsistency_mm",
    ),
    "all signals": TIMELY,
}
"""By name, the signals that a predictor sees. The one to use is chosen on the sources alone."""


@dataclass(frozen=True)
class Line:
    """A linear predictor of the logarithm of the error."""

    signals: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    slope: np.ndarray
    level: float

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Predicted errors in mm."""
        values = (rows[list(self.signals)].to_numpy(float) - self.centre) / self.scale
        return np.exp(self.level + values @ self.slope)


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


def ratios_left_out(rows: pd.DataFrame, signals: Sequence[str], related: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Logarithms of true over predicted error, of each run of each campaign at its last epoch, by a
    line that was fitted without that campaign and those related to it, or, where all are related,
    without that campaign."""
    ratios = []
    for name in rows["campaign"].unique():
        others = rows[~rows["campaign"].isin([name, *related.get(name, ())])]
        line = fit(others if len(others) else rows[rows["campaign"] != name], signals)
        there = rows[(rows["campaign"] == name) & rows["last"]].dropna(subset=[*signals, "error"])
        if line is not None and len(there):
            ratios.append(there["error"].to_numpy(float) - np.log(line(there)))
    return np.concatenate(ratios) if ratios else np.empty(0)


def half_width(ratios: np.ndarray) -> float:
    """What CONFIDENCE of the absolute ratios are below, with the correction for a finite sample."""
    share = min(1.0, CONFIDENCE * (1 + 1 / len(ratios)))
    return float(np.quantile(np.abs(ratios), share))


def predict(sources: pd.DataFrame, targets: pd.DataFrame, name: str, related: Mapping[str, Sequence[str]]) -> list[Predicted]:
    """The errors of the runs of `targets` at their last epochs, by the predictor of a `name` that
    is fitted on `sources`; none where a signal is missing, or the sources are too few to say how
    far it is off."""
    signals = PREDICTORS[name]
    line, ratios = fit(sources, signals), ratios_left_out(sources, signals, related)
    there = targets[targets["last"]].dropna(subset=list(signals))
    if line is None or len(ratios) == 0 or there.empty:
        return []
    error, factor = line(there), np.exp(half_width(ratios))
    truth = np.exp(there["error"].to_numpy(float))
    keys = zip(there["campaign"], there["arm"], there["seed"].tolist(), strict=True)
    return [
        Predicted(str(campaign), str(arm), seed, name, one, one / factor, one * factor, None if np.isnan(true) else true)
        for (campaign, arm, seed), one, true in zip(keys, error.tolist(), truth.tolist(), strict=True)
    ]


def choose(sources: pd.DataFrame, related: Mapping[str, Sequence[str]]) -> str:
    """The predictor that is least off, in the median over the runs of sources it was not fitted
    on."""
    off = {}
    for name, signals in PREDICTORS.items():
        ratios = ratios_left_out(sources, signals, related)
        if len(ratios) == sources["last"].sum():
            off[name] = float(np.median(np.abs(ratios)))
    if not off:
        raise UserError(
            "An error is predicted from at least two labelled campaigns that share no poses with the target; train more, such"
            " as tips-ray stability on synthetic poses."
        )
    return min(off, key=off.__getitem__)


def try_all(rows: pd.DataFrame, related: Mapping[str, Sequence[str]]) -> list[Tried]:
    """Each predictor on each labelled campaign as a target."""
    tried = []
    for name in PREDICTORS:
        made = [entry for target in rows["campaign"].unique() for entry in predict_left_out(rows, str(target), related, name)]
        tried += tried_on(name, made)
    return tried


def tried_on(name: str, made: Sequence[Predicted]) -> list[Tried]:
    """How good the predictor of a `name` is on those of its targets whose error is known; none
    where there are none."""
    deviations = [abs(entry.error_mm - entry.true_mm) for entry in made if entry.true_mm is not None]
    held = [entry.holds for entry in made if entry.holds is not None]
    return [Tried(name, float(np.median(deviations)), float(np.mean(held)), len(held))] if held else []


CHOSEN = "chosen on the sources"


def predict_left_out(
    rows: pd.DataFrame, target: str, related: Mapping[str, Sequence[str]], name: str = CHOSEN
) -> list[Predicted]:
    """The errors of the runs of a campaign, predicted from the labelled campaigns that share no
    poses with it; none where these are too few."""
    sources = rows[~rows["campaign"].isin([target, *related.get(target, ())])].dropna(subset=["error"])
    if sources["campaign"].nunique() < 2:
        return []
    return predict(sources, rows[rows["campaign"] == target], choose(sources, related) if name == CHOSEN else name, related)
