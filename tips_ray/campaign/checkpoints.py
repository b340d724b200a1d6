"""One run under a campaign's storage.

A run's folder holds `curve.parquet` (all its rows so far), of the epochs that are kept
`weights/epoch-NNNNN.pt` (the lifter) and `lifted/epoch-NNNNN.npy` (what it makes of a few training
views, see `tips_ray.stability.agreement`), and the states of its last two epochs, `state-0.pt` and
`state-1.pt` (what the next epoch depends on, and all rows so far). The state is written last: a run
that dies in between repeats one epoch, gets the same numbers, and writes the same row again. A
state that was damaged on disk gives way to the one before it; from a state, a curve and weights
that were damaged are made anew.
"""

import io
import logging
import zipfile
from typing import Any

import pandas as pd
import torch

from tips_ray.config import KeepWeights
from tips_ray.lifting.evaluate import witnessed
from tips_ray.lifting.train import Run, train_epochs
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.lifted import lifted_bytes, lifted_name
from tips_ray.store.measurements import read_cards
from tips_ray.store.storage import Storage

ROWS = "rows"
log = logging.getLogger(__name__)


class StoredRun:
    """One run of a campaign: continues from what its folder holds, and stores every epoch before it
    is reported."""

    def __init__(self, storage: Storage, arm: str, run: Run, keep_weights: KeepWeights | None = None) -> None:
        """`run` is a new one, which is brought to the newest state in its folder."""
        name = run_name(arm, run.seed)
        self.keys = {"arm": arm, "run": name, "seed": run.seed}
        self.folder = storage / RUNS / name
        self.dataset, self.keep_weights = run.dataset, keep_weights or KeepWeights()
        self.rows: list[dict[str, Any]] = []
        self.taught = taught_epochs(storage, name)
        self.repaired: list[str] = []
        """What was found damaged in the folder, and what was done about it, in sentences."""
        state = self._resume()
        if state is not None:
            run.load_state(state)
        self.epochs = train_epochs(run)

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
        self.folder.write(weights_name(epoch.number), packed(self._kept(epoch.run.lifter.state_dict())))
        self.folder.write(lifted_name(epoch.number), lifted_bytes(witnessed(epoch.run.lifter, self.dataset)))
        if not self._keeps(epoch.number - 1):  # before the curve: a run whose curve is whole is not continued
            for name in (weights_name, lifted_name):
                self.folder.delete(name(epoch.number - 1))
        self.folder.write_table(CURVE, pd.DataFrame(self.rows))
        self.folder.write(state_name(epoch.number), packed({**epoch.run.state(), ROWS: self.rows}))
        return row

    def _keeps(self, epoch: int) -> bool:
        return epoch % self.keep_weights.every == 0 or epoch in self.taught

    def _kept(self, lifter: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        precision = getattr(torch, self.keep_weights.precision)
        return {name: value.to(precision) for name, value in lifter.items()}

    def _resume(self) -> dict[str, Any] | None:
        """The newest state that is whole, with rows, curve and weights as they were after it; None
        for a new run."""
        present = [name for name in self.folder.names() if name in (state_name(0), state_name(1))]
        if not present:
            return None
        for folder in (self.folder, self.folder / "weights"):
            folder.sweep()
        read = {name: unpacked(self.folder.read(name)) for name in present}
        states = sorted((state for state in read.values() if state), key=lambda state: state["epoch"], reverse=True)
        for name in (name for name, state in read.items() if not state):
            continued = f"continues after epoch {states[0]['epoch']}" if states else "starts again"
            self._say(f"{self.folder / name} was damaged, and the run {continued}.")
        if not states:
            return None
        self.rows = states[0].pop(ROWS)
        for age, state in enumerate(states):
            self._repair_weights(state, newest=age == 0)
        self._repair_curve()
        return states[0]

    def _repair_weights(self, state: dict[str, Any], newest: bool) -> None:
        name = weights_name(state["epoch"])
        was_last = newest and not self.folder.exists(weights_name(state["epoch"] + 1))
        if not was_last and not self._keeps(state["epoch"]):
            return
        try:
            whole = unpacked(self.folder.read(name)) is not None
        except FileNotFoundError:
            whole = False
        if not whole:
            self.folder.write(name, packed(self._kept(state["lifter"])))
            self._say(f"{self.folder / name} was missing or damaged, and was made anew from the run's state.")

    def _repair_curve(self) -> None:
        """Make the curve anew if it lacks rows that were reported; rows beyond the state's will be
        written again."""
        try:
            whole = len(self.folder.read_table(CURVE)) >= len(self.rows)
        except (ValueError, FileNotFoundError):
            whole = False
        if not whole:
            self.folder.write_table(CURVE, pd.DataFrame(self.rows))
            self._say(f"{self.folder / CURVE} was missing or damaged, and was made anew from the run's state.")

    def _say(self, sentence: str) -> None:
        log.warning(sentence)
        self.repaired.append(sentence)


def taught_epochs(folder: Storage, run: str) -> set[int]:
    """Epochs of a run whose weights teach a student of its campaign, by the teacher cards: they are
    kept."""
    lessons = [lesson for card in read_cards(folder).values() for lesson in card["lessons"] if lesson["run"] == run]
    return {int(epoch) for lesson in lessons for epoch in lesson["checkpoints"]}


def weights_name(epoch: int) -> str:
    """File of the lifter's weights after an epoch, inside a run's folder."""
    return f"weights/epoch-{epoch:05d}.pt"


def state_name(epoch: int) -> str:
    """File of the run's state after an epoch, inside its folder; it takes the place of the one of
    two epochs before."""
    return f"state-{epoch % 2}.pt"


def packed(value: dict[str, Any]) -> bytes:
    """A state dictionary as bytes that `torch.load(weights_only=True)` reads."""
    sink = io.BytesIO()
    torch.save(value, sink)
    return sink.getvalue()


def unpacked(content: bytes) -> dict[str, Any] | None:
    """What `packed` was given; None if the bytes are not whole, by the checksums among them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.testzip():
                return None
    except zipfile.BadZipFile:
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
