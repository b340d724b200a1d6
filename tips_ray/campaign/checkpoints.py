"""One run under a campaign's storage.

A run's folder holds `curve.parquet` (all its rows so far), of the epochs that are kept
`weights/epoch-NNNNN.pt` (the lifter) and `lifted/epoch-NNNNN.npy` (the depths that it lifts of a
few training views, see `tips_ray.stability.agreement`), `moments.pt` (mean and covariance of the
keypoints that it is trained on), and the states of its last two epochs, `state-0.pt` and
`state-1.pt` (what the next epoch depends on, and all rows so far). The state is
written last: a run that dies in between repeats one epoch, gets the same numbers, and writes the
same row again. If a state was damaged on disk, the run continues from the one before it; a curve
and weights that were damaged are made anew from a state.
"""

import io
import logging
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import torch

from tips_ray.config import KeepWeights
from tips_ray.errors import UserError
from tips_ray.lifting.evaluate import keypoint_moments, lifted_depths
from tips_ray.lifting.run import DamagedStateError, Run
from tips_ray.lifting.train import Epoch, next_epochs
from tips_ray.stability.early import has_ended
from tips_ray.stability.stopping import CausalRule
from tips_ray.stability.teachers import read_cards
from tips_ray.store.curves import CURVE, RUNS, DamagedCurveError, read_curve, run_name
from tips_ray.store.lifted import lifted_bytes, lifted_name
from tips_ray.store.names import epoch_file
from tips_ray.store.storage import Storage

ROWS = "rows"
WEIGHTS = "weights"
MOMENTS = "moments.pt"
SUFFIX = ".pt"
log = logging.getLogger(__name__)


class StoredRun:
    """One run of a campaign: continues from what its folder holds, and stores every epoch before it
    is reported."""

    def __init__(
        self,
        storage: Storage,
        arm: str,
        run: Run,
        keep_weights: KeepWeights | None = None,
        stop: CausalRule | None = None,
    ) -> None:
        """`run` is a new one, which is brought to the newest whole state in its folder; a `stop`
        rule may end it."""
        name = run_name(arm, run.seed)
        self.keys = {"arm": arm, "run": name, "seed": run.seed}
        self.campaign, self.folder = storage, storage / RUNS / name
        self.dataset, self.keep_weights = run.dataset, keep_weights or KeepWeights()
        self.stop = stop
        self.rows: list[dict[str, Any]] = []
        self.signed_depths: np.ndarray | None = None
        """What the epoch that was trained last lifts (views, 16) in mm, with the sign that anatomy
        voted for."""
        self.taught = taught_epochs(storage, name)
        self.notices: list[str] = []
        """Sentences for the user: which files were damaged, and how the run continues."""
        self.run = self._resume(run)
        if not self.folder.exists(MOMENTS):
            mean, covariance = keypoint_moments(self.dataset.train)
            self.folder.write(MOMENTS, packed({"mean": mean, "covariance": covariance}))

    @property
    def num_epochs(self) -> int:
        """Epochs trained and stored so far."""
        return len(self.rows)

    @property
    def diverged(self) -> bool:
        """Whether the run has ended for good."""
        return bool(self.rows) and self.rows[-1]["status"] == "diverged"

    @property
    def ended(self) -> bool:
        """Whether the run has diverged, or the stop rule has ended it."""
        return self.diverged or (self.stop is not None and bool(self.rows) and has_ended(self.stop, self.rows))

    def advance(self) -> dict[str, Any]:
        """Train the next epoch, store it, and return its row."""
        (epoch,) = next_epochs([self.run])
        return self.store(epoch)

    def store(self, epoch: Epoch) -> dict[str, Any]:
        """Store the epoch that was trained last, and return its row."""
        row = {**self.keys, "epoch": epoch.number, **epoch.row}
        self.rows.append(row)
        self.folder.write(weights_name(epoch.number), packed(self._kept(epoch.run.lifter.state_dict())))
        depths = lifted_depths(epoch.run.lifter, self.dataset)
        self.signed_depths = depths * row.get("depth_sign", np.nan)
        self.folder.write(lifted_name(epoch.number), lifted_bytes(depths))
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

    def _resume(self, run: Run) -> Run:
        """A run after the newest whole state, with rows, curve and weights as they were then; a new
        run if there is none.

        Raises UserError for a state of another config or seed.
        """
        present = [name for name in self.folder.names() if name in (state_name(0), state_name(1))]
        if not present:
            return run
        for folder in (self.folder, self.folder / WEIGHTS):
            folder.sweep()
        read = {name: unpacked(self.folder.read(name)) for name in present}
        states = {name: state for name, state in read.items() if state and is_state(state)}
        loaded: dict[str, Any] | None = None
        for name in sorted(states, key=lambda name: states[name]["epoch"], reverse=True):
            try:
                run.load_state(states[name])
            except DamagedStateError:
                del states[name]
                run = Run(run.config, run.dataset, run.seed, run.teachers)  # the state may have been loaded in part
            else:
                loaded = states[name]
                break
        continued = f"continues after epoch {loaded['epoch']}" if loaded else "starts again"
        for name in (name for name in present if name not in states):
            self._notify(f"{self.folder / name} was damaged, and the run {continued}.")
        if loaded is None:
            return run
        self.rows = loaded[ROWS]
        for state in states.values():
            self._repair_weights(state, newest=state is loaded)
        self._repair_curve()
        if run.streams_renewed and not self.diverged:
            self._notify(
                f"Runs of {self.keys['arm']} were trained on another kind of device (a CPU or a GPU); they continue with random"
                " streams made anew, in each run from the epoch on where its column streams_renewed is 1."
            )
        return run

    def _repair_weights(self, state: dict[str, Any], newest: bool) -> None:
        name = weights_name(state["epoch"])
        was_last = newest and not self.folder.exists(weights_name(state["epoch"] + 1))
        if not was_last and not self._keeps(state["epoch"]):
            return
        try:
            whole = form_of(unpacked(self.folder.read(name)) or {}) == form_of(state["lifter"])
        except FileNotFoundError:
            whole = False
        if not whole:
            self.folder.write(name, packed(self._kept(state["lifter"])))
            self._notify(f"{self.folder / name} was missing or damaged, and was made anew from the run's state.")

    def _repair_curve(self) -> None:
        """Make the curve anew if it lacks rows that were reported; rows beyond the state's will be
        written again."""
        try:
            curve = read_curve(self.campaign, self.keys["run"])
            whole = curve is not None and len(curve) >= len(self.rows)
        except DamagedCurveError:
            whole = False
        if not whole:
            self.folder.write_table(CURVE, pd.DataFrame(self.rows))
            self._notify(f"{self.folder / CURVE} was missing or damaged, and was made anew from the run's state.")

    def _notify(self, sentence: str) -> None:
        log.warning(sentence)
        self.notices.append(sentence)


