"""What stop rules cost: the error at the stop of each run, and its regret.

The run's best epoch is the yardstick, and an oracle. Regret is the error at the stop minus the
run's lowest error; an average of weights can be better than every single epoch, and has a negative
one. Seeds are the unit of replication: a rule's numbers are over the runs of one arm that have not
diverged, cut to the epochs that all of them have.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, TRAIN_METRIC
from tips_ray.stability.rules import standard_rules
from tips_ray.stability.statistics import interval, runs_of
from tips_ray.stability.stopping import Curve, Oracle, Rule, Window, check_label_free
from tips_ray.store.measurements import KEYS, WINDOWS

STOPS = ["arm", "seed", "rule", "oracle", "window", "error", "train_error", "regret", "train_regret", "best_epoch"]
RESAMPLES = 2000


def whole_runs(curves: pd.DataFrame, arm: str) -> dict[int, pd.DataFrame]:
    """The rows of an arm's runs that have not diverged, by seed, cut to the epochs that all of them
    have."""
    runs = runs_of(curves, arm)
    whole = runs[runs["status"] != "diverged"]
    if whole.empty:
        return {}
    rows = curves[(curves["arm"] == arm) & curves["seed"].isin(whole.index) & (curves["epoch"] <= whole["epochs"].min())]
    rows = rows.drop_duplicates(["seed", "epoch"], keep="last").sort_values("epoch", kind="stable")
    return {int(str(seed)): run for seed, run in rows.groupby("seed")}


def rules_for(curve: Curve, rules: Sequence[Rule] | None = None) -> list[Rule]:
    """The rules (by default the standard ones for its length) whose columns a curve has.

    Raises LabelledColumnError for a rule with a column that is not known to be free of labels.
    """
    given = standard_rules(len(curve)) if rules is None else rules
    for rule in given:
        check_label_free(rule.columns)
    return [rule for rule in given if all(column in curve for column in rule.columns)]


def stops(curves: pd.DataFrame, arms: Sequence[str], rules: Sequence[Rule] | None = None) -> pd.DataFrame:
    """The window that each rule names of each run: columns arm, seed, rule, window. No label is
    looked at."""
    found = []
    for arm in arms:
        for seed, run in whole_runs(curves, arm).items():
            curve = Curve(run)
            found += [(arm, seed, rule.name, curve.check(rule(curve))) for rule in rules_for(curve, rules)]
    return pd.DataFrame(found, columns=["arm", "seed", "rule", "window"])


def windows_of(found: pd.DataFrame) -> pd.DataFrame:
    """The windows of more than one epoch among stops, each once: keys of `measured.WINDOWS`;
    half_life 0 where there is none."""
    rows = [
        _key(arm, seed, window)
        for arm, seed, window in found[["arm", "seed", "window"]].itertuples(index=False)
        if not window.single
    ]
    return pd.DataFrame(rows, columns=KEYS[WINDOWS]).drop_duplicates(ignore_index=True)


def score_stops(curves: pd.DataFrame, found: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """The stops with their errors and regrets in mm (columns STOPS), and the oracle's.

    `windows` is the table of that name (`tips_ray.store.measurements`). Stops whose window has not
    been measured are left out.
    """
    keys, values = windows[KEYS[WINDOWS]], windows[[HEADLINE_METRIC, TRAIN_METRIC]].to_numpy(float)
    scored = dict(zip(keys.itertuples(index=False, name=None), values, strict=True))
    few = curves.reindex(columns=["arm", "run", "seed", "epoch", "status", HEADLINE_METRIC, TRAIN_METRIC])  # curves are wide
    scored_stops = []
    for arm, own in found.groupby("arm", sort=False):
        runs = whole_runs(few, str(arm))
        for seed, stopped in own.groupby("seed", sort=False):
            run = runs[int(str(seed))]
            errors = np.stack([run[name].to_numpy(float) for name in (HEADLINE_METRIC, TRAIN_METRIC)], axis=1)
            best, lowest = best_epoch(errors[:, 0]), np.fmin.reduce(errors)
            named = [(rule, False, window) for rule, window in zip(stopped["rule"], stopped["window"], strict=True)]
            for rule, oracle, window in [*named, (Oracle().name, True, Window(best, best))]:
                at = errors[window.last - 1] if window.single else scored.get(_key(arm, seed, window))
                if at is not None:
                    scored_stops.append((arm, seed, rule, oracle, window, *at, *(at - lowest), best))
    return pd.DataFrame(scored_stops, columns=STOPS)


def best_epoch(errors: np.ndarray) -> int:
    """The epoch with the lowest error of those that have one, which only an oracle knows."""
    return int(np.where(np.isnan(errors), np.inf, errors).argmin()) + 1


def rank_rules(scored_stops: pd.DataFrame, taught_by_oracle: Sequence[str] = (), seed: int = 0) -> list[dict[str, Any]]:
    """One entry a rule and arm, by arm and then by median regret, those without one (NaN) last.

    {arm, rule, oracle, label_free, chosen, error_mm (interval over seeds), regret_mm {median, p95,
    worst, low, high}, train_regret_mm (median), n}: `low` and `high` are the ends of the 95%
    percentile bootstrap interval of the median over runs. No entry of an arm that is
    `taught_by_oracle` is label-free. `chosen` marks the rule of each arm, other than the oracle,
    with the lowest median regret on the views that were trained on, among those that have one for
    each of the arm's runs.
    """
    entries, num_runs = [], scored_stops.groupby("arm")["seed"].nunique()
    for (arm, rule), own in scored_stops.groupby(["arm", "rule"], sort=False):
        oracle = bool(own["oracle"].iloc[0])
        entries.append(
            {
                "arm": arm,
                "rule": rule,
                "oracle": oracle,
                "label_free": not oracle and arm not in taught_by_oracle,
                "chosen": False,
                "error_mm": interval(own["error"], seed, resamples=RESAMPLES),
                "regret_mm": median_interval(own["regret"].to_numpy(), seed),
                "train_regret_mm": float(np.median(own["train_regret"])),
                "n": len(own),
            }
        )
    for arm in scored_stops["arm"].unique():
        free = [entry for entry in entries if entry["arm"] == arm and not entry["oracle"] and entry["n"] == num_runs[arm]]
        free = [entry for entry in free if np.isfinite(entry["train_regret_mm"])]
        if free:
            min(free, key=lambda entry: entry["train_regret_mm"])["chosen"] = True
    order = {arm: place for place, arm in enumerate(scored_stops["arm"].unique())}
    medians = [entry["regret_mm"]["median"] for entry in entries]
    places = sorted(range(len(entries)), key=lambda at: (order[entries[at]["arm"]], np.isnan(medians[at]), medians[at]))
    return [entries[place] for place in places]


def leave_one_run_out(scored_stops: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """What choosing a rule costs a run that had no say: {rules, regret_mm, n} by arm; none for an
    arm with one run.

    For each run the rule that `rank_rules` would choose by the training views of the arm's other
    runs, and its regret on the test subjects in this one. `rules` counts how often each was chosen.
    """
    found = {}
    for arm, own in scored_stops[~scored_stops["oracle"].astype(bool)].groupby("arm", sort=False):
        regrets, trained = (own.pivot(index="rule", columns="seed", values=name) for name in ("regret", "train_regret"))
        order = own["rule"].unique()  # of equal rules the first is chosen, as `rank_rules` does
        regrets, trained = regrets.reindex(order), trained.reindex(order)
        whole = trained.notna().all(axis="columns") & regrets.notna().all(axis="columns")
        regrets, trained = regrets[whole], trained[whole]
        if len(trained) and trained.shape[1] > 1:
            chosen = [int(trained.drop(columns=seed).median(axis="columns").to_numpy().argmin()) for seed in trained]
            cost = regrets.to_numpy(float)[chosen, np.arange(len(chosen))]
            counts = Counter(str(trained.index[place]) for place in chosen)
            found[str(arm)] = {"rules": dict(counts), "regret_mm": median_interval(cost), "n": len(cost)}
    return found


def median_interval(values: np.ndarray, seed: int = 0) -> dict[str, float | None]:
    """{median, p95, worst, low, high}: the ends are of the 95% percentile bootstrap interval of the
    median; None for one value.

    Of fewer than 20 values, p95 lies between the two worst.
    """
    found = {"median": float(np.median(values)), "p95": float(np.quantile(values, 0.95)), "worst": float(values.max())}
    found |= {"low": None, "high": None}
    if len(values) > 1:
        drawn = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values)))
        found["low"], found["high"] = (float(end) for end in np.quantile(np.median(drawn, axis=1), [0.025, 0.975]))
    return found


def _key(arm: Any, seed: Any, window: Window) -> tuple[Any, ...]:
    return (arm, seed, window.first, window.last, window.half_life or 0.0)
