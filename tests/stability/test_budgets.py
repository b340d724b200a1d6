"""Arms at several budgets, students against teachers, and the tables beside the curves: against
loops and by hand."""

import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.budgets import COMPARED, FACTOR, NUM_BUDGETS, SHORTEST, compare_budgets
from tips_ray.stability.codependence import codependence_of
from tips_ray.stability.distillation import compare_students, is_student, learns_from_oracle
from tips_ray.stability.statistics import errors_of, interval, run_statistics
from tips_ray.stability.stopping import Oracle
from tips_ray.stability.summary import strict
from tips_ray.store.measurements import (
    CODEPENDENCE,
    KEYS,
    NOTHING,
    TAUGHT,
    VALUES,
    WINDOWS,
    read_measured,
    read_measurements,
)
from tips_ray.store.storage import Storage

few = settings(deadline=None, derandomize=True, max_examples=5)


def curves_of(runs: dict[tuple[str, int], Any], diverged: tuple[tuple[str, int], ...] = ()) -> pd.DataFrame:
    """Curves from errors by arm and seed; runs in `diverged` end so."""
    tables = []
    for (arm, seed), errors in runs.items():
        table = pd.DataFrame({"arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "status": "ok", HEADLINE_METRIC: errors})
        table.insert(3, "epoch", range(1, len(table) + 1))
        table.loc[table.index[-1], "status"] = "diverged" if (arm, seed) in diverged else "ok"
        tables.append(table.astype({HEADLINE_METRIC: float}))
    return pd.concat(tables, ignore_index=True)


def random_curves(rng: np.random.Generator, lengths: dict[str, list[int]]) -> pd.DataFrame:
    runs = {(arm, seed): rng.uniform(40, 90, n) for arm, epochs in lengths.items() for seed, n in enumerate(epochs)}
    return curves_of(runs)


# Budgets


@few
@given(st.integers(SHORTEST * 9, 300), st.integers(0, 99))
def test_a_budgets_numbers_are_those_of_a_curve_that_ended_there(num_epochs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    curves = random_curves(rng, {"a": [num_epochs, num_epochs + 5], "b": [num_epochs + 9] * 3})
    found = compare_budgets(curves, ["a", "b"])
    assert found is not None
    assert len(found.budgets) == NUM_BUDGETS
    assert found.budgets[-1] == num_epochs
    for short, long in zip(found.budgets, found.budgets[1:], strict=False):
        assert short == long // FACTOR
    entries = {(entry.epochs, entry.arm): entry for entry in found.arms}
    assert list(entries) == [(epochs, arm) for epochs in found.budgets for arm in "ab"]
    for (epochs, arm), entry in entries.items():
        ended = run_statistics(errors_of(curves[curves["epoch"] <= epochs], arm))
        assert {name: getattr(entry, name) for name in COMPARED} == {name: interval(ended[name]) for name in COMPARED}
    json.dumps(strict(found), allow_nan=False)


def test_differences_are_over_the_seeds_that_both_arms_have() -> None:
    rng = np.random.default_rng(0)
    runs = {(arm, seed): rng.uniform(40, 90, 81) for arm, seeds in {"a": (0, 1, 2), "b": (1, 2, 5)}.items() for seed in seeds}
    found = compare_budgets(curves_of(runs), ["a", "b"])
    assert found is not None
    assert found.budgets == [9, 27, 81]
    assert [(entry.epochs, entry.statistic) for entry in found.paired] == [
        (epochs, name) for epochs in (9, 27, 81) for name in COMPARED
    ]
    measure = {
        "last": lambda curve: curve[-1],
        "last_half": lambda curve: np.mean(curve[len(curve) // 2 :]),
        "spread": lambda curve: np.std(curve[len(curve) // 2 :], ddof=1),
    }
    for entry in found.paired:
        of = measure[entry.statistic]
        each = [of(runs["a", seed][: entry.epochs]) - of(runs["b", seed][: entry.epochs]) for seed in (1, 2)]
        assert (entry.a, entry.b, entry.n) == ("a", "b", 2)
        assert [entry.difference, entry.low, entry.high] == pytest.approx([np.mean(each), min(each), max(each)])


def test_an_arm_that_only_learns_faster_is_ahead_at_the_small_budgets_alone() -> None:
    epochs = np.arange(1, 361)
    slow, fast = (50 + 40 * np.exp(-epochs / pace) for pace in (20, 10))
    found = compare_budgets(
        curves_of({(arm, s): c + s for arm, c in (("slow", slow), ("fast", fast)) for s in (0, 1)}), ["slow", "fast"]
    )
    assert found is not None
    gaps = [entry.difference for entry in found.paired if entry.statistic == "last_half"]
    assert gaps[0] > 3
    assert gaps == sorted(gaps, reverse=True)
    assert abs(gaps[-1]) < 0.01


def test_short_curves_have_no_budgets_and_lost_arms_no_place() -> None:
    rng = np.random.default_rng(0)
    longest = SHORTEST * FACTOR ** (NUM_BUDGETS - 1)
    assert compare_budgets(random_curves(rng, {"a": [longest - 1], "b": [longest]}), ["a", "b"]) is None
    assert compare_budgets(pd.DataFrame(), []) is None
    assert compare_budgets(pd.DataFrame(), ["a"]) is None
    curves = curves_of({("a", 0): rng.uniform(40, 90, longest), ("b", 0): [60.0, 70.0]}, diverged=(("b", 0),))
    found = compare_budgets(curves, ["a", "b", "no such arm"])
    assert found is not None
    assert [entry.arm for entry in found.arms] == ["a"] * NUM_BUDGETS
    assert found.paired == []
    assert found.arms[0].last == interval([curves[HEADLINE_METRIC][SHORTEST - 1]])  # one run: no interval


# Distillation


def config_of(objective: str, arm: str = "parts", rule: str = "last epoch") -> dict[str, Any]:
    return {"objective": objective, "teacher": {"arm": arm, "rule": rule, "runs": "own"}}


STUDENTS = {"tips": "parts", "control": "solo", "again": "parts"}
CONFIGS = {
    "parts": config_of("adversarial"),
    "solo": config_of("adversarial"),
    "upper": config_of("supervised"),
    **{student: config_of("distilled", teacher) for student, teacher in STUDENTS.items()},
}


def last_of(curves: pd.DataFrame, arm: str, seed: int, epoch: int) -> float:
    (row,) = [r for r in curves.to_dict("records") if (r["arm"], r["seed"], r["epoch"]) == (arm, seed, epoch)]
    return row[HEADLINE_METRIC]


@pytest.mark.parametrize("draw", range(3))
def test_differences_of_students_are_those_of_a_loop(draw: int) -> None:
    """Three students, each with three seeds of which one or another is missing, or has trained for
    longer."""
    rng = np.random.default_rng(draw)
    seeds = {"tips": [0, 1, 2], "control": [1, 2, 3], "again": [0, 2, 3]}
    shortest = {"tips": 4, "control": 6, "again": 5}
    curves = curves_of(
        {(arm, seed): rng.uniform(40, 90, shortest[arm] + seed % 2) for arm, each in seeds.items() for seed in each}
        | {(arm, seed): rng.uniform(40, 90, 9) for arm in ("parts", "solo", "upper") for seed in range(4)}
    )
    rows = [
        {"arm": arm, "seed": seed, HEADLINE_METRIC: rng.uniform(40, 90)} for arm in STUDENTS for seed in range(4) if seed != 3
    ]
    taught = pd.DataFrame(rows)
    shortest |= {"parts": 9, "solo": 9}
    seeds |= {"parts": [0, 1, 2, 3], "solo": [0, 1, 2, 3]}

    def at(arm: str, epoch: int) -> dict[int, float]:
        return {seed: last_of(curves, arm, seed, epoch) for seed in seeds[arm]}

    own = {(arm, seed): value for arm in seeds for seed, value in at(arm, shortest[arm]).items()}
    theirs = {(row["arm"], row["seed"]): row[HEADLINE_METRIC] for row in rows}
    expected: dict[tuple[str, str, str], list[float]] = {}
    for arm in STUDENTS:
        both = [seed for seed in range(4) if (arm, seed) in own and (arm, seed) in theirs]
        expected["teacher", arm, f"teachers of {arm}"] = [own[arm, seed] - theirs[arm, seed] for seed in both]
        for other in ("parts", "solo"):
            expected["arm", arm, other] = [own[arm, seed] - own[other, seed] for seed in seeds[arm]]
    for a, b in combinations(STUDENTS, 2):
        one, other = (at(arm, min(shortest[a], shortest[b])) for arm in (a, b))
        shared = [seed for seed in range(4) if seed in one and seed in other]
        expected["student", a, b] = [one[seed] - other[seed] for seed in shared]
        if STUDENTS[a] != STUDENTS[b]:
            known = [seed for seed in shared if (a, seed) in theirs and (b, seed) in theirs]
            gains = [(one[seed] - theirs[a, seed]) - (other[seed] - theirs[b, seed]) for seed in known]
            expected["gain", a, b] = gains
    found = {(entry.kind, entry.a, entry.b): entry for entry in compare_students(curves, taught, CONFIGS)}
    assert set(found) == set(expected)
    assert {key[0] for key in found} == {"teacher", "arm", "student", "gain"}
    for key, values in expected.items():
        assert found[key].n == len(values)
        kind, a, b = key
        both = (min(shortest[a], shortest[b]),) * 2 if kind in ("student", "gain") else (shortest[a], shortest.get(b))
        assert found[key].epochs == both
        ends = interval(values)
        for name, value in (("difference", ends.mean), ("low", ends.low), ("high", ends.high)):
            assert getattr(found[key], name) == pytest.approx(value)


def test_gains_below_zero_are_gains() -> None:
    curves = curves_of({("tips", 0): [70, 50], ("control", 0): [70, 66]})
    taught = pd.DataFrame({"arm": ["tips", "control"], "seed": [0, 0], HEADLINE_METRIC: [58.0, 64.0]})
    found = {(entry.kind, entry.a): entry.difference for entry in compare_students(curves, taught, CONFIGS)}
    assert found == {("teacher", "tips"): -8, ("teacher", "control"): 2, ("student", "tips"): -16, ("gain", "tips"): -10}


def test_students_that_diverged_or_whose_teachers_were_not_measured() -> None:
    runs = {("tips", 0): [70, 50], ("tips", 1): [70, 52], ("control", 0): [60, 55]}
    nothing = NOTHING.taught
    assert compare_students(pd.DataFrame(), nothing, CONFIGS) == []
    assert compare_students(curves_of(runs), nothing, {"parts": CONFIGS["parts"]}) == []
    found = compare_students(curves_of(runs), nothing, CONFIGS)
    assert {(entry.kind, entry.n) for entry in found} == {("teacher", 0), ("student", 1), ("gain", 0)}
    lost = compare_students(curves_of(runs, diverged=(("control", 0), ("tips", 1))), nothing, CONFIGS)
    assert [(entry.kind, entry.a, entry.n) for entry in lost] == [("teacher", "tips", 0)]
    json.dumps(strict([found, lost]), allow_nan=False)


def test_who_is_a_student_and_who_learns_from_an_oracle() -> None:
    assert [arm for arm, config in CONFIGS.items() if is_student(config)] == list(STUDENTS)
    assert not any(map(learns_from_oracle, CONFIGS.values()))
    assert learns_from_oracle(config_of("distilled", rule=Oracle().name))
    assert not learns_from_oracle(config_of("adversarial", rule=Oracle().name))


# Tables beside the curves


def sensitivities(rng: np.random.Generator, runs: list[tuple[str, int, int]]) -> pd.DataFrame:
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "epoch": epoch,
            "depth": depth,
            "keypoint": keypoint,
            "sensitivity": rng.uniform(),
            "outside_share": 0.1 * seed,
        }
        for arm, seed, epoch in runs
        for depth in LIFTED
        for keypoint in LIFTED
    ]
    return pd.DataFrame(rows)


def test_codependence_is_the_mean_over_seeds_at_the_last_epoch() -> None:
    table = sensitivities(np.random.default_rng(0), [("b", 1, 4), ("b", 2, 4), ("b", 1, 2), ("a", 0, 7)])
    shuffled = table.sample(frac=1, random_state=0).sort_values("arm", ascending=False, kind="stable")
    found = codependence_of(shuffled)
    assert list(found) == ["b", "a"]
    assert [found[arm].epoch for arm in "ab"] == [7, 4]
    assert found["b"].outside_share == interval([0.1, 0.2])
    assert found["a"].outside_share == interval([0.0])
    rows = table.to_dict("records")
    for arm, epoch in (("a", 7), ("b", 4)):
        for depth, means in zip(LIFTED, found[arm].sensitivity, strict=True):
            for keypoint, mean in zip(LIFTED, means, strict=True):
                key = (arm, epoch, depth, keypoint)
                own = [r["sensitivity"] for r in rows if (r["arm"], r["epoch"], r["depth"], r["keypoint"]) == key]
                assert mean == pytest.approx(math.fsum(own) / len(own))
    assert codependence_of(NOTHING.codependence) == {}


def test_tables_are_read_from_a_folder_and_empty_without(tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    nothing = read_measurements(folder)
    for name, table in ((WINDOWS, nothing.windows), (TAUGHT, nothing.taught), (CODEPENDENCE, nothing.codependence)):
        assert table.empty
        assert table.columns.tolist() == [*KEYS[name], *VALUES[name]]
    table = sensitivities(np.random.default_rng(0), [("a", 0, 3)])
    folder.write_table(CODEPENDENCE, table)
    found = read_measurements(folder)
    pd.testing.assert_frame_equal(found.codependence, table)
    pd.testing.assert_frame_equal(read_measured(folder, CODEPENDENCE), table)
    assert found.windows.empty
