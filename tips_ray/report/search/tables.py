"""Tables behind the figures of a search's report: trials and their scores by epoch in, tidy tables
out. No drawing here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.search.objectives import SPREADS, pareto_front
from tips_ray.search.summary import SearchSummary

KEYS = ["search", "number"]
SCORE_COLUMNS = ["error_mm", "instability_mm", "label_free", "signals"]
"""What may be an objective; all are better when smaller."""
BUDGETS = {"a quarter": 0.25, "half": 0.5, "three quarters": 0.75, "all": 1.0}

MAX_ROWS, MAX_COLUMNS = 200, 120
"""Cells of the heat map; larger ones are binned."""

LONG_NAME = 34


def fields_of(trials: pd.DataFrame, space: Mapping[str, Any]) -> list[str]:
    """The searched fields that have a column, in the order of the space."""
    return [path for path in space if path in trials]


def shortened(name: str, most: int = LONG_NAME) -> str:
    """A name without its beginning, if it is long: the end of a dotted path says most."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def short_names(fields: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted path where that tells the fields apart, else the whole path."""
    ends = [path.rpartition(".")[2] for path in fields]
    return {path: shortened(end if ends.count(end) == 1 else path, 22) for path, end in zip(fields, ends, strict=True)}


def is_log(values: Mapping[str, Any]) -> bool:
    """Whether a field was searched by its logarithm."""
    return values["kind"] == "log" or bool(values.get("log"))


