"""What a trial of a search is scored by, read off the curves of its seeds. No Optuna here, and no
torch.

A trial is one config; its seeds are runs, and it is known by the name of their arm. The stop window
is the last half of the epochs, as everywhere: whoever cannot know when to stop will stop somewhere
in it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC, SIGNAL_SHARES
from tips_ray.errors import UserError

OBJECTIVES: dict[str, tuple[str, ...]] = {
    "error": ("error_mm",),
    "instability": ("instability_mm",),
    "pareto": ("error_mm", "instability_mm"),
    "label_free": ("label_free",),
    "signals": ("signals",),
}
"""Scores that are minimised, by the objective's name."""

ORACLES = ("error", "instability", "pareto")
"""Objectives that need 3D labels: what is chosen by them could not have been chosen in their
absence."""

LABEL_FREE_DEFAULT = "signals"
"""What is minimised where there are no labels and nothing else is asked for: unlike losses, signals
can be compared between configs of other weights."""

BY_EPOCH: dict[str, dict[str, float]] = {
    "error_mm": {HEADLINE_METRIC: 1.0},
    "label_free": dict.fromkeys(CONSISTENCY, 1.0),
    "signals": SIGNAL_SHARES,
}
"""Scores that every epoch has, so that pruners can watch them and reports draw them: the columns of
the curves whose sum they are, with their factors."""

REPORTED = {"error_mm": "error_mm", "label_free": "consistency", "signals": "signals"}
"""What trials call the score of an epoch that they report while they train (`epoch_result`)."""

SPREADS = {"error_mm": "error_std_mm", "label_free": "label_free_std", "signals": "signals_std"}
"""The standard deviation between seeds of each score of an epoch."""

SCORED = ["arm", "run", "seed", "epoch", "status", HEADLINE_METRIC, *CONSISTENCY, *SIGNAL_SHARES]
"""Columns of the curves that scores need."""

TIMED = ["train_seconds", "evaluate_seconds"]
"""Columns of the curves that say how long an epoch took."""

LABEL_FREE_SCORES = ["label_free", "label_free_std", "signals", "signals_std"]
SCORES = ["error_mm", "error_std_mm", "instability_mm", *LABEL_FREE_SCORES, "best_epoch", "best_error_mm"]

Score = Mapping[Any, Any]
"""A trial's row of `score_trials`."""


def check_objective(name: str) -> None:
    """Raise ValueError for an objective that does not exist."""
    if name not in OBJECTIVES:
        raise UserError(f"There is no objective {name!r}; there are {', '.join(OBJECTIVES)}.")


def check_labels_of_objective(objective: str, labelled: bool, name: str) -> None:
    """Raise ValueError for an objective that needs 3D labels where the data of a name has none."""
    if objective in ORACLES and not labelled:
        others = " or ".join(other for other in OBJECTIVES if other not in ORACLES)
        raise UserError(
            f"{name}: these are keypoints without 3D poses, and the objective {objective!r} needs errors; give --minimise"
            f" {others}, or poses with 3D."
        )


def score_by_epoch(objective: str, labelled: bool) -> str:
    """The score that a search's report draws by epoch, and that its confirmation compares: the
    error, or, where there are no labels, what is minimised."""
    return "error_mm" if labelled else OBJECTIVES[objective][0]


def seed_means(curves: pd.DataFrame, score: str = "error_mm") -> pd.DataFrame:
    """Columns arm, epoch, n, and a score of BY_EPOCH averaged over the seeds that have it."""
    rows = curves.drop_duplicates(["arm", "seed", "epoch"], keep="last")
    rows = rows[["arm", "epoch"]].assign(**{score: weighted_sum(rows, BY_EPOCH[score])})
    means = rows.groupby(["arm", "epoch"], sort=True)[score].agg(["mean", "count"])
    return means.rename(columns={"mean": score, "count": "n"}).reset_index()


