"""Stop rules: laws of what they answer, and each against a loop over epochs."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tips_ray.columns import DERIVED, LABEL_FREE, METRICS, SIGNALS, TRAIN_METRIC
from tips_ray.config import Teacher
from tips_ray.stability.rule_sets import rule_named, standard_rules
from tips_ray.stability.rules import (
    WARMUP_SHARE,
    Average,
    Band,
    Fixed,
    GuardedAverage,
    Last,
    Lowest,
    Plateau,
    ranks,
    run_lengths,
    trailing_mean,
)
from tips_ray.stability.stopping import Curve, Oracle, Rule, Window

laws = settings(deadline=None, derandomize=True, max_examples=30)
few = settings(deadline=None, derandomize=True, max_examples=8)  # of all standard rules at once
MEASURED = tuple(name for name in LABEL_FREE if name not in DERIVED)
LABELLED = (*METRICS, TRAIN_METRIC, "loss_supervised", "part_sign_agreement")
NAMES = [rule.name for rule in standard_rules(800)]
SEEDS, LENGTHS, GAPS = st.integers(0, 2**16), st.integers(1, 60), st.sampled_from([0.0, 0.3, 0.9, 1.0])
EIGHTHS = st.integers(0, 80).map(lambda value: value / 8)  # their sums are exact, so that loops and arrays agree to the last bit
VALUES = st.lists(st.one_of(EIGHTHS, st.just(math.nan)), min_size=1, max_size=40)


def rows_of(num_epochs: int, seed: int = 0, gaps: float = 0.0) -> pd.DataFrame:
    """Random signals and errors; a share `gaps` of the signals' values is missing, and some are
    infinite."""
    rng = np.random.default_rng(seed)
    signals = rng.uniform(0, 1, (num_epochs, len(MEASURED))).round(rng.integers(1, 4))  # rounded to one digit, many are equal
    signals[rng.random(signals.shape) < gaps] = np.nan
    signals[rng.random(signals.shape) < gaps / 20] = np.inf
    errors = rng.uniform(40, 90, (num_epochs, len(LABELLED)))
    columns = pd.DataFrame(np.hstack([signals, errors]), columns=[*MEASURED, *LABELLED])
    return columns.assign(epoch=range(1, num_epochs + 1), status="ok", depth_sign=1.0)


def curve_of(**columns: Sequence[float]) -> Curve:
    table = pd.DataFrame(columns, dtype=float)
    return Curve(table.assign(epoch=range(1, len(table) + 1)))


def slow_means(values: Sequence[float], length: int) -> list[float]:
    means = []
    for epoch in range(1, len(values) + 1):
        known = [value for value in values[max(0, epoch - length) : epoch] if math.isfinite(value)]
        means.append(sum(known) / len(known) if known else math.nan)
    return means


def slow_band(values: Sequence[float], low: float, high: float, patience: int) -> int:
    entered, outside = False, 0
    for epoch, value in enumerate(values, start=1):
        if low <= value <= high:
            entered, outside = True, 0
        elif entered:
            outside += 1
            if outside == patience:
                return epoch - patience
    return len(values)


def slow_plateau(values: Sequence[float], patience: int, tolerance: float, smooth: int) -> int:
    lowest: list[float] = []
    for epoch, value in enumerate(slow_means(values, smooth), start=1):
        lowest.append(min([value, *lowest[-1:]], key=lambda each: math.inf if math.isnan(each) else each))
        then = lowest[epoch - 1 - patience] if epoch > patience else math.nan
        if lowest[-1] >= then * (1 - tolerance):  # never so for NaN
            return epoch
    return len(values)


def slow_ranks(values: Sequence[float]) -> list[float]:
    placed = [math.inf if math.isnan(value) else value for value in values]
    lower = [sum(other < value for other in placed) for value in placed]
    equal = [sum(other == value for other in placed) for value in placed]
    return [below + (same + 1) / 2 for below, same in zip(lower, equal, strict=True)]


def slow_lowest(signals: Sequence[Sequence[float]], smooth: int) -> int:
    num_epochs = len(signals[0])
    start = int(WARMUP_SHARE * num_epochs)
    smoothed = [slow_means(values, smooth)[start:] for values in signals]
    placed = [slow_ranks(values) for values in smoothed] if len(signals) > 1 else smoothed
    best, lowest = num_epochs, math.inf
    for place in range(num_epochs - start):
        if all(math.isnan(values[place]) for values in smoothed):
            continue
        score = sum(values[place] for values in placed)
        if score < lowest:
            best, lowest = start + place + 1, score
    return best


# What a rule may see


@few
@given(LENGTHS, SEEDS, GAPS)
def test_no_rule_answers_otherwise_when_all_labels_are_others(num_epochs: int, seed: int, gaps: float) -> None:
    rows, rng = rows_of(num_epochs, seed, gaps), np.random.default_rng(seed)
    scrambled = rows.assign(**{name: rng.permutation(rows[name].to_numpy()) * rng.uniform(-9, 9) for name in LABELLED})
    without = rows.drop(columns=list(LABELLED))
    for rule in standard_rules(num_epochs):
        assert rule(Curve(rows)) == rule(Curve(scrambled)) == rule(Curve(without)), rule.name


def test_rules_do_look_at_the_signals_that_they_name() -> None:
    rows, other = rows_of(60, seed=1), rows_of(60, seed=2)
    for rule in standard_rules(60):
        ours = [column for name in rule.columns for column in DERIVED.get(name, ((name,), 1.0))[0]]
        elsewhere = rows.assign(**{name: other[name] for name in MEASURED if name not in ours})
        assert rule(Curve(rows)) == rule(Curve(elsewhere)), rule.name
    answers = [(rule(Curve(rows)), rule(Curve(other))) for rule in standard_rules(60) if isinstance(rule, Lowest)]
    assert sum(one != another for one, another in answers) > len(answers) / 2


def test_every_rule_is_one_and_the_oracle_is_none() -> None:
    assert all(isinstance(rule, Rule) for rule in standard_rules(800))
    assert not isinstance(Oracle(), Rule)
    assert not set(Oracle().columns) & set(LABEL_FREE)
    assert not set(LABEL_FREE) & set(LABELLED)
    assert {column for rule in standard_rules(800) for column in rule.columns} >= set(SIGNALS) - {"student_disagreement_mm"}


# Laws over all standard rules


@few
@given(LENGTHS, SEEDS, GAPS)
def test_a_window_lies_within_the_curve(num_epochs: int, seed: int, gaps: float) -> None:
    curve = Curve(rows_of(num_epochs, seed, gaps))
    for rule in standard_rules(num_epochs):
        window = rule(curve)
        assert 1 <= window.first <= window.last <= num_epochs, rule.name
        assert curve.check(window) is window


@few
@given(st.integers(1, 40), st.integers(1, 20), SEEDS, GAPS)
def test_what_comes_later_changes_nothing_that_was_said(num_epochs: int, more: int, seed: int, gaps: float) -> None:
    rows, other = rows_of(num_epochs + more, seed, gaps), rows_of(num_epochs + more, seed + 1, gaps)
    otherwise = pd.concat([rows[:num_epochs], other[num_epochs:]])
    for rule in standard_rules(num_epochs):
        said = rule(Curve(rows[:num_epochs]))
        assert said == rule(Curve(otherwise[:num_epochs])), rule.name
        if isinstance(rule, Band | Plateau) and said.last < num_epochs:  # it has stopped, and a stop stands
            assert rule(Curve(rows)) == said == rule(Curve(otherwise)), rule.name
    before = trailing_mean(rows["churn_mm"].to_numpy()[:num_epochs], 5)
    assert np.array_equal(trailing_mean(rows["churn_mm"].to_numpy(), 5)[:num_epochs], before, equal_nan=True)


@few
@given(VALUES, st.integers(1, 4))
def test_who_watches_epoch_by_epoch_stops_where_the_whole_curve_says(values: list[float], patience: int) -> None:
    """A band or a plateau, asked after each epoch: all answers before the stop are the newest
    epoch, all after it the stop."""
    for rule in (Band("churn_mm", 2, 6, patience), Plateau("churn_mm", patience, 0.1, smooth=2)):
        answers = [rule(curve_of(churn_mm=values[:epoch])).last for epoch in range(1, len(values) + 1)]
        stop = answers[-1]
        assert all(answer in (epoch, stop) for epoch, answer in enumerate(answers, start=1))
        settled = [answer != epoch for epoch, answer in enumerate(answers, start=1)]
        assert all(then or not now for now, then in pairwise(settled))


def test_names_are_unique_and_the_same_for_all_lengths() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for num_epochs in range(1, 201):
        assert [rule.name for rule in standard_rules(num_epochs)] == NAMES
    assert Teacher().rule in NAMES
    assert Oracle().name not in NAMES


def test_windows_are_shares_of_the_training() -> None:
    curve, rules = Curve(rows_of(800)), standard_rules(800)
    said = {name: rule_named(name, rules)(curve) for name in NAMES}
    assert said["last epoch"] == Window(800, 800)
    assert [said[f"epoch at {percent} %"].last for percent in (25, 50, 75)] == [200, 400, 600]
    assert [said[f"average of the last {percent} %"].first for percent in (10, 25, 50)] == [721, 601, 401]
    assert said["moving average, half-life 5 %"] == Window(601, 800, 40)
    long, short = said["lowest unlikeliness, average of 10 %"], said["lowest unlikeliness"]
    assert long == Window(max(1, short.last - 79), short.last)


# Slow truths


@laws
@given(VALUES, st.integers(1, 50))
def test_trailing_means_are_those_of_a_loop(values: list[float], length: int) -> None:
    given_ = [math.inf if value == 3 else value for value in values]  # infinity is no number either
    found = trailing_mean(np.array([given_, given_[::-1]]), length)
    assert np.array_equal(found[0], slow_means(given_, length), equal_nan=True)
    assert np.array_equal(found[1], slow_means(given_[::-1], length), equal_nan=True)
    assert np.array_equal(trailing_mean(np.array(given_), length), found[0], equal_nan=True)


@laws
@given(st.integers(1, 20).flatmap(lambda n: st.lists(st.lists(EIGHTHS | st.just(math.nan), min_size=n, max_size=n), min_size=1)))
def test_ranks_are_those_of_a_loop(rows: list[list[float]]) -> None:
    assert ranks(np.array(rows)).tolist() == [slow_ranks(row) for row in rows]


def test_ranks_by_hand() -> None:
    assert ranks(np.array([[0.5, math.nan, 0.1, 0.5]])).tolist() == [[2.5, 4, 1, 2.5]]


@laws
@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_run_lengths_are_those_of_a_loop(flags: list[bool]) -> None:
    slow, now = [], 0
    for flag in flags:
        now = now + 1 if flag else 0
        slow.append(now)
    assert run_lengths(np.array(flags)).tolist() == slow


@laws
@given(VALUES, st.integers(1, 5))
@example([9.0] * 6, 2)  # never enters
@example([9.0, 5.0, 5.0], 2)  # never leaves
@example([5.0, 9.0, 5.0, 9.0, 9.0, 5.0], 2)  # comes back once, too late the second time
def test_a_band_is_left_where_a_state_machine_says(values: list[float], patience: int) -> None:
    epoch = slow_band(values, 2.0, 6.0, patience)
    assert Band("churn_mm", 2.0, 6.0, patience)(curve_of(churn_mm=values)) == Window(epoch, epoch)


@pytest.mark.parametrize(
    ("values", "epoch"),
    [
        ([9, 9, 9, 9], 4),  # never inside: the last
        ([9, 5, 5, 5, 5], 5),  # never leaves: the last
        ([9, 5, 5, 9, 9], 3),
        ([9, 5, 9, 5, 9, 9, 5, 5], 4),  # a visit outside of one epoch is forgiven
        ([5, 9], 2),  # not for long enough yet
        ([2, 6, 1.9, 1.9], 2),  # the ends belong to it
        ([5, math.nan, math.nan, 5], 1),  # what was not measured is not inside
    ],
)
def test_a_band_by_hand(values: list[float], epoch: int) -> None:
    assert Band("churn_mm", 2, 6, patience=2)(curve_of(churn_mm=values)) == Window(epoch, epoch)


@laws
@given(VALUES, st.integers(1, 8), st.sampled_from([0.0, 0.01, 0.25]), st.integers(1, 6))
def test_a_plateau_is_where_a_loop_finds_it(values: list[float], patience: int, tolerance: float, smooth: int) -> None:
    epoch = slow_plateau(values, patience, tolerance, smooth)
    assert Plateau("churn_mm", patience, tolerance, smooth)(curve_of(churn_mm=values)) == Window(epoch, epoch)


@pytest.mark.parametrize(
    ("values", "epoch"),
    [
        ([8, 4, 2, 1, 0.5], 5),  # falls to the end: the last
        ([8, 4, 3.99, 3.98, 1], 4),  # less than a hundredth in two epochs
        ([8, 4, 5, 3, 9, 9], 6),
        ([0, 0, 0, 0, 0], 3),  # cannot fall any more
        ([math.nan, math.nan, math.nan, 8, 4, 4, 4], 7),  # what was not measured has not levelled off
        ([math.nan] * 5, 5),
        ([5, 5], 2),  # shorter than the patience
    ],
)
def test_a_plateau_by_hand(values: list[float], epoch: int) -> None:
    assert Plateau("churn_mm", patience=2)(curve_of(churn_mm=values)) == Window(epoch, epoch)


@laws
@given(VALUES, st.integers(1, 6), st.integers(1, 12))
def test_the_lowest_epoch_is_the_loops(values: list[float], smooth: int, average: int) -> None:
    epoch = slow_lowest([values], smooth)
    curve = curve_of(churn_mm=values)
    assert Lowest(("churn_mm",), smooth)(curve) == Window(epoch, epoch)
    assert Lowest(("churn_mm",), smooth, average)(curve) == Window(max(1, epoch - average + 1), epoch)


@laws
@given(st.lists(st.tuples(*[EIGHTHS | st.just(math.nan)] * 3), min_size=1, max_size=40), st.integers(1, 6))
def test_the_lowest_mean_rank_is_the_loops(rows: list[tuple[float, ...]], smooth: int) -> None:
    columns = dict(zip(("churn_mm", "frechet_2d", "flipped_vote_share"), map(list, zip(*rows, strict=True)), strict=True))
    epoch = slow_lowest(list(columns.values()), smooth)
    assert Lowest(tuple(columns), smooth)(curve_of(**columns)) == Window(epoch, epoch)


def test_the_first_tenth_is_not_believed_and_a_signal_without_values_names_the_last() -> None:
    early = [0.0, 0.0, *range(40, 22, -1)]
    assert Lowest(("churn_mm",))(curve_of(churn_mm=early)) == Window(20, 20)
    nothing = [1.0, math.nan, *[math.nan] * 18]
    for signals in (("churn_mm",), ("churn_mm", "frechet_2d")):
        assert Lowest(signals)(curve_of(churn_mm=nothing, frechet_2d=nothing)) == Window(20, 20)


def test_only_the_order_of_a_signal_counts_for_ranks() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 1, (2, 50))
    rule = Lowest(("churn_mm", "frechet_2d"))
    assert rule(curve_of(churn_mm=one, frechet_2d=other)) == rule(curve_of(churn_mm=np.exp(9 * one), frechet_2d=other**3))


@pytest.mark.parametrize(("length", "half_life"), [(1, None), (8, None), (80, None), (40, 8.0)])
def test_an_average_is_of_the_last_epochs(length: int, half_life: float | None) -> None:
    window = Average(length, half_life)(Curve(rows_of(80)))
    assert window == Window(81 - length, 80, half_life)
    assert window.single == (length == 1)


def test_windows_and_rules_say_what_they_are() -> None:
    assert [str(window) for window in (Window(7, 7), Window(3, 7), Window(3, 7, 2.5))] == ["7", "3–7", "3–7, half-life 2.5"]
    names = [rule.name for rule in (Last(), Fixed(300), Average(80), Average(80, 16), Band("loss_discriminator", 0.5, 1, 3))]
    assert names[:4] == ["last epoch", "epoch 300", "average of 80", "moving average, half-life 16"]
    assert names[4] == "discriminator loss leaves 0.5–1"
    assert Plateau("view_inconsistency_mm", 3).name == "view inconsistency levels off"
    assert Lowest(("loss_adversarial", "churn_mm")).name == "lowest adversarial loss + churn"


@pytest.mark.parametrize(
    ("distance", "limits", "window"),
    [
        ([9, 8, 4, 3, 5, 6, 7, 8], [1, 1, 1, 1, 2, 3, 4, 4], Window(3, 4)),  # both are worse at the end
        ([9, 8, 4, 3, 5, 6, 7, 8], [4, 4, 3, 3, 2, 2, 1, 1], Window(7, 8)),  # the run's own joints are not
        ([9, 8, 7, 6, 5, 4, 3, 2], [1, 1, 1, 1, 2, 3, 4, 4], Window(7, 8)),  # the seeds draw together
        ([9, 8, 4, 4, 5, 5, 4.3, 4.3], [1, 1, 1, 1, 2, 3, 4, 4], Window(7, 8)),  # within a tenth
        ([math.nan] * 8, [1, 1, 1, 1, 2, 3, 4, 4], Window(7, 8)),
    ],
)
def test_a_guarded_average_goes_back_where_all_its_signals_have_become_worse(
    distance: list[float], limits: list[float], window: Window
) -> None:
    rule = GuardedAverage(2, ("seed_disagreement_mm", "joint_limits"), "guarded")
    curve = curve_of(seed_disagreement_mm=[*map(float, distance)], joint_limits=[*map(float, limits)])
    assert rule(curve) == window


# Bad input


@pytest.mark.parametrize("rule", [Fixed(500), Average(500), Average(81, 4.0), GuardedAverage(500, ("churn_mm",), "guarded")])
def test_a_window_outside_the_curve_is_refused(rule: Rule) -> None:
    with pytest.raises(ValueError, match=r"outside the curve, which has 80 epochs; train longer, or stop earlier"):
        rule(Curve(rows_of(80)))
    assert rule(Curve(rows_of(500))).last == 500


def test_a_missing_column_is_named() -> None:
    with pytest.raises(KeyError, match="The curve has no column 'churn_mm', which the stop rule needs"):
        Plateau("churn_mm", 2)(curve_of(frechet_2d=[1, 2, 3]))


def test_an_unknown_rule_is_told_which_there_are() -> None:
    assert rule_named("lowest churn", standard_rules(80)) == Lowest(("churn_mm",), 4)
    with pytest.raises(ValueError, match=r"There is no stop rule 'first'; there are 'last epoch', 'epoch at 25 %', .*10 %'\."):
        rule_named("first", standard_rules(80))
