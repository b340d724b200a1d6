"""Arms compared over all their runs and actions, not by their means alone: what share of these errs
less than a bound, and how often one arm errs less than another.

As Agarwal et al. 2021 ("Deep reinforcement learning at the edge of the statistical precipice";
their library is rliable) compare algorithms over runs and tasks. They draw the runs of each task
anew. Here one run has an error on every action, so a seed is drawn together with all of its
actions, within its arm.
"""

from collections.abc import Mapping
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
    """How often a run of arm `a` errs less than a run of arm `b` on the same action, over the last
    half of the first `epochs` epochs, which both have: over all pairs of their runs and the mean
    over actions; and its bootstrap interval over seeds."""

    a: str
    b: str
    probability: float | None
    low: float | None
    high: float | None
    n_a: int
    n_b: int
    num_actions: int
    epochs: int


def errors_by_action(curves: pd.DataFrame, arm: str) -> dict[str, pd.DataFrame]:
    """The headline error by epoch (rows) and seed (columns), of each action; where actions are not
    known, of all poses as one action."""
    return errors_by_metric(curves, arm, list(names_behind(ACTION_PREFIX, curves).values()) or [HEADLINE_METRIC])


def action_errors(by_action: Mapping[str, pd.DataFrame], num_epochs: int | None = None) -> pd.DataFrame:
    """The mean of `errors_by_action` over the last half of the first `num_epochs` epochs (None: of
    all), by seed (rows) and action (columns)."""
    means = {action: last_half(table.iloc[:num_epochs]).mean() for action, table in by_action.items()}
    return pd.DataFrame(means).dropna(axis=1, how="all").dropna()


def bounds_of(errors: dict[str, pd.DataFrame]) -> np.ndarray:
    """Evenly spaced bounds in mm, from below the lowest error of all arms to above the highest."""
    values = np.concatenate([table.to_numpy(float).ravel() for table in errors.values()])
    return np.unique(np.linspace(np.floor(values.min()), np.ceil(values.max()), NUM_BOUNDS).round(2)) if len(values) else values


def shares_below(errors: pd.DataFrame, bounds: np.ndarray) -> pd.DataFrame:
    """The share of the actions on which each seed errs at most by a bound, by bound (rows) and
    seed (columns)."""
    below = errors.to_numpy(float)[None] <= bounds[:, None, None]
    return pd.DataFrame(below.mean(axis=2), index=pd.Index(bounds, name="bound"), columns=errors.index)


def improvement(a: str, b: str, by_arm: Mapping[str, Mapping[str, pd.DataFrame]], seed: int = 0) -> Improvement:
    """The `Improvement` of two arms by their `errors_by_action`; equal errors count as half."""
    epochs = min((len(table) for arm in (a, b) for table in by_arm[arm].values()), default=0)
    errors = {arm: action_errors(by_arm[arm], epochs) for arm in (a, b)}
    actions = errors[a].columns.intersection(errors[b].columns)
    one, other = (errors[arm][actions].to_numpy(float) for arm in (a, b))
    n_a, n_b = len(one), len(other)
    if not (n_a and n_b and len(actions)):
        return Improvement(a, b, None, None, None, n_a, n_b, len(actions), epochs)
    gaps = other[None] - one[:, None]
    wins = ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=2)
    low = high = None
    if min(n_a, n_b) > 1:
        rng = np.random.default_rng(seed)
        drawn = [rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n for n in (n_a, n_b)]
        resampled = np.einsum("ri,ij,rj->r", drawn[0], wins, drawn[1]).clip(0, 1)  # but for rounding
        low, high = (float(end) for end in np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    return Improvement(a, b, float(wins.mean()), low, high, n_a, n_b, len(actions), epochs)
