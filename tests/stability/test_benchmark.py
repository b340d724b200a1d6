"""Scores of the twins of the paper's tables: which epochs, over what, and of which runs."""

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import BENCHMARKS, HEADLINE_METRIC
from tips_ray.stability.benchmark import BEST, LAST, benchmark_scores
from tips_ray.store.measurements import BENCHMARK, no_rows

ERRORS = {("solo", 0): [9.0, 5.0, 7.0], ("solo", 1): [6.0, 8.0, 7.0], ("solo", 2): [1.0, 1.0, np.nan]}


@pytest.fixture(scope="module")
def curves() -> pd.DataFrame:
    """Three runs, one of which diverged."""
    return pd.concat(
        [
            pd.DataFrame(
                {"arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": [1, 2, 3], HEADLINE_METRIC: errors}
            ).assign(status=["ok", "ok", "diverged" if np.isnan(errors[-1]) else "ok"])
            for (arm, seed), errors in ERRORS.items()
        ],
        ignore_index=True,
    )


def rows_of(values: dict[tuple[int, int], dict[str, float]]) -> pd.DataFrame:
    """What was measured, by seed and epoch, and by action."""
    return pd.DataFrame(
        [
            {
                "benchmark": "human36m",
                "arm": "solo",
                "seed": seed,
                "epoch": epoch,
                "action": action,
                "metric": metric,
                "value": value,
            }
            for (seed, epoch), by_action in values.items()
            for action, value in by_action.items()
            for metric in BENCHMARKS["human36m"]
        ]
    )


def test_a_score_has_each_run_at_its_last_and_at_its_best_epoch_over_frames_and_over_actions(curves):
    rows = rows_of(
        {
            (0, 2): {"": 5.0, "Walking": 4.0, "Sitting": 8.0},
            (0, 3): {"": 7.0, "Walking": 6.0, "Sitting": 10.0},
            (1, 1): {"": 6.0, "Walking": 5.0, "Sitting": 9.0},
            (1, 3): {"": 7.0, "Walking": 6.0, "Sitting": 12.0},
            (2, 1): {"": 1.0, "Walking": 1.0, "Sitting": 1.0},
        }
    )
    scores = {(each.stop, each.metric): each for each in benchmark_scores(curves, rows, ["solo"])}
    assert len(scores) == 2 * len(BENCHMARKS["human36m"])
    last, best = scores[LAST, HEADLINE_METRIC], scores[BEST, HEADLINE_METRIC]
    assert (last.framewise.mean, last.framewise.n, last.actionwise.mean) == (7.0, 2, 8.5)
    assert (best.framewise.mean, best.actionwise.mean) == (5.5, 6.5)
    assert {action: over.mean for action, over in best.by_action.items()} == {"Walking": 4.5, "Sitting": 8.5}


def test_an_epoch_that_was_measured_before_the_run_went_on_is_not_its_last(curves):
    rows = rows_of({(seed, epoch): {"": 10.0 * epoch, "Walking": 1.0} for seed in (0, 1) for epoch in (1, 3)})
    scores = {(each.stop, each.metric): each for each in benchmark_scores(curves, rows, ["solo"])}
    assert scores[LAST, HEADLINE_METRIC].framewise.mean == 30.0
    assert scores[BEST, HEADLINE_METRIC].framewise.mean == 20.0  # of the two that were measured, epochs 3 and 1


def test_without_measurements_there_are_no_scores(curves):
    assert benchmark_scores(curves, no_rows(BENCHMARK), ["solo"]) == []
