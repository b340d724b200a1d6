"""How steady error curves are over the moment of stopping: distance to the best, drift, jumps, and
whether arms change places.

`errors` is the table that `errors_of` returns: one row an epoch, one column a seed, in mm. The
window is its last half. A value that is not finite counts as missing and is left out, and so is a
seed without any.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.stability.statistics import BEGUN, MARGIN_MM, Interval, errors_of, finite, interval, last_half, regret, runs_of

MARGINS_MM = (1, 2, 5)
"""Distances to a run's best within which epochs are counted."""

MIN_LEVEL = 10
"""Epochs that a level holds at least; what is shorter is an outlier. A curve of less than two
levels can't show a change."""

PENALTY = 3.0
"""Price of a change point in units of noise variance · log(epochs): the main term of the modified
BIC (Zhang & Siegmund 2007)."""

MOST_SLOPED = 1000
"""Epochs that a slope is taken over, evenly chosen from more: it compares each two of them."""

NOISE_FLOOR_MM = 0.01
"""Noise is taken to be at least this, so that rounding in a flat curve is no change."""

MAX_CORRELATION = 0.9
"""Noise that is correlated more than this from epoch to epoch can't be told from a moving level."""


@dataclass(frozen=True)
class DivergenceRate:
    """Share of n runs that diverged, with Wilson's (1927) 95% interval."""

    rate: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class VarianceSplit:
    """Variance of the error within runs, over epochs, and between n seeds."""

    within_mm2: float | None
    between_mm2: float | None
    between_share: float | None
    n: int


@dataclass(frozen=True)
class ArmSteadiness:
    """How steady the runs of an arm are over the moment of stopping, as intervals over seeds."""

    gap_to_best_mm: Interval
    """Error minus the lowest one up to that epoch, averaged over the window: what stopping blindly
    costs there."""
    within_1mm: Interval
    """Share of the window's epochs that close to the run's best, an oracle."""
    within_2mm: Interval
    within_5mm: Interval
    longest_stretch: Interval
    """The most consecutive epochs that are all within MARGIN_MM of the run's best; a missing one
    interrupts it."""
    drift_mm_per_100_epochs: Interval
    """Median slope between the window's epochs (Theil 1950, Sen 1968); above 0, the error rises."""
    change_points: Interval
    """How many the curve has; n = 0 where all are too short for any."""
    late_change_points: Interval
    """How many its window has."""
    change_point_epochs: dict[int, list[int]]
    """The change points of each seed."""
    divergence_rate: DivergenceRate
    variance: VarianceSplit


MEASURES = tuple(each.name for each in fields(ArmSteadiness) if each.type is Interval)
"""What `steadiness` measures of each run."""


@dataclass(frozen=True)
class Ranking:
    """Whether the order of arms by their mean error over seeds depends on the epoch."""

    n: dict[str, int]
    """Seeds of each arm."""
    epochs: list[int]
    tau: list[float | None]
    """Kendall's (1945) tau-b of the order at each of `epochs` with that at the last one; None where
    all arms are equal."""
    mean_tau: float | None
    """Its mean over the window."""
    same_share: float
    """Share of the window's epochs with the last one's order."""
    settled_epoch: int
    """The first epoch from which on the order is that of the last one."""


@dataclass(frozen=True)
class Steadiness:
    """Steadiness by arm, and of the arms' order; no ranking of fewer than two arms."""

    arms: dict[str, ArmSteadiness]
    ranking: Ranking | None


def steadiness(errors: pd.DataFrame) -> pd.DataFrame:
    """One row a seed, the columns MEASURES, as `ArmSteadiness` describes them; NaN for change
    points where the curve is too short for any."""
    errors = _finite(errors)
    if errors.empty:
        return pd.DataFrame(columns=list(MEASURES), dtype=float)
    window, costs = last_half(errors), regret(errors)
    late, by_seed = last_half(costs), change_points(errors)
    begin = window.index[0]
    columns = {
        "gap_to_best_mm": last_half(errors - errors.cummin()).mean(),
        **{f"within_{margin}mm": (late <= margin).sum() / late.count() for margin in MARGINS_MM},
        "longest_stretch": (costs <= MARGIN_MM).apply(_longest_stretch),
        "drift_mm_per_100_epochs": 100 * window.apply(_slope),
        "change_points": pd.Series({seed: len(epochs) for seed, epochs in by_seed.items()}, dtype=float),
        "late_change_points": pd.Series(
            {seed: sum(at >= begin for at in epochs) for seed, epochs in by_seed.items()}, dtype=float
        ),
    }
    return pd.DataFrame(columns, index=errors.columns)


def change_points(errors: pd.DataFrame) -> dict[int, list[int]]:
    """Epochs at which each seed's curve takes another level, the first of the new one; without
    seeds whose curve is too short.

    The levels minimise the squared distance plus a price for each change (PELT: Killick, Fearnhead
    & Eckley 2012; in C, of `ruptures`: Truong, Oudre & Vayatis 2020), at any epoch; the price is
    PENALTY · log(epochs) · the square of `_noise`. A slope, as the fall at the start, shows as a
    stair of change points. PELT is exact but for MIN_LEVEL: in rare short curves that makes it miss
    the cheapest levels by less than the price of one.
    """
    from ruptures import KernelCPD  # imported here, since it loads scipy and opening a report needs none of it

    errors, by_seed = _finite(errors), {}
    for seed in errors.columns:
        epochs, values = _present(errors[seed])
        if len(values) >= 2 * MIN_LEVEL:
            levels = KernelCPD(kernel="linear", min_size=MIN_LEVEL).fit(((values - np.median(values)) / _noise(values))[:, None])
            starts = np.asarray(levels.predict(pen=PENALTY * np.log(len(values))), dtype=int)[:-1]
            by_seed[int(seed)] = epochs[starts].tolist()
    return by_seed


