"""Curves that other programs wrote: CSV, JSON lines and parquet files, tidy, or as W&B, TensorBoard
and MLflow export them, as one table with a row a run and epoch.

JSON lines are what the loggers of MMEngine and Detectron2 write, an object a row. Exports are known
by their columns. W&B's charts have one column a run, `RUN - METRIC`, beside its
`__MIN` and `__MAX`. MLflow's have one row a value, with `run_id`, `key`, `value`, `step`; so have
tables of TensorBoard's events, with `tag` for `key`. TensorBoard's own files hold one run and one
metric, which their names tell: `run-RUN-tag-METRIC.csv`, with `Wall time`, `Step`, `Value`.
"""

import json
import os
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from tips_ray.errors import UserError

RUN, FILE = "run", "file"
"""Columns that are made: the run that an export names, and the file that a table comes from."""
STEPS = ("epoch", "step", "_step", "global_step", "trainer/global_step", "iteration", "iter", "itr", "kimg")
"""What the column of epochs is called, the likeliest first."""
METRIC_NAMES = ("key", "tag", "metric", "variable")
"""What the column of the metrics' names is called, where each value has a row."""
RUN_NAMES = ("run_id", "run_name", "run", "dir_name", "run_uuid")
SEPARATOR = " - "
RANGES = ("__MIN", "__MAX")
TENSORBOARD = ["Wall time", "Step", "Value"]
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Of the files that are taken from a folder."""


def read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    """The rows of files, or of those in folders with the SUFFIXES, one below the other.

    Exports are reshaped. Where there are several tables, the column `file` has the name of each.
    Raises UserError for files that hold no table.
    """
    files = [file for path in paths for file in (tables_in(path) if path.is_dir() else [path])]
    if not files:
        folders = ", ".join(repr(str(path)) for path in paths)
        raise UserError(f"There is no file of curves ({', '.join(SUFFIXES)}) in {folders}; name the files themselves.")
    tables = {file: read_table(file) for file in files}
    scalars = {file: table for file, table in tables.items() if list(table.columns) == TENSORBOARD}
    if len(scalars) == len(tables):
        return reshaped(pd.concat([of_tensorboard(file, table) for file, table in scalars.items()], ignore_index=True))
    reshaped_tables = {file: reshaped(table) for file, table in tables.items()}
    if len(tables) == 1:
        return reshaped_tables[files[0]]
    named = [
        table if FILE in table else table.assign(file=name)
        for name, table in zip(names_of(files), reshaped_tables.values(), strict=True)
    ]
    return pd.concat(named, ignore_index=True)


def names_of(files: Sequence[Path]) -> list[str]:
    """What tells files apart: their names, or where two are alike, their paths below the folder
    that they share; without what they end in."""
    names = [file.stem for file in files]
    if len(set(names)) < len(names):
        shared = os.path.commonpath([file.absolute() for file in files])
        names = [file.absolute().relative_to(shared).with_suffix("").as_posix() for file in files]
    return names


def tables_in(folder: Path) -> list[Path]:
    """The files of curves in a folder and those below it, sorted."""
    return sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of one file as they stand."""
    try:
        table = READERS.get(path.suffix, read_csv)(path)
    except ValueError as error:
        first_line = str(error).partition("\n")[0]
        raise UserError(
            f"{str(path)!r} is no table of curves ({first_line}); give a .csv file with a header, .jsonl, or .parquet."
        ) from error
    if table.empty:
        raise UserError(f"{str(path)!r} has no rows; give a table with one row a run and epoch.")
    return table.rename(columns=lambda name: str(name).strip())


def read_csv(path: Path) -> pd.DataFrame:
    """The rows of a file whose columns are separated by what its first line has most of: commas,
    semicolons or tabs. Where it is no comma, numbers may have a decimal comma."""
    text = path.read_text(encoding="utf-8-sig")
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    has_decimal_commas = separator != "," and re.search(rf"(^|{separator})-?\d+,\d+({separator}|$)", text, re.MULTILINE)
    return pd.read_csv(StringIO(text), sep=separator, decimal="," if has_decimal_commas else ".")


def read_json(path: Path) -> pd.DataFrame:
    """The rows of a file with a JSON object a line, or of a JSON list of objects; numbers may be
    NaN."""
    text = path.read_text(encoding="utf-8").strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("its rows are no JSON objects")
    return pd.DataFrame(rows)


READERS = {".parquet": pd.read_parquet, ".json": read_json, ".jsonl": read_json}


def of_tensorboard(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """One of TensorBoard's scalar files as rows that name their run and metric."""
    name = re.fullmatch(r"(?:run-)?(?P<run>.*?)[-_]tag[-_](?P<tag>.+)", file.stem)
    run, tag = (name["run"], name["tag"]) if name else (file.parent.name, file.stem)
    return pd.DataFrame({RUN: run, "tag": tag, "step": table["Step"], "value": table["Value"]})


def reshaped(table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column a metric and a row a run and step; one that is no known export stays as
    it is."""
    metric = next((name for name in METRIC_NAMES if name in table), None)
    if metric and "value" in table:
        return by_metric(table, metric)
    runs = [name for name in map(str, table) if SEPARATOR in name and not name.endswith(RANGES)]
    step = next((name for name in map(str, table) if name.lower() in STEPS), None)
    if step and runs and len(runs) == sum(name != step and not name.endswith(RANGES) for name in map(str, table)):
        return by_run(table, step, runs)
    return table


def by_metric(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A column a metric, of a table with a row a value; of a value that stands twice the later
    holds."""
    step = next((name for name in map(str, table) if name.lower() in STEPS), None)
    if step is None:
        raise UserError(f"Each value has a row of its own here, and none says of which step; add a column {STEPS[1]!r}.")
    timed = {metric, "value", step, "timestamp", "wall_time"}
    keys = [name for name in map(str, table) if name not in timed and table[name].notna().all()]
    rows = table.drop_duplicates([*keys, step, metric], keep="last")
    wide = rows.pivot(index=[*keys, step], columns=metric, values="value").reset_index().rename_axis(columns=None)
    run = next((name for name in RUN_NAMES if name in keys), RUN)
    return wide.rename(columns={run: RUN})


def by_run(table: pd.DataFrame, step: str, columns: Sequence[str]) -> pd.DataFrame:
    """A row a run and step, of a table with a column a run and metric; steps that a run has not
    logged are left out."""
    rows: dict[str, dict[str, pd.Series]] = {}
    for column in columns:
        run, metric = column.rsplit(SEPARATOR, 1)
        rows.setdefault(run, {})[metric] = table[column]
    tables = [pd.DataFrame({RUN: run, step: table[step], **metrics}) for run, metrics in rows.items()]
    tidy = pd.concat(tables, ignore_index=True)
    return tidy.dropna(subset=list(dict.fromkeys(name for metrics in rows.values() for name in metrics)), how="all")
