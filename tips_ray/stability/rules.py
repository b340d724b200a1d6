"""The kinds of stop rules: last and fixed epochs, averages of weights, bands, plateaus, and the
lowest of label-free signals.

A rule sees the epochs up to now and no later ones. `rule_sets` has the rules that are compared.
"""

from dataclasses import dataclass

import numpy as np

from tips_ray.columns import short_name
from tips_ray.stability.stopping import Curve, Window

WARMUP_SHARE = 0.1
"""Share of the epochs, at the start, in which `Lowest` does not look for the lowest value: a signal
such as consistency can be low before the lifter has learnt anything."""


@dataclass(frozen=True)
class Last:
    """The last epoch, whatever the curve looks like (the paper's "final weight")."""

    name: str = "last epoch"
    columns: tuple[str, ...] = ()

    def __call__(self, curve: Curve) -> Window:
        """The last epoch."""
        return Window(len(curve), len(curve))


@dataclass(frozen=True)
class Fixed:
    """An epoch that is fixed before training; raises ValueError for a shorter curve."""

    epoch: int
    label: str = ""
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """With the epoch."""
        return self.label or f"epoch {self.epoch}"

    def __call__(self, curve: Curve) -> Window:
        """That epoch."""
        return curve.check(Window(self.epoch, self.epoch))

    def ended(self, curve: Curve) -> Window | None:
        """That epoch, from it on."""
        return Window(self.epoch, self.epoch) if len(curve) >= self.epoch else None


@dataclass(frozen=True)
class Average:
    """The weights averaged over the last `length` epochs (Izmailov et al., UAI 2018), or an
    exponential moving average.

    The moving average's `half_life` is in epochs. Raises ValueError for a curve that is shorter.
    """

    length: int
    half_life: float | None = None
    label: str = ""
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """With the length, or the half-life."""
        return self.label or (
            f"average of {self.length}" if self.half_life is None else f"moving average, half-life {self.half_life:g}"
        )

    def __call__(self, curve: Curve) -> Window:
        """The last epochs."""
        curve.check(Window(self.length, self.length))
        return Window(len(curve) - self.length + 1, len(curve), self.half_life)


@dataclass(frozen=True)
class GuardedAverage:
    """The weights averaged over the last `length` epochs, unless each of the `signals` has become
    worse since the first of them was lowest.

    The other window are the `length` epochs over which the mean of the first signal is lowest,
    epochs before WARMUP_SHARE left out. It is taken where the means of all signals are higher at
    the end by more than the share `tolerance`. Raises ValueError for a curve that is shorter.
    """

    length: int
    signals: tuple[str, ...]
    label: str
    tolerance: float = 0.1

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    @property
    def columns(self) -> tuple[str, ...]:
        """The signals."""
        return self.signals

    def __call__(self, curve: Curve) -> Window:
        """The last epochs, or the others."""
        curve.check(Window(self.length, self.length))
        means = trailing_mean(np.stack([curve[column] for column in self.signals]), self.length)
        start = max(int(WARMUP_SHARE * len(curve)), self.length - 1)
        lowest = start + int(np.nan_to_num(means[0, start:], nan=np.inf).argmin())
        worse = (means[:, -1] > (1 + self.tolerance) * means[:, lowest]).all()
        last = lowest + 1 if worse else len(curve)
        return Window(last - self.length + 1, last)


@dataclass(frozen=True)
class Band:
    """Stop when a signal leaves a band, from `low` to `high`: the discriminator has become too
    strong, or too weak.

    The epoch before the first `patience` epochs in a row that are outside, after the signal has
    been inside; the last epoch if there are none. Section 4.3 of the paper names this rule, and
    doubts that it helps.
    """

    column: str
    low: float
    high: float
    patience: int

    @property
    def name(self) -> str:
        """With the signal and its band."""
        return f"{short_name(self.column)} leaves {self.low:g}–{self.high:g}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The signal."""
        return (self.column,)

    def __call__(self, curve: Curve) -> Window:
        """The epoch before the signal leaves the band."""
        return self.ended(curve) or Window(len(curve), len(curve))

    def ended(self, curve: Curve) -> Window | None:
        """That epoch, from the last of the `patience` epochs outside on."""
        values = curve[self.column]
        inside = (values >= self.low) & (values <= self.high)
        entered = np.logical_or.accumulate(inside)
        outside = run_lengths(entered & ~inside)
        stops = np.flatnonzero(outside == self.patience)
        return _epoch(int(stops[0]) + 1 - self.patience) if len(stops) else None


