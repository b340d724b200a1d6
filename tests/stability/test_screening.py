"""The screening design, and its effects on curves that were made with known ones."""

import json

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import METRICS
from tips_ray.config import Config, override
from tips_ray.design import FACTORS, NUM_ROWS, is_high, row_changes, row_name, row_of
from tips_ray.presets import arm_config, laptop
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.screening import factor_effects
from tips_ray.stability.summary import strict, summarise

SIZES = np.array([3.0, -2.0, 0.0, 1.0, 0.5, -4.0, 0.0])
ROWS = range(1, NUM_ROWS + 1)


def make_curves(bases: dict[str, float], num_seeds: int = 5, diverged: tuple[tuple[str, int], ...] = ()) -> pd.DataFrame:
    """Rows whose error is the sum of the effects of their high factors, times a factor for each
    base, and seeds that differ alike in all rows, but for a little noise."""
    rng, frames = np.random.default_rng(0), []
    for base, scale in bases.items():
        for row in ROWS:
            effect = scale * sum(size for place, size in enumerate(SIZES) if is_high(row, place))
            for seed in range(num_seeds):
                arm, epoch = row_name(base, row), np.arange(1, 13)
                error = 60 + 20 / epoch + 5 * seed + effect + rng.normal(0, 0.05)
                frame = pd.DataFrame({"campaign": "c", "arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": epoch})
                frame = frame.assign(status="ok", **dict.fromkeys(METRICS, error))
                if (arm, seed) in diverged:
                    frame.loc[11, "status"] = "diverged"
                frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def arms_of(*bases: str) -> list[str]:
    return [row_name(base, row) for base in bases for row in ROWS]


def test_every_two_factors_are_balanced_and_independent() -> None:
    design = np.array([[1 if is_high(row, place) else -1 for place in range(11)] for row in ROWS])
    np.testing.assert_array_equal(design.T @ design, 12 * np.eye(11))
    np.testing.assert_array_equal(design.sum(0), 0)
    assert len(FACTORS) <= 11


def test_a_row_sets_every_factor_whatever_the_study_has() -> None:
    plain = override(Config(), row_changes(NUM_ROWS))
    assert plain == Config()  # all low: the package's defaults
    for row in ROWS:
        config = arm_config(laptop().config, row_name("solo", row))
        assert override(config, row_changes(row)) == config
        assert config.partition == "solo"
    assert len({arm_config(Config(), row_name("parts", row)) for row in ROWS}) == NUM_ROWS
    assert [row_of(name) for name in ("parts_row_12", "parts_row_13", "parts_row_1", "parts")] == [
        ("parts", 12),
        None,
        None,
        None,
    ]
    with pytest.raises(ValueError, match="Unknown arm 'parts_row_13'"):
        arm_config(Config(), "parts_row_13")


def test_effects_are_the_ones_that_the_curves_were_made_with() -> None:
    effects = factor_effects(make_curves({"parts": 1.0, "solo": 3.0}), arms_of("parts", "solo"))
    assert {effect.n for effect in effects} == {5}
    for base, scale in {"parts": 1.0, "solo": 3.0, "parts − solo": -2.0}.items():
        for name in ("last", "last_half"):
            found = [effect for effect in effects if (effect.base, effect.statistic) == (base, name)]
            assert [effect.factor for effect in found] == [factor.name for factor in FACTORS]
            assert [effect.difference for effect in found] == pytest.approx(scale * SIZES, abs=0.1)
            for effect, size in zip(found, scale * SIZES, strict=True):
                assert effect.low is not None
                assert effect.high is not None
                assert effect.low - 0.1 <= size <= effect.high + 0.1
    steady = [effect.difference for effect in effects if effect.statistic in ("spread", "regret")]
    assert steady == pytest.approx([0.0] * len(steady), abs=1e-9)
    json.dumps(strict(effects), allow_nan=False)


def test_a_run_that_diverged_costs_its_row_and_a_seed_with_too_few_rows_gives_no_estimate() -> None:
    lost = (("parts_row_01", 0), *((row_name("parts", row), 1) for row in range(1, 7)))
    effects = factor_effects(make_curves({"parts": 1.0}, diverged=lost), arms_of("parts"))
    found = [effect for effect in effects if effect.statistic == "last"]
    assert {effect.n for effect in found} == {4}
    assert [effect.difference for effect in found] == pytest.approx(SIZES, abs=0.1)


def test_a_summary_pairs_no_rows_and_nothing_is_said_without_them() -> None:
    configs = {arm: {"objective": "adversarial"} for arm in arms_of("parts")}
    manifest = {"data": {}, "references": {}, "arms": configs, "executions": []}
    summary = summarise(LoadedCampaign(manifest, make_curves({"parts": 1.0}, num_seeds=2)))
    assert (summary.paired, summary.shown, summary.ingredients) == ([], [], [])
    assert len(summary.screening) == 4 * len(FACTORS)
    assert factor_effects(pd.DataFrame(), ["parts", "solo"]) == []
    assert {effect.difference for effect in factor_effects(pd.DataFrame(), arms_of("parts"))} == {None}