def complete_trials(trials: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The trials that can be compared: complete, with a finite number in each of `columns`; best
    first.

    For several columns those on the Pareto front come first, each group by the first column.
    """
    finite = np.isfinite(trials[list(columns)].to_numpy(float)).all(axis=1)
    complete = trials[finite & (trials["state"] == "complete").to_numpy(bool)]
    behind = np.zeros(len(complete), int)
    if len(columns) > 1:
        behind = (~pareto_front(complete[list(columns)].to_numpy(float))).astype(int)
    return complete.assign(behind=behind).sort_values(["behind", *columns, *KEYS], kind="stable").reset_index(drop=True)


def best_and_starts(summary: SearchSummary, num_best: int = 5) -> list[dict[Any, Any]]:
    """The rows of the trials with the highest ranks, and of those that started a search."""
    trials = summary.trials.set_index("trial", drop=False)
    names = [*summary.ranked[:num_best], *trials.index[trials["baseline"]]]
    return trials.loc[list(dict.fromkeys(names))].to_dict("records")


def best_so_far(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """Columns search, number, trial, baseline, value, best: each complete trial's score and the
    lowest up to it, by search."""
    table = complete_trials(trials, [column]).sort_values(KEYS).rename(columns={column: "value"})
    table["best"] = table.groupby("search")["value"].cummin()
    return table[["search", "number", "trial", "baseline", "value", "best"]].reset_index(drop=True)


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """The complete trials that have an error and an instability, with `on_front`: no other is
    better in both."""
    complete = complete_trials(trials, ["error_mm", "instability_mm"])
    return complete.assign(on_front=complete["behind"] == 0)


def luck_of_the_best(complete: pd.DataFrame, score: str) -> float | None:
    """By how much of a score the best of as many equal trials would look better than it is, if each
    had this noise between seeds.

    The expected lowest of n normal values (Blom) at the standard error of a trial's mean; an upper
    estimate where trials share seeds. None where no trial has a spread.
    """
    variance, n = (complete[SPREADS[score]] ** 2 / complete["seeds"]).mean(), len(complete)
    if n < 2 or not np.isfinite(variance):
        return None
    return float(math.sqrt(variance) * NormalDist().inv_cdf((n - 0.375) / (n + 0.25)))


def budgets(num_epochs: int) -> dict[str, int]:
    """Stop epochs to look at, by name: a quarter, half, three quarters, and all of them; equal ones
    once."""
    names = {max(1, round(share * num_epochs)): name for name, share in BUDGETS.items()}  # of equal ones the last name holds
    return {name: epoch for epoch, name in names.items()}


def scores_at(complete: pd.DataFrame, surface: pd.DataFrame, score: str, epoch: int) -> pd.Series:
    """Each trial's score, mean over seeds, at one epoch, in the order of `complete`; NaN where a
    trial has no such epoch."""
    at = surface.loc[surface["epoch"] == epoch].drop_duplicates(KEYS, keep="last").set_index(KEYS)[score]
    return at.reindex(pd.MultiIndex.from_frame(complete[KEYS])).reset_index(drop=True)


def stop_table(complete: pd.DataFrame, surface: pd.DataFrame, score: str, num_epochs: int, column: str) -> pd.DataFrame:
    """Columns name, epoch, trial, lowest, baseline, agreement: what would have been chosen at each
    stop epoch.

    `trial` and `lowest` are of the trial with the lowest `score` there; `agreement` is Spearman's
    rank correlation, over trials, of the score there with the objective in `column`.
    """
    rows = []
    for name, epoch in budgets(num_epochs).items():
        values = scores_at(complete, surface, score, epoch)
        if values.notna().any():
            best = int(values.argmin())
            agreement = values.rank().corr(complete[column].where(values.notna()).rank()) if values.nunique() > 2 else np.nan
            baseline = values[complete["baseline"].to_numpy(bool)].mean()
            rows.append((name, epoch, complete["trial"].iloc[best], values.iloc[best], baseline, agreement))
    return pd.DataFrame(rows, columns=["name", "epoch", "trial", "lowest", "baseline", "agreement"])


@dataclass(frozen=True)
class HeatMap:
    """A score by rank and stop epoch; a row or column that stands for several has their mean."""

    ranks: list[tuple[int, int]]
    """First and last rank of each row, from 1, the best."""
    epochs: list[tuple[int, int]]
    """First and last epoch of each column."""
    values: np.ndarray
    """(rows, columns); NaN where no trial of a row has an epoch."""
    labels: list[str]
    """Name of the trial of each row; empty where it stands for several."""


def heat_map(complete: pd.DataFrame, surface: pd.DataFrame, score: str) -> HeatMap | None:
    """A score of the complete trials by epoch, in the order of `complete`; binned to 200 x 120.
    None where no trial has it."""
    if complete.empty or surface.empty:
        return None
    ranks = complete.reset_index(drop=True).reset_index(names="rank")[["rank", *KEYS]]
    rows = surface.merge(ranks, on=KEYS).dropna(subset=score)
    if rows.empty:
        return None
    last_epoch = int(rows["epoch"].max())
    tall, wide = math.ceil(len(ranks) / MAX_ROWS), math.ceil(last_epoch / MAX_COLUMNS)
    num_rows, num_columns = math.ceil(len(ranks) / tall), math.ceil(last_epoch / wide)
    cells = rows.groupby([rows["rank"] // tall, (rows["epoch"] - 1) // wide])[score].mean().unstack()
    cells = cells.reindex(index=range(num_rows), columns=range(num_columns))
    return HeatMap(
        ranks=[(row * tall + 1, min((row + 1) * tall, len(ranks))) for row in range(num_rows)],
        epochs=[(column * wide + 1, min((column + 1) * wide, last_epoch)) for column in range(num_columns)],
        values=cells.to_numpy(float),
        labels=complete["trial"].tolist() if tall == 1 else [""] * num_rows,
    )


def thinned(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` rows, evenly spread over the table, the first and the last among them; and all
    that start a search."""
    if len(table) <= most:
        return table
    keep = table["baseline"].to_numpy(bool).copy()
    keep[np.linspace(0, len(table) - 1, most).round().astype(int)] = True
    return table[keep].reset_index(drop=True)


def positions(values: pd.Series, entry: Mapping[str, Any]) -> pd.Series:
    """Where each value lies within its searched range, from 0 to 1: by the logarithm where that was
    searched, choices evenly."""
    if entry["kind"] == "choice":
        choices = list(entry["choices"])
        return values.map(lambda value: choices.index(value) / max(1, len(choices) - 1) if value in choices else np.nan)
    numbers, low, high = values.astype(float), entry["low"], entry["high"]
    if is_log(entry):
        numbers, low, high = np.log(numbers.where(numbers > 0)), math.log(low), math.log(high)
    return pd.Series((numbers - low) / ((high - low) or 1.0), index=values.index)


def edges(trial: pd.Series, space: Mapping[str, Any], margin: float = 0.05) -> list[str]:
    """Fields whose value in `trial` lies within 5% of an end of the searched range: the best may
    lie beyond it."""
    searched = [path for path, entry in space.items() if entry["kind"] != "choice" and path in trial.index]
    places = {path: positions(pd.Series([trial[path]]), space[path]).iloc[0] for path in searched}
    return [path for path, place in places.items() if place <= margin or place >= 1 - margin]
