"""Curves of any lifter or GAN, from a table with a row a run and epoch, as campaigns have them.

The table's own names stay in what is shown: its error stands in the column of the headline metric,
its epochs, whatever they count, are numbered 1, 2, … in each arm, and its runs have a number each.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from tips_ray.columns import BY_NAME, DERIVED, HEADLINE_METRIC, LABEL_FREE, TRAIN_METRIC
from tips_ray.errors import UserError
from tips_ray.natural import natural_sorted
from tips_ray.stability.statistics import SHORT_SHARE
from tips_ray.store.exports import FILE, RUN, STEPS
from tips_ray.wording import listed

ONE_ARM = "all runs"
"""The name of the arm where nothing tells arms apart."""
MOST_NAMED = 8
"""So many names a note lists, and five times as many columns."""


@dataclass(frozen=True)
class TableColumns:
    """What the columns of a table are."""

    error: str
    """The error, lower when better."""
    run: tuple[str, ...] = ()
    """What tells runs apart: the last one the runs of an arm, such as the seed, the others arms. By
    default `run`, `file`, or nothing: one run."""
    signals: tuple[str, ...] | None = None
    """What rules may see: measured without labels, lower when better. By default the columns that
    tips-ray knows to be free of labels."""
    higher: tuple[str, ...] = ()
    """Those of the signals that are higher when better."""
    epoch: str = ""
    """By default the first of `store.exports.STEPS` that is known where the error is."""
    train_error: str = ""
    """The error on other data than `error`'s, by which the rule of each arm is chosen. By default
    it is chosen by `error`, for each run by that of the arm's other runs."""


@dataclass(frozen=True)
class TableCurves:
    """A table as the curves of a campaign."""

    curves: pd.DataFrame
    """arm, run, seed (the run's number), epoch (its number), status, HEADLINE_METRIC, TRAIN_METRIC,
    and the signals, lower when better."""
    columns: TableColumns
    """With the names that were found where none were given."""
    visible: tuple[str, ...]
    """What rules may see: the signals, and sums of them."""
    epochs: dict[str, list[Any]]
    """By arm, the epochs as the table has them."""
    seeds: dict[int, str]
    """By number, the runs as the table names them."""
    notes: list[str]
    """What a reader must know of how the table was read, a sentence each."""


def curves_of(table: pd.DataFrame, columns: TableColumns) -> TableCurves:
    """The curves of a table.

    Rows without a finite error are epochs that were not evaluated, or after the last one that was,
    if other runs of the arm have been there, the end of a run that diverged. Raises UserError for a
    column that is missing or holds no numbers, for runs that cannot be told apart, and where no run
    has two epochs with an error.
    """
    table, columns = table.reset_index(drop=True), with_defaults(table, columns)
    rows = numbered(table, columns)
    rows, notes = without_repeats(rows, table, columns)
    arms = {str(arm): of_arm(of_rows, columns) for arm, of_rows in rows.groupby("arm", sort=False)}
    kept = {arm: curves for arm, (curves, _, _) in arms.items() if curves is not None}
    for arm, (curves, _, notes_of_arm) in arms.items():
        notes += [f"{arm}: {note}" for note in notes_of_arm]
        if curves is None:
            notes.append(f"{arm} is left out: none of its runs has two epochs with an error.")
    if not kept:
        raise UserError(no_curves(rows, columns))
    labels = natural_sorted(rows["label"])
    number = {label: place for place, label in enumerate(labels)}
    curves = pd.concat(list(kept.values()), ignore_index=True)
    curves["seed"] = curves["label"].map(number)
    curves["run"] = curves["arm"] + ", " + curves["label"]
    notes += rising(list(kept.values()), columns)
    assert columns.signals is not None
    sums = [name for name, (parts, _) in DERIVED.items() if set(parts) <= set(columns.signals)]
    return TableCurves(
        curves.drop(columns="label"),
        columns,
        (*columns.signals, *sums),
        {arm: epochs for arm, (_, epochs, _) in arms.items() if arm in kept},
        dict(enumerate(labels)),
        notes,
    )


def with_defaults(table: pd.DataFrame, columns: TableColumns) -> TableColumns:
    """The columns with defaults filled in; raises UserError for one that the table lacks, or that
    rules may not see."""
    names = [str(name) for name in table.columns]
    counts = [name for step in STEPS for name in names if name.lower() == step]
    evaluated = table[table[columns.error].notna()] if columns.error in names else table
    epoch = columns.epoch or next((name for name in counts if evaluated[name].notna().any()), "".join(counts[:1]))
    if not epoch:
        raise UserError(f"No column of the table counts epochs or steps; name it with --epoch. {columns_named(names)}")
    run = columns.run or tuple(name for name in (RUN, FILE) if name in names)[:1]
    given = columns.signals
    signals = tuple(name for name in LABEL_FREE if name in names and name not in DERIVED) if given is None else given
    used = (columns.error, *run, *signals, *columns.higher, epoch, *filter(None, [columns.train_error]))
    for name in used:
        check_present(name, names)
    for name in signals:
        if name in (columns.error, columns.train_error, epoch, *run):
            raise UserError(f"{name!r} is named as a signal and as something else; rules may see signals alone.")
        if name in BY_NAME and not BY_NAME[name].label_free:
            raise UserError(f"{name!r} cannot be a signal: it is measured with 3D labels, which no stop rule may see.")
    stray = [name for name in columns.higher if name not in signals]
    if stray:
        raise UserError(f"{stray[0]!r} is higher when better, but no signal; name it with --signals too.")
    return replace(columns, epoch=epoch, run=run, signals=signals)


