"""The runs of an arm, each at one epoch or window: their error on each subject and action, and
whether their depth signs are mixed.

`rows` has one row a run, with the columns of curves.
"""

from dataclasses import dataclass

import pandas as pd

from tips_ray.columns import ACTION_PREFIX, HEADLINE_METRIC, RAW_METRIC, SUBJECT_PREFIX
from tips_ray.stability.statistics import Interval, errors_by_metric, interval

MIXED_MM = 2.0
FLIPPED_SHARE = 0.5
SIGN_COLUMNS = (HEADLINE_METRIC, "p_mpjpe_reflected_mm", "limb_sign_agreement")


@dataclass(frozen=True)
class Count:
    """How many of n runs."""

    count: int
    n: int


@dataclass(frozen=True)
class Grouped:
    """Intervals over runs of the headline error in mm."""

    over_subjects: Interval
    """Of each run's mean over the test subjects, which all count alike, however many poses they
    have."""
    by_subject: dict[str, Interval]
    by_action: dict[str, Interval]
    mixed_signs: Count


def grouped(rows: pd.DataFrame) -> Grouped:
    """The runs of an arm by subject and action, and how many of them have mixed signs."""
    subjects, actions = (names_behind(prefix, rows) for prefix in (SUBJECT_PREFIX, ACTION_PREFIX))
    return Grouped(
        over_subjects=interval(rows[list(subjects.values())].mean(axis=1)),
        by_subject={name: interval(rows[column]) for name, column in subjects.items()},
        by_action={name: interval(rows[column]) for name, column in actions.items()},
        mixed_signs=Count(int(mixed_signs(rows).sum()), len(rows)),
    )


def of_last_epoch(curves: pd.DataFrame, arm: str) -> pd.DataFrame:
    """The runs of an arm, by seed, at the last epoch that all have reached, without those that
    diverged."""
    names = [name for prefix in (SUBJECT_PREFIX, ACTION_PREFIX) for name in names_behind(prefix, curves).values()]
    tables = errors_by_metric(curves, arm, [*SIGN_COLUMNS, RAW_METRIC, *names])
    return pd.DataFrame({name: table.iloc[-1] if len(table) else pd.Series(dtype=float) for name, table in tables.items()})


def names_behind(prefix: str, rows: pd.DataFrame) -> dict[str, str]:
    """The columns that begin with a prefix and have values, by what follows it."""
    columns = [column for column in map(str, rows) if column.startswith(prefix) and rows[column].notna().any()]
    return {column.removeprefix(prefix): column for column in columns}


def mixed_signs(rows: pd.DataFrame) -> pd.Series:
    """Whether the depth signs of each run are mixed.

    They are where some poses are inside out and others are not: if each pose had its own sign, the
    error would be lower by more than MIXED_MM. And where a limb is inside out: a thigh, shin, upper
    arm or forearm points to the wrong side of the image plane in more than FLIPPED_SHARE of the
    poses.
    """
    signed, reflected, agreement = (rows.reindex(columns=SIGN_COLUMNS)[column] for column in SIGN_COLUMNS)
    return ((signed - reflected > MIXED_MM) | (agreement < 1 - FLIPPED_SHARE)).rename("mixed_signs")
