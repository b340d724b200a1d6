"""Training that a stop rule ends: each run at its own epoch, when a rule whose stop stands says so.

A run's files do not say that it was ended: it is, as long as the campaign's record names the rule,
and the run's curve makes it stop. So the same campaign can be given more epochs, another rule or
none, and its runs go on where they were ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import DERIVED, HEADLINE_METRIC
from tips_ray.errors import UserError
from tips_ray.stability.regret import MedianRegret, median_interval
from tips_ray.stability.rule_sets import standard_rules
from tips_ray.stability.statistics import LEFT_OUT, runs_of
from tips_ray.stability.stopping import CausalRule, Curve

STOPPED = "stopped"
"""Status of the last epoch of a run that a rule has ended, in loaded curves."""
ENDED = ("diverged", STOPPED)
"""Statuses of the last epoch of runs that are not trained further."""


@dataclass(frozen=True)
class EarlyStops:
    """What ending the runs of an arm by a rule saved, and what it costs."""

    rule: str
    ends: dict[int, int]
    """By seed, the last epoch that was trained."""
    num_epochs: int
    """So many there would have been."""
    saved_share: float
    """Of the epochs of all runs that did not diverge, and have more than begun."""
    regret_mm: MedianRegret | None
    """Of the epoch that the rule names, above the best of those that were trained, over the runs
    that were ended; None without labels."""


def causal_rule(name: str, num_epochs: int) -> CausalRule:
    """The rule of this name for a training of so many epochs; raises UserError, naming those that
    are accepted, for a rule whose stop does not stand."""
    rules = {rule.name: rule for rule in standard_rules(num_epochs) if isinstance(rule, CausalRule)}
    if name not in rules:
        known = any(rule.name == name for rule in standard_rules(num_epochs))
        what = "chooses when training has ended, and cannot end it" if known else "is no stop rule"
        raise UserError(f"--stop {name!r} {what}; give one of {', '.join(repr(rule) for rule in rules)}.")
    return rules[name]


def has_ended(rule: CausalRule, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether a rule ends a run after these epochs."""
    names = [part for column in rule.columns for part in DERIVED.get(column, ((column,), 1.0))[0]]
    return ends(rule, pd.DataFrame([{name: row.get(name, np.nan) for name in ("epoch", *names)} for row in rows]))


def last_epoch(rule: CausalRule, run: pd.DataFrame) -> int | None:
    """The epoch after which a rule ends a run; None if it does not."""
    if not ends(rule, run):
        return None
    low, high = 1, len(run)  # a stop stands, so the first epoch that has it is found by halving
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if ends(rule, run[:middle]) else (middle + 1, high)
    return low


def ends(rule: CausalRule, run: pd.DataFrame) -> bool:
    """Whether a rule ends a run by the end of these rows; never where they lack what it looks
    at."""
    curve = Curve(run)
    return all(column in curve for column in rule.columns) and rule.ended(curve) is not None


def with_stops(curves: pd.DataFrame, manifest: dict[str, Any]) -> pd.DataFrame:
    """The curves of a campaign, each run's up to the epoch at which the rule in the campaign's
    record ends it, with the status `stopped` there; as they are if there is no rule."""
    stop = manifest.get("stop")
    if not stop or curves.empty:
        return curves
    rule = causal_rule(stop["rule"], stop["num_epochs"])
    runs = []
    for (arm, _), run in curves.groupby(["arm", "seed"], sort=False):
        supervised = manifest["arms"].get(arm, {}).get("objective") == "supervised"
        end = None if supervised else last_epoch(rule, run)
        if end is not None and end < stop["num_epochs"]:
            run = run[:end].copy()
            run.loc[run.index[-1], "status"] = STOPPED
        runs.append(run)
    return pd.concat(runs, ignore_index=True)


@dataclass(frozen=True)
class EarlyEnd:
    """What ending training by a rule would have saved, and cost, in n whole runs of an arm."""

    rule: str
    arm: str
    saved_share: float
    """Of the epochs of all these runs."""
    regret_mm: MedianRegret
    """Of the epoch that the rule names, above the best of the whole run; the last epoch's where the
    rule did not end it."""
    n: int


def early_ends(runs: Sequence[pd.DataFrame]) -> list[EarlyEnd]:
    """For each arm and each rule that can end training, what it would have saved in runs that were
    trained to the end, with their errors; the rule that saves most first."""
    found: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
    for run in runs:
        arm, curve = str(run["arm"].iloc[0]), Curve(run)
        for rule in standard_rules(len(run)):
            if not isinstance(rule, CausalRule) or not all(column in curve for column in rule.columns):
                continue
            regret = regret_of(rule, run)
            if np.isfinite(regret):
                found.setdefault((arm, rule.name), []).append((last_epoch(rule, run) or len(run), len(run), regret))
    rows = []
    for (arm, rule), entries in found.items():
        ends_at, lengths, regrets = np.array(entries).T
        rows.append(EarlyEnd(rule, arm, 1.0 - float(ends_at.sum() / lengths.sum()), median_interval(regrets), len(entries)))
    return sorted(rows, key=lambda row: (row.arm, -row.saved_share))


def early_stops(curves: pd.DataFrame, manifest: dict[str, Any]) -> dict[str, EarlyStops]:
    """By arm, what the rule in a campaign's record saved and costs; nothing without a rule."""
    stop = manifest.get("stop")
    if not stop or curves.empty:
        return {}
    rule = causal_rule(stop["rule"], stop["num_epochs"])
    by_arm = {}
    for arm, of_arm in curves.groupby("arm", sort=False):
        runs = {int(str(seed)): run for seed, run in of_arm.groupby("seed")}
        statuses = runs_of(curves, str(arm))["status"]
        whole = {seed: run for seed, run in runs.items() if statuses[seed] not in LEFT_OUT}
        stopped = {seed: run for seed, run in whole.items() if run["status"].iloc[-1] == STOPPED}
        regrets = [regret for run in stopped.values() if np.isfinite(regret := regret_of(rule, run))]
        saved = sum(stop["num_epochs"] - len(run) for run in stopped.values())
        if whole:
            by_arm[str(arm)] = EarlyStops(
                rule.name,
                {seed: len(run) for seed, run in stopped.items()},
                stop["num_epochs"],
                saved / (stop["num_epochs"] * len(whole)),
                median_interval(np.array(regrets)) if regrets else None,
            )
    return by_arm


def regret_of(rule: CausalRule, run: pd.DataFrame) -> float:
    """The error at the epoch that a rule names, or at the last where it has not ended the run,
    above the run's lowest; NaN without errors."""
    if HEADLINE_METRIC not in run:
        return np.nan
    window, errors = rule.ended(Curve(run)), run[HEADLINE_METRIC].to_numpy(float)
    return float(errors[(window.last if window else len(run)) - 1] - np.fmin.reduce(errors))
