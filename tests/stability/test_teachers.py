"""Teachers picked from made-up curves, what their cards say, agreement between runs, budgets, and
students' differences."""

import json
from collections.abc import Collection
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.config import Teacher
from tips_ray.stability.agreement import SEED_DISAGREEMENT
from tips_ray.stability.budgets import compare_budgets
from tips_ray.stability.distillation import compare_students
from tips_ray.stability.regret import rank_rules, score_stops, stops
from tips_ray.stability.statistics import errors_of, run_statistics
from tips_ray.stability.stopping import Oracle, Window
from tips_ray.stability.teachers import (
    CARDS,
    PICKED_BY,
    ExpectedRegret,
    TeacherCard,
    TeacherWindow,
    TeachingRuns,
    choose_teachers,
    read_cards,
)
from tips_ray.store.measurements import TAUGHT, WINDOWS, no_rows
from tips_ray.store.storage import Storage

ERROR = "p_mpjpe_signed_mm"


def curves_of(arms: dict[str, list[int]], lost: tuple[tuple[str, int], ...] = (), seed: int = 0) -> pd.DataFrame:
    """Random curves by arm, of so many epochs for each seed; those `lost` diverge in their last
    epoch."""
    rng = np.random.default_rng(seed)
    frames = []
    for arm, lengths in arms.items():
        for number, length in enumerate(lengths):
            frame = pd.DataFrame({"arm": arm, "run": f"{arm}-seed{number}", "seed": number, "epoch": np.arange(1, length + 1)})
            frame["status"], frame["depth_sign"] = "ok", 1.0
            for column in (ERROR, f"train_{ERROR}", "churn_mm", "frechet_2d", SEED_DISAGREEMENT, PICKED_BY):
                frame[column] = rng.lognormal(4, 0.1, length)
            if (arm, number) in lost:
                frame.loc[length - 1, ["status", ERROR]] = "diverged", np.nan
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def picked(
    curves: pd.DataFrame, seeds: list[int], num_epochs: int = 1, kept: Collection[int] = range(1, 100), **teacher
) -> TeacherCard:
    runs = TeachingRuns(curves, no_rows(WINDOWS), dict.fromkeys(curves["run"], kept))
    return choose_teachers(runs, "tips", Teacher(**{"rule": "last epoch", **teacher}), seeds, num_epochs)


def test_each_seed_learns_from_its_own_run_one_run_or_all():
    curves = curves_of({"parts": [20, 20, 20]})
    own = picked(curves, [0, 2])
    assert [(lesson.run, lesson.window) for lesson in own.lessons] == [(f"parts-seed{s}", Window(20, 20)) for s in (0, 2)]
    assert [lesson.seed for lesson in own.of_seed(2)] == [2]
    with pytest.raises(ValueError, match="No teacher was picked for seed 1 of 'tips'"):
        own.of_seed(1)
    last = curves[curves["epoch"] == 20].set_index("seed")
    one = picked(curves, [0, 1, 2], runs="picked")
    late = curves[curves["epoch"] > 10].groupby("seed")[PICKED_BY].mean()
    assert [lesson.seed for lesson in one.of_seed(7)] == [late.idxmin()]
    assert [lesson.seed for lesson in picked(curves, [0], runs="all").of_seed(0)] == [0, 1, 2]
    assert own.lessons[1].churn_mm == last.loc[2, "churn_mm"]


def test_a_teacher_has_the_sign_and_the_churn_of_its_last_epoch():
    curves = curves_of({"parts": [20, 20]})
    curves["depth_sign"] = np.where(curves["epoch"] == 10, -1.0, 1.0)
    curves["churn_mm"] = curves["epoch"] / 2.0
    rule = "moving average, half-life 5 %"
    assert picked(curves, [1], rule="epoch at 50 %").lessons == (TeacherWindow("parts-seed1", 1, 10, 10, None, -1.0, 5.0),)
    assert picked(curves, [1], rule=rule).lessons == (TeacherWindow("parts-seed1", 1, 16, 20, 1.0, 1.0, 10.0),)
    for table in (curves.assign(churn_mm=np.nan), curves.drop(columns="churn_mm")):  # of an earlier version
        assert picked(table, [1], rule=rule).lessons[0].churn_mm is None


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.lists(st.integers(0, 99) | st.none(), min_size=1, max_size=6).filter(lambda found: found != [None]))
def test_the_picked_run_has_the_lowest_signal_up_to_its_stop(found: list[int | None]):
    """Elsewhere in the curves the order of the runs is another; a run of which the signal is not
    known is not picked."""
    curves = curves_of({"parts": [20] * len(found)})
    at_stop = curves["seed"].map(dict(enumerate(found))).astype(float)
    curves[PICKED_BY] = np.where(curves["epoch"].between(6, 10), at_stop, -at_stop.fillna(1000.0))
    curves.loc[curves["epoch"] == 7, PICKED_BY] = np.nan  # of the others the mean is taken
    known = [value for value in found if value is not None]
    if not known:
        with pytest.raises(ValueError, match=rf"have no '{PICKED_BY}' up to their stops.*--teacher\.runs own"):
            picked(curves, [0], rule="epoch at 50 %", runs="picked")
        return
    card = picked(curves, [0], rule="epoch at 50 %", runs="picked")
    assert [lesson.seed for lesson in card.lessons] == [found.index(min(known))]
    assert card.of_seed(0) == card.of_seed(12345) == card.lessons


