"""How far runs are from each other and from their students, against loops over joints."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.config import Teacher
from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.agreement import (
    error_bound,
    seed_disagreement,
    student_disagreement,
    students_of,
)
from tips_ray.stability.teachers import NOT_MEASURED, TeacherCard, TeacherWindow

laws = settings(deadline=None, derandomize=True, max_examples=12)
NUM_VIEWS = 3
Lifted = dict[str, dict[int, np.ndarray]]


def rows_of(runs: Mapping[tuple[str, int], int], rng: np.random.Generator) -> pd.DataFrame:
    """Rows of runs of so many epochs, each with a random depth sign."""
    return pd.DataFrame(
        [
            {"arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": epoch, "depth_sign": rng.choice([-1.0, 1.0])}
            for (arm, seed), num_epochs in runs.items()
            for epoch in range(1, num_epochs + 1)
        ],
        columns=["arm", "run", "seed", "epoch", "depth_sign"],
    )


def lifted_of(rows: pd.DataFrame, rng: np.random.Generator) -> Lifted:
    found: Lifted = {}
    for run, epoch in rows[["run", "epoch"]].itertuples(index=False):
        found.setdefault(run, {})[epoch] = rng.normal(0, 300, (NUM_VIEWS, len(LIFTED))).astype(np.float32)
    return found


def slow_disagreement(rows: list[dict], lifted: Lifted) -> list[float]:
    found = []
    for row in rows:
        others = [other for other in rows if (other["arm"], other["epoch"]) == (row["arm"], row["epoch"])]
        others = [other for other in others if other["run"] != row["run"] and not math.isnan(other["depth_sign"])]
        depths = [lifted.get(each["run"], {}).get(row["epoch"]) for each in (row, *others)]
        if not others or any(each is None for each in depths) or math.isnan(row["depth_sign"]):
            found.append(math.nan)
            continue
        distances = []
        for view in range(NUM_VIEWS):
            for joint in range(len(LIFTED)):
                own = float(depths[0][view, joint]) * row["depth_sign"]
                theirs = [float(each[view, joint]) * o["depth_sign"] for each, o in zip(depths[1:], others, strict=True)]
                distances.append(abs(own - sum(theirs) / len(theirs)))
        found.append(sum(distances) / len(distances))
    return found


@laws
@given(
    st.dictionaries(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), st.integers(1, 4), min_size=1),
    st.integers(0, 2**16),
    st.sampled_from([0.0, 0.1]),
)
def test_disagreement_is_that_of_a_loop(runs: dict[tuple[str, int], int], seed: int, lost: float) -> None:
    """One arm or two, of one run or several, of unequal lengths, with files and depth signs that
    are missing, in any order."""
    rng = np.random.default_rng(seed)
    rows = rows_of(runs, rng)
    lifted = lifted_of(rows, rng)
    lifted = {run: {at: depths for at, depths in each.items() if rng.random() >= lost} for run, each in lifted.items()}
    rows.loc[rng.random(len(rows)) < lost, "depth_sign"] = np.nan  # as where a run diverged
    rows = rows.sample(frac=1, random_state=seed)
    rows.index = rows.index // 2  # curves that were put together may repeat their labels
    found = seed_disagreement(rows, lifted)
    assert found == pytest.approx(slow_disagreement(rows.to_dict("records"), lifted), rel=1e-5, nan_ok=True)


def test_disagreement_by_hand() -> None:
    rows = pd.DataFrame({"arm": "a", "run": ["x", "y", "z"], "epoch": 1, "depth_sign": [1.0, -1.0, 1.0]})
    ones = np.ones((NUM_VIEWS, len(LIFTED)), dtype=np.float32)
    lifted = {"x": {1: 10 * ones}, "y": {1: -10 * ones}, "z": {1: 40 * ones}}
    assert seed_disagreement(rows, lifted).tolist() == [15, 15, 30]  # y is x upside down, which its sign undoes
    assert seed_disagreement(rows.assign(depth_sign=1.0), lifted).tolist() == [5, 35, 40]
    stranger = pd.concat([rows, rows.iloc[:1].assign(arm="b", run="w")])
    assert seed_disagreement(stranger, {**lifted, "w": {1: 1000 * ones}}).tolist()[:3] == [15, 15, 30]
    assert math.isnan(seed_disagreement(stranger, {**lifted, "w": {1: 1000 * ones}})[3])  # alone in its arm


def test_no_disagreement_where_an_epoch_is_missing_or_a_run_is_alone() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of({("a", 0): 3, ("a", 1): 3, ("b", 0): 3}, rng)
    lifted = lifted_of(rows, rng)
    del lifted["a-seed1"][2]
    found = rows.assign(found=seed_disagreement(rows, lifted)).pivot(index="epoch", columns="run", values="found")
    assert found["b-seed0"].isna().all()
    assert found["a-seed0"].notna().tolist() == found["a-seed1"].notna().tolist() == [True, False, True]
    assert found["a-seed0"].dropna().tolist() == pytest.approx(found["a-seed1"].dropna().tolist())  # of two, both are as far
    assert np.isnan(seed_disagreement(rows, {})).all()
    assert np.isnan(seed_disagreement(rows.drop(columns="depth_sign"), lifted)).all()


def test_a_run_that_is_longer_is_compared_with_nobody_at_the_end() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of({("a", 0): 2, ("a", 1): 3}, rng)
    assert np.isfinite(seed_disagreement(rows, lifted_of(rows, rng))).tolist() == [True, True, True, True, False]


def test_of_an_epoch_that_stands_twice_the_later_row_holds() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of({("a", 0): 2, ("a", 1): 2, ("a", 2): 2}, rng)
    lifted = lifted_of(rows, rng)
    twice = pd.concat([rows, rows.iloc[[1]]])
    found, once = seed_disagreement(twice, lifted), seed_disagreement(rows, lifted)
    assert math.isnan(found[1])
    assert found[[0, 2, 3, 4, 5, 6]].tolist() == pytest.approx(once[[0, 2, 3, 4, 5, 1]].tolist())


# Students


@laws
@given(st.integers(0, 3), st.integers(0, 2**16))
def test_the_distance_from_students_is_that_of_a_loop(num_students: int, seed: int) -> None:
    """With files and depth signs that are missing, rows in any order; a-seed1 teaches nobody."""
    rng = np.random.default_rng(seed)
    rows = rows_of({("a", 0): 4, ("a", 1): 4}, rng)
    lifted, finals = lifted_of(rows, rng), list(rng.normal(0, 300, (num_students, NUM_VIEWS, len(LIFTED))))
    lifted = {run: {at: depths for at, depths in each.items() if rng.random() > 0.2} for run, each in lifted.items()}
    rows.loc[rng.random(len(rows)) < 0.2, "depth_sign"] = np.nan
    rows = rows.sample(frac=1, random_state=seed)
    slow = []
    for row in rows.to_dict("records"):
        distances = []
        for depths in finals if row["run"] == "a-seed0" and row["epoch"] in lifted["a-seed0"] else []:
            own = lifted[row["run"]][row["epoch"]].astype(float) * row["depth_sign"]
            distances.append(sum(abs(a - b) for a, b in zip(own.flat, depths.flat, strict=True)) / own.size)
        slow.append(sum(distances) / len(distances) if distances else math.nan)
    assert student_disagreement(rows, lifted, {"a-seed0": finals}) == pytest.approx(slow, rel=1e-5, nan_ok=True)


def test_students_of_a_mean_or_of_an_oracle_tell_nothing_of_a_run() -> None:
    def card(runs: str, oracle: bool) -> TeacherCard:
        lessons = tuple(TeacherWindow(f"parts-seed{seed}", seed, 1, 1, None, 1.0, None) for seed in (0, 1))
        return TeacherCard("tips", Teacher(runs=runs), oracle, 1, lessons, NOT_MEASURED)

    cards = {"tips": card("own", False), "best": card("own", True), "mean": card("all", False), "one": card("picked", False)}
    assert students_of(cards) == {"parts-seed0": ["tips-seed0"], "parts-seed1": ["tips-seed1"]}
    assert students_of({**cards, "last": card("own", False)})["parts-seed1"] == ["tips-seed1", "last-seed1"]
    assert students_of({}) == {}


def test_the_bound_is_below_the_error_and_meets_it_where_seeds_have_no_error_in_common():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 200, (400, len(LIFTED)))
    own = rng.normal(0, 30, (6, 400, len(LIFTED)))
    for shared in (0.0, 25.0):
        depths = truth + own + rng.normal(0, shared, truth.shape)
        error = float(np.sqrt(np.square(depths - truth).mean()))
        bound = error_bound(depths)
        assert bound == pytest.approx(30, rel=0.02)
        assert bound <= 1.001 * error
        assert shared or bound == pytest.approx(error, rel=0.02)


def test_the_bound_is_half_of_the_mean_squared_distance_between_two_runs():
    depths = np.random.default_rng(1).normal(0, 100, (3, NUM_VIEWS, len(LIFTED)))
    squares = [np.square(depths[one] - depths[other]).mean() for one, other in ((0, 1), (0, 2), (1, 2))]
    assert error_bound(depths) == pytest.approx(math.sqrt(np.mean(squares) / 2))
