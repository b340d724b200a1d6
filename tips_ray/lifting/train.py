"""Adversarial training of part generators, an epoch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tips_ray.config import Config
from tips_ray.data.dataset import Dataset
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.measured import lifted_now, measured
from tips_ray.lifting.numerics import computed
from tips_ray.lifting.run import Run
from tips_ray.lifting.together import Together


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
    while True:
        (epoch,) = next_epochs([run])
        yield epoch
        if epoch.diverged:
            return


def next_epochs(runs: Sequence[Run], together: Together | None = None) -> list[Epoch]:
    """Train and measure the next epoch of some runs of a config, all after the same one: one after
    the other, or all `together`, of which they are the runs."""
    vmapped = together.vmapped if together else runs[0].dataset.train.keypoints.is_cuda
    with computed(runs[0].config.numerics):
        before = {run: lifted_now(run) for run in runs if run.epoch}
        rows = together.train_epoch() if together else [run.train_epoch() for run in runs]
        found = measured([run for run, row in zip(runs, rows, strict=True) if row["status"] == "ok"], before, vmapped)
    return [Epoch(run.epoch, row | found.get(run, {}), run) for run, row in zip(runs, rows, strict=True)]
