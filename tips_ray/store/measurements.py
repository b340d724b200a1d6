"""Tables of what was measured of the weights that a campaign's runs have kept, beside their
curves."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd
from pandas.api.types import is_numeric_dtype

from tips_ray.columns import METRICS, TRAIN_METRIC
from tips_ray.errors import UserError
from tips_ray.store.storage import Storage

log = logging.getLogger(__name__)

WINDOWS = "windows.parquet"
"""Errors of averages of a run's weights; half_life 0: all epochs weigh alike."""
TAUGHT = "taught.parquet"
"""Errors of the teachers of each distilled run: what the student is to be held against."""
CODEPENDENCE = "codependence.parquet"
"""Mean absolute derivative of each depth by each keypoint (`sensitivity`), and the `outside_share`
of the run."""
BODIES = "bodies.parquet"
"""What the weights to use of each arm lift of the views that runs are compared on: the joints of
one pose in the frame of its camera, and of the true pose, where it is known."""

BENCHMARK = "benchmark.parquet"
"""Metrics of lifters on the test poses of one of the paper's tables (`columns.BENCHMARKS`), by
action; action "": over all poses."""

KEYS = {
    WINDOWS: ["arm", "seed", "first", "last", "half_life"],
    TAUGHT: ["arm", "seed"],
    CODEPENDENCE: ["arm", "seed", "epoch", "depth", "keypoint"],
    BODIES: ["arm", "seed", "first", "last", "view", "joint"],
    BENCHMARK: ["benchmark", "arm", "seed", "epoch", "action", "metric"],
}
"""What tells the rows of a table apart."""
VALUES = {
    WINDOWS: [*METRICS, TRAIN_METRIC],
    TAUGHT: [*METRICS, TRAIN_METRIC],
    CODEPENDENCE: ["sensitivity", "outside_share"],
    BODIES: [
        *("x_mm", "y_mm", "z_mm", "true_x_mm", "true_y_mm", "true_z_mm"),
        *("missing", "subject", "action", "clip"),
    ],
    BENCHMARK: ["value"],
}
TEXTS = ("arm", "depth", "keypoint", "joint", "subject", "action", "clip", "benchmark", "metric")
"""The columns that hold no numbers."""


def read_measured(folder: Storage, table: str) -> pd.DataFrame:
    """One of the tables of a campaign; without rows if nothing was measured yet, or if it is
    damaged."""
    try:
        rows = folder.read_table(table)
    except FileNotFoundError:
        return no_rows(table)
    except UserError as error:
        log.warning("%s It is measured anew by the study's command.", error)
        return no_rows(table)
    columns = [*KEYS[table], *VALUES[table]]
    numbers, texts = ([name for name in columns if (name in TEXTS) == text] for text in (False, True))
    if (
        set(columns) <= set(rows)
        and all(is_numeric_dtype(rows[name]) for name in numbers)
        and all(rows[name].map(lambda value: isinstance(value, str)).all() for name in texts)
        and not rows[KEYS[table]].isna().any(axis=None)
    ):
        return rows
    log.warning("%s lacks columns, or numbers or texts in them. It is measured anew by the study's command.", folder / table)
    return no_rows(table)


@dataclass(frozen=True)
class Measured:
    """The tables that a campaign's folder holds beside its curves."""

    windows: pd.DataFrame
    taught: pd.DataFrame
    codependence: pd.DataFrame
    bodies: pd.DataFrame
    benchmark: pd.DataFrame


def no_rows(table: str) -> pd.DataFrame:
    """The table before anything was measured."""
    return pd.DataFrame(columns=[*KEYS[table], *VALUES[table]])


NOTHING = Measured(*map(no_rows, KEYS))


def forget(folder: Storage, arms: Collection[str]) -> None:
    """Take what was measured of some arms out of the tables: their runs are gone."""
    for table in KEYS:
        rows = read_measured(folder, table)
        if rows["arm"].isin(list(arms)).any():
            folder.write_table(table, rows[~rows["arm"].isin(list(arms))])


def read_measurements(folder: Storage) -> Measured:
    """All of these tables of a campaign."""
    return Measured(*(read_measured(folder, table) for table in KEYS))
