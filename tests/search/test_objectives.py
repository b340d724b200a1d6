"""Scores of trials against loops in plain Python, and the Pareto front against its definition."""

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tips_ray.columns import CONSISTENCY, FLAT_SIGNALS, HEADLINE_METRIC
from tips_ray.search.objectives import (
    BY_EPOCH,
    LABEL_FREE_SCORES,
    SCORED,
    SCORES,
    check_objective,
    is_complete,
    pareto_front,
    score_trials,
    seed_means,
    watched,
)

Curve = list[dict[str, Any]]


def curve(arm: str, seed: int, num_epochs: int, rng: np.random.Generator, diverges: bool = False) -> Curve:
    """The rows of one run, with made-up errors."""
    rows = []
    for epoch in range(1, num_epochs + 1):
        last = diverges and epoch == num_epochs
        errors, losses, signals = rng.uniform(40, 90), rng.uniform(0, 1, 2), rng.uniform(0, 1, 3)
        rows.append(
            {
                "arm": arm,
                "seed": seed,
                "epoch": epoch,
                "status": "diverged" if last else "ok",
                HEADLINE_METRIC: math.nan if last else errors,
                **dict(zip(CONSISTENCY, losses, strict=True)),
                **dict(zip(FLAT_SIGNALS, signals, strict=True)),
            }
        )
    return rows