def divergence_rate(curves: pd.DataFrame, arm: str) -> DivergenceRate:
    """Share of an arm's runs that diverged, those that have hardly begun left out; None without
    runs."""
    from scipy.stats import binomtest

    statuses = runs_of(curves, arm)["status"]
    diverged = statuses[statuses != BEGUN] == "diverged"
    n, lost = len(diverged), int(diverged.sum())
    if not n:
        return DivergenceRate(None, None, None, 0)
    ends = binomtest(lost, n).proportion_ci(method="wilson")
    return DivergenceRate(lost / n, float(ends.low), float(ends.high), n)


def variance_split(errors: pd.DataFrame) -> VarianceSplit:
    """Variance in the window within runs and between seeds.

    Within is the mean over seeds of the variance over epochs; between is the variance of the seeds'
    means less what `within` alone would make of it, at least 0: the ANOVA estimator of a random
    effect (Searle, Casella & McCulloch 1992, ch. 3). It takes epochs for independent: what wanders
    over many epochs within a run counts partly as between seeds. None where there is too little, as
    of one seed.
    """
    window = last_half(_finite(errors))
    n, variances = int(window.notna().any().sum()), window.var()
    within, between, share = variances.mean(), window.mean().var() - (variances / window.count()).mean(), np.nan
    if np.isfinite(between):
        between = max(between, 0.0)
        share = between / (within + between) if within + between else np.nan
    return VarianceSplit(finite(within), finite(between), finite(share), n)


def ranking(errors: Mapping[str, pd.DataFrame]) -> Ranking | None:
    """Whether arms change places, by their mean error over seeds, at the epochs that all have; None
    for fewer than two arms."""
    given = {arm: _finite(table) for arm, table in errors.items()}
    means = {arm: table.mean(axis="columns") for arm, table in given.items() if not table.empty}
    table = pd.concat(means, axis="columns", join="inner").dropna() if len(means) > 1 else pd.DataFrame()
    if table.empty:
        return None
    one, other = np.triu_indices(len(means), k=1)
    order = np.sign(table.to_numpy()[:, one] - table.to_numpy()[:, other])  # of each pair of arms; 0 for a tie
    scale = np.sqrt((order**2).sum(axis=1) * (order[-1] ** 2).sum())
    tau = np.divide(order @ order[-1], scale, out=np.full(len(order), np.nan), where=scale > 0)
    orders = pd.DataFrame({"tau": tau, "same": (order == order[-1]).all(axis=1)}, table.index)
    window, others = last_half(orders).mean(), np.flatnonzero(~orders["same"])
    return Ranking(
        n={arm: given[arm].shape[1] for arm in means},
        epochs=table.index.tolist(),
        tau=[finite(value) for value in tau],
        mean_tau=finite(window["tau"]),
        same_share=float(window["same"]),
        settled_epoch=int(table.index[others[-1] + 1 if len(others) else 0]),
    )


def summarise_steadiness(
    curves: pd.DataFrame, arms: Iterable[str], metric: str = HEADLINE_METRIC, unranked: Collection[str] = ()
) -> Steadiness:
    """Steadiness of each arm, as intervals over its seeds, and of their ranking; `curves` is the
    tidy table.

    An arm without a finished run has intervals with n = 0, its divergence rate, and no place in the
    ranking, which the `unranked` do not have either, such as students: their epochs are others.
    """
    errors = {arm: errors_of(curves, arm, metric) for arm in arms}
    by_arm = {
        arm: ArmSteadiness(
            **{str(name): interval(column) for name, column in steadiness(table).items()},
            change_point_epochs=change_points(table),
            divergence_rate=divergence_rate(curves, arm),
            variance=variance_split(table),
        )
        for arm, table in errors.items()
    }
    return Steadiness(by_arm, ranking({arm: table for arm, table in errors.items() if arm not in unranked}))


def _finite(errors: pd.DataFrame) -> pd.DataFrame:
    return errors.where(np.isfinite(errors)).dropna(axis="columns", how="all")


def _present(curve: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    curve = curve.dropna()
    return curve.index.to_numpy(int), curve.to_numpy(float)


def _longest_stretch(good: pd.Series) -> int:
    steps = np.diff(good.to_numpy(int), prepend=0, append=0)
    return int((np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)).max())


def _slope(curve: pd.Series) -> float:
    from scipy.stats import theilslopes

    epochs, values = _present(curve)
    step = -(-len(values) // MOST_SLOPED)
    return float(np.asarray(theilslopes(values[::step], epochs[::step]))[0]) if len(values) > 1 else np.nan


def _noise(values: np.ndarray) -> float:
    """Standard deviation that a mean over m of `values` has, times √m: what a level must be told
    from.

    Differences of neighbours hold almost no level, and their median absolute deviation minds no
    jump. Where noise carries over from one epoch to the next, epochs two apart differ more: that
    gives its correlation as an AR(1) (Chakar et al. 2017), and so how much more a mean varies
    (Lavielle & Moulines 2000). Without this, a slow wander would show as many changes.
    """

    def variance(differences: np.ndarray) -> float:
        return float(np.median(np.abs(differences - np.median(differences))) / 0.6745) ** 2 / 2

    near, far = variance(values[1:] - values[:-1]), variance(values[2:] - values[:-2])
    correlation = min(max(far / near - 1, 0.0), MAX_CORRELATION) if near else 0.0
    return max(NOISE_FLOOR_MM, np.sqrt(near * (1 + correlation)) / (1 - correlation))
