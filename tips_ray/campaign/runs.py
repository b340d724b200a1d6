"""One run under a campaign's storage.

A run's folder holds `curve.parquet` (all its rows so far), `state.pt` (what the next epoch depends on, of the latest epoch only)
and `weights/epoch-NNNN.pt` (the lifter). They are written in the order weights, curve, state: a run that dies in between repeats
one epoch, gets the same numbers, and writes the same row again.
"""

import io
from typing import Any

import pandas as pd
import torch

from tips_ray.config import Config
from tips_ray.data.views import Dataset
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.train import fit
from tips_ray.stability.curves import CURVE, RUNS, run_name
from tips_ray.storage import Storage

STATE = "state.pt"


class StoredRun:
    """One run of a campaign: continues from what its folder holds, and stores every epoch before it is reported."""

    def __init__(self, storage: Storage, arm: str, seed: int, config: Config, dataset: Dataset) -> None:
        name = run_name(arm, seed)
        self.keys = {"arm": arm, "run": name, "seed": seed}
        self.folder = storage / RUNS / name
        self.config = config
        self.rows: list[dict[str, Any]] = []
        self.epochs = fit(config, dataset, seed, self._read_state())

    @property
    def num_epochs(self) -> int:
        """Epochs trained and stored so far."""
        return len(self.rows)

    @property
    def diverged(self) -> bool:
        """Whether the run has ended for good."""
        return bool(self.rows) and self.rows[-1]["status"] == "diverged"

    def advance(self) -> dict[str, Any]:
        """Train the next epoch, store it, and return its row."""
        epoch = next(self.epochs)
        row = {**self.keys, "epoch": epoch.number, **epoch.row}
        self.rows.append(row)
        self.folder.write(weights_name(epoch.number), packed(self._kept(epoch.run.lifter)))
        self.folder.write_table(CURVE, pd.DataFrame(self.rows))
        self.folder.write(STATE, packed(epoch.run.state()))
        before = epoch.number - 1
        if before % self.config.keep_weights_every and self.folder.exists(weights_name(before)):
            self.folder.delete(weights_name(before))
        return row

    def _kept(self, lifter: Lifter) -> dict[str, torch.Tensor]:
        precision = getattr(torch, self.config.keep_weights_in)
        return {name: value.to(precision) for name, value in lifter.state_dict().items()}

    def _read_state(self) -> dict[str, Any] | None:
        """Load the rows up to the last epoch that was stored whole, and that epoch's state; None for a new run."""
        if not self.folder.exists(STATE):
            return None
        state = torch.load(io.BytesIO(self.folder.read(STATE)), map_location="cpu", weights_only=True)
        curve = self.folder.read_table(CURVE)
        self.rows = [dict(row) for row in curve[curve["epoch"] <= state["epoch"]].to_dict("records")]
        return state


def weights_name(epoch: int) -> str:
    """File of the lifter's weights after an epoch, inside a run's folder."""
    return f"weights/epoch-{epoch:05d}.pt"


def packed(value: dict[str, Any]) -> bytes:
    """A state dictionary as bytes that `torch.load(weights_only=True)` reads."""
    sink = io.BytesIO()
    torch.save(value, sink)
    return sink.getvalue()
