"""What stop rules cost: against loops over rows, by hand, and on signals of which the truth is
known."""

import json
import math
import statistics
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tips_ray.columns import DERIVED, HEADLINE_METRIC, LABEL_FREE, TRAIN_METRIC
from tips_ray.stability.regret import (
    RESAMPLES,
    STOPS,
    MedianRegret,
    RuleChoice,
    RuleScore,
    leave_one_run_out,
    median_interval,
    rank_rules,
    rules_for,
    score_stops,
    stops,
    whole_runs,
    windows_of,
)
from tips_ray.stability.rule_sets import standard_rules
from tips_ray.stability.rules import Average, Fixed, Last, Lowest
from tips_ray.stability.statistics import interval
from tips_ray.stability.stopping import Curve, LabelledColumnError, Oracle, Rule, Window
from tips_ray.stability.summary import strict
from tips_ray.store.measurements import KEYS, WINDOWS

laws = settings(deadline=None, derandomize=True, max_examples=10)
MEASURED = tuple(name for name in LABEL_FREE if name not in DERIVED)
NO_WINDOWS = pd.DataFrame(columns=[*KEYS[WINDOWS], HEADLINE_METRIC, TRAIN_METRIC])
Key = tuple[str, int, int, int, float]


def run_of(arm: str, seed: int, errors: Any, diverged: bool = False, **columns: Any) -> pd.DataFrame:
    """One run: errors by epoch, the training error a millimetre less unless it is given, and what
    else there is."""
    table = pd.DataFrame({HEADLINE_METRIC: errors}, dtype=float)
    table.insert(0, "epoch", range(1, len(table) + 1))
    keys = {"arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "status": "ok", TRAIN_METRIC: table[HEADLINE_METRIC] - 1}
    table = table.assign(**keys | columns)
    table.loc[table.index[-1], "status"] = "diverged" if diverged else "ok"
    return table


def random_curves(seed: int, lengths: dict[str, list[int]]) -> pd.DataFrame:
    """Runs of these lengths with random errors and signals; the last of each arm diverges if it has
    more than two."""
    rng = np.random.default_rng(seed)
    runs = []
    for arm, epochs in lengths.items():
        for number, length in enumerate(epochs):
            columns = {name: rng.uniform(0, 1, length) for name in MEASURED}
            columns[TRAIN_METRIC] = rng.uniform(40, 90, length)
            runs.append(run_of(arm, number, rng.uniform(40, 90, length), number == len(epochs) - 1 > 1, **columns))
    return pd.concat(runs)


def measured(found: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Random errors of the windows among stops."""
    windows = windows_of(found)
    errors = np.random.default_rng(seed).uniform(40, 90, (len(windows), 2))
    return pd.concat([windows, pd.DataFrame(errors, columns=[HEADLINE_METRIC, TRAIN_METRIC])], axis=1)


def slow_runs(curves: pd.DataFrame, arm: str) -> dict[int, list[dict[str, Any]]]:
    """Rows of an arm's whole runs by seed, in the order of epochs: the later of two rows of an
    epoch, cut to the shortest that has at least half of the epochs of the longest."""
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for row in curves.to_dict("records"):
        if row["arm"] == arm:
            found.setdefault(row["seed"], {})[row["epoch"]] = row
    found = {seed: rows for seed, rows in found.items() if rows[max(rows)]["status"] != "diverged"}
    longest = max((max(rows) for rows in found.values()), default=0)
    found = {seed: rows for seed, rows in found.items() if 2 * max(rows) >= longest}
    cut = min((max(rows) for rows in found.values()), default=0)
    return {seed: [rows[epoch] for epoch in range(1, cut + 1)] for seed, rows in found.items()}


def slow_judge(curves: pd.DataFrame, arms: list[str], windows: pd.DataFrame) -> dict[tuple[str, int, str], dict[str, float]]:
    """Error and regret on test and training views, by arm, seed and rule."""
    scored = {tuple(row[key] for key in KEYS[WINDOWS]): row for row in windows.to_dict("records")}
    found = {}
    for arm in arms:
        for seed, rows in slow_runs(curves, arm).items():
            lowest = {metric: min(row[metric] for row in rows) for metric in (HEADLINE_METRIC, TRAIN_METRIC)}
            best = next(row["epoch"] for row in rows if row[HEADLINE_METRIC] == lowest[HEADLINE_METRIC])
            said = {rule.name: rule(Curve(pd.DataFrame(rows))) for rule in standard_rules(len(rows))}
            for rule, window in {**said, Oracle().name: Window(best, best)}.items():
                if window.first == window.last:
                    at = rows[window.last - 1]
                elif (key := (arm, seed, window.first, window.last, window.half_life or 0.0)) in scored:
                    at = scored[key]
                else:
                    continue
                errors = {"error": at[HEADLINE_METRIC], "train_error": at[TRAIN_METRIC]}
                regrets = {"regret": at[HEADLINE_METRIC] - lowest[HEADLINE_METRIC]}
                regrets["train_regret"] = at[TRAIN_METRIC] - lowest[TRAIN_METRIC]
                found[arm, seed, rule] = {**errors, **regrets, "best_epoch": best}
    return found


# The runs


def test_whole_runs_are_cut_to_equal_length_without_those_that_diverged() -> None:
    curves = pd.concat(
        [
            run_of("a", 0, range(9)),
            run_of("a", 1, range(5)),
            run_of("a", 2, range(2), diverged=True),
            run_of("b", 0, range(3)),
        ]
    )
    assert {seed: len(run) for seed, run in whole_runs(curves, "a").items()} == {0: 5, 1: 5}
    assert whole_runs(curves, "no such arm") == {} == whole_runs(pd.DataFrame(), "a")
    lost = run_of("c", 0, range(3), diverged=True)
    assert whole_runs(pd.concat([curves, lost]), "c") == {}
    again = run_of("a", 1, [7.0, 8.0])  # as after a restart: the first two epochs once more
    assert whole_runs(pd.concat([curves, again]), "a")[1][HEADLINE_METRIC].tolist() == [7, 8, 2, 3, 4]


@pytest.mark.parametrize("seed", range(3))
def test_whole_runs_are_those_of_a_loop_in_any_order_of_rows(seed: int) -> None:
    curves = random_curves(seed, {"a": [9, 12, 4], "b": [3, 5]})
    curves = pd.concat([curves.sample(frac=1, random_state=seed), curves[::3].assign(churn_mm=0.5)])
    for arm in "ab":
        slow = slow_runs(curves, arm)
        found = whole_runs(curves, arm)
        assert list(found) == sorted(slow)
        for key, run in found.items():
            assert run[["epoch", HEADLINE_METRIC, "churn_mm"]].to_dict("records") == [
                {name: row[name] for name in ("epoch", HEADLINE_METRIC, "churn_mm")} for row in slow[key]
            ]


def test_rules_are_those_whose_columns_are_there() -> None:
    curve = Curve(run_of("a", 0, range(20), churn_mm=1.0, frechet_2d=math.nan))
    names = [rule.name for rule in rules_for(curve)]
    assert "last epoch" in names
    assert "lowest churn" in names
    assert "lowest frechet 2d" not in names
    assert "lowest consistency" not in names
    assert rules_for(curve, []) == []
    given_ = (Lowest(("churn_mm",)), Lowest(("frechet_2d",)))
    assert rules_for(curve, given_) == [given_[0]]


def test_a_rule_that_wants_labels_is_refused_and_not_left_out() -> None:
    with pytest.raises(LabelledColumnError, match=f"asked for '{HEADLINE_METRIC}'"):
        stops(random_curves(0, {"a": [20]}), ["a"], [Lowest(("churn_mm",)), Lowest((HEADLINE_METRIC,))])


# Errors and regrets


@laws
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4), st.lists(st.integers(1, 30), min_size=1, max_size=3), st.integers(0, 99)
)
def test_errors_and_regrets_are_those_of_a_loop(ours: list[int], theirs: list[int], seed: int) -> None:
    """One run or several, of unequal lengths, some diverged, with rows twice, and half of the
    windows not measured."""
    curves = random_curves(seed, {"a": ours, "b": theirs})
    curves = pd.concat([curves, curves[::4].assign(**{HEADLINE_METRIC: 65.25, TRAIN_METRIC: 64.5})])
    found = stops(curves, ["a", "b"])
    windows = measured(found, seed)[::2]
    scored_stops = score_stops(curves, found, windows)
    assert scored_stops.columns.tolist() == STOPS
    slow = slow_judge(curves, ["a", "b"], windows)
    ours_ = {(row["arm"], row["seed"], row["rule"]): row for row in scored_stops.to_dict("records")}
    assert set(ours_) == set(slow)
    assert len(ours_) == len(scored_stops)
    for key, row in slow.items():
        assert {name: ours_[key][name] for name in row} == pytest.approx(row)
        assert ours_[key]["oracle"] == (key[2] == Oracle().name)


def test_the_oracle_has_no_regret_and_every_single_epoch_has_some() -> None:
    curves = random_curves(0, {"a": [20, 20], "b": [30, 25]})
    found = stops(curves, ["a", "b"])
    scored_stops = score_stops(curves, found, measured(found))
    oracle = scored_stops[scored_stops["oracle"]]
    assert oracle["rule"].unique().tolist() == [Oracle().name]
    assert len(oracle) == 4
    assert (oracle["regret"] == 0).all()
    assert [window.last for window in oracle["window"]] == oracle["best_epoch"].tolist()
    of_one_epoch = np.array([window.single for window in scored_stops["window"]])
    single = scored_stops[~scored_stops["oracle"].to_numpy(bool) & of_one_epoch]
    assert len(single) > 40
    assert (single["regret"] >= 0).all()
    assert (single["train_regret"] >= 0).all()


def test_the_error_of_a_window_is_that_of_its_own_row_in_the_table() -> None:
    curves = pd.concat([run_of("a", seed, [60, 50, 55, 52]) for seed in (0, 1)])
    rules: list[Rule] = [Average(2), Average(2, 1.0), Average(3), Last()]
    found = stops(curves, ["a"], rules)
    assert found["window"].tolist()[:4] == [Window(3, 4), Window(3, 4, 1.0), Window(2, 4), Window(4, 4)]
    rows = [("a", 0, 3, 4, 0.0, 48.0, 47.5), ("a", 0, 3, 4, 1.0, 51.0, 52.0), ("a", 1, 2, 4, 0.0, 49.5, 49.0)]
    rows += [("b", 0, 2, 4, 0.0, 1.0, 1.0), ("a", 0, 2, 3, 0.0, 2.0, 2.0)]  # another arm's, and one that no rule names
    scored_stops = score_stops(curves, found, pd.DataFrame(rows, columns=NO_WINDOWS.columns))
    said = {
        (row["seed"], row["rule"]): (row["error"], row["regret"], row["train_regret"]) for row in scored_stops.to_dict("records")
    }
    assert said == {
        (0, "average of 2"): (48, -2, -1.5),  # better than every single epoch
        (0, "moving average, half-life 1"): (51, 1, 3),
        (0, "last epoch"): (52, 2, 2),
        (0, Oracle().name): (50, 0, 0),
        (1, "average of 3"): (49.5, -0.5, 0),
        (1, "last epoch"): (52, 2, 2),
        (1, Oracle().name): (50, 0, 0),
    }


def test_windows_are_listed_once_each_and_single_epochs_not_at_all() -> None:
    curves = random_curves(0, {"a": [40, 40]})
    rules: list[Rule] = [Average(10), Average(10, label="the same"), Average(10, 5.0), Last(), Average(1)]
    windows = windows_of(stops(curves, ["a"], rules))
    assert windows.to_dict("split")["data"] == [["a", s, 31, 40, half_life] for s in (0, 1) for half_life in (0.0, 5.0)]
    assert windows.columns.tolist() == KEYS[WINDOWS]
    assert windows_of(stops(curves, [])).empty


def test_no_label_has_a_say_in_a_stop() -> None:
    curves = random_curves(3, {"a": [40, 40, 40]})
    errors = {name: curves[name].to_numpy()[::-1] * 3 for name in (HEADLINE_METRIC, TRAIN_METRIC)}
    pd.testing.assert_frame_equal(stops(curves, ["a"]), stops(curves.assign(**errors), ["a"]))


def test_epochs_without_an_error_are_not_the_best() -> None:
    curves = run_of("a", 0, [60, math.nan, 50, 55])
    scored_stops = score_stops(curves, stops(curves, ["a"], [Last(), Fixed(2)]), NO_WINDOWS).set_index("rule")
    assert scored_stops["best_epoch"].tolist() == [3, 3, 3]
    assert scored_stops.loc["last epoch", ["regret", "train_regret"]].tolist() == [5, 5]
    assert math.isnan(scored_stops.loc["epoch 2", "regret"])


def test_a_curve_of_an_earlier_version_has_no_training_regret() -> None:
    curves = run_of("a", 0, [60, 50, 55]).drop(columns=TRAIN_METRIC)
    scored_stops = score_stops(curves, stops(curves, ["a"], [Last()]), NO_WINDOWS)
    assert scored_stops["regret"].tolist() == [5, 0]
    assert scored_stops["train_regret"].isna().all()
    assert not any(entry.chosen for entry in rank_rules(scored_stops))


# The ranking


def judged_of(**rules: tuple[list[float], list[float]]) -> pd.DataFrame:
    """Stops of one arm with these regrets on test and on training views, one a seed, and the
    oracle's."""
    rows = []
    num_seeds = max(len(regrets) for regrets, _ in rules.values())
    everything = {**rules, Oracle().name: ([0.0] * num_seeds, [-9.0] * num_seeds)}
    for rule, (regrets, train_regrets) in everything.items():
        for seed, (regret, train_regret) in enumerate(zip(regrets, train_regrets, strict=True)):
            errors = (50.0 + seed + regret, 50 + train_regret, regret, train_regret, 3)
            rows.append(("a", seed, rule, rule == Oracle().name, Window(1, 1), *errors))
    return pd.DataFrame(rows, columns=STOPS)


def chosen(entries: list[RuleScore]) -> list[str]:
    return [entry.rule for entry in entries if entry.chosen]


def test_scores_are_ranked_by_arm_and_median_and_are_strict_json() -> None:
    curves = random_curves(0, {"b": [20, 22, 24], "a": [30]})
    entries = rank_rules(score_stops(curves, stops(curves, ["b", "a"]), NO_WINDOWS))
    json.dumps(strict(entries), allow_nan=False)
    assert [entry.arm for entry in entries] == sorted((entry.arm for entry in entries), reverse=True)  # as they were given
    for one, other in pairwise(entries):
        assert one.arm != other.arm or one.regret_mm.median <= other.regret_mm.median
    assert {entry.n for entry in entries if entry.arm == "b"} == {2}  # the third has diverged
    assert len(chosen(entries)) == 2
    assert [entry.rule for entry in entries if entry.oracle] == [Oracle().name] * 2
    assert all(entry.label_free != entry.oracle for entry in entries)
    assert rank_rules(score_stops(curves, stops(curves, []), NO_WINDOWS)) == []


def test_no_rule_of_an_arm_that_an_oracle_taught_is_label_free() -> None:
    curves = random_curves(0, {"a": [30, 30], "b": [30, 30]})
    scored_stops = score_stops(curves, stops(curves, ["a", "b"]), NO_WINDOWS)
    entries = rank_rules(scored_stops, taught_by_oracle=["b"])
    assert {entry.arm for entry in entries if entry.label_free} == {"a"}
    assert [replace(entry, label_free=not entry.oracle) for entry in entries] == rank_rules(scored_stops)


def test_numbers_of_an_entry_are_over_the_runs_of_the_arm() -> None:
    scored_stops = judged_of(late=([4.0, 1.0, 3.0], [2.0, 9.0, 1.0]))
    entry = next(entry for entry in rank_rules(scored_stops) if entry.rule == "late")
    assert entry.error_mm == interval([54.0, 52.0, 55.0], resamples=RESAMPLES)
    assert entry.regret_mm == median_interval(np.array([4.0, 1.0, 3.0]))
    assert (entry.regret_mm.median, entry.train_regret_mm, entry.n) == (3, 2, 3)


def test_a_rule_is_chosen_by_training_views_alone_and_never_the_oracle() -> None:
    scored_stops = judged_of(tempting=([0.1, 0.1, 0.1], [5.0, 5.0, 5.0]), honest=([3.0, 4.0, 5.0], [1.0, 1.0, 1.0]))
    entries = rank_rules(scored_stops)
    assert [entry.rule for entry in entries] == [Oracle().name, "tempting", "honest"]
    assert chosen(entries) == ["honest"]


@laws
@given(st.integers(0, 2**16))
def test_test_errors_have_no_say_in_the_choice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scored_stops = judged_of(**{name: (list(rng.uniform(0, 9, 5)), list(rng.uniform(0, 9, 5))) for name in "xyz"})
    other = scored_stops.assign(error=rng.permutation(scored_stops["error"]), regret=rng.permutation(scored_stops["regret"]))
    assert chosen(rank_rules(scored_stops)) == chosen(rank_rules(other))
    medians = scored_stops[~scored_stops["oracle"]].groupby("rule")["train_regret"].median()
    assert chosen(rank_rules(scored_stops)) == [medians.idxmin()]


def test_a_rule_that_was_not_measured_for_all_runs_is_not_chosen() -> None:
    nan = math.nan
    scored_stops = judged_of(some=([1.0], [0.0]), broken=([2.0, 2.0, nan], [0.0, 0.0, nan]), whole=([5.0] * 3, [4.0] * 3))
    entries = rank_rules(scored_stops)
    assert chosen(entries) == ["whole"]
    assert {entry.rule: entry.n for entry in entries} == {Oracle().name: 3, "some": 1, "broken": 3, "whole": 3}
    assert [entry.rule for entry in entries] == [Oracle().name, "some", "whole", "broken"]  # no median last
    assert entries[-1].regret_mm == MedianRegret(None, None, None, None, None)
    assert entries[-1].error_mm.n == 2


@laws
@given(st.integers(0, 2**16), st.integers(2, 6))
def test_a_rule_that_is_chosen_elsewhere_is_the_others_choice(seed: int, num_runs: int) -> None:
    rng = np.random.default_rng(seed)
    scored_stops = judged_of(**{name: (list(rng.uniform(0, 9, num_runs)), list(rng.uniform(0, 9, num_runs))) for name in "xyz"})
    (found,) = leave_one_run_out(scored_stops).values()
    costs, names = [], []
    for run in range(num_runs):
        names += chosen(rank_rules(scored_stops[scored_stops["seed"] != run]))
        costs += scored_stops[(scored_stops["seed"] == run) & (scored_stops["rule"] == names[-1])]["regret"].tolist()
    rules = {name: names.count(name) for name in names}
    assert found == RuleChoice(rules, median_interval(np.array(costs)), num_runs)


def test_of_equal_rules_the_same_one_is_chosen_elsewhere() -> None:
    scored_stops = judged_of(late=([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]), early=([4.0, 5.0, 6.0], [1.0, 1.0, 1.0]))
    assert chosen(rank_rules(scored_stops)) == ["late"]
    assert leave_one_run_out(scored_stops)["a"].rules == {"late": 3}


def test_nothing_is_chosen_elsewhere_where_there_is_no_other_run() -> None:
    assert leave_one_run_out(judged_of(late=([1.0], [2.0]))) == {}
    gap = judged_of(late=([1.0, 2.0, 3.0], [1.0, math.nan, 1.0]), early=([4.0, 5.0, 6.0], [7.0, 8.0, 9.0]))
    assert leave_one_run_out(gap)["a"].rules == {"early": 3}


def test_one_run_has_no_interval() -> None:
    assert median_interval(np.array([3.0])) == MedianRegret(3.0, 3.0, 3.0, None, None)
    curves = random_curves(0, {"a": [20]})
    entries = rank_rules(score_stops(curves, stops(curves, ["a"]), NO_WINDOWS))
    assert {entry.regret_mm.low for entry in entries} == {None} == {entry.error_mm.high for entry in entries}


@laws
@given(st.lists(st.integers(0, 400).map(lambda value: value / 8), min_size=2, max_size=15), st.integers(0, 9))
def test_the_interval_of_a_median_is_where_its_bootstrap_distribution_says(values: list[float], seed: int) -> None:
    """The median of n draws is at most x where more than half of them are: a binomial tail, for odd
    n."""
    found = median_interval(np.array(values), seed)
    assert found.median == statistics.median(values)
    assert found.p95 == pytest.approx(statistics.quantiles(values, n=20, method="inclusive")[-1])
    assert found.low is not None
    assert found.high is not None
    assert found.worst == max(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    n = len(values)
    if n % 2:

        def share(at_most: float) -> float:
            return float(binom.sf(n // 2, n, sum(value <= at_most for value in values) / n))

        slack = 4 * math.sqrt(0.025 * 0.975 / RESAMPLES)
        below = 1 / 16  # values are eighths apart
        assert share(found.low - below) - slack <= 0.025 <= share(found.low) + slack
        assert share(found.high - below) - slack <= 0.975 <= share(found.high) + slack


def test_the_interval_of_a_median_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    found = [median_interval(rng.normal(size=15), seed=draw) for draw in range(300)]
    share = np.mean([(entry.low or 0) <= 0 <= (entry.high or 0) for entry in found])
    assert share == pytest.approx(0.94, abs=0.04)
