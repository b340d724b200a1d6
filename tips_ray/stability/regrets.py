"""What stop rules cost: the error at the stop of each run, its regret, and which signals go with the error at all.

The run's best epoch is the yardstick, and an oracle. Regret is the error at the stop minus the run's lowest error; an average of
weights can be better than every single epoch, and has a negative one. Seeds are the unit of replication: a rule's numbers are
over the runs of one arm that have not diverged, cut to the epochs that all of them have.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.stability.measured import KEYS, TRAIN_METRIC, WINDOWS
from tips_ray.stability.rules import standard_rules
from tips_ray.stability.statistics import HEADLINE_METRIC, MIN_RANKED, interval, rank_correlation, runs_of
from tips_ray.stability.stopping import LABEL_FREE, Curve, Oracle, Rule, Window

STOPS = ["arm", "seed", "rule", "oracle", "window", "error", "train_error", "regret", "train_regret", "best_epoch"]
RESAMPLES = 2000


def whole_runs(curves: pd.DataFrame, arm: str) -> dict[int, pd.DataFrame]:
    """The rows of an arm's runs that have not diverged, by seed, cut to the epochs that all of them have."""
    runs = runs_of(curves, arm)
    whole = runs[runs["status"] != "diverged"]
    if whole.empty:
        return {}
    rows = curves[(curves["arm"] == arm) & curves["seed"].isin(whole.index) & (curves["epoch"] <= whole["epochs"].min())]
    rows = rows.drop_duplicates(["seed", "epoch"], keep="last").sort_values("epoch", kind="stable")
    return {int(str(seed)): run for seed, run in rows.groupby("seed")}


def rules_for(curve: Curve, rules: Sequence[Rule] | None = None) -> list[Rule]:
    """The rules (by default the standard ones for its length) whose columns a curve has."""
    given = standard_rules(len(curve)) if rules is None else rules
    return [rule for rule in given if all(column in curve for column in rule.columns)]


def stops(curves: pd.DataFrame, arms: Sequence[str], rules: Sequence[Rule] | None = None) -> pd.DataFrame:
    """The window that each rule names of each run: columns arm, seed, rule, window. No label is looked at."""
    found = []
    for arm in arms:
        for seed, run in whole_runs(curves, arm).items():
            curve = Curve(run)
            found += [(arm, seed, rule.name, curve.check(rule(curve))) for rule in rules_for(curve, rules)]
    return pd.DataFrame(found, columns=["arm", "seed", "rule", "window"])


def windows_of(found: pd.DataFrame) -> pd.DataFrame:
    """The windows of more than one epoch among stops, each once: keys of `measured.WINDOWS`; half_life 0 where there is none."""
    rows = [
        (arm, seed, window.first, window.last, window.half_life or 0.0)
        for arm, seed, window in found[["arm", "seed", "window"]].itertuples(index=False)
        if not window.single
    ]
    return pd.DataFrame(rows, columns=KEYS[WINDOWS]).drop_duplicates(ignore_index=True)


