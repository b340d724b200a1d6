"""Statistics over curves: by hand, by laws, and against slow loops."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.stability.statistics import (
    Correlation,
    Divergence,
    Interval,
    PairedDifference,
    arms_of,
    at_epochs,
    divergences,
    errors_of,
    interval,
    last_half,
    over_seeds,
    paired,
    rank_correlation,
    regret,
    run_statistics,
    runs_of,
)

METRIC = "p_mpjpe_signed_mm"
laws = settings(deadline=None, derandomize=True, max_examples=10)
millimetres = st.floats(20, 200)


def table(errors: dict[tuple[str, int], list[float]], diverged: tuple[tuple[str, int], ...] = ()) -> pd.DataFrame:
    """Curves from errors by (arm, seed); the last row of a run in `diverged` is where it did."""
    return pd.DataFrame(
        [
            {
                "campaign": "c",
                "arm": arm,
                "run": f"{arm}-seed{seed}",
                "seed": seed,
                "epoch": epoch,
                "status": "diverged" if (arm, seed) in diverged and epoch == len(values) else "ok",
                METRIC: value,
            }
            for (arm, seed), values in errors.items()
            for epoch, value in enumerate(values, start=1)
        ]
    )


def test_interval_of_none_one_and_equal_values():
    assert interval([]) == Interval(None, None, None, None, 0)
    assert interval([4.0]) == Interval(4.0, None, None, None, 1)
    assert interval([4.0, 4.0, 4.0]) == Interval(4.0, 0.0, 4.0, 4.0, 3)


def test_interval_leaves_out_what_is_not_finite_and_n_says_so():
    assert interval([1.0, np.nan, 3.0, np.inf]) == interval([1.0, 3.0])
    assert interval([np.nan, 2.0]).n == 1


@laws
@given(st.lists(millimetres, min_size=2, max_size=8))
def test_interval_holds_the_mean_and_lies_within_the_values(values):
    found = interval(values, resamples=500)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found == interval(values, resamples=500)


@laws
@given(st.lists(millimetres, min_size=3, max_size=8, unique=True), st.floats(-50, 50))
def test_interval_moves_with_the_values(values, shift):
    here, there = interval(values, resamples=500), interval([value + shift for value in values], resamples=500)
    # BCa looks at how many resampled means lie below the mean: rounding moves those that equal it,
    # and so the ends a little
    slack = 0.15 * np.ptp(values) + 1e-6
    assert there.mean == pytest.approx(here.mean + shift)
    assert there.low == pytest.approx(here.low + shift, abs=slack)


def test_interval_covers_the_truth_as_often_as_the_documentation_says():
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(size=5), seed=draw, resamples=499) for draw in range(600)]
    share = np.mean([entry.low <= 0 <= entry.high for entry in found])
    assert share == pytest.approx(0.85, abs=0.04)


def test_another_seed_draws_other_resamples():
    values = [60.0, 61.5, 63.0, 70.0, 64.2, 66.6]
    assert interval(values, seed=0).low != interval(values, seed=1, resamples=99).low


def test_errors_are_cut_to_the_epochs_that_all_runs_have():
    curves = table({("a", 0): [5, 4, 3, 2], ("a", 1): [7, 6], ("b", 0): [1, 1, 1]})
    assert errors_of(curves, "a", METRIC).to_dict("list") == {0: [5, 4], 1: [7, 6]}
    assert len(errors_of(curves, "b", METRIC)) == 3
    assert errors_of(curves, "no such arm", METRIC).empty


def test_a_diverged_run_is_listed_and_in_no_mean():
    curves = table({("a", 0): [5, 4, 3], ("a", 1): [5, np.nan], ("a", 2): [7, 6, 5]}, diverged=(("a", 1),))
    assert divergences(curves) == [Divergence("a", "a-seed1", 1, 2)]
    assert errors_of(curves, "a", METRIC).columns.tolist() == [0, 2]
    assert len(errors_of(curves, "a", METRIC)) == 3  # the diverged run's two epochs shorten nothing
    assert over_seeds(errors_of(curves, "a", METRIC))["last"].n == 2
    assert runs_of(curves, "a")["status"].tolist() == ["ok", "diverged", "ok"]


def test_an_arm_of_diverged_runs_only_has_no_numbers():
    curves = table({("a", 0): [5, np.nan], ("b", 0): [4, 3]}, diverged=(("a", 0),))
    assert over_seeds(errors_of(curves, "a", METRIC))["best"] == interval([])
    assert paired(curves, "a", "b", METRIC)[0].n == 0


def test_of_an_epoch_that_stands_twice_the_later_row_holds():
    curves = table({("a", 0): [5, 4, 3]})
    again = curves.iloc[[1]].assign(**{METRIC: 9.0})
    assert errors_of(pd.concat([curves, again]), "a", METRIC)[0].tolist() == [5, 9, 3]


@pytest.mark.parametrize(("epochs", "window"), [(1, [1]), (2, [2]), (5, [3, 4, 5]), (800, list(range(401, 801)))])
def test_last_half_is_the_papers_window(epochs, window):
    errors = errors_of(table({("a", 0): list(range(epochs))}), "a", METRIC)
    assert last_half(errors).index.tolist() == window


def test_statistics_of_a_run_by_hand():
    errors = errors_of(table({("a", 3): [90.0, 70.0, 61.0, 60.0, 62.0, 66.0]}), "a", METRIC)
    run = run_statistics(errors).loc[3]
    assert run["best_epoch"] == 4
    assert run["best"] == 60
    assert run["last"] == 66
    assert run["last_half"] == pytest.approx((60 + 62 + 66) / 3)
    assert run["spread"] == pytest.approx(np.std([60, 62, 66], ddof=1))
    assert run["regret"] == 6
    assert run["epochs_within_2mm"] == 3
    assert regret(errors)[3].tolist() == [30, 10, 1, 0, 2, 6]


def test_std_of_the_last_half_is_the_spread_over_epochs_averaged_over_seeds():
    errors = errors_of(table({("a", 0): [9, 9, 1, 3], ("a", 1): [9, 9, 100, 110]}), "a", METRIC)
    found = over_seeds(errors)["last_half"]
    assert found.mean == pytest.approx((2 + 105) / 2)
    assert found.std == pytest.approx((np.std([1, 3], ddof=1) + np.std([100, 110], ddof=1)) / 2)


def test_error_at_given_epochs():
    errors = errors_of(table({("a", 0): [9, 8, 7], ("a", 1): [7, 6, 5]}), "a", METRIC)
    found = at_epochs(errors, [2, 3, 4])
    assert (found[2].mean, found[3].mean, found[4].n) == (7, 6, 0)


def test_paired_differences_use_shared_seeds_at_equal_epochs():
    curves = table(
        {("a", 0): [9, 8, 1], ("a", 1): [7, 6, 1], ("a", 2): [5, 5, 1], ("b", 0): [5, 5], ("b", 1): [5, 2], ("b", 7): [0, 0]}
    )
    found = {entry.statistic: entry for entry in paired(curves, "a", "b", METRIC)}
    assert found["last"] == PairedDifference(3.5, 3.0, 4.0, 2, "a", "b", METRIC, "last", 2)


@laws
@given(st.lists(st.tuples(millimetres, millimetres), min_size=2, max_size=6), st.floats(-30, 30))
def test_a_constant_gap_is_found_exactly_whatever_the_seeds(runs, gap):
    errors = {("a", seed): list(run) for seed, run in enumerate(runs)}
    errors |= {("b", seed): [value - gap for value in run] for seed, run in enumerate(runs)}
    for entry in paired(table(errors), "a", "b", METRIC):
        assert [entry.low, entry.difference, entry.high] == pytest.approx([gap] * 3, abs=1e-9)


def test_paired_differences_change_sign_with_the_order():
    rng = np.random.default_rng(1)
    curves = table({(arm, seed): list(rng.uniform(40, 90, 6)) for arm in "ab" for seed in range(4)})
    for one, other in zip(paired(curves, "a", "b", METRIC), paired(curves, "b", "a", METRIC), strict=True):
        assert one.difference == pytest.approx(-other.difference)


def test_no_rows_at_all():
    empty = pd.DataFrame()
    assert arms_of(empty) == []
    assert divergences(empty) == []
    assert over_seeds(errors_of(empty, "a"))["last"] == interval([])
    assert {entry.n for entry in paired(empty, "a", "b")} == {0}


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlations_are_spearmans_and_their_intervals_hold_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = pd.Series(rng.integers(0, 20, 40).astype(float))  # with ties
    other = one + rng.normal(0, 8, 40)
    other[3] = np.nan
    found = rank_correlation(one, other)
    assert found.n == 39
    assert found.rank_correlation == pytest.approx(one.corr(other, method="spearman"))
    assert found.low < found.rank_correlation < found.high
    assert rank_correlation(np.exp(one), other) == found  # ranks alone count
    mirrored = rank_correlation(-one, other)
    assert mirrored.rank_correlation == pytest.approx(-found.rank_correlation)


def test_rank_correlations_of_too_little_are_none() -> None:
    few, same = pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0] * 30)
    assert rank_correlation(few, few) == Correlation(None, None, None, 3)
    assert rank_correlation(same, pd.Series(range(30))).rank_correlation is None
