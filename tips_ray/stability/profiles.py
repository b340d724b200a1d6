"""Arms compared over all their runs and actions, not by their means alone: what share of these errs
less than a bound, and how often one arm errs less than another.

As Agarwal et al. 2021 ("Deep reinforcement learning at the edge of the statistical precipice";
their library is rliable) compare algorithms over runs and tasks. They draw the runs of each task
anew. Here one run has an error on every action, so a seed is drawn together with all of its
actions, within its arm.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.columns import ACTION_PREFIX, HEADLINE_METRIC
from tips_ray.stability.groups import names_behind
from tips_ray.stability.statistics import errors_by_metric, last_half

NUM_BOUNDS = 100
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Improvement:
    """How often a run of arm `a` errs less than a run of arm `b` on the same action, over all pairs
    of their runs and the mean over actions; and its bootstrap interval over seeds."""

    a: str
    b: str
    probability: float | None
    low: float | None
    high: float | None
    n_a: int
    n_b: int
    num_actions: int


def action_errors(curves: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Mean headline error over the last half of training, by seed (rows) and action (columns);
    where actions are not known, that of all poses as one action."""
    columns = list(names_behind(ACTION_PREFIX, curves).values()) or [HEADLINE_METRIC]
    errors = errors_by_metric(curves, arm, columns)
    return pd.DataFrame({column: last_half(table).mean() for column, table in errors.items()}).dropna(axis=1, how="all").dropna()


def bounds_of(errors: dict[str, pd.DataFrame]) -> np.ndarray:
    """Evenly spaced bounds in mm, from below the lowest error of all arms to above the highest."""
    values = np.concatenate([table.to_numpy(float).ravel() for table in errors.values()])
    return np.unique(np.linspace(np.floor(values.min()), np.ceil(values.max()), NUM_BOUNDS).round(2)) if len(values) else values


def shares_below(errors: pd.DataFrame, bounds: np.ndarray) -> pd.DataFrame:
    """The share of the actions on which each seed errs at most by a bound, by bound (rows) and
    seed (columns)."""
    below = errors.to_numpy(float)[None] <= bounds[:, None, None]
    return pd.DataFrame(below.mean(axis=2), index=pd.Index(bounds, name="bound"), columns=errors.index)


def improvement(a: str, b: str, errors: dict[str, pd.DataFrame], seed: int = 0) -> Improvement:
    """The `Improvement` of two arms by their `action_errors`; equal errors count as half."""
    actions = errors[a].columns.intersection(errors[b].columns)
    one, other = (errors[arm][actions].to_numpy(float) for arm in (a, b))
    n_a, n_b = len(one), len(other)
    if not (n_a and n_b and len(actions)):
        return Improvement(a, b, None, None, None, n_a, n_b, len(actions))
    gaps = other[None] - one[:, None]
    wins = ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=2)
    low = high = None
    if min(n_a, n_b) > 1:
        rng = np.random.default_rng(seed)
        drawn = [rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n for n in (n_a, n_b)]
        resampled = np.einsum("ri,ij,rj->r", drawn[0], wins, drawn[1])
        low, high = (float(end) for end in np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    return Improvement(a, b, float(wins.mean()), low, high, n_a, n_b, len(actions))
