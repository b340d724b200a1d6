"""Which signals go with the error: against scipy, loops, and signals that were planted."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tips_ray.columns import DERIVED, HEADLINE_METRIC, LABEL_FREE
from tips_ray.stability.correlations import correlations_by_row, signal_correlations
from tips_ray.stability.statistics import interval
from tips_ray.stability.stopping import Curve
from tips_ray.stability.summary import strict

MEASURED = tuple(name for name in LABEL_FREE if name not in DERIVED)


def run_of(arm: str, seed: int, errors: Any, **columns: Any) -> pd.DataFrame:
    """One run: errors by epoch, and what else there is."""
    table = pd.DataFrame({HEADLINE_METRIC: errors}, dtype=float)
    table.insert(0, "epoch", range(1, len(table) + 1))
    return table.assign(arm=arm, run=f"{arm}-seed{seed}", seed=seed, status="ok", **columns)


@pytest.mark.parametrize("seed", range(3))
def test_spearmans_correlations_are_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, other = rng.integers(0, 9, (5, 40)).astype(float), rng.integers(0, 12, 40).astype(float)  # with ties
    assert correlations_by_row(values, other) == pytest.approx([spearmanr(row, other).statistic for row in values])
    assert correlations_by_row(other[None], other) == pytest.approx([1.0])
    assert correlations_by_row(-other[None], np.exp(other)) == pytest.approx([-1.0])


def test_spearmans_correlation_of_too_little_is_none() -> None:
    rising = np.arange(20.0)
    missing, infinite = rising.copy(), rising.copy()
    missing[3], infinite[3] = math.nan, math.inf
    few = np.where(np.arange(20) < 7, rising, math.nan)
    found = correlations_by_row(np.stack([rising, missing, infinite, np.ones(20), few]), rising)
    assert found[:3] == pytest.approx(1)  # what is missing is left out
    assert np.isnan(found[3:]).all()
    assert np.isnan(correlations_by_row(rising[None], np.ones(20))).all()
    assert correlations_by_row(rising[None], missing) == pytest.approx(1)
    assert np.isnan(correlations_by_row(rising[None, :7], rising[:7])).all()
    assert correlations_by_row(np.empty((0, 20)), rising).shape == (0,)


def test_planted_signals_are_found_within_runs_and_between_them() -> None:
    rng = np.random.default_rng(0)
    runs = []
    for arm, num_seeds, num_epochs in (("a", 6, 40), ("b", 4, 30)):
        for seed in range(num_seeds):
            errors = rng.uniform(40, 60, num_epochs) + 10 * seed
            early = np.where(np.arange(num_epochs) < num_epochs // 2, -1, 1)  # the first half says the contrary, and is not asked
            columns = {
                "churn_mm": 2 * errors * early + 3,
                "frechet_2d": 1 / errors * early,
                "loss_adversarial": errors - 12 * seed,  # rises with the error within a run, and falls with it between runs
                "bone_asymmetry": 0.5,
                "flipped_vote_share": math.nan,
                "joint_limits": np.where(np.arange(num_epochs) == num_epochs - 1, math.nan, errors),
                "generator_gradient_norm": errors if arm == "a" else math.nan,
            }
            runs.append(run_of(arm, seed, errors, **columns))
    found = {entry.signal: entry for entry in signal_correlations(pd.concat(runs), ["a", "b"])}
    assert list(found) == [name for name in LABEL_FREE if name in found]
    assert set(found) == {
        "churn_mm",
        "frechet_2d",
        "loss_adversarial",
        "bone_asymmetry",
        "joint_limits",
        "generator_gradient_norm",
    }
    for signal, sign in (("churn_mm", 1), ("frechet_2d", -1)):
        assert {arm: entry.n for arm, entry in found[signal].within.items()} == {"a": 6, "b": 4}
        assert [entry.mean for entry in found[signal].within.values()] == pytest.approx([sign, sign])
        assert vars(found[signal].between) == pytest.approx({"rank_correlation": sign, "low": sign, "high": sign, "n": 10})
    assert found["loss_adversarial"].within["a"].mean == pytest.approx(1)
    assert found["loss_adversarial"].between.rank_correlation < 0
    assert found["loss_adversarial"].between_seeds.rank_correlation < 0
    assert found["joint_limits"].within["b"].mean == pytest.approx(1)  # without the epoch that is missing
    assert found["joint_limits"].between.n == 10
    assert {entry.n for entry in found["bone_asymmetry"].within.values()} == {0}
    assert found["bone_asymmetry"].between.rank_correlation is None
    assert found["generator_gradient_norm"].within["b"] == interval([])
    assert found["generator_gradient_norm"].within["a"].mean == pytest.approx(1)
    assert found["generator_gradient_norm"].between.n == 6  # fewer than say something
    assert found["generator_gradient_norm"].between.rank_correlation is None
    json.dumps(strict(list(found.values())), allow_nan=False)


def test_what_only_tells_arms_apart_is_not_found_between_seeds_and_students_are_not_asked() -> None:
    rng = np.random.default_rng(0)
    runs = [
        run_of(arm, seed, 50 + 20 * place + rng.uniform(0, 1, 20), churn_mm=100 * place + rng.uniform(0, 1), frechet_2d=seed)
        for place, (arm, num_seeds) in enumerate({"a": 12, "b": 12, "c": 1, "tips": 9}.items())
        for seed in range(num_seeds)
    ]
    found = {entry.signal: entry for entry in signal_correlations(pd.concat(runs), ["a", "b", "c", "tips"], ["tips"])}
    assert (found["churn_mm"].between.n, found["churn_mm"].between_seeds.n) == (25, 24)  # c has one seed
    assert found["churn_mm"].between.rank_correlation > 0.7
    assert abs(found["churn_mm"].between_seeds.rank_correlation) < 0.4
    assert list(found["churn_mm"].within) == ["a", "b", "c", "tips"]


def test_correlations_of_random_signals_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(5)

    def run(arm: str, seed: int, length: int) -> pd.DataFrame:
        return run_of(arm, seed, rng.uniform(40, 90, length), **{name: rng.uniform(0, 1, length) for name in MEASURED})

    runs = {"a": [run("a", 0, 40), run("a", 1, 40)], "b": [run("b", 0, 24), run("b", 1, 24)]}
    runs["a"][0].loc[[25, 30], "churn_mm"] = math.nan  # as where weights were not kept
    found = signal_correlations(pd.concat([*runs["a"], *runs["b"]]), ["a", "b"])
    assert [entry.signal for entry in found] == list(LABEL_FREE)
    for entry in found:
        for arm, each in runs.items():
            values = [Curve(rows)[entry.signal][len(rows) // 2 :] for rows in each]
            errors = [rows[HEADLINE_METRIC].to_numpy()[len(rows) // 2 :] for rows in each]
            truth = [spearmanr(*pair, nan_policy="omit").statistic for pair in zip(values, errors, strict=True)]
            assert entry.within[arm].mean == pytest.approx(np.mean(truth))
            assert entry.within[arm].n == 2


def test_no_runs_have_no_correlations() -> None:
    curves = run_of("a", 0, np.arange(20.0), churn_mm=1.0)
    assert signal_correlations(curves, []) == []
    assert signal_correlations(curves.drop(columns="churn_mm"), ["a"]) == []
