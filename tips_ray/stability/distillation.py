"""What distillation gains: students against their teachers, against each other, and the control
with a solo teacher."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.stability.statistics import Difference, difference, errors_of
from tips_ray.stability.stopping import Oracle

Kind = Literal["teacher", "arm", "student", "gain"]


def is_student(config: Mapping[str, Any]) -> bool:
    """Whether an arm with this config, as a campaign records it, is distilled."""
    return config["objective"] == "distilled"


def learns_from_oracle(config: Mapping[str, Any]) -> bool:
    """Whether an arm's teachers were chosen with 3D labels."""
    return is_student(config) and config["teacher"]["rule"] == Oracle().name


@dataclass(frozen=True)
class StudentComparison(Difference):
    """A paired difference a − b of the headline error in mm, over seeds; below zero, a errs less,
    or gains more."""

    kind: Kind
    """`teacher`: a student minus its own teachers, on the same seed. `arm`: a student minus an arm
    that learns from poses. `student`: a student minus another. `gain`: the difference that
    distillation makes to one arm (student minus teachers) minus that which it makes to another."""
    a: str
    b: str
    epochs: tuple[int, int | None]
    """Epochs of a and of b; None for teachers, whose epochs are on their card."""


def compare_students(
    curves: pd.DataFrame, taught: pd.DataFrame, configs: Mapping[str, Mapping[str, Any]]
) -> list[StudentComparison]:
    """Students against their teachers, other arms and each other, at the last epoch of each; two
    students at the last epoch that both have."""
    errors = {arm: errors_of(curves, arm) for arm in configs if configs[arm]["objective"] != "supervised"}
    errors = {arm: table for arm, table in errors.items() if len(table)}
    students = [arm for arm in errors if is_student(configs[arm])]
    teachers = {arm: taught[taught["arm"] == arm].set_index("seed")[HEADLINE_METRIC].astype(float) for arm in students}

    comparisons = []
    for arm in students:
        last, epoch = errors[arm].iloc[-1], len(errors[arm])
        comparisons.append(compared("teacher", arm, f"teachers of {arm}", last - teachers[arm], (epoch, None)))
        for other in (other for other in errors if other not in students):
            gap = last - errors[other].iloc[-1]
            comparisons.append(compared("arm", arm, other, gap, (epoch, len(errors[other]))))
    for a, b in combinations(students, 2):
        epoch = min(len(errors[a]), len(errors[b]))
        one, other = errors[a].iloc[epoch - 1], errors[b].iloc[epoch - 1]
        comparisons.append(compared("student", a, b, one - other, (epoch, epoch)))
        if configs[a]["teacher"]["arm"] != configs[b]["teacher"]["arm"]:
            gains = (one - teachers[a]) - (other - teachers[b])
            comparisons.append(compared("gain", a, b, gains, (epoch, epoch)))
    return comparisons


def compared(kind: Kind, a: str, b: str, values: pd.Series, epochs: tuple[int, int | None]) -> StudentComparison:
    """The comparison that the differences of each seed make."""
    return StudentComparison(**vars(difference(values)), kind=kind, a=a, b=b, epochs=epochs)