def score_trials(curves: pd.DataFrame, num_seeds: int, num_epochs: int) -> pd.DataFrame:
    """One row a trial, indexed by arm: epochs, seeds, diverged, and the scores; later epochs than
    `num_epochs` are ignored.

    `error_mm` is the mean over seeds of each seed's mean over the stop window, `error_std_mm` the
    standard deviation between those means. `instability_mm` is the root of the mean variance over
    the window's epochs plus the variance between seeds: how far the error of one run, stopped
    somewhere in the window, lies from `error_mm`. `label_free` is the window mean of the sum of the
    consistency terms, `signals` that of the mean of some label-free signals, each as a share of
    the flat pose's: unlike losses, these are measured of every config alike, whichever terms and
    weights it trains with; `label_free_std` and `signals_std` are between seeds. `best_epoch` is an
    oracle: the epoch at which the mean over seeds, `best_error_mm`, is lowest. Without labels there
    is no error and no instability.

    A trial of which not all seeds have all epochs is scored on those that all of them have: not
    comparable with a complete one. A diverged one has no scores. Columns are those of `SCORED`.
    """
    rows = curves[(curves["epoch"] <= num_epochs) & (curves["seed"] < num_seeds)]
    rows = rows.drop_duplicates(["arm", "seed", "epoch"], keep="last")
    if rows.empty:
        return pd.DataFrame(columns=["epochs", "seeds", "diverged", *SCORES], index=pd.Index([], name="arm"))
    last = rows.groupby(["arm", "seed"], sort=True)["epoch"].max().groupby("arm").agg(["min", "size"])
    found = pd.DataFrame({"epochs": last["min"].where(last["size"] == num_seeds, 0), "seeds": last["size"]})
    found["diverged"] = (rows["status"] == "diverged").groupby(rows["arm"]).any()
    rows = rows.assign(reached=rows["arm"].map(found["epochs"].where(~found["diverged"], 0)))
    rows = rows[rows["epoch"] <= rows["reached"]]
    sums = {name: weighted_sum(rows, BY_EPOCH[name]) for name in ("label_free", "signals")}
    window = rows.assign(**sums)[rows["epoch"] > rows["reached"] // 2]
    by_seed = window.groupby(["arm", "seed"], sort=True)
    errors = by_seed[HEADLINE_METRIC].agg(["mean", "var"]).groupby("arm")
    between = errors["mean"].std()
    found["error_mm"] = errors["mean"].mean()
    found["error_std_mm"] = between
    found["instability_mm"] = np.sqrt(errors["var"].mean().fillna(0.0) + between.fillna(0.0) ** 2)
    found.loc[found["error_mm"].isna(), "instability_mm"] = np.nan
    for name in sums:
        by_arm = by_seed[name].mean().groupby("arm")
        found[name], found[SPREADS[name]] = by_arm.mean(), by_arm.std()
    means = seed_means(rows)
    best = means.sort_values("error_mm", kind="stable").drop_duplicates("arm").set_index("arm")
    found["best_epoch"] = best["epoch"].where(best["error_mm"].notna()).astype(float)
    found["best_error_mm"] = best["error_mm"]
    return found.rename_axis("arm")


def weighted_sum(rows: pd.DataFrame, factors: Mapping[str, float]) -> pd.Series:
    """The sum of some columns, each times its factor; NaN where one is missing."""
    return rows.reindex(columns=list(factors)).mul(pd.Series(factors)).sum(axis=1, skipna=False)


def watched(curves: pd.DataFrame, factors: Mapping[str, float], num_seeds: int) -> pd.Series:
    """The sum of some columns, each times its factor, averaged over seeds, by arm and epoch, where
    all seeds have it."""
    rows = curves[curves["seed"] < num_seeds].drop_duplicates(["arm", "seed", "epoch"], keep="last")
    values = rows[["arm", "epoch"]].assign(value=weighted_sum(rows, factors))
    means = values.groupby(["arm", "epoch"], sort=True)["value"].agg(["mean", "count"])
    return means.loc[means["count"] == num_seeds, "mean"]


def is_complete(score: Score, num_seeds: int, num_epochs: int) -> bool:
    """Whether all seeds of a trial have all epochs."""
    return bool(score["seeds"] == num_seeds and score["epochs"] >= num_epochs)


def pareto_front(values: np.ndarray) -> np.ndarray:
    """Which rows of `values` (trials, objectives; all minimised) no other row beats in one without
    losing in another."""
    order = np.lexsort(values.T[::-1])
    front = np.zeros(len(values), dtype=bool)
    for place in order:
        kept = values[front]
        beaten = ((kept <= values[place]).all(axis=1) & (kept < values[place]).any(axis=1)).any()
        front[place] = not beaten
    return front
