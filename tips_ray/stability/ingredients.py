"""What each ingredient is worth: arms that have one more, or one less, against the arm that they
are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tips_ray.ingredients import base_of, variant_of
from tips_ray.stability.statistics import Difference, difference, errors_of


@dataclass(frozen=True)
class BudgetEffect(Difference):
    """What a variant's error, in mm, at the end of a budget of some epochs is above that of its
    base, paired by seed."""

    epochs: int


@dataclass(frozen=True)
class IngredientEffect:
    """An arm that has an ingredient which its base lacks (`is_on`), or lacks one that its base
    has."""

    arm: str
    base: str
    ingredient: str
    is_on: bool
    half: BudgetEffect
    """With half of the epochs that both arms have, read off the same curves."""
    whole: BudgetEffect


def ingredient_effects(curves: pd.DataFrame, arms: Sequence[str]) -> list[IngredientEffect]:
    """The effects of all of the arms that are variants of another of them, in the order of the
    arms.

    Where a rate depends on the length of the training, as on a cosine, half of a curve is not what
    a run of half the length would have shown.
    """
    variants = {arm: base for arm in arms if (base := base_of(arm, arms)) is not None}
    errors = {arm: errors_of(curves, arm) for arm in {*variants, *variants.values()}}
    return [_effect(arm, errors[arm], errors[base]) for arm, base in variants.items()]


def _effect(arm: str, errors: pd.DataFrame, of_base: pd.DataFrame) -> IngredientEffect:
    variant = variant_of(arm)
    assert variant is not None
    epochs = min(len(errors), len(of_base))

    def at(budget: int) -> BudgetEffect:
        gap = difference(errors.iloc[budget - 1] - of_base.iloc[budget - 1] if budget else ())
        return BudgetEffect(**vars(gap), epochs=budget)

    return IngredientEffect(arm, variant.base, variant.ingredient, variant.is_on, half=at(epochs // 2), whole=at(epochs))
