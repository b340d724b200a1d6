"""What became of a search's choices on fresh seeds. No Optuna here, and no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from tips_ray.search.objectives import BY_EPOCH, SCORED, score_trials, weighted_sum
from tips_ray.search.trials import SearchTables
from tips_ray.stability.statistics import Interval, arms_of, errors_of, interval, last_half, runs_of
from tips_ray.store.curves import read_curves
from tips_ray.store.records import MANIFEST, holds, read_manifest, trial_name
from tips_ray.store.storage import Storage

CONFIRMATION = "confirmation"
"""The campaign, inside a search's folder, that trains its choices again on fresh seeds."""
BASELINE = "baseline"
"""The arm of the confirmation that has the config from which the search started."""


@dataclass(frozen=True)
class Confirmed:
    """A config on fresh seeds and, where there are labels, on unseen subjects.

    Scores and gains are in mm where there are labels, and else in the units of the objective.
    """

    score: Interval
    instability_mm: float | None
    """None without labels."""
    num_diverged: int


@dataclass(frozen=True)
class Gain(Confirmed):
    """A trial against the baseline: its gain in the search, and on fresh seeds."""

    trial: str
    primary: bool
    """Whether it was the search's first choice, which the confirmation tests."""
    search_gain: Interval
    confirmed_gain: Interval


@dataclass(frozen=True)
class Confirmation:
    """How much of the gain over the baseline is left on fresh seeds and, where there are labels, on
    unseen subjects."""

    complete: bool
    """Whether all runs have ended; before, nothing is compared."""
    num_seeds: int
    seeds: list[int]
    subjects: list[str]
    num_epochs: int
    num_trials_searched: int
    start_led: bool
    """Whether no trial of the search was better than its baseline."""
    gains: list[Gain] = field(default_factory=list)
    baseline: Confirmed | None = None
    report: str = f"{CONFIRMATION}/report.html"


def confirmation(folder: Storage, tables: SearchTables, order: Sequence[str]) -> Confirmation | None:
    """What the confirmation in a search's folder says; None if there is none.

    Arms of an earlier confirmation are further looks if they have as many seeds and epochs.
    `order` names the complete trials of the search, best first.
    """
    place, plan = folder / CONFIRMATION, tables.manifest["confirmed_at"]
    if plan is None or not holds(place, MANIFEST):
        return None
    seeds, num_epochs = plan["seeds"], plan["num_epochs"]
    curves = read_curves(place, CONFIRMATION)
    curves = curves[curves["seed"].isin(seeds) & (curves["epoch"] <= num_epochs)]
    ended = {arm for arm in arms_of(curves) if has_ended(curves, arm, len(seeds), num_epochs)}
    begun = Confirmation(
        complete=ended.issuperset(plan["arms"]),
        num_seeds=len(seeds),
        seeds=seeds,
        subjects=read_manifest(place)["data"]["test_subjects"],
        num_epochs=num_epochs,
        num_trials_searched=plan["num_trials"],
        start_led=plan["start_led"],
    )
    if not begun.complete:
        return begun
    instability = score_trials(confirmable(curves), len(seeds), num_epochs)["instability_mm"]
    states, score = tables.trials.set_index("trial")["state"], tables.score
    whole = {arm for arm in [trial_name(0), *ended] if states.get(arm) == "complete"}

    def measured(arm: str) -> dict[str, Any]:
        return {
            "score": interval(last_half(scores_of(curves, arm, score)).mean()),
            "instability_mm": instability.get(arm) if tables.labelled else None,
            "num_diverged": int((runs_of(curves, arm)["status"] == "diverged").sum()),
        }

    gains = [
        Gain(
            trial=arm,
            primary=arm == plan["arms"][1],
            search_gain=gain(tables.curves, trial_name(0), arm, score) if {trial_name(0), arm} <= whole else interval(()),
            confirmed_gain=gain(curves, BASELINE, arm, score),
            **measured(arm),
        )
        for arm in sorted(ended - {BASELINE}, key=lambda arm: (order.index(arm) if arm in order else len(order), arm))
    ]
    return replace(begun, baseline=Confirmed(**measured(BASELINE)), gains=gains)


def has_ended(curves: pd.DataFrame, arm: str, num_seeds: int, num_epochs: int) -> bool:
    """Whether all runs of an arm have all epochs, or diverged."""
    runs = runs_of(curves, arm)
    return len(runs) == num_seeds and bool(((runs["epochs"] >= num_epochs) | (runs["status"] == "diverged")).all())


def confirmable(curves: pd.DataFrame) -> pd.DataFrame:
    """Curves whose seeds are numbered from 0, as scores want them, by order within the campaign."""
    first = int(curves["seed"].min())
    return curves.reindex(columns=SCORED).assign(seed=curves["seed"] - first)


def scores_of(curves: pd.DataFrame, arm: str, score: str) -> pd.DataFrame:
    """A score of each epoch (rows) and seed (columns) of an arm, as `errors_of` has the error."""
    return errors_of(curves.assign(**{score: weighted_sum(curves, BY_EPOCH[score])}), arm, score)


def gain(curves: pd.DataFrame, baseline: str, arm: str, score: str) -> Interval:
    """Interval of the window-mean score of the baseline minus that of an arm, paired by seed, at
    the epochs that both have."""
    left, right = scores_of(curves, baseline, score), scores_of(curves, arm, score)
    shared, epochs = left.columns.intersection(right.columns), min(len(left), len(right))
    one, other = (last_half(errors.loc[:epochs, shared]).mean() for errors in (left, right))
    return interval(one - other)
