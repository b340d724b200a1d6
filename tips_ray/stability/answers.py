"""When to stop each arm, in numbers: the rule to take, what it costs beside the last epoch, and
what speaks against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from tips_ray.stability.choice import DEFAULT_RULE
from tips_ray.stability.groups import Count
from tips_ray.stability.regret import MedianRegret, RuleScore
from tips_ray.stability.rules import Last
from tips_ray.stability.statistics import Interval, late_epochs
from tips_ray.stability.steadiness import Steadiness

Caution = Literal["too early", "still falling", "rising", "worse than flat", "mixed signs", "bad worst run"]

LAST_TENTH = 0.9
"""If the best epoch of an arm's runs lies, on average, past this share of the training, it ended
too early to say when to stop."""

SHARE_OF_ERROR = 0.01
"""An error that falls or rises by at least this share of itself over the last half still moves."""

BAD_SHARE = 0.05
"""A regret above this share of the error is bad."""


@dataclass(frozen=True)
class Answer:
    """What to take of an arm's runs, and what it costs, over the n runs that did not diverge."""

    rule: str
    labels: str
    """Whose 3D labels, or errors, chose the rule; empty if none did: then it is the default
    rule."""
    regret_mm: MedianRegret
    """Of the rule, above the best epoch of the same run."""
    last_epoch_mm: MedianRegret
    """Of the last epoch."""
    chosen_by_others_mm: MedianRegret | None
    """Where the regret is of the errors that chose the rule: what the choice costs if it is made
    for each run by the arm's other runs alone."""
    in_hindsight: bool
    """Whether the regret is of the errors that chose the rule, and there is no other run."""
    change_over_last_half_mm: float | None
    """How far the error rises over the last half of the epochs (Theil-Sen, mean over runs)."""
    worse_than_flat: Count
    """Runs whose error at the stop is not below the flat prediction's."""
    mixed_signs: Count
    """Runs that end with mixed depth signs."""
    worst_seed: int | None
    """Of the run with the highest regret at the stop."""
    cautions: tuple[Caution, ...]
    n: int


@dataclass(frozen=True)
class ArmFacts:
    """What is known of an arm besides its rules."""

    num_epochs: int
    best_epoch: Interval
    mixed_signs: Count


def answers_of(
    scores: Sequence[RuleScore],
    scored_stops: pd.DataFrame,
    steadiness: Steadiness,
    facts: Mapping[str, ArmFacts],
    chosen_by: str,
    flat: float | None = None,
) -> dict[str, Answer]:
    """The answer for each arm of `facts` that has a finished run; `chosen_by` says whose labels
    chose rules. Where none was chosen, the default rule is taken, or where it was not measured the
    last epoch."""
    answers = {}
    for arm, known in facts.items():
        by_rule = {score.rule: score for score in scores if score.arm == arm}
        if Last().name not in by_rule:
            continue
        default = by_rule.get(DEFAULT_RULE, by_rule[Last().name])
        chosen = next((score for score in by_rule.values() if score.chosen), default)
        rows = scored_stops[(scored_stops["arm"] == arm) & (scored_stops["rule"] == chosen.rule)]
        seeds, regrets = rows["seed"].to_numpy(int), rows["regret"].to_numpy(float)
        drift = steadiness.arms[arm].drift_mm_per_100_epochs
        change = None if drift.mean is None else drift.mean * late_epochs(known.num_epochs) / 100
        error, limit = chosen.error_mm.mean or 0.0, np.inf if flat is None else flat
        beaten = Count(int((rows["error"] >= limit).sum()), 0 if flat is None else len(rows))
        checks: dict[Caution, bool] = {
            "too early": _is_late(known),
            "still falling": not _is_late(known) and _moves(drift, change, error, sign=-1),
            "rising": _moves(drift, change, error, sign=1),
            "worse than flat": beaten.count > 0,
            "mixed signs": known.mixed_signs.count > 0,
            "bad worst run": chosen.n > 1 and (chosen.regret_mm.worst or 0.0) > BAD_SHARE * abs(error),
        }
        answers[arm] = Answer(
            rule=chosen.rule,
            labels=chosen_by if chosen.chosen else "",
            regret_mm=chosen.regret_mm,
            last_epoch_mm=by_rule[Last().name].regret_mm,
            chosen_by_others_mm=None,
            in_hindsight=False,
            change_over_last_half_mm=change,
            worse_than_flat=beaten,
            mixed_signs=known.mixed_signs,
            worst_seed=None if np.isnan(regrets).all() else int(seeds[np.nanargmax(regrets)]),
            cautions=tuple(caution for caution, holds in checks.items() if holds),
            n=chosen.n,
        )
    return answers


def _is_late(known: ArmFacts) -> bool:
    best = known.best_epoch.mean
    return known.num_epochs > 1 and best is not None and best > LAST_TENTH * known.num_epochs


def _moves(drift: Interval, change: float | None, error: float, sign: int) -> bool:
    """Whether the error moves over the last half, down or up, by the whole interval of its
    drift."""
    if change is None or sign * change < SHARE_OF_ERROR * abs(error):
        return False
    return drift.low is None or drift.high is None or min(sign * drift.low, sign * drift.high) > 0