def test_runs_are_cut_to_the_epochs_that_all_have_and_a_lost_run_cuts_nothing():
    curves = curves_of({"parts": [20, 12, 4], "solo": [3]}, lost=(("parts", 2),))
    card = picked(curves, [0], runs="all")
    assert card.num_epochs == 12
    assert {lesson.window for lesson in card.lessons} == {Window(12, 12)}


def test_a_rule_names_the_window_and_the_card_says_what_it_costs():
    curves = curves_of({"parts": [40, 40]})
    card = picked(curves, [0, 1], rule="average of the last 10 %")
    assert {lesson.window for lesson in card.lessons} == {Window(37, 40)}
    assert card.expected_regret_mm.n == 0  # no average was measured
    lowest = curves.groupby("seed")[ERROR].min()
    last = curves[curves["epoch"] == 40].set_index("seed")[ERROR]
    assert picked(curves, [0, 1]).expected_regret_mm.median == pytest.approx((last - lowest).median())


def test_the_regret_to_expect_is_what_reports_say_of_the_rule():
    curves = curves_of({"parts": [40, 40, 40], "solo": [40, 40]})
    windows = pd.DataFrame(
        [{"arm": "parts", "seed": seed, "first": 37, "last": 40, "half_life": 0.0, ERROR: 30.0 + seed} for seed in (0, 2)]
    ).reindex(columns=no_rows(WINDOWS).columns)
    ranked = rank_rules(score_stops(curves, stops(curves, ["parts"]), windows))
    runs = TeachingRuns(curves, windows, dict.fromkeys(curves["run"], range(1, 41)))
    for rule, n in (("epoch at 50 %", 3), ("average of the last 10 %", 2), (Oracle().name, 3)):
        (entry,) = [entry for entry in ranked if entry.rule == rule]
        card = choose_teachers(runs, "tips", Teacher(rule=rule), [0, 1, 2], 40)
        assert card.expected_regret_mm == ExpectedRegret(**vars(entry.regret_mm), n=n)
        assert (card.expected_regret_mm.median < 0) == rule.startswith("average")  # better than every single epoch


def test_an_oracle_is_called_one_and_picks_the_lowest_error():
    curves = curves_of({"parts": [15, 15]})
    card = picked(curves, [0, 1], rule="best epoch (oracle)")
    assert card.oracle
    assert not picked(curves, [0, 1]).oracle
    for lesson in card.lessons:
        own = curves[curves["seed"] == lesson.seed].set_index("epoch")[ERROR]
        assert (lesson.first, lesson.last) == (own.idxmin(), own.idxmin())
    assert card.expected_regret_mm == ExpectedRegret(0.0, 0.0, 0.0, 0.0, 0.0, 2)


def test_labels_have_no_part_in_the_choice():
    curves = curves_of({"parts": [30, 30, 30]})
    scrambled = curves.assign(**{ERROR: curves[ERROR].to_numpy()[::-1], f"train_{ERROR}": 1.0})
    for rule in ("lowest frechet 2d", "last epoch", "frechet 2d levels off"):
        one, other = (picked(table, [0, 1, 2], rule=rule, runs="picked") for table in (curves, scrambled))
        assert one.lessons == other.lessons


@pytest.mark.parametrize(
    ("arms", "lost", "teacher", "said"),
    [
        ({"solo": [9]}, (), {}, "'tips' learns from 'parts', which has no finished run"),
        ({"parts": [9, 4]}, (("parts", 1),), {}, "'parts' of that seed, which diverged in epoch 4; .*picked"),
        ({"parts": [9]}, (), {}, "'parts' of that seed, which was not trained"),
        ({"parts": [9, 9]}, (), {"rule": "by eye"}, "There is no stop rule 'by eye'; there are 'last epoch'"),
        ({"parts": [9, 9]}, (), {"rule": "lowest bone asymmetry"}, "needs 'bone_asymmetry', which 'parts-seed0' does not have"),
    ],
)
def test_what_cannot_teach_is_said(arms, lost, teacher, said):
    with pytest.raises(ValueError, match=said):
        picked(curves_of(arms, lost), [0, 1], **teacher)


def test_runs_that_are_not_at_their_end_do_not_teach():
    """As after a study that was interrupted, or was given more seeds that nobody trained."""
    curves = curves_of({"parts": [20, 20, 5]})
    assert picked(curves, [0, 1], num_epochs=20).num_epochs == 20
    for seeds, runs in (([0, 2], "own"), ([0, 1], "all"), ([0, 1], "picked")):
        with pytest.raises(ValueError, match="'tips' learns from 'parts-seed2', which has 5 of 20 epochs; train that arm to its"):
            picked(curves, seeds, num_epochs=20, runs=runs)
    lost = curves_of({"parts": [20, 20, 5]}, lost=(("parts", 2),))  # it is as far as it will ever be
    assert [lesson.seed for lesson in picked(lost, [0, 1], num_epochs=20, runs="all").lessons] == [0, 1]


