"""What distillation gains: students against their teachers, against each other, and the control with a solo teacher."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from tips_ray.stability.statistics import HEADLINE_METRIC, errors_of, interval
from tips_ray.stability.stopping import Oracle


def is_student(config: Mapping[str, Any]) -> bool:
    """Whether an arm with this config, as a campaign records it, is distilled."""
    return config["objective"] == "distilled"


def learns_from_oracle(config: Mapping[str, Any]) -> bool:
    """Whether an arm's teachers were chosen with 3D labels."""
    return is_student(config) and config["teacher"]["rule"] == Oracle().name


def compare_students(
    curves: pd.DataFrame, taught: pd.DataFrame, configs: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Paired differences of the headline error in mm, over seeds: {kind, a, b, difference, low, high, n}.

    Students are scored at their last epoch. `teacher`: a student minus its own teachers, on the same seed. `gain`: the difference
    that distillation makes to one arm (student minus teachers) minus that which it makes to another. `student`: a student minus
    another. Below zero, a errs less, or gains more.
    """
    students = [arm for arm, config in configs.items() if is_student(config)]
    own = {arm: last_errors(curves, arm) for arm in students}
    own = {arm: errors for arm, errors in own.items() if len(errors)}
    teachers = {arm: taught[taught["arm"] == arm].set_index("seed")[HEADLINE_METRIC].astype(float) for arm in own}
    gains = {arm: (own[arm] - teachers[arm]).dropna() for arm in own}
    found = [difference("teacher", arm, f"teachers of {arm}", gains[arm]) for arm in own]
    for a, b in combinations(own, 2):
        found.append(difference("student", a, b, (own[a] - own[b]).dropna()))
        if configs[a]["teacher"]["arm"] != configs[b]["teacher"]["arm"]:
            found.append(difference("gain", a, b, (gains[a] - gains[b]).dropna()))
    return found


def last_errors(curves: pd.DataFrame, arm: str) -> pd.Series:
    """The headline error of an arm's runs at the last epoch that all of them have, by seed."""
    errors = errors_of(curves, arm)
    return errors.iloc[-1] if len(errors) else pd.Series(dtype=float)


def difference(kind: str, a: str, b: str, values: pd.Series) -> dict[str, Any]:
    """An entry of `compare_students`."""
    found = interval(values)
    return {
        "kind": kind,
        "a": a,
        "b": b,
        "difference": found["mean"],
        "low": found["low"],
        "high": found["high"],
        "n": found["n"],
    }
