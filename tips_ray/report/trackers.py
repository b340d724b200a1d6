"""Curves as files that other tools read offline."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tips_ray.store.curves import FIRST_COLUMNS


def write_csv(curves: pd.DataFrame, out: Path) -> Path:
    """One table, a row a run and epoch; `tips-ray stop` reads it. Returns what was written."""
    out.mkdir(parents=True, exist_ok=True)
    curves.to_csv(out / "curves.csv", index=False)
    return out / "curves.csv"


def write_tensorboard(curves: pd.DataFrame, out: Path) -> Path:
    """Event files of TensorBoard, a folder a run, each column a scalar by epoch; what is not a
    number is left out. W&B takes them by `wandb sync`. Returns the folder."""
    from tensorboardX import SummaryWriter

    values = curves.drop(columns=[name for name in FIRST_COLUMNS if name in curves]).select_dtypes("number")
    for run, places in curves.groupby("run").indices.items():
        with SummaryWriter(str(out / str(run))) as writer:
            for name, column in values.iloc[places].items():
                for epoch, value in zip(curves["epoch"].iloc[places], column, strict=True):
                    if pd.notna(value):
                        writer.add_scalar(str(name), value, int(epoch))
    return out


TRACKERS: dict[str, Callable[[pd.DataFrame, Path], Path]] = {"csv": write_csv, "tensorboard": write_tensorboard}
