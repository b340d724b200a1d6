"""The summary of a campaign that other tools read: `summary.json`, schema version 1 (documented in
`reports/README.md`)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, METRICS
from tips_ray.stability.budgets import compare_budgets
from tips_ray.stability.codependence import codependence_of
from tips_ray.stability.correlations import signal_correlations
from tips_ray.stability.distillation import compare_students, is_student, learns_from_oracle
from tips_ray.stability.regret import leave_one_run_out, rank_rules, score_stops, stops
from tips_ray.stability.statistics import (
    STATISTICS,
    arms_of,
    at_epochs,
    divergences,
    errors_of,
    interval,
    over_seeds,
    paired,
    run_statistics,
    runs_of,
)
from tips_ray.stability.steadiness import summarise_steadiness
from tips_ray.stability.teachers import TeacherCard
from tips_ray.store.measurements import NOTHING, Measured

SCHEMA_VERSION = 1

BUDGETS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the training at which the error is listed: does an arm help, or only learn faster?"""


def summarise(
    curves: pd.DataFrame,
    data: Mapping[str, Any],
    references: Mapping[str, Any],
    provenance: Mapping[str, Any],
    reference_arms: Sequence[str] = ("supervised",),
    arms: Iterable[str] = (),
    measured: Measured = NOTHING,
    cards: Mapping[str, TeacherCard] | None = None,
    configs: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Sum up a campaign's curves as a value of strict JSON: no NaN, None where there is no number.

    `data`, `references` (e.g. `{"flat": {metric: mm}}`) and `provenance` are passed through. Arms
    in `reference_arms` saw labels: they stand under `references` and are never paired, and students
    are held against others under `distillation`. `arms` names those that were asked for, so that
    one without rows shows. `measured` is what the campaign's folder holds beside the curves, and
    `configs` are the arms' as it records them.
    """
    names = list(dict.fromkeys([*arms, *arms_of(curves)]))
    compared = [arm for arm in names if arm not in reference_arms]
    configs = configs or {}
    students = [arm for arm in compared if arm in configs and is_student(configs[arm])]
    rivals = [arm for arm in compared if arm not in students]
    seen = [arm for arm in arms_of(curves) if arm in reference_arms]
    return strict(
        {
            "schema_version": SCHEMA_VERSION,
            "campaign": None if curves.empty else curves["campaign"].iloc[0],
            "data": data,
            "headline_metric": HEADLINE_METRIC,
            "arms": {arm: summarise_arm(curves, arm) for arm in compared},
            "students": students,
            "paired": [entry for a, b in combinations(rivals, 2) for metric in METRICS for entry in paired(curves, a, b, metric)],
            "references": {**references, **{arm: summarise_arm(curves, arm) for arm in seen}},
            **summarise_stopping(curves, compared, students, measured, configs),
            "teachers": {arm: card.to_json() for arm, card in (cards or {}).items()},
            "provenance": provenance,
        }
    )


def summarise_stopping(
    curves: pd.DataFrame,
    arms: Sequence[str],
    students: Sequence[str],
    measured: Measured,
    configs: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """When to stop, and whom to trust: rules, signals, steadiness, budgets, distillation and
    codependence."""
    present = [arm for arm in arms if arm in arms_of(curves)]
    labelled = [arm for arm in students if learns_from_oracle(configs[arm])]
    scored_stops = score_stops(curves, stops(curves, present), measured.windows)
    return {
        "stop_rules": rank_rules(scored_stops, labelled),
        "rule_choice": leave_one_run_out(scored_stops),
        "signals": signal_correlations(curves, present, students),
        "steadiness": summarise_steadiness(curves, present, students=students),
        "budgets": compare_budgets(curves, [arm for arm in present if arm not in students]),
        "distillation": compare_students(curves, measured.taught, configs),
        "codependence": codependence_of(measured.codependence),
    }


def summarise_arm(curves: pd.DataFrame, arm: str) -> dict[str, Any]:
    """One arm's entry: counts, intervals for each statistic and metric, its runs, and the
    divergences among them."""
    errors = {metric: errors_of(curves, arm, metric) for metric in METRICS}
    found = {metric: over_seeds(errors[metric]) for metric in METRICS}
    runs, num_epochs = runs_of(curves, arm), len(errors[HEADLINE_METRIC])
    budgets = sorted({max(1, round(share * num_epochs)) for share in BUDGETS}) if num_epochs else []
    at = {metric: at_epochs(errors[metric], budgets) for metric in METRICS}
    by_seed = run_statistics(errors[HEADLINE_METRIC])
    return {
        "num_seeds": len(runs),
        "num_epochs": num_epochs,
        **{name: {metric: found[metric][name] for metric in METRICS} for name in (*STATISTICS, "regret", "epochs_within_2mm")},
        "at_epochs": {epoch: {metric: at[metric][epoch] for metric in METRICS} for epoch in budgets},
        "best_epoch": interval(by_seed["best_epoch"]),
        "runs": runs.join(by_seed, how="left").rename_axis("seed").reset_index().to_dict("records"),
        "diverged": [entry for entry in divergences(curves) if entry.arm == arm],
    }


def origin(executions: Sequence[Mapping[str, Any]], config: Any, **more: Any) -> dict[str, Any]:
    """The provenance that a report shows: the last execution's, the wall time of all, and each
    execution's own."""
    last = {key: value for key, value in executions[-1].items() if key != "seconds"} if executions else {}
    wall = round(sum(execution["seconds"] for execution in executions), 1)
    return {**last, **more, "wall_seconds": wall, "executions": executions, "config": config}


def strict(value: Any) -> Any:
    """A copy of `value` in plain JSON types: dataclasses as objects, NaN and infinity as None,
    tuples and arrays as lists, keys and the rest as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: strict(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [strict(item) for item in value]
    if isinstance(value, np.generic):
        return strict(value.item())
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)