def judge(curves: pd.DataFrame, found: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """The stops with their errors and regrets in mm (columns STOPS), and the oracle's.

    `windows` is the table of that name (`tips_ray.stability.measured`). Stops whose window has not been measured are left out.
    """
    keys, values = windows[KEYS[WINDOWS]], windows[[HEADLINE_METRIC, TRAIN_METRIC]].to_numpy(float)
    scored = dict(zip(keys.itertuples(index=False, name=None), values, strict=True))
    few = curves.reindex(columns=["arm", "run", "seed", "epoch", "status", HEADLINE_METRIC, TRAIN_METRIC])  # curves are wide
    judged = []
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
                    judged.append((arm, seed, rule, oracle, window, *at, *(at - lowest), best))
    return pd.DataFrame(judged, columns=STOPS)


def best_epoch(errors: np.ndarray) -> int:
    """The epoch with the lowest error of those that have one, which only an oracle knows."""
    return int(np.where(np.isnan(errors), np.inf, errors).argmin()) + 1


def rank_rules(judged: pd.DataFrame, taught_by_oracle: Sequence[str] = (), seed: int = 0) -> list[dict[str, Any]]:
    """One entry a rule and arm, by arm and then by median regret, those without one (NaN) last.

    {arm, rule, oracle, label_free, chosen, error_mm (interval over seeds), regret_mm {median, p95, low, high}, train_regret_mm
    (median), n}: `low` and `high` are the ends of the 95% percentile bootstrap interval of the median over runs. No entry of an
    arm that is `taught_by_oracle` is label-free. `chosen` marks the rule of each arm, other than the oracle, with the lowest
    median regret on the views that were trained on, among those that have one for each of the arm's runs.
    """
    entries, num_runs = [], judged.groupby("arm")["seed"].nunique()
    for (arm, rule), own in judged.groupby(["arm", "rule"], sort=False):
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
    for arm in judged["arm"].unique():
        free = [entry for entry in entries if entry["arm"] == arm and not entry["oracle"] and entry["n"] == num_runs[arm]]
        free = [entry for entry in free if np.isfinite(entry["train_regret_mm"])]
        if free:
            min(free, key=lambda entry: entry["train_regret_mm"])["chosen"] = True
    order = {arm: place for place, arm in enumerate(judged["arm"].unique())}
    medians = [entry["regret_mm"]["median"] for entry in entries]
    places = sorted(range(len(entries)), key=lambda at: (order[entries[at]["arm"]], np.isnan(medians[at]), medians[at]))
    return [entries[place] for place in places]


def median_interval(values: np.ndarray, seed: int = 0) -> dict[str, float | None]:
    """{median, p95, low, high}: the ends are of the 95% percentile bootstrap interval of the median; None for one value."""
    found = {"median": float(np.median(values)), "p95": float(np.quantile(values, 0.95)), "low": None, "high": None}
    if len(values) > 1:
        drawn = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values)))
        found["low"], found["high"] = (float(end) for end in np.quantile(np.median(drawn, axis=1), [0.025, 0.975]))
    return found


def signal_correlations(curves: pd.DataFrame, arms: Sequence[str], students: Sequence[str] = ()) -> list[dict[str, Any]]:
    """How each label-free column goes with the error: {signal, within: {arm: interval}, between, between_seeds}.

    `within`: Spearman's correlation over the epochs of the last half of a run, mean over the runs of an arm. `between`: that of
    the means over the last half, over the runs of all arms but `students`, which are not independent of their teachers:
    {rank_correlation, low, high, n}. It may tell arms apart alone; in `between_seeds` each arm's mean is taken off before. The
    last half, since everything falls while a lifter learns.
    """
    seen = []
    for arm in arms:
        for run in whole_runs(curves, arm).values():
            late = slice(len(run) // 2, None)
            curve, error = Curve(run), run[HEADLINE_METRIC].to_numpy(float)[late]
            values = {signal: curve[signal][late] for signal in LABEL_FREE if signal in curve}
            within = spearman(np.array([*values.values()]).reshape(-1, len(error)), error)
            seen += [(arm, name, each, values[name].mean(), error.mean()) for name, each in zip(values, within, strict=True)]
    table = pd.DataFrame(seen, columns=["arm", "signal", "within", "mean", "error"])
    found = []
    for signal in LABEL_FREE:
        own = table[table["signal"] == signal]
        if len(own):
            within = {arm: interval(own.loc[own["arm"] == arm, "within"], resamples=RESAMPLES) for arm in arms}
            apart = own.loc[~own["arm"].isin(list(students)) & np.isfinite(own["mean"]), ["arm", "mean", "error"]]
            apart = apart[apart["arm"].duplicated(keep=False)]  # an arm's only run has no other seeds
            alike = apart[["mean", "error"]] - apart.groupby("arm")[["mean", "error"]].transform("mean")
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
    """Spearman's rank correlation of each row of `values` with `other`.

    NaN for a row with a value that is missing, with one value alone, or of fewer than MIN_RANKED.
    """
    from scipy.stats import rankdata

    values, other = (np.where(np.isfinite(each), each, np.nan) for each in (values, other))
    varied = (np.ptp(values, axis=-1) > 0) & (np.ptp(other) > 0) & (len(other) >= MIN_RANKED)  # which NaN is not
    one, two = (rankdata(each, axis=-1) - (len(other) + 1) / 2 for each in (values, other))
    scale = np.sqrt((one**2).sum(-1) * (two**2).sum())
    return np.divide((one * two).sum(-1), scale, out=np.full(len(values), np.nan), where=varied)


def _key(arm: Any, seed: Any, window: Window) -> tuple[Any, ...]:
    return (arm, seed, window.first, window.last, window.half_life or 0.0)
