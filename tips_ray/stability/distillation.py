"""What distillation gains: students against their teachers, against each other, and the control
with a solo teacher."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.stability.statistics import difference, errors_of
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
    """Paired differences of the headline error in mm, over seeds: {kind, a, b, difference, low,
    high, n, epochs}.

    Errors are those at the last epoch of an arm, of two students at the last that both have:
    `epochs` has a's, and b's (its teachers' are on their card: null). `teacher`: a student minus
    its own teachers, on the same seed. `arm`: a student minus an arm that learns from poses.
    `student`: a student minus another. `gain`: the difference that distillation makes to one arm
    (student minus teachers) minus that which it makes to another. Below zero, a errs less, or gains
    more.
    """
    errors = {arm: errors_of(curves, arm) for arm in configs if configs[arm]["objective"] != "supervised"}
    errors = {arm: table for arm, table in errors.items() if len(table)}
    students = [arm for arm in errors if is_student(configs[arm])]
    teachers = {arm: taught[taught["arm"] == arm].set_index("seed")[HEADLINE_METRIC].astype(float) for arm in students}

    found = []
    for arm in students:
        own, epoch = errors[arm].iloc[-1], len(errors[arm])
        found.append(entry("teacher", arm, f"teachers of {arm}", own - teachers[arm], [epoch, None]))
        for other in (other for other in errors if other not in students):
            gap = own - errors[other].iloc[-1]
            found.append(entry("arm", arm, other, gap, [epoch, len(errors[other])]))
    for a, b in combinations(students, 2):
        epoch = min(len(errors[a]), len(errors[b]))
        one, other = errors[a].iloc[epoch - 1], errors[b].iloc[epoch - 1]
        found.append(entry("student", a, b, one - other, [epoch, epoch]))
        if configs[a]["teacher"]["arm"] != configs[b]["teacher"]["arm"]:
            gains = (one - teachers[a]) - (other - teachers[b])
            found.append(entry("gain", a, b, gains, [epoch, epoch]))
    return found


def entry(kind: str, a: str, b: str, values: pd.Series, epochs: list[int | None]) -> dict[str, Any]:
    """An entry of `compare_students`."""
    return {"kind": kind, "a": a, "b": b, **difference(values), "epochs": epochs}
