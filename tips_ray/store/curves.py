"""The tidy table of a campaign: one row a run and epoch, gathered from the files that its runs
keep."""

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from pandas.api.types import is_complex_dtype, is_integer_dtype, is_numeric_dtype

from tips_ray.errors import UserError
from tips_ray.store.storage import Storage

RUNS = "runs"
CURVE = "curve.parquet"
FIRST_COLUMNS = ["campaign", "arm", "run", "seed", "epoch", "status"]
PARALLEL_READS = 16
RUN = re.compile(r".+-seed\d{1,12}")
"""The name of a run; whatever else lies beside the runs is not read."""
LARGEST_VALUE = 1e100
"""Its square is finite, and more than the square of any float32."""


class DamagedCurveError(UserError):
    """A curve that was damaged on disk; its run makes it anew when it is continued."""


def run_name(arm: str, seed: int) -> str:
    """The name of a run, and of its folder under `runs/`."""
    return f"{arm}-seed{seed}"


def arm_of(run: str) -> str:
    """The arm of a run, by its name."""
    return run.rpartition("-seed")[0]


def read_curves(storage: Storage, campaign: str, arms: Collection[str] | None = None, skip_damaged: bool = False) -> pd.DataFrame:
    """All rows of all runs under a campaign's storage, or of those of some arms, sorted by arm,
    seed and epoch.

    Columns that an arm lacks are NaN. Raises DamagedCurveError for a curve that is damaged, unless
    `skip_damaged` leaves such runs out.
    """
    names = [run for run in storage.names(RUNS) if RUN.fullmatch(run) and (arms is None or arm_of(run) in arms)]
    tables = [curve.assign(run=run) for run, curve in read_runs(storage, names, None, skip_damaged).items()]
    if not tables:
        return pd.DataFrame(columns=FIRST_COLUMNS)
    curves = pd.concat(tables, ignore_index=True)
    curves.insert(0, "campaign", campaign)
    others = [name for name in curves.columns if name not in FIRST_COLUMNS]
    return curves[FIRST_COLUMNS + others].sort_values(["arm", "seed", "epoch"], ignore_index=True)


def read_runs(
    storage: Storage, runs: Collection[str], columns: Collection[str] | None = None, skip_damaged: bool = False
) -> dict[str, pd.DataFrame]:
    """The rows of some runs of a campaign, with all columns or some, by run; those without a curve
    are left out.

    Raises DamagedCurveError for a curve that is damaged, unless `skip_damaged` leaves such runs
    out.
    """

    def read(run: str) -> pd.DataFrame | None:
        try:
            return read_curve(storage, run, columns)
        except DamagedCurveError:
            if skip_damaged:
                return None
            raise

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return {run: curve for run, curve in zip(runs, pool.map(read, runs), strict=True) if curve is not None}


def read_curve(storage: Storage, run: str, columns: Collection[str] | None = None) -> pd.DataFrame | None:
    """The rows of one run of a campaign, with all columns or some; None if it has no curve. Raises
    DamagedCurveError for a curve that is damaged."""
    try:
        curve = storage.read_table(f"{RUNS}/{run}/{CURVE}", columns)
        if fault := fault_of(curve, run):
            raise UserError(f"{str(storage / RUNS / run / CURVE)!r} is damaged ({fault}).")
    except FileNotFoundError:
        return None
    except UserError as error:
        raise DamagedCurveError(
            f"{error} Run the study's command again: it makes the curve anew from the run's state; or delete the file to go"
            " without that run."
        ) from error
    return curve


def fault_of(curve: pd.DataFrame, run: str) -> str:
    """What makes a table no curve of a run, in words; empty for a curve: its keys are the run's,
    its epochs count from 1, and all else are numbers."""
    missing = [name for name in ("arm", "seed", "epoch", "status") if name not in curve]
    if missing:
        return f"it has no column {missing[0]!r}"
    if "campaign" in curve or not curve.columns.is_unique:
        return "it has other columns than a run's"
    for name, value in (("arm", arm_of(run)), ("run", run), ("seed", int(run.rpartition("-seed")[2]))):
        if name in curve and not all(type(entry) is type(value) and entry == value for entry in curve[name].tolist()):
            return f"{name!r} is not {value!r} everywhere"
    if not is_integer_dtype(curve["epoch"]) or curve["epoch"].tolist() != list(range(1, len(curve) + 1)):
        return "its epochs are not 1, 2, and so on"
    *before, last = curve["status"].tolist() or ["ok"]
    if str(last) not in ("ok", "diverged") or any(str(status) != "ok" for status in before):
        return "its status is not ok up to the last epoch, and ok or diverged there"
    for name in curve.columns.difference(FIRST_COLUMNS):
        if not is_numeric_dtype(curve[name]) or is_complex_dtype(curve[name]):
            return f"{name!r} holds what is no number"
        if (curve[name].abs().replace(np.inf, 0.0) > LARGEST_VALUE).any():
            return f"{name!r} holds numbers above {LARGEST_VALUE:g}"
    return ""