def test_runs_that_do_not_teach_have_no_say_in_the_regret():
    curves = curves_of({"parts": [20, 20, 3]})
    card = picked(curves, [0, 1], num_epochs=20, kept=(10, 20))
    assert card.expected_regret_mm == picked(curves[curves["seed"] < 2], [0, 1]).expected_regret_mm
    assert card.expected_regret_mm.n == 2


def test_teachers_stop_where_weights_were_kept():
    curves = curves_of({"parts": [24, 24]})
    kept = (5, 10, 15, 20, 24)
    assert picked(curves, [0], kept=kept, rule="epoch at 50 %").lessons[0].window == Window(10, 10)
    assert picked(curves, [0], kept=kept, rule="epoch at 75 %").lessons[0].window == Window(15, 15)
    assert picked(curves, [0], kept=kept, rule="average of the last 10 %").lessons[0].window == Window(23, 24)
    for lesson in picked(curves, [0, 1], kept=kept, rule=Oracle().name).lessons:
        own = curves[(curves["seed"] == lesson.seed) & curves["epoch"].isin(kept)].set_index("epoch")[ERROR]
        assert (lesson.first, lesson.last) == (own.idxmin(), own.idxmin())
    with pytest.raises(ValueError, match="names epoch 6 of 'parts-seed0', which has kept no weights up to there"):
        picked(curves, [0], kept=(20, 24), rule="epoch at 25 %")


@pytest.mark.parametrize("runs", ["own", "picked", "all"])
def test_an_arm_of_which_all_runs_diverged_cannot_teach(runs):
    curves = curves_of({"parts": [5, 6], "solo": [9, 9]}, lost=(("parts", 0), ("parts", 1)))
    with pytest.raises(ValueError, match="'tips' learns from 'parts', which has no finished run; train that arm first"):
        picked(curves, [0, 1], runs=runs)


def test_a_run_that_diverged_does_not_keep_the_others_from_teaching():
    curves = curves_of({"parts": [9, 4, 9]}, lost=(("parts", 1),))
    assert [lesson.seed for lesson in picked(curves, [0, 1, 2], runs="all").lessons] == [0, 2]
    assert picked(curves, [0, 1, 2], runs="picked").lessons[0].seed in (0, 2)


def test_a_card_survives_its_file(tmp_path):
    folder = Storage(str(tmp_path))
    for rule in ("last epoch", "moving average, half-life 5 %", Oracle().name):
        card = picked(curves_of({"parts": [9, 9]}), [0, 1], rule=rule)
        card = replace(card, lessons=tuple(replace(lesson, checkpoints={"9": "ab"}) for lesson in card.lessons))
        folder.write(f"{CARDS}/tips.json", json.dumps(asdict(card), allow_nan=False).encode())
        assert read_cards(folder) == {"tips": card}


def test_budgets_are_the_curves_cut_a_factor_of_three_apart():
    curves = curves_of({"solo": [36, 36, 36], "parts": [40, 36, 40]})
    found = compare_budgets(curves, ["solo", "parts"])
    assert found is not None
    assert found.budgets == [4, 12, 36]
    for entry in found.paired:
        a, b = (run_statistics(errors_of(curves, getattr(entry, name)).loc[: entry.epochs])[entry.statistic] for name in "ab")
        assert entry.difference == pytest.approx((a - b).mean())
        assert entry.low <= entry.difference <= entry.high
        assert entry.n == 3
    assert compare_budgets(curves_of({"solo": [35]}), ["solo"]) is None


def test_students_are_held_against_their_teachers_each_other_and_the_control():
    curves = curves_of({"tips": [6, 6, 6], "tips_solo": [6, 6, 6], "solo": [6, 6]})
    configs = {arm: {"objective": "distilled", "teacher": {"arm": of}} for arm, of in (("tips", "parts"), ("tips_solo", "solo"))}
    configs["solo"] = {"objective": "adversarial", "teacher": {"arm": "parts"}}
    taught = pd.DataFrame([{"arm": arm, "seed": s, ERROR: 50.0 + s} for arm in ("tips", "tips_solo") for s in range(3)])
    found = {(entry.kind, entry.a): entry for entry in compare_students(curves, taught, configs)}
    last = curves[curves["epoch"] == 6].pivot(index="seed", columns="arm", values=ERROR)
    gain = {arm: (last[arm] - np.array([50.0, 51.0, 52.0])).mean() for arm in ("tips", "tips_solo")}
    assert found["teacher", "tips"].difference == pytest.approx(gain["tips"])
    assert found["gain", "tips"].difference == pytest.approx(gain["tips"] - gain["tips_solo"])
    assert found["student", "tips"].difference == pytest.approx((last["tips"] - last["tips_solo"]).mean())
    assert found["arm", "tips"].difference == pytest.approx((last["tips"] - last["solo"]).mean())
    assert len(found) == 6
    assert compare_students(curves, no_rows(TAUGHT), {"solo": configs["solo"]}) == []
