"""Steadiness over the moment of stopping: by hand, by laws, against slow loops, and on curves of
which the truth is known."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import kendalltau, rankdata

from tips_ray.stability.statistics import MARGIN_MM, errors_of, interval
from tips_ray.stability.steadiness import (
    MEASURES,
    MIN_LEVEL,
    PENALTY,
    DivergenceRate,
    VarianceSplit,
    change_points,
    divergence_rate,
    ranking,
    steadiness,
    summarise_steadiness,
    variance_split,
)

METRIC = "p_mpjpe_signed_mm"
NONE = interval([])
laws = settings(deadline=None, derandomize=True, max_examples=10)
eighths = st.integers(8 * 20, 8 * 200).map(lambda value: value / 8)  # exact, so that margins stay margins when curves are shifted
curve_lists = st.lists(eighths, min_size=1, max_size=60)


def errors_from(*curves: Any) -> pd.DataFrame:
    """Curves as the columns of a table of errors, seeds from 0."""
    table = pd.DataFrame(dict(enumerate(curves)), dtype=float)
    return table.set_axis(pd.RangeIndex(1, len(table) + 1, name="epoch"))


def tidy(arms: dict[str, pd.DataFrame], diverged: tuple[tuple[str, int], ...] = ()) -> pd.DataFrame:
    """The tidy curves of which `arms` are the errors; runs in `diverged` end so."""
    tables = []
    for arm, errors in arms.items():
        for seed, curve in errors.items():
            rows = pd.DataFrame({"arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": errors.index, "status": "ok"})
            rows.loc[rows.index[-1], "status"] = "diverged" if (arm, seed) in diverged else "ok"
            tables.append(rows.assign(**{METRIC: curve.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def correlated(rng: np.random.Generator, epochs: int, correlation: float) -> np.ndarray:
    return lfilter([1], [1, -correlation], rng.normal(size=epochs + 100))[100:]


def slow_stretch(curve: list[float]) -> int:
    longest = now = 0
    for value in curve:
        now = now + 1 if value - min(curve) <= MARGIN_MM else 0
        longest = max(longest, now)
    return longest


def cost_of(values: np.ndarray, starts: list[int], price: float) -> float:
    pieces = np.split(values, starts)
    return sum(float(((piece - piece.mean()) ** 2).sum()) for piece in pieces) + price * len(starts)


def slow_levels(values: np.ndarray, price: float) -> list[int]:
    """The cheapest levels, by looking at all ends and starts."""
    n, back = len(values), {0: 0}
    best = [-price] + [np.inf] * n
    for end in range(MIN_LEVEL, n + 1):
        for start in range(end - MIN_LEVEL + 1):
            cost = best[start] + cost_of(values[start:end], [], price) + price
            if cost < best[end]:
                best[end], back[end] = cost, start
    starts, at = [], n
    while back[at]:
        at = back[at]
        starts.insert(0, at)
    return starts


def test_a_run_by_hand() -> None:
    run = steadiness(errors_from([90.0, 62.0, 61.0, 60.0, 62.0, 66.0])).loc[0]
    assert run["gap_to_best_mm"] == pytest.approx((0 + 2 + 6) / 3)
    assert run[["within_1mm", "within_2mm", "within_5mm"]].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert run["longest_stretch"] == 4
    assert run["drift_mm_per_100_epochs"] == pytest.approx(300)  # slopes 2, 3 and 4 mm an epoch
    assert np.isnan(run["change_points"])  # too short to tell


@laws
@given(curve_lists, st.integers(-200, 200))
def test_a_shift_changes_nothing(curve: list[float], shift: int) -> None:
    here, there = errors_from(curve, curve[::-1]), errors_from(curve, curve[::-1]) + shift
    pd.testing.assert_frame_equal(steadiness(here), steadiness(there))
    assert change_points(here) == change_points(there)
    assert vars(variance_split(here)) == pytest.approx(vars(variance_split(there)), nan_ok=True)


@laws
@given(curve_lists)
def test_laws_of_any_curve(curve: list[float]) -> None:
    run = steadiness(errors_from(curve)).loc[0]
    assert run["gap_to_best_mm"] >= 0
    assert 0 <= run["within_1mm"] <= run["within_2mm"] <= run["within_5mm"] <= 1
    assert run["longest_stretch"] == slow_stretch(curve)
    assert not run["late_change_points"] > run["change_points"]


@laws
@given(curve_lists)
def test_a_falling_curve_is_always_at_its_best_and_drifts_down(curve: list[float]) -> None:
    run = steadiness(errors_from(sorted(curve, reverse=True))).loc[0]
    assert run["gap_to_best_mm"] == 0
    assert not run["drift_mm_per_100_epochs"] > 0


@laws
@given(st.lists(eighths, min_size=2, max_size=30))
def test_backwards_the_window_drifts_the_other_way_and_the_rest_stays(window: list[float]) -> None:
    def errors(half: list[float]) -> pd.DataFrame:
        return errors_from([*[200.0] * len(half), *half], [100.0] * 2 * len(half))

    ahead, back = (steadiness(errors(half)).loc[0] for half in (window, window[::-1]))
    assert back["drift_mm_per_100_epochs"] == pytest.approx(-ahead["drift_mm_per_100_epochs"])
    same = ["within_1mm", "within_2mm", "within_5mm"]
    assert back[same].tolist() == ahead[same].tolist()
    assert vars(variance_split(errors(window[::-1]))) == pytest.approx(vars(variance_split(errors(window))))
    assert steadiness(errors_from(window[::-1]))["longest_stretch"].tolist() == [slow_stretch(window)]


def test_rows_are_by_seed_and_no_seed_minds_another() -> None:
    rng = np.random.default_rng(0)
    errors = errors_from(*rng.normal(60, 3, (3, 80)))
    for seed in errors:
        pd.testing.assert_series_equal(steadiness(errors).loc[seed], steadiness(errors[[seed]]).loc[seed])


def test_drift_is_that_of_the_line_whatever_the_outliers() -> None:
    rng = np.random.default_rng(2)
    curve = 60 + 0.02 * np.arange(800) + rng.normal(0, 0.5, 800)
    curve[rng.choice(800, 80, replace=False)] += 40
    assert steadiness(errors_from(curve)).loc[0, "drift_mm_per_100_epochs"] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_planted_changes_are_found_where_they_are_and_mirrored_backwards(correlation: float) -> None:
    rng = np.random.default_rng(3)
    level = np.repeat([70.0, 60.0, 67.0, 60.0], [150, 250, 100, 300])
    found, misses = [], []
    for seed in range(20):
        curve = level + 0.7 * correlated(rng, 800, correlation)
        epochs = change_points(errors_from(curve))[0]
        found.append(len(epochs))
        if len(epochs) == 3:
            misses += [abs(epoch - truth) for epoch, truth in zip(epochs, (151, 401, 501), strict=True)]
        assert [802 - epoch for epoch in change_points(errors_from(curve[::-1]))[0]][::-1] == epochs, seed
    assert np.mean(np.equal(found, 3)) >= 0.9
    assert max(misses) <= 3


def test_changes_of_the_last_half_are_counted_apart() -> None:
    rng = np.random.default_rng(4)
    curve = np.repeat([80.0, 60.0, 70.0], [100, 200, 100]) + rng.normal(size=400)
    run = steadiness(errors_from(curve)).loc[0]
    assert (run["change_points"], run["late_change_points"]) == (2, 1)


@pytest.mark.parametrize(("epochs", "correlation", "most"), [(50, 0, 0.03), (800, 0, 0.02), (800, 0.4, 0.05), (800, 0.7, 0.1)])
def test_noise_has_no_changes(epochs: int, correlation: float, most: float) -> None:
    rng = np.random.default_rng(5)
    errors = errors_from(*(60 + correlated(rng, epochs, correlation) for _ in range(200)))
    assert np.mean([len(found) > 0 for found in change_points(errors).values()]) <= most


def test_levels_are_the_cheapest() -> None:
    rng = np.random.default_rng(6)
    equal = 0
    for _ in range(20):
        values = np.round(np.repeat([0, 6, 2], [30, 20, 25]) + rng.normal(size=75), 3)
        noise = np.median(np.abs(np.diff(values) - np.median(np.diff(values)))) / 0.6745 / np.sqrt(2)
        lag = np.median(np.abs(values[2:] - values[:-2] - np.median(values[2:] - values[:-2]))) / 0.6745 / np.sqrt(2)
        rho = np.clip((lag / noise) ** 2 - 1, 0, 0.9)
        price = PENALTY * np.log(75) * noise**2 * (1 + rho) / (1 - rho) ** 2
        found = [epoch - 1 for epoch in change_points(errors_from(values))[0]]
        best = slow_levels(values, price)
        assert cost_of(values, best, price) - 1e-9 <= cost_of(values, found, price) < cost_of(values, best, price) + price
        equal += found == best
    assert equal >= 18


def test_flat_and_short_curves_have_none() -> None:
    late = np.arange(100) >= 50
    noiseless = errors_from([60.0] * 100, 60 + 1e-13 * np.arange(100), 60 + 1e-3 * late, 60 + 1.0 * late)
    assert change_points(noiseless) == {0: [], 1: [], 2: [], 3: [51]}
    assert change_points(errors_from([60.0] * (2 * MIN_LEVEL - 1))) == {}
    spike = 60 + np.random.default_rng(0).normal(size=100)
    spike[50] += 12  # an outlier is no level
    assert change_points(errors_from(spike)) == {0: []}


def test_variances_are_recovered() -> None:
    rng = np.random.default_rng(7)
    found = variance_split(errors_from(*(60 + rng.normal(0, 3) + rng.normal(0, 2, 200) for _ in range(400))))
    assert found.within_mm2 == pytest.approx(4, rel=0.02)
    assert found.between_mm2 == pytest.approx(9, rel=0.15)
    assert found.between_share == pytest.approx(9 / 13, rel=0.05)
    assert found.n == 400


def test_seeds_that_differ_by_their_epochs_alone_do_not_vary_between() -> None:
    rng = np.random.default_rng(8)
    shares = [variance_split(errors_from(*rng.normal(60, 2, (5, 20)))).between_share for _ in range(300)]
    assert min(shares) == 0
    assert np.mean(shares) < 0.06  # without the correction: 0.1


def test_variance_of_too_little_is_none() -> None:
    assert variance_split(pd.DataFrame()) == VarianceSplit(None, None, None, 0)
    assert variance_split(errors_from([60.0], [70.0])) == VarianceSplit(None, None, None, 2)
    assert variance_split(errors_from([9, 9, 60.0, 62.0])) == VarianceSplit(2.0, None, None, 1)
    assert variance_split(errors_from([60.0] * 4, [60.0] * 4)) == VarianceSplit(0.0, 0.0, None, 2)


def test_divergence_rates_are_wilsons() -> None:
    errors = errors_from(*([60.0, 50.0] for _ in range(10)))
    curves = tidy({"a": errors, "b": errors}, diverged=(("a", 3), ("a", 4)))
    rate, n, z = 0.2, 10, 1.959963984540054
    middle, half = rate + z**2 / (2 * n), z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    expected = {"rate": 0.2, "low": (middle - half) / (1 + z**2 / n), "high": (middle + half) / (1 + z**2 / n), "n": 10}
    assert vars(divergence_rate(curves, "a")) == pytest.approx(expected)
    assert divergence_rate(curves, "b").low == 0
    assert 0.2 < divergence_rate(curves, "b").high < 0.3
    assert divergence_rate(curves, "no such arm") == DivergenceRate(None, None, None, 0)


def test_an_order_that_holds_has_tau_one() -> None:
    rng = np.random.default_rng(9)
    base = rng.normal(60, 5, 40)
    found = ranking({arm: errors_from(base + gap, base + gap + 1) for arm, gap in (("a", 0.0), ("b", 2.0), ("c", 1.0))})
    assert found is not None
    assert found.tau == [1.0] * 40
    assert (found.mean_tau, found.same_share, found.settled_epoch) == (1.0, 1.0, 1)
    assert found.n == {"a": 2, "b": 2, "c": 2}


def test_a_ranking_by_hand_is_cut_to_the_shorter() -> None:
    found = ranking({"a": errors_from([1, 1, 5, 1, 5, 5, 0, 0]), "b": errors_from([2, 2, 2, 2, 2, 2])})
    assert found is not None
    assert (found.n, found.epochs, found.settled_epoch) == ({"a": 1, "b": 1}, [1, 2, 3, 4, 5, 6], 5)
    assert found.tau == [-1, -1, 1, -1, 1, 1]
    assert (found.mean_tau, found.same_share) == pytest.approx((1 / 3, 2 / 3))


@laws
@given(st.integers(2, 5), st.integers(1, 12), st.integers(0, 10**6))
def test_rankings_against_scipys_tau_and_loops(arms: int, epochs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = {f"arm{arm}": errors_from(*rng.integers(0, 3, (2, epochs))) for arm in range(arms)}  # with ties
    means = np.stack([table.mean(axis=1).to_numpy() for table in errors.values()], axis=1)
    found = ranking(errors)
    assert found is not None
    truth = [kendalltau(row, means[-1]).statistic for row in means]
    assert [np.nan if tau is None else tau for tau in found.tau] == pytest.approx(truth, nan_ok=True)
    same = [(rankdata(row) == rankdata(means[-1])).all() for row in means]
    assert found.same_share == pytest.approx(np.mean(same[epochs // 2 :]))
    settled = epochs
    while settled > 1 and same[settled - 2]:
        settled -= 1
    assert found.settled_epoch == settled


def test_rankings_of_too_little_are_none() -> None:
    some, lost = errors_from([1.0, 2.0]), errors_from([np.nan, np.nan])
    assert ranking({}) is None
    assert ranking({"a": some}) is None
    assert ranking({"a": some, "b": pd.DataFrame(), "c": lost}) is None
    equal = ranking({"a": some, "b": some})
    assert equal is not None
    assert (equal.tau, equal.mean_tau, equal.same_share) == ([None, None], None, 1.0)


def test_what_is_missing_is_left_out() -> None:
    errors = errors_from([9.0, 5.0, np.nan, 4.0, np.inf, 4.0], [np.nan] * 6)
    found = steadiness(errors)
    assert found.index.tolist() == [0]
    run = found.loc[0]
    assert (run["gap_to_best_mm"], run["within_1mm"], run["longest_stretch"], run["drift_mm_per_100_epochs"]) == (0, 1, 1, 0)
    late = steadiness(errors_from([9.0, 5.0, np.nan, np.nan])).loc[0]
    assert late.drop("longest_stretch").isna().all()
    gaps = 60 + np.random.default_rng(0).normal(size=90) + 20 * (np.arange(90) < 40)
    gaps[::7] = np.nan
    assert change_points(errors_from(gaps)) == {0: [41]}


def test_a_summary_is_intervals_over_seeds_in_plain_types() -> None:
    rng = np.random.default_rng(10)
    errors = {arm: errors_from(*rng.normal(level, 2, (4, 60))) for arm, level in (("a", 60), ("b", 63))}
    found = summarise_steadiness(tidy(errors, diverged=(("b", 3),)), iter(["a", "b"]), METRIC)
    arm = found.arms["a"]
    table = errors_of(tidy(errors), "a", METRIC)
    for name, column in steadiness(table).items():
        assert getattr(arm, str(name)) == interval(column)
    assert arm.variance == variance_split(table)
    assert arm.change_point_epochs == change_points(table)
    assert found.arms["b"].gap_to_best_mm.n == 3
    assert found.arms["b"].divergence_rate.rate == 0.25
    assert found.ranking.n == {"a": 4, "b": 3}


@pytest.mark.parametrize(
    "curves",
    [
        pd.DataFrame(),
        pd.DataFrame(columns=["campaign", "arm", "run", "seed", "epoch", "status"]),
        tidy({"a": errors_from([5.0, np.nan])}, diverged=(("a", 0),)),
        tidy({"a": errors_from([np.nan, np.nan], [np.nan, np.nan])}),
        tidy({"a": errors_from([5.0, 4.0])}).drop(columns=METRIC),
    ],
    ids=["nothing", "no rows", "diverged", "NaN", "no such column"],
)
def test_without_an_error_there_are_no_numbers(curves: pd.DataFrame) -> None:
    found = summarise_steadiness(curves, ["a", "b"], METRIC)
    assert found.ranking is None
    assert [getattr(found.arms["a"], name) for name in MEASURES] == [NONE] * len(MEASURES)
    assert found.arms["a"].variance.n == 0
    assert found.arms["b"].divergence_rate.n == 0
    assert list(steadiness(pd.DataFrame())) == list(MEASURES)


def test_one_seed_and_one_epoch() -> None:
    found = summarise_steadiness(tidy({"a": errors_from([5.0]), "b": errors_from([4.0], [3.0])}), ["a", "b"], METRIC)
    assert found.arms["a"].gap_to_best_mm == interval([0.0])
    assert found.arms["a"].within_1mm.mean == 1
    assert found.arms["b"].longest_stretch.mean == 1
    assert found.arms["a"].drift_mm_per_100_epochs == found.arms["a"].change_points == NONE
    assert found.ranking.tau == [1.0]