def read_moments(run: Storage) -> tuple[np.ndarray, np.ndarray]:
    """Mean (32,) and covariance (32, 32) of the keypoints that a run was trained on."""
    try:
        moments = unpacked(run.read(MOMENTS))
    except FileNotFoundError:
        moments = None
    if moments is None or form_of(moments) is None or set(moments) != {"mean", "covariance"}:
        raise UserError(f"'{run / MOMENTS}' is missing or damaged; delete it and train the run for an epoch more.")
    return moments["mean"].numpy(), moments["covariance"].numpy()


def taught_epochs(folder: Storage, run: str) -> set[int]:
    """Epochs of a run whose weights teach a student of its campaign, by the teacher cards: they are
    kept."""
    lessons = [lesson for card in read_cards(folder).values() for lesson in card.lessons if lesson.run == run]
    return {int(epoch) for lesson in lessons for epoch in lesson.checkpoints}


def weights_name(epoch: int) -> str:
    """File of the lifter's weights after an epoch, inside a run's folder."""
    return f"{WEIGHTS}/{epoch_file(epoch, SUFFIX)}"


def state_name(epoch: int) -> str:
    """File of the run's state after an epoch, inside its folder; it takes the place of the one of
    two epochs before."""
    return f"state-{epoch % 2}.pt"


def is_state(content: dict[str, Any]) -> bool:
    """Whether a file's content has what this module reads of a run's state."""
    epoch, rows, lifter = (content.get(name) for name in ("epoch", ROWS, "lifter"))
    return (
        isinstance(epoch, int)
        and isinstance(rows, list)
        and len(rows) == epoch > 0
        and all(isinstance(row, dict) and "status" in row for row in rows)
        and isinstance(lifter, dict)
        and form_of(lifter) is not None
    )


def form_of(weights: dict[str, Any]) -> dict[str, torch.Size] | None:
    """Names and shapes of a network's weights; None if there is anything else than numbers of
    floating point."""
    ordinary = [
        isinstance(name, str) and isinstance(value, torch.Tensor) and value.is_floating_point() and value.layout == torch.strided
        for name, value in weights.items()
    ]
    return {name: value.shape for name, value in weights.items()} if all(ordinary) else None


def packed(value: object) -> bytes:
    """A state dictionary as bytes that `torch.load(weights_only=True)` reads."""
    sink = io.BytesIO()
    torch.save(value, sink)
    return sink.getvalue()


def unpacked(content: bytes) -> dict[str, Any] | None:
    """What `packed` was given, on the CPU; None if the bytes are not whole, by the checksums among
    them, or are of anything else than a dictionary."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.testzip() or any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                return None
        value = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # zipfile and torch have no common kind of error for content that they cannot read
        return None
    return value if isinstance(value, dict) else None
