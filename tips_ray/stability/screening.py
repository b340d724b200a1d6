"""What each factor of a screening design does to the error and to its steadiness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from tips_ray.design import FACTORS, NUM_ROWS, is_high, row_of
from tips_ray.stability.statistics import Difference, difference, errors_of, run_statistics

RESPONSES = ("last_half", "last", "spread", "regret")
"""Error over the last half and at the end, spread over the epochs of that half, and regret of the
last epoch."""


@dataclass(frozen=True)
class FactorEffect(Difference):
    """What a factor at its high level adds to a statistic, in mm, over the other factors; the
    interval is over seeds."""

    base: str
    """The arm whose rows these are, or `A − B`: what the factor adds to the lead of B over A."""
    factor: str
    low_level: str
    high_level: str
    statistic: str


def factor_effects(curves: pd.DataFrame, arms: Sequence[str]) -> list[FactorEffect]:
    """The effects of all factors on the arms that are rows of the design, and on the difference of
    every two bases.

    Each seed gives an estimate of its own, by least squares over its rows, so that a run that
    diverged costs no more than its row; a seed of which too few rows are left gives none.
    """
    runs: dict[str, dict[int, pd.DataFrame]] = {}
    for arm in arms:
        row = row_of(arm)
        if row:
            runs.setdefault(row[0], {})[row[1]] = run_statistics(errors_of(curves, arm))
    effects = []
    for name in RESPONSES:
        tables = {base: _responses(rows, name) for base, rows in runs.items()}
        tables |= {f"{a} − {b}": tables[a] - tables[b] for a, b in combinations(runs, 2)}
        for base, table in tables.items():
            by_seed = np.array([_effects(table[seed]) for seed in table]).reshape(-1, len(FACTORS))
            for factor, of_factor in zip(FACTORS, by_seed.T, strict=True):
                gap, levels = difference(of_factor), (factor.low[0], factor.high[0])
                effects.append(FactorEffect(gap.difference, gap.low, gap.high, gap.n, base, factor.name, *levels, name))
    return effects


def _responses(rows: Mapping[int, pd.DataFrame], name: str) -> pd.DataFrame:
    """A statistic by row of the design and seed; NaN for runs that diverged."""
    table = pd.DataFrame({row: statistics[name].astype(float) for row, statistics in rows.items()})
    return table.T.reindex(range(1, NUM_ROWS + 1))


def _effects(values: pd.Series) -> np.ndarray:
    """The effect of each factor on the values of a seed, by row of the design."""
    present = values.dropna()
    signs = [[1.0, *(0.5 if is_high(row, place) else -0.5 for place in range(len(FACTORS)))] for row in present.index]
    design = np.array(signs).reshape(-1, 1 + len(FACTORS))
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return np.full(len(FACTORS), np.nan)
    return np.linalg.lstsq(design, present.to_numpy(), rcond=None)[0][1:]
