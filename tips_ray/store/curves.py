"""The tidy table of a campaign: one row a run and epoch, gathered from the files that its runs
keep."""

import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from tips_ray.errors import UserError
from tips_ray.store.storage import Storage

MANIFEST = "campaign.json"
RUNS = "runs"
CURVE = "curve.parquet"
FIRST_COLUMNS = ["campaign", "arm", "run", "seed", "epoch", "status"]
PARALLEL_READS = 16


class DamagedCurveError(UserError):
    """A curve that was damaged on disk; its run makes it anew when it is continued."""


def run_name(arm: str, seed: int) -> str:
    """The name of a run, and of its folder under `runs/`."""
    return f"{arm}-seed{seed}"


def arm_of(run: str) -> str:
    """The arm of a run, by its name."""
    return run.rpartition("-seed")[0]


def read_curves(storage: Storage, campaign: str, arms: Collection[str] | None = None) -> pd.DataFrame:
    """All rows of all runs under a campaign's storage, or of those of some arms, sorted by arm,
    seed and epoch.

    Columns that an arm lacks are NaN. Raises DamagedCurveError for a curve that is damaged.
    """
    runs = storage / RUNS
    names = [run for run in storage.names(RUNS) if arms is None or arm_of(run) in arms]

    def read(run: str) -> pd.DataFrame | None:
        try:
            return runs.read_table(f"{run}/{CURVE}")
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise DamagedCurveError(
                f"{error} Run the study's command again: it makes the curve anew from the run's state; or delete the file to go"
                " without that run."
            ) from error

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = [table for table in pool.map(read, names) if table is not None]
    if not tables:
        return pd.DataFrame(columns=FIRST_COLUMNS)
    curves = pd.concat(tables, ignore_index=True)
    curves.insert(0, "campaign", campaign)
    others = [name for name in curves.columns if name not in FIRST_COLUMNS]
    return curves[FIRST_COLUMNS + others].sort_values(["arm", "seed", "epoch"], ignore_index=True)


def read_manifest(folder: Storage, file: str = MANIFEST, kind: str = "campaign", maker: str = "study") -> dict[str, Any]:
    """The record of what the campaign in a folder is; raises ValueError if there is none."""
    if not folder.exists(file):
        raise UserError(
            f"There is no {kind} in {str(folder)!r} (no {file}); give the folder that a {maker} printed, STORAGE/NAME."
        )
    return json.loads(folder.read(file))


def write_manifest(folder: Storage, manifest: dict[str, Any], file: str = MANIFEST) -> None:
    """Replace the record of a campaign."""
    folder.write(file, json.dumps(manifest, indent=1).encode())
