"""The input and the output of a stop rule: label-free columns of one run's curve, and a window of
its epochs.

A rule chooses weights: those of one epoch, or their average over a window of epochs. It reads the
curve through `Curve`, which has no column that needs labels. `tips_ray.stability.rules` has the
rules, and `tips_ray.stability.regret` measures what they cost.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from tips_ray.columns import DERIVED, HEADLINE_METRIC, LABEL_FREE
from tips_ray.errors import UserError


class LabelledColumnError(ValueError):
    """A rule asked for a column that was made with 3D labels."""


def check_label_free(columns: Iterable[str], signals: Collection[str] = LABEL_FREE) -> None:
    """Raise LabelledColumnError for a column that is not among the `signals`, which are known to be
    free of labels; its message lists them."""
    for column in columns:
        if column not in signals:
            raise LabelledColumnError(
                f"A stop rule asked for {column!r}, which is not known to be free of 3D labels; it may see {', '.join(signals)}."
            )


@dataclass(frozen=True)
class Window:
    """The epochs `first` to `last`, whose weights are averaged; or one epoch.

    With a `half_life`, in epochs, the average is exponential: the last epoch has the largest
    weight, and one that is a half-life older has half of it. Without one, all have the same.
    """

    first: int
    last: int
    half_life: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise UserError(f"A window of the epochs {self.first} to {self.last} is none; epochs count from 1, the first first.")

    @property
    def single(self) -> bool:
        """Whether it is one epoch."""
        return self.first == self.last

    def __str__(self) -> str:
        if self.single:
            return str(self.last)
        decay = "" if self.half_life is None else f", half-life {self.half_life:g}"
        return f"{self.first}–{self.last}{decay}"


class Curve:
    """The label-free columns of one run's curve up to now, which are all that a stop rule reads;
    one value an epoch."""

    def __init__(self, rows: pd.DataFrame, signals: Collection[str] = LABEL_FREE) -> None:
        """`rows` has `epoch` (1, 2, … without gaps) and any columns of the curves, of which rules
        see the `signals`; raises ValueError for other epochs."""
        self.signals = signals
        self.epochs = rows["epoch"].to_numpy(int)
        if len(rows) == 0 or (self.epochs != np.arange(1, len(rows) + 1)).any():
            raise UserError("A stop rule needs a curve with the epochs 1, 2, … in order; this one has gaps, or no rows.")
        self._columns = {name: rows[name].to_numpy(float) for name in signals if name in rows}

    def __len__(self) -> int:
        return len(self.epochs)

    def __contains__(self, column: str) -> bool:
        return column in self.signals and all(self._has_values(name) for name in DERIVED.get(column, ((column,), 1.0))[0])

    def _has_values(self, name: str) -> bool:
        return name in self._columns and bool(np.isfinite(self._columns[name]).any())

    def __getitem__(self, column: str) -> np.ndarray:
        """Values of a column by epoch; raises LabelledColumnError for one that is not label-free,
        KeyError for one it lacks."""
        check_label_free([column], self.signals)
        names, factor = DERIVED.get(column, ((column,), 1.0))
        missing = [name for name in names if name not in self._columns]
        if missing:
            raise KeyError(f"The curve has no column {missing[0]!r}, which the stop rule needs.")
        return np.sum([self._columns[name] for name in names], axis=0) * factor

    def check(self, window: Window) -> Window:
        """The window, if it lies within the curve; raises ValueError if not."""
        if window.last > len(self):
            raise UserError(
                f"The window {window} is outside the curve, which has {len(self)} epochs; train longer, or stop earlier."
            )
        return window


@runtime_checkable
class Rule(Protocol):
    """A stop rule: its name, the columns that it reads, and the window that it chooses in a
    curve."""

    @property
    def name(self) -> str:
        """Its name in reports."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        ...

    def __call__(self, curve: Curve) -> Window:
        """The window that it chooses if training stops at the end of this curve."""
        ...


@runtime_checkable
class CausalRule(Rule, Protocol):
    """A stop rule by which training can be ended while it goes on: a stop stands, whatever comes
    later. Other rules choose among all epochs when training has ended."""

    def ended(self, curve: Curve) -> Window | None:
        """The window, at the first epoch at which the rule knows it and at all later ones; None
        before."""
        ...


@dataclass(frozen=True)
class Oracle:
    """The epoch with the lowest error. It needs 3D labels, so it is no rule; rules are compared
    with it (the paper's Table 1 used it)."""

    name: str = "best epoch (oracle)"
    columns: tuple[str, ...] = (HEADLINE_METRIC,)
