"""What stop rules cost: the error at the stop of each run, and its regret.

Regret is the error at the stop minus the run's lowest error, which only an oracle reaches by
choosing an epoch. It is negative where an average of weights is better than every single epoch. The
seed is the unit of replication: a rule's numbers are over the runs of one arm that have not
diverged, cut to the epochs that all of them have.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, LABEL_FREE, TRAIN_METRIC
from tips_ray.stability.rule_sets import standard_rules
from tips_ray.stability.statistics import LEFT_OUT, Interval, finite, interval, last_shared_epoch, runs_of
from tips_ray.stability.stopping import Curve, Oracle, Rule, Window, check_label_free
from tips_ray.store.measurements import KEYS, WINDOWS

STOPS = ["arm", "seed", "rule", "oracle", "window", "error", "train_error", "regret", "train_regret", "best_epoch"]
RESAMPLES = 2000


@dataclass(frozen=True)
class MedianRegret:
    """The median regret over runs in mm, the 95% bootstrap interval of the median, the 95th
    percentile and the worst run; None where a run has no error."""

    median: float | None
    p95: float | None
    worst: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RuleScore:
    """What a stop rule costs in one arm, over its n runs that have not diverged."""

    arm: str
    rule: str
    oracle: bool
    label_free: bool
    """Whether neither the rule nor the arm's teachers needed labels."""
    chosen: bool
    """Whether it has the lowest median regret on the views that were trained on, of the rules
    other than the oracle that stop in each of the arm's runs."""
    error_mm: Interval
    regret_mm: MedianRegret
    train_regret_mm: float | None
    """The median regret on the views that were trained on."""
    n: int


@dataclass(frozen=True)
class RuleChoice:
    """The regret, over n runs, of a rule that is chosen for each run without its labels."""

    rules: dict[str, int]
    """How often each rule was chosen."""
    regret_mm: MedianRegret
    n: int


def whole_runs(curves: pd.DataFrame, arm: str) -> dict[int, pd.DataFrame]:
    """The rows of an arm's runs that are not LEFT_OUT, by seed, cut to the epochs that all of them
    have; those that a stop rule has ended may be shorter."""
    runs = runs_of(curves, arm)
    whole = runs[~runs["status"].isin(LEFT_OUT)]
    if whole.empty:
        return {}
    rows = curves[(curves["arm"] == arm) & curves["seed"].isin(whole.index) & (curves["epoch"] <= last_shared_epoch(whole))]
    rows = rows.drop_duplicates(["seed", "epoch"], keep="last").sort_values("epoch", kind="stable")
    return {int(str(seed)): run for seed, run in rows.groupby("seed")}


def rules_for(curve: Curve, rules: Sequence[Rule] | None = None) -> list[Rule]:
    """The rules (by default the standard ones for its length) whose columns a curve has.

    Raises LabelledColumnError for a rule with a column that is not known to be free of labels.
    """
    given = standard_rules(len(curve)) if rules is None else rules
    for rule in given:
        check_label_free(rule.columns, curve.signals)
    return [rule for rule in given if all(column in curve for column in rule.columns)]


def stops(
    curves: pd.DataFrame, arms: Sequence[str], rules: Sequence[Rule] | None = None, signals: Collection[str] = LABEL_FREE
) -> pd.DataFrame:
    """The window that each rule chooses in each run: columns arm, seed, rule, window. No labels are
    read: rules see the `signals` alone."""
    rows = []
    for arm in arms:
        for seed, run in whole_runs(curves, arm).items():
            curve = Curve(run, signals)
            rows += [(arm, seed, rule.name, curve.check(rule(curve))) for rule in rules_for(curve, rules)]
    return pd.DataFrame(rows, columns=["arm", "seed", "rule", "window"])


def windows_of(stopped: pd.DataFrame) -> pd.DataFrame:
    """The windows of more than one epoch among stops, each once: the keys of the table WINDOWS;
    half_life 0 where there is none."""
    rows = [
        _key(arm, seed, window)
        for arm, seed, window in stopped[["arm", "seed", "window"]].itertuples(index=False)
        if not window.single
    ]
    return pd.DataFrame(rows, columns=KEYS[WINDOWS]).drop_duplicates(ignore_index=True)


