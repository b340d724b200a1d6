"""Effects of ingredients, on curves that were made with known ones."""

import json

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import HEADLINE_METRIC, METRICS
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.ingredients import ingredient_effects
from tips_ray.stability.statistics import interval
from tips_ray.stability.summary import Summary, strict, summarise

EFFECTS = {"single": 0.0, "single_without_symmetry": 4.0, "single_with_r1": -3.0, "solo": 20.0, "solo_without_adversary": 30.0}
SEEDS = {"single": (0, 1, 2), "single_without_symmetry": (1, 2, 3), "single_with_r1": (0,)}


def make_curves(num_epochs: int = 10, diverged: tuple[str, ...] = ()) -> pd.DataFrame:
    """Errors that all fall alike, each arm above them by its effect, which the first half of the
    epochs shows doubly."""
    rng, frames = np.random.default_rng(0), []
    for arm, effect in EFFECTS.items():
        for seed in SEEDS.get(arm, (0, 1, 2)):
            epoch = np.arange(1, num_epochs + 1)
            error = 50 + 30 / epoch + seed + effect * (2 - (epoch > num_epochs // 2)) + 0.1 * seed * rng.uniform()
            frame = pd.DataFrame({"campaign": "c", "arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": epoch})
            frame["status"] = "ok"
            for metric in METRICS:
                frame[metric] = error
            if arm in diverged:
                frame.loc[frame.index[-1], "status"] = "diverged"
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def summary_of(curves: pd.DataFrame) -> Summary:
    configs = {arm: {"objective": "adversarial"} for arm in EFFECTS}
    manifest = {"data": {}, "references": {}, "arms": configs, "executions": []}
    return summarise(LoadedCampaign(manifest, curves))


def test_effects_are_the_ones_that_the_curves_were_made_with() -> None:
    curves = make_curves()
    effects = {effect.arm: effect for effect in ingredient_effects(curves, list(EFFECTS))}
    assert list(effects) == ["single_without_symmetry", "single_with_r1", "solo_without_adversary"]
    for arm, effect in effects.items():
        size = EFFECTS[arm] - EFFECTS[effect.base]
        assert (effect.half.epochs, effect.whole.epochs) == (5, 10)
        assert effect.half.difference == pytest.approx(2 * size, abs=0.3)
        assert effect.whole.difference == pytest.approx(size, abs=0.3)
    without, added = effects["single_without_symmetry"], effects["single_with_r1"]
    assert (without.base, without.ingredient, without.is_on) == ("single", "symmetry", False)
    assert (added.base, added.ingredient, added.is_on) == ("single", "r1", True)
    assert (without.whole.n, added.whole.n) == (2, 1)  # the seeds that both have
    assert (added.whole.low, added.whole.high) == (None, None)
    last = curves[curves["epoch"] == 10].set_index(["arm", "seed"])[HEADLINE_METRIC]
    expected = interval([last["single_without_symmetry", seed] - last["single", seed] for seed in (1, 2)])
    assert (without.whole.difference, without.whole.low, without.whole.high) == (expected.mean, expected.low, expected.high)
    json.dumps(strict(list(effects.values())), allow_nan=False)


def test_arms_of_unequal_length_are_compared_at_the_epochs_that_both_have() -> None:
    curves = make_curves()
    curves = curves[(curves["arm"] != "single_with_r1") | (curves["epoch"] <= 7)]
    effects = {effect.arm: effect for effect in ingredient_effects(curves, list(EFFECTS))}
    assert (effects["single_with_r1"].half.epochs, effects["single_with_r1"].whole.epochs) == (3, 7)
    assert effects["single_without_symmetry"].whole.epochs == 10


@pytest.mark.parametrize("curves", [pd.DataFrame(), make_curves(num_epochs=1), make_curves(diverged=tuple(EFFECTS))])
def test_where_nothing_can_be_compared_there_are_no_numbers(curves: pd.DataFrame) -> None:
    for effect in ingredient_effects(curves, list(EFFECTS)):
        assert effect.half.difference is None
        assert effect.whole.difference is None or effect.whole.epochs == 1


def test_a_variant_needs_its_base() -> None:
    assert ingredient_effects(make_curves(), ["single_without_symmetry", "solo"]) == []


def test_a_summary_compares_variants_with_their_bases_alone() -> None:
    summary = summary_of(make_curves(num_epochs=40))
    assert summary.shown == ["single", "solo"]
    pairs = {("single", "solo"), *((effect.arm, effect.base) for effect in summary.ingredients)}
    assert {(pair.a, pair.b) for pair in summary.paired} == pairs
    assert summary.budgets is not None
    assert {(pair.a, pair.b) for pair in summary.budgets.paired} == pairs
    assert summary.steadiness.ranking is not None
    assert list(summary.steadiness.ranking.n) == ["single", "solo"]
    stored = summary.to_json()["ingredients"][0]
    assert set(stored) == {"arm", "base", "ingredient", "is_on", "half", "whole"}
