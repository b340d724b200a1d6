"""Does an arm help, or only learn faster? Arms compared at training budgets a factor of three
apart, read off the same curves."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from tips_ray.stability.statistics import difference, errors_of, interval, run_statistics

FACTOR = 3
NUM_BUDGETS = 3
SHORTEST = 4
"""Epochs of the smallest budget that is worth a comparison: of fewer, half are no window."""
COMPARED = ("last_half", "last", "spread")
"""Error over the last half of the budget, error at its end, and the standard deviation over the
epochs of that half."""


def compare_budgets(curves: pd.DataFrame, arms: Sequence[str]) -> dict[str, Any] | None:
    """Budgets (epochs), the arms' statistics at each, and paired differences; None if the curves
    are too short.

    {budgets, arms: [{epochs, arm, last_half, last, spread}], paired: [{epochs, a, b, statistic,
    difference, low, high, n}]}: a budget's statistics are of the curve cut there, as if training
    had ended. Differences are a − b, paired by seed.
    """
    errors = {arm: errors_of(curves, arm) for arm in arms}
    errors = {arm: table for arm, table in errors.items() if len(table)}
    longest = min(map(len, errors.values()), default=0)
    budgets = [longest // FACTOR**power for power in reversed(range(NUM_BUDGETS))]
    if budgets[0] < SHORTEST:
        return None
    entries, pairs = [], []
    for epochs in budgets:
        runs = {arm: run_statistics(table.loc[:epochs]) for arm, table in errors.items()}
        entries += [{"epochs": epochs, "arm": arm} | {name: interval(runs[arm][name]) for name in COMPARED} for arm in runs]
        for a, b in combinations(runs, 2):
            for name in COMPARED:
                apart = difference(runs[a][name] - runs[b][name])
                pairs.append({"epochs": epochs, "a": a, "b": b, "statistic": name, **apart})
    return {"budgets": budgets, "arms": entries, "paired": pairs}