@dataclass(frozen=True)
class Plateau:
    """Stop when the lowest smoothed value has not fallen by more than a share of itself,
    `tolerance`, for `patience` epochs.

    Early stopping as in Prechelt (1998), on a signal instead of a validation error; the last epoch
    if that never happens.
    """

    column: str
    patience: int
    tolerance: float = 0.01
    smooth: int = 1

    @property
    def name(self) -> str:
        """With the signal."""
        return f"{short_name(self.column)} levels off"

    @property
    def columns(self) -> tuple[str, ...]:
        """The signal."""
        return (self.column,)

    def __call__(self, curve: Curve) -> Window:
        """The epoch at which the value has not fallen for `patience` epochs."""
        return self.ended(curve) or Window(len(curve), len(curve))

    def ended(self, curve: Curve) -> Window | None:
        """That epoch, from it on."""
        lowest = np.minimum.accumulate(np.nan_to_num(trailing_mean(curve[self.column], self.smooth), nan=np.inf))
        stalled = lowest[self.patience :] >= lowest[: -self.patience] * (1 - self.tolerance)
        stops = np.flatnonzero(stalled & np.isfinite(lowest[self.patience :]))
        return _epoch(int(stops[0]) + 1 + self.patience) if len(stops) else None


@dataclass(frozen=True)
class Lowest:
    """The epoch at which a signal is lowest, or the mean of several signals' ranks among the run's
    epochs.

    Signals are smoothed by the mean of the last `smooth` epochs, and epochs before WARMUP_SHARE are
    left out. With `average` above 1, the window of so many epochs that ends at that one. The last
    epoch if no signal has a value.
    """

    signals: tuple[str, ...]
    smooth: int = 1
    average: int = 1
    label: str = ""

    @property
    def name(self) -> str:
        """With the signals, or with `label`."""
        return f"lowest {self.label or ' + '.join(map(short_name, self.signals))}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The signals."""
        return self.signals

    def __call__(self, curve: Curve) -> Window:
        """The epoch, or the window that ends there."""
        start = int(WARMUP_SHARE * len(curve))
        values = trailing_mean(np.stack([curve[column] for column in self.signals]), self.smooth)[:, start:]
        score = values[0] if len(values) == 1 else ranks(values).mean(0)
        finite = np.isfinite(values).any(0)
        epoch = start + 1 + int(np.where(finite, score, np.inf).argmin()) if finite.any() else len(curve)
        return Window(max(1, epoch - self.average + 1), epoch)


def _epoch(epoch: int) -> Window:
    return Window(epoch, epoch)


def trailing_mean(values: np.ndarray, length: int) -> np.ndarray:
    """For each place of a row, the mean of the last `length` values up to it, NaN left out; fewer
    at the start of the row."""
    finite = np.isfinite(values)
    total, number = np.where(finite, values, 0.0).cumsum(-1), finite.cumsum(-1)
    for sums in (total, number):
        sums[..., length:] = sums[..., length:] - sums[..., :-length]
    return np.divide(total, number, out=np.full(values.shape, np.nan), where=number > 0)


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value within its row, from 1; equal ones share the mean of their ranks, NaN
    last."""
    from scipy.stats import rankdata  # imported here, since opening a report needs no SciPy

    return rankdata(np.where(np.isnan(values), np.inf, values), axis=1)


def run_lengths(flags: np.ndarray) -> np.ndarray:
    """For each place, the number of consecutive set flags that end there."""
    count = np.arange(1, len(flags) + 1)
    return count - np.maximum.accumulate(np.where(flags, 0, count))