def score_stops(curves: pd.DataFrame, stopped: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """The stops with their errors and regrets in mm (columns STOPS), and the oracle's.

    `windows` is the table of that name (`tips_ray.store.measurements`). Stops whose window has not
    been measured are left out.
    """
    keys, values = windows[KEYS[WINDOWS]], windows[[HEADLINE_METRIC, TRAIN_METRIC]].to_numpy(float)
    errors_by_window = dict(zip(keys.itertuples(index=False, name=None), values, strict=True))
    few = curves.reindex(columns=["arm", "run", "seed", "epoch", "status", HEADLINE_METRIC, TRAIN_METRIC])  # curves are wide
    scored = []
    for arm, of_arm in stopped.groupby("arm", sort=False):
        runs = whole_runs(few, str(arm))
        for seed, of_run in of_arm.groupby("seed", sort=False):
            run = runs[int(str(seed))]
            errors = np.stack([run[name].to_numpy(float) for name in (HEADLINE_METRIC, TRAIN_METRIC)], axis=1)
            best, lowest = best_epoch(errors[:, 0]), np.fmin.reduce(errors)
            windows_by_rule = [(rule, False, window) for rule, window in zip(of_run["rule"], of_run["window"], strict=True)]
            for rule, oracle, window in [*windows_by_rule, (Oracle().name, True, Window(best, best))]:
                at = errors[window.last - 1] if window.single else errors_by_window.get(_key(arm, seed, window))
                if at is not None:
                    scored.append((arm, seed, rule, oracle, window, *at, *(at - lowest), best))
    return pd.DataFrame(scored, columns=STOPS)


def unmeasured_rules(stopped: pd.DataFrame, scored_stops: pd.DataFrame) -> dict[str, list[str]]:
    """By arm, the rules that have no score, since none of the averages that they choose has
    been measured."""
    scored = set(zip(scored_stops["arm"], scored_stops["rule"], strict=True))
    rules: dict[str, list[str]] = {}
    for arm, rule in dict.fromkeys(zip(stopped["arm"], stopped["rule"], strict=True)):
        if (arm, rule) not in scored:
            rules.setdefault(arm, []).append(rule)
    return rules


def best_epoch(errors: np.ndarray) -> int:
    """The epoch with the lowest error, of those that have one."""
    return int(np.where(np.isnan(errors), np.inf, errors).argmin()) + 1


def rank_rules(scored_stops: pd.DataFrame, taught_by_oracle: Sequence[str] = (), seed: int = 0) -> list[RuleScore]:
    """The score of each rule in each arm, by arm and then by median regret, those without one
    last. No rule is label-free in an arm that is `taught_by_oracle`."""
    scores = []
    for arm, of_arm in scored_stops.groupby("arm", sort=False):
        by_rule = list(of_arm.groupby("rule", sort=False))
        medians = {str(rule): float(np.median(rows["train_regret"])) for rule, rows in by_rule}
        eligible = [rule for rule, rows in by_rule if len(rows) == of_arm["seed"].nunique() and not rows["oracle"].any()]
        eligible = [str(rule) for rule in eligible if np.isfinite(medians[str(rule)])]
        chosen = min(eligible, key=medians.__getitem__, default=None)
        of_rules = [
            RuleScore(
                arm=str(arm),
                rule=str(rule),
                oracle=bool(rows["oracle"].iloc[0]),
                label_free=not rows["oracle"].iloc[0] and arm not in taught_by_oracle,
                chosen=rule == chosen,
                error_mm=interval(rows["error"], seed, resamples=RESAMPLES),
                regret_mm=median_interval(rows["regret"].to_numpy(float), seed),
                train_regret_mm=finite(medians[str(rule)]),
                n=len(rows),
            )
            for rule, rows in by_rule
        ]
        scores += sorted(of_rules, key=lambda score: np.inf if score.regret_mm.median is None else score.regret_mm.median)
    return scores


def leave_one_run_out(scored_stops: pd.DataFrame) -> dict[str, RuleChoice]:
    """By arm with at least two runs: for each run, the rule that `rank_rules` would choose by the
    training views of the arm's other runs, and the regret of that rule in this run on the test
    subjects."""
    choices = {}
    for arm, of_arm in scored_stops[~scored_stops["oracle"].astype(bool)].groupby("arm", sort=False):
        regrets, trained = (of_arm.pivot(index="rule", columns="seed", values=name) for name in ("regret", "train_regret"))
        order = of_arm["rule"].unique()  # of equal rules the first is chosen, as `rank_rules` does
        regrets, trained = regrets.reindex(order), trained.reindex(order)
        whole = trained.notna().all(axis="columns") & regrets.notna().all(axis="columns")
        regrets, trained = regrets[whole], trained[whole]
        if len(trained) and trained.shape[1] > 1:
            chosen = [int(trained.drop(columns=seed).median(axis="columns").to_numpy().argmin()) for seed in trained]
            cost = regrets.to_numpy(float)[chosen, np.arange(len(chosen))]
            counts = Counter(str(trained.index[place]) for place in chosen)
            choices[str(arm)] = RuleChoice(dict(counts), median_interval(cost), len(cost))
    return choices


def median_interval(values: np.ndarray, seed: int = 0) -> MedianRegret:
    """The median of at least one value, with its 95% percentile bootstrap interval if there are
    several.

    Of fewer than 20 values, p95 lies between the two worst.
    """
    ends = [np.nan, np.nan]
    if len(values) > 1:
        drawn = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values)))
        ends = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return MedianRegret(*map(finite, (np.median(values), np.quantile(values, 0.95), values.max(), *ends)))


def _key(arm: Any, seed: Any, window: Window) -> tuple[Any, ...]:
    return (arm, seed, window.first, window.last, window.half_life or 0.0)