def check_present(name: str, names: Sequence[str]) -> None:
    """Raise UserError, with the names that exist and the nearest, for a column that is missing."""
    if name not in names:
        near = difflib.get_close_matches(name.lower(), [other.lower() for other in names], 1, 0.5)
        nearest = next((other for other in names if near and other.lower() == near[0]), "")
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        raise UserError(f"The table has no column {name!r}.{hint} {columns_named(names)}")


def columns_named(names: Sequence[str]) -> str:
    """The columns of a table, as a sentence."""
    shown = ", ".join(names[: 5 * MOST_NAMED]) + (" …" if len(names) > 5 * MOST_NAMED else "")
    return f"It has {shown}; give a table with a row a run and epoch."


def numbered(table: pd.DataFrame, columns: TableColumns) -> pd.DataFrame:
    """The rows with their arm and the label of their run as text, their epoch, and numbers."""
    assert columns.signals is not None
    keys = [table[name].astype("string").str.strip().fillna("") for name in columns.run]
    rows = pd.DataFrame({"arm": ONE_ARM, "label": "the run", "step": numbers(table, columns.epoch)}, index=table.index)
    if keys:
        rows["label"] = keys[-1].astype(object)
    if len(keys) > 1:
        rows["arm"] = pd.concat(keys[:-1], axis="columns").agg(", ".join, axis="columns").astype(object)
    rows[HEADLINE_METRIC] = numbers(table, columns.error)
    rows[TRAIN_METRIC] = numbers(table, columns.train_error or columns.error)
    for name in columns.signals:
        rows[name] = numbers(table, name) * (-1 if name in columns.higher else 1)
    if rows["step"].isna().all():
        raise UserError(f"The column {columns.epoch!r} has no number; give the one that counts epochs with --epoch.")
    return rows.dropna(subset="step")


def numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as numbers; raises UserError, with the first, for one that holds texts."""
    values = table[name]
    if isinstance(values, pd.DataFrame):
        raise UserError(f"The table has several columns {name!r}; keep one.")
    if not is_numeric_dtype(values):
        texts = values.astype("string").str.strip()
        values = pd.to_numeric(texts.where(~texts.str.lower().isin(["", "nan", "none", "null", "-"])), errors="coerce")
        wrong = texts[values.isna() & texts.notna() & ~texts.str.lower().isin(["", "nan", "none", "null", "-"])]
        if len(wrong):
            raise UserError(f"The column {name!r} holds {wrong.iloc[0]!r}, which is no number.")
    return values.astype(float)


def without_repeats(rows: pd.DataFrame, table: pd.DataFrame, columns: TableColumns) -> tuple[pd.DataFrame, list[str]]:
    """The rows with each epoch of a run once, the later one, and a note on how many were repeated.

    Raises UserError where another column tells the repeated rows apart: it names runs too.
    """
    evaluated = rows[rows[HEADLINE_METRIC].notna()]
    keys = ["arm", "label", "step"]
    same = evaluated.duplicated([*keys, HEADLINE_METRIC])
    differ = evaluated[~same].duplicated(keys, keep=False)
    if differ.any():
        places = evaluated[~same].index[differ]
        used = {columns.error, columns.epoch, columns.train_error, *columns.run, *(columns.signals or ())}
        for name in (str(name) for name in table.columns if str(name) not in used):
            values = table.loc[places, name]
            if values.isna().any() or values.nunique() > 0.5 * len(values):  # a measurement, or a time
                continue
            if not evaluated.loc[places].assign(other=values.to_numpy()).duplicated([*keys, "other"]).any():
                raise UserError(
                    f"Runs cannot be told apart: {len(places)} rows share their run and {columns.epoch!r} and have other errors."
                    f" The column {name!r} tells them apart; give --run {' '.join((*columns.run[:-1], *columns.run[-1:], name))}."
                )
    repeated = int(evaluated.duplicated(keys).sum())
    if not repeated:
        return rows, []
    if repeated > 0.5 * len(evaluated):
        raise UserError(
            f"Runs cannot be told apart: of {len(evaluated)} rows with an error, {repeated} repeat an epoch of their run. Name"
            " the columns that tell runs apart with --run, such as --run method seed."
        )
    dropped = evaluated.index[evaluated.duplicated(keys, keep="last")]
    return rows.drop(index=dropped), [f"{repeated} rows repeat an epoch of a run: the later ones hold."]


def of_arm(rows: pd.DataFrame, columns: TableColumns) -> tuple[pd.DataFrame | None, list[Any], list[str]]:
    """The curves of an arm, its epochs, and notes on runs and epochs that are left out; no curves
    where no run has two epochs.

    Epochs are those that all runs have up to the end of the shortest. What a signal has logged
    between two of them is averaged.
    """
    finite = rows[np.isfinite(rows[HEADLINE_METRIC])]
    evaluated = {label: set(of_run["step"]) for label, of_run in finite.groupby("label", sort=False)}
    grid = set().union(*evaluated.values())
    reached = {label: of_run.loc[of_run["step"].isin(grid), "step"].max() for label, of_run in rows.groupby("label", sort=False)}
    ends = {label: max(steps) for label, steps in evaluated.items()}
    diverged = [label for label, end in reached.items() if np.isfinite(end) and end > ends.get(label, -np.inf)]
    whole = {label: steps for label, steps in evaluated.items() if label not in diverged}
    longest = max(map(len, whole.values()), default=0)
    short = [str(label) for label, steps in whole.items() if len(steps) < SHORT_SHARE * longest]
    whole = {label: steps for label, steps in whole.items() if label not in short}
    common = sorted(set.intersection(*whole.values())) if whole else []
    if len(common) < 2:
        return None, [], []
    left = (
        f"run {short[0]} is left out, which has"
        if len(short) == 1
        else f"runs {listed(short, MOST_NAMED)} are left out, which have"
    )
    notes = [f"{left} less than half of the epochs of the longest run."] if short else []
    end = min(map(max, whole.values()))
    until = {step for steps in whole.values() for step in steps if step <= end}
    if len(common) < len(until):
        notes.append(f"{len(until) - len(common)} of {len(until)} epochs are left out, which not all of its runs have.")
    if max(map(max, whole.values())) > common[-1]:
        notes.append(f"runs end at different epochs; all are compared up to {columns.epoch} {common[-1]:g}.")
    curves = [run_on(common, of_run, str(label) in diverged) for label, of_run in rows.groupby("label", sort=False)]
    kept = pd.concat([curve for curve in curves if len(curve) and curve["label"].iloc[0] not in short], ignore_index=True)
    return kept, [int(step) if step == int(step) else step for step in common], notes


def run_on(grid: Sequence[float], rows: pd.DataFrame, diverged: bool) -> pd.DataFrame:
    """One run at the epochs of its arm; one that diverged up to the first without an error, where
    it has none."""
    place = np.searchsorted(grid, rows["step"].to_numpy(float))  # a row belongs to the next epoch of the grid
    inside = rows[place < len(grid)].assign(epoch=place[place < len(grid)] + 1)
    measured = [name for name in inside.columns if name not in ("arm", "label", "step", "epoch", HEADLINE_METRIC, TRAIN_METRIC)]
    values = inside.replace([np.inf, -np.inf], np.nan).groupby("epoch")[measured].mean()
    at = inside[inside["step"].isin(list(grid))].drop_duplicates("step", keep="last").set_index("epoch")
    curve = at[["arm", "label", HEADLINE_METRIC, TRAIN_METRIC]].join(values).sort_index().reset_index()
    curve["status"] = "ok"
    if diverged and len(curve):
        lost = ~np.isfinite(curve[HEADLINE_METRIC].to_numpy(float))
        curve = curve.iloc[: int(lost.argmax()) + 1 if lost.any() else len(curve)].copy()
        curve.loc[curve.index[-1], "status"] = "diverged"
    return curve


def rising(arms: Sequence[pd.DataFrame], columns: TableColumns) -> list[str]:
    """A note where the error ends higher than it starts in every run, as a score does that is
    higher when better."""
    ends = pd.concat(arms).groupby(["arm", "label"])[HEADLINE_METRIC].agg(["first", "last"])
    if not (ends["last"] > ends["first"]).all():
        return []
    return [
        f"{columns.error!r} ends higher than it starts in every run, and it is taken for an error, lower when better. Give a"
        " score, such as an accuracy or PCK, as 1 minus its value, or 100 minus it in percent."
    ]


def no_curves(rows: pd.DataFrame, columns: TableColumns) -> str:
    """Why no run of a table can be used."""
    num_runs = rows.groupby(["arm", "label"]).ngroups
    finite = np.isfinite(rows[HEADLINE_METRIC])
    if not finite.any():
        return (
            f"No run has an error: none of the {len(rows)} values of {columns.error!r} is a finite number, as after"
            f" {'its' if num_runs == 1 else 'their'} loss diverged; nothing can be compared."
        )
    last = rows[finite].groupby(["arm", "label"])["step"].nunique()
    if (last < 2).all() and rows[~finite].groupby(["arm", "label"]).ngroups == num_runs:
        return (
            f"All {num_runs} runs diverged: none has two epochs at which {columns.error!r} is a finite number; nothing can be"
            " compared."
        )
    if (last < 2).all():
        now = " ".join(columns.run) or "none"
        return (
            f"Each of {num_runs} runs has one epoch with {columns.error!r}: there is no moment to choose. Give curves with an"
            f" error at several epochs, or name the columns that tell runs apart with --run (now: {now})."
        )
    return (
        f"No two epochs have {columns.error!r} in all runs of an arm that did not diverge; give runs that were evaluated at the"
        f" same values of {columns.epoch!r}, or another --epoch."
    )
