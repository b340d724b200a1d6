"""Does an arm help, or only learn faster? Arms compared at training budgets a factor of three
apart, read off the same curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tips_ray.ingredients import pairs_to_compare
from tips_ray.stability.statistics import Difference, Interval, difference, errors_of, interval, run_statistics

FACTOR = 3
NUM_BUDGETS = 3
SHORTEST = 4
"""The fewest epochs of the smallest budget: the last half must have a spread."""
COMPARED = ("last_half", "last", "spread")
"""Error over the last half of the budget, error at its end, and the standard deviation over the
epochs of that half."""


@dataclass(frozen=True)
class BudgetStatistics:
    """Statistics of an arm's curves cut at a budget, as if training had ended there."""

    epochs: int
    arm: str
    last_half: Interval
    last: Interval
    spread: Interval


@dataclass(frozen=True)
class BudgetDifference(Difference):
    """A statistic of arm `a` minus that of arm `b` at a budget, paired by seed."""

    epochs: int
    a: str
    b: str
    statistic: str


@dataclass(frozen=True)
class BudgetComparison:
    """Arms at each of some budgets, which are numbers of epochs."""

    budgets: list[int]
    arms: list[BudgetStatistics]
    paired: list[BudgetDifference]


def compare_budgets(curves: pd.DataFrame, arms: Sequence[str]) -> BudgetComparison | None:
    """The arms' statistics at each budget, and paired differences, of variants with their base
    alone; None if the curves are too short."""
    errors = {arm: errors_of(curves, arm) for arm in arms}
    errors = {arm: table for arm, table in errors.items() if len(table)}
    longest = min(map(len, errors.values()), default=0)
    budgets = [longest // FACTOR**power for power in reversed(range(NUM_BUDGETS))]
    if budgets[0] < SHORTEST:
        return None
    entries, pairs = [], []
    for epochs in budgets:
        runs = {arm: run_statistics(table.loc[:epochs]) for arm, table in errors.items()}
        entries += [BudgetStatistics(epochs, arm, *(interval(runs[arm][name]) for name in COMPARED)) for arm in runs]
        for a, b in pairs_to_compare(list(runs)):
            for name in COMPARED:
                gap = difference(runs[a][name] - runs[b][name])
                pairs.append(BudgetDifference(**vars(gap), epochs=epochs, a=a, b=b, statistic=name))
    return BudgetComparison(budgets, entries, pairs)
