"""Curves as files that other tools read offline, each written by the tool's own library."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tips_ray.errors import UserError
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.store.curves import FIRST_COLUMNS

MOST_AT_ONCE = 1000
"""Values that MLflow takes in one call."""


class RunRows(NamedTuple):
    """One run of a campaign."""

    run: str
    arm: str
    seed: int
    by_epoch: dict[int, dict[str, float]]
    """Its numbers by epoch and column; what is missing is left out."""


def write_curves(campaign: LoadedCampaign, to: str, out: Path) -> Path:
    """Write the curves of a campaign into a folder for a tool (a key of `TRACKERS`); returns what
    was written.

    Raises UserError, before anything is written, where the tool's library is missing.
    """
    return TRACKERS[to](campaign, out)


def write_csv(campaign: LoadedCampaign, out: Path) -> Path:
    """One table, a row a run and epoch; `tips-ray stop` reads it."""
    out.mkdir(parents=True, exist_ok=True)
    campaign.curves.to_csv(out / "curves.csv", index=False)
    return out / "curves.csv"


def write_tensorboard(campaign: LoadedCampaign, out: Path) -> Path:
    """Event files, a folder a run, each column a scalar by epoch."""
    from tensorboardX import SummaryWriter

    for run in runs_of(campaign.curves):
        with SummaryWriter(str(out / run.run)) as writer:
            for epoch, values in run.by_epoch.items():
                for name, value in values.items():
                    writer.add_scalar(name, value, epoch)
    return out


def write_mlflow(campaign: LoadedCampaign, out: Path) -> Path:
    """A database with an experiment of the campaign's name, in which each run has its metrics by
    epoch."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("MLflow's files need the package mlflow-skinny; install it with: pip install mlflow-skinny") from error
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    database = out.resolve() / "mlflow.db"
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.create_experiment(campaign.manifest["name"], artifact_location=(database.parent / "artifacts").as_uri())
    for run in runs_of(campaign.curves):
        made = client.create_run(experiment, run_name=run.run).info
        client.log_batch(made.run_id, params=[Param("arm", run.arm), Param("seed", str(run.seed))])
        metrics = [
            Metric(name, value, made.start_time, epoch)
            for epoch, values in run.by_epoch.items()
            for name, value in values.items()
        ]
        for first in range(0, len(metrics), MOST_AT_ONCE):
            client.log_batch(made.run_id, metrics[first : first + MOST_AT_ONCE])
        client.set_terminated(made.run_id)
    return database


def write_wandb(campaign: LoadedCampaign, out: Path) -> Path:
    """Runs that W&B has logged offline: a project of the campaign's name, a group an arm."""
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("W&B's files need the package wandb; install it with: pip install wandb") from error
    out.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        mode="offline", silent=True, console="off", disable_git=True, disable_code=True, x_disable_meta=True, x_disable_stats=True
    )
    for run in runs_of(campaign.curves):
        config = {"arm": run.arm, "seed": run.seed}
        project = campaign.manifest["name"]
        with wandb.init(project=project, group=run.arm, name=run.run, config=config, dir=out, settings=settings) as logged:
            for epoch, values in run.by_epoch.items():
                logged.log(values, step=epoch)
    wandb.teardown()
    return out / "wandb"


def runs_of(curves: pd.DataFrame) -> Iterator[RunRows]:
    """The runs of a campaign, one after the other."""
    numbers = curves.drop(columns=[name for name in FIRST_COLUMNS if name in curves]).select_dtypes("number")
    for name, places in curves.groupby("run", sort=False).indices.items():
        first = curves.iloc[places[0]]
        by_epoch = {
            int(epoch): {str(column): float(value) for column, value in row.items() if pd.notna(value)}
            for epoch, row in zip(curves["epoch"].iloc[places], numbers.iloc[places].to_dict("records"), strict=True)
        }
        yield RunRows(str(name), str(first["arm"]), int(first["seed"]), by_epoch)


TRACKERS: dict[str, Callable[[LoadedCampaign, Path], Path]] = {
    "csv": write_csv,
    "tensorboard": write_tensorboard,
    "mlflow": write_mlflow,
    "wandb": write_wandb,
}
