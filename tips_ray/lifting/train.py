"""Adversarial training of part generators, an epoch at a time."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from tips_ray.config import Config
from tips_ray.data.dataset import Dataset
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.evaluate import beside_average, evaluate, lift_views, voters
from tips_ray.lifting.numerics import deterministic
from tips_ray.lifting.run import Run


@dataclass(frozen=True)
class Epoch:
    """What one epoch left: its number (from 1), its row of measurements, and the run as it stands
    after it."""

    number: int
    row: dict[str, Any]
    run: Run

    @property
    def diverged(self) -> bool:
        """Whether training ended here, with a loss or a prediction that is not finite."""
        return self.row["status"] == "diverged"


def fit(
    config: Config, dataset: Dataset, seed: int, state: dict[str, Any] | None = None, teachers: Teachers | None = None
) -> Iterator[Epoch]:
    """Train one run and yield its epochs for as long as the listener asks; ends by itself only when
    training diverges: when a loss, a gradient norm or a prediction is NaN or infinite.

    With the `state` of an earlier epoch's run it continues after that epoch, bit for bit on CPU;
    with one of another kind of device, on random streams made anew (`streams_renewed` is 1).
    Raises ValueError, when its first epoch is asked for, for a batch larger than an epoch, for a
    state of another config, seed or teacher, and for a distilled run without teachers.
    """
    run = Run(config, dataset, seed, teachers)
    if state is not None:
        run.load_state(state)
    yield from train_epochs(run)


def train_epochs(run: Run) -> Iterator[Epoch]:
    """Train a run, from where it stands, and yield its epochs; ends only when training diverges."""
    config, dataset = run.config, run.dataset
    while True:
        with deterministic() if config.numerics.deterministic else nullcontext():
            before = lift_views(run.lifter, voters(dataset)) if run.epoch else None
            row = run.train_epoch()
            if row["status"] != "diverged":
                row |= evaluate(run.lifter, dataset, before)
                if run.trained is not run.lifter:
                    row |= beside_average(run.trained, run.lifter, dataset)
        yield Epoch(run.epoch, row, run)
        if row["status"] == "diverged":
            return