def slow_scores(rows: Curve, num_seeds: int, num_epochs: int) -> dict[str, float]:
    """What `score_trials` says of one trial, in loops; the later of two rows of an epoch holds."""
    runs: dict[int, dict[int, dict[str, Any]]] = {}
    for row in rows:
        if row["epoch"] <= num_epochs and row["seed"] < num_seeds:
            runs.setdefault(row["seed"], {})[row["epoch"]] = row
    found: dict[str, float] = {"seeds": len(runs), "epochs": 0, "diverged": False}
    for run in runs.values():
        found["diverged"] = found["diverged"] or any(row["status"] == "diverged" for row in run.values())
    if len(runs) == num_seeds:
        found["epochs"] = min(max(run) for run in runs.values())
    found |= dict.fromkeys(SCORES, math.nan)
    if found["diverged"] or not found["epochs"]:
        return found
    reached = int(found["epochs"])
    window = range(reached // 2 + 1, reached + 1)
    means, variances, consistencies, signals = [], [], [], []
    for run in runs.values():
        errors = [run[epoch][HEADLINE_METRIC] for epoch in window]
        means.append(sum(errors) / len(errors))
        variances.append(statistics.variance(errors) if len(errors) > 1 else 0.0)
        consistencies.append(sum(run[epoch][term] for epoch in window for term in CONSISTENCY) / len(errors))
        signals.append(sum(run[epoch][name] / flat for epoch in window for name, flat in FLAT_SIGNALS.items()) / len(errors) / 3)
    between = statistics.stdev(means) if num_seeds > 1 else math.nan
    found["error_mm"], found["error_std_mm"] = sum(means) / num_seeds, between
    found["instability_mm"] = math.sqrt(sum(variances) / num_seeds + (0.0 if math.isnan(between) else between**2))
    for name, values in (("label_free", consistencies), ("signals", signals)):
        found[name], found[f"{name}_std"] = sum(values) / num_seeds, statistics.stdev(values) if num_seeds > 1 else math.nan
    by_epoch = {e: sum(run[e][HEADLINE_METRIC] for run in runs.values()) / num_seeds for e in range(1, reached + 1)}
    found["best_epoch"] = min(by_epoch, key=by_epoch.__getitem__)
    found["best_error_mm"] = by_epoch[int(found["best_epoch"])]
    return found


TRIAL = st.lists(st.tuples(st.integers(0, 7), st.booleans()), min_size=1, max_size=4)
"""The runs of a trial: epochs trained, and whether it diverged with the last."""


@given(st.lists(TRIAL, min_size=1, max_size=4), st.integers(1, 4), st.integers(1, 8), st.integers(0, 2**16))
@settings(max_examples=60)
def test_scores_are_those_of_a_slow_truth(trials: list, num_seeds: int, num_epochs: int, seed: int) -> None:
    """Complete, unfinished, pruned, diverged, one seed or several, longer and shorter than asked,
    rows twice, any order."""
    rng = np.random.default_rng(seed)
    rows = [
        row
        for number, runs in enumerate(trials)
        for place, (epochs, diverges) in enumerate(runs)
        for row in curve(f"trial-{number}", place, epochs, rng, diverges)
    ]
    if not rows:
        return
    again = [dict(row) for row in rows[::3]]  # as after a restart: the same row once more
    order = rng.permutation(len(rows))
    table = pd.DataFrame([rows[place] for place in order] + again, columns=SCORED)
    table.index = table.index // 2  # curves that were put together may repeat their labels
    scores = score_trials(table, num_seeds, num_epochs)
    names = {row["arm"] for row in rows if row["seed"] < num_seeds and row["epoch"] <= num_epochs}
    assert set(scores.index) == names
    for name in names:
        expected = slow_scores([row for row in rows if row["arm"] == name], num_seeds, num_epochs)
        found = scores.loc[name]
        assert bool(found["diverged"]) == expected["diverged"]
        for what in ("epochs", "seeds", *SCORES):
            assert float(found[what]) == pytest.approx(expected[what], rel=1e-9, nan_ok=True), what
        assert is_complete(found.to_dict(), num_seeds, num_epochs) == (
            expected["seeds"] == num_seeds and expected["epochs"] == num_epochs
        )


def test_no_rows_have_no_scores() -> None:
    scores = score_trials(pd.DataFrame(columns=SCORED), 2, 4)
    assert scores.empty
    assert set(scores.columns) >= {"epochs", "seeds", "diverged", *SCORES}


def test_a_supervised_trial_has_an_error_and_no_consistency() -> None:
    rows = pd.DataFrame(curve("t", 0, 4, np.random.default_rng(0))).drop(columns=list(CONSISTENCY)).reindex(columns=SCORED)
    score = score_trials(rows, 1, 4).loc["t"]
    assert math.isfinite(score["error_mm"])
    assert math.isnan(score["label_free"])
    assert math.isfinite(score["signals"])


def test_a_trial_without_labels_has_label_free_scores_alone() -> None:
    rows = pd.DataFrame([row for seed in (0, 1) for row in curve("t", seed, 4, np.random.default_rng(seed))])
    score = score_trials(rows.drop(columns=HEADLINE_METRIC).reindex(columns=SCORED), 2, 4).loc["t"]
    assert [name for name in SCORES if math.isfinite(score[name])] == LABEL_FREE_SCORES


def test_instability_counts_both_the_moment_of_stopping_and_the_seed() -> None:
    """Runs that wobble by 2 mm around 60 and 64 mm: the error of one, stopped at random, is that
    far from their mean."""
    wobble = [2.0, -2.0] * 2000
    rows = [
        {"arm": "t", "seed": seed, "epoch": epoch, "status": "ok", HEADLINE_METRIC: level + wobble[epoch]}
        for seed, level in enumerate((60.0, 64.0))
        for epoch in range(1, 2001)
    ]
    score = score_trials(pd.DataFrame(rows).reindex(columns=SCORED), 2, 2000).loc["t"]
    assert score["error_mm"] == pytest.approx(62.0)
    assert score["instability_mm"] == pytest.approx(math.sqrt(4.0 + 8.0), rel=1e-3)  # 8: the variance of 60 and 64


@given(arrays(float, st.tuples(st.integers(0, 25), st.integers(1, 3)), elements=st.integers(0, 5).map(float)))
def test_the_pareto_front_is_what_no_other_point_beats(values: np.ndarray) -> None:
    front = pareto_front(values)
    for row, on_front in zip(values, front, strict=True):
        beaten = any(all(other <= row) and any(other < row) for other in values)
        assert on_front != beaten


def test_seed_means_average_the_seeds_that_have_an_epoch() -> None:
    rng = np.random.default_rng(0)
    rows = curve("t", 0, 3, rng) + curve("t", 1, 2, rng)
    means = seed_means(pd.DataFrame(rows))
    assert means["n"].tolist() == [2, 2, 1]
    for _, mean in means.iterrows():
        given_ = [row[HEADLINE_METRIC] for row in rows if row["epoch"] == mean["epoch"]]
        assert mean["error_mm"] == pytest.approx(sum(given_) / len(given_))


def test_what_a_pruner_watches_is_the_mean_of_all_seeds_or_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = curve("a", 0, 3, rng) + curve("a", 1, 2, rng) + curve("b", 0, 2, rng)
    means = watched(pd.DataFrame([*rows, *rows[:2]]), BY_EPOCH["label_free"], 2)
    assert list(means.index) == [("a", 1), ("a", 2)]
    for (_, epoch), value in means.items():
        given_ = [row[CONSISTENCY[0]] + row[CONSISTENCY[1]] for row in rows if row["arm"] == "a" and row["epoch"] == epoch]
        assert value == pytest.approx(sum(given_) / 2)
    assert watched(pd.DataFrame(columns=SCORED), BY_EPOCH["error_mm"], 2).empty


def test_an_objective_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="There is no objective 'mpjpe'; there are error, instability, pareto, label_free"):
        check_objective("mpjpe")
