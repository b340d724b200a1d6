"""The finding claims what the paired interval bears, and the cautions say what it leaves out."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Teacher
from tips_ray.report.study.headline import cautions, finding, headline_rows
from tips_ray.report.text import mm, verdict
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.distillation import StudentComparison
from tips_ray.stability.groups import grouped
from tips_ray.stability.statistics import Divergence, Interval, PairedDifference, interval
from tips_ray.stability.summary import ArmSummary, Summary, summarise
from tips_ray.stability.teachers import NOT_MEASURED, TeacherCard


def arm(error: float, n: int, **changes: Any) -> ArmSummary:
    """An arm of n seeds with this error over the last half."""
    over = {HEADLINE_METRIC: Interval(error, 1.0, None, None, n)}
    given = dict.fromkeys(("best", "last_half", "last", "regret", "epochs_within_2mm"), over)
    best_epoch = Interval(20.0, None, None, None, n)
    given |= {
        "knowledge": (),
        "num_seeds": n,
        "num_epochs": 40,
        "at_epochs": {},
        "best_epoch": best_epoch,
        "runs": [],
        "diverged": [],
    }
    given |= {"last_raw": interval(()), "last_epoch": grouped(pd.DataFrame())}
    return ArmSummary(**given | changes)


def compared(difference: float, low: float | None, high: float | None, n: int, **changes: Any) -> Summary:
    """Two arms, solo at 70 mm, parts `difference` below, and their paired difference."""
    pair = PairedDifference(difference if n else None, low, high, n, "solo", "parts", HEADLINE_METRIC, "last_half", 40)
    empty = summarise(LoadedCampaign({"data": {}, "references": {}, "arms": {}, "executions": []}, pd.DataFrame()))
    arms = {"solo": arm(70.0, n), "parts": arm(70.0 - difference, n)}
    return replace(empty, **{"arms": arms, "paired": [pair], **changes})


def card(num_epochs: int, oracle: bool, runs: Any) -> TeacherCard:
    """Teachers of the arm parts."""
    return TeacherCard("tips", Teacher("parts", runs=runs), oracle, num_epochs, (), NOT_MEASURED)


def test_an_interval_away_from_zero_names_the_better_arm():
    said = finding(compared(7.4, 6.9, 7.9, 6))
    assert said.startswith("Over the last half of training, parts errs by 7.4 mm less than solo (95% interval")
    assert "6.9 to 7.9 mm, n = 6 seeds)." in said
    assert "solo errs by 7.4 mm less than parts" in finding(compared(-7.4, -7.9, -6.9, 6))
    assert "6.9 to 7.9 mm" in finding(compared(-7.4, -7.9, -6.9, 6))


def test_few_seeds_are_said_to_be_few():
    assert "n = 3 seeds, too few to be sure" in finding(compared(7.4, 6.9, 7.9, 3))
    assert any("about 75%" in caution and "1 of 4 studies" in caution for caution in cautions(compared(7.4, 6.9, 7.9, 3)))
    assert cautions(compared(7.4, 6.9, 7.9, 10)) == []


def test_an_interval_around_zero_cannot_tell_apart():
    said = finding(compared(0.3, -0.6, 1.2, 5))
    assert "5 seeds cannot tell parts and solo apart: solo − parts is +0.3 mm (95% interval −0.6 to +1.2 mm)" in said


def test_one_seed_and_none_bear_no_claim():
    assert "n = 1 seed, no interval, so this may be luck" in finding(compared(7.4, None, None, 1))
    assert "share no finished seed" in finding(compared(7.4, None, None, 0))
    assert "nothing to compare" in finding(compared(0.0, None, None, 0, arms={}, paired=[]))
    one = compared(7.4, 6.9, 7.9, 3)
    assert "no other arm" in finding(replace(one, arms={"solo": one.arms["solo"]}, paired=[]))


def test_cautions_say_what_is_odd_about_teachers():
    said = " ".join(cautions(compared(7.4, 6.9, 7.9, 10, teachers={"tips": card(30, True, "all")})))
    assert "tips learns from an oracle" in said
    assert "tips learns from parts as it was after 30 epochs; it has 40 by now." in said
    assert "All students of tips share one teacher" in said
    assert cautions(compared(7.4, 6.9, 7.9, 10, teachers={"tips": card(40, False, "own")})) == []


@pytest.mark.parametrize(
    ("low", "high", "n", "said"),
    [
        (-0.6, 0.4, 5, "tips cannot be told apart from its teachers: −0.1 mm (95% interval −0.6 to +0.4 mm, n = 5 seeds)."),
        (-0.6, -0.04, 5, "tips errs less than its teachers: −0.1 mm"),
        (None, None, 1, "tips errs by −0.1 mm against its teachers: n = 1 seed, no interval."),
    ],
)
def test_students_are_no_rivals_but_are_held_against_their_teachers(low, high, n, said):
    comparison = StudentComparison(-0.1, low, high, n, "teacher", "tips", "teachers of tips", (40, None))
    given = compared(7.4, 6.9, 7.9, 6, students=["tips"], distillation=[comparison])
    given.arms["tips"] = arm(1.0, n)
    assert finding(given).startswith("Over the last half of training, parts errs by 7.4 mm less than solo")
    assert finding(given).partition("At its last epoch, ")[2].startswith(said)


def test_cautions_name_synthetic_poses_divergence_flat_and_unequal_length():
    given = compared(7.4, 6.9, 7.9, 10, data={"synthetic": True}, references={"flat": {HEADLINE_METRIC: 65.0}})
    given.unmeasured_rules.update(solo=["average of the last 10 %"], parts=["average of the last 10 %", "another"])
    given.arms["solo"] = arm(
        70.0, 10, num_seeds=12, num_epochs=30, diverged=[Divergence("solo", "run", seed, 1) for seed in (1, 2)]
    )
    said = " ".join(cautions(given))
    assert "no human was measured" in said
    assert "2 of 12 runs of solo diverged" in said
    assert "solo is not shown to be better than the flat prediction (65.0 mm)" in said
    assert "parts is not shown" not in said
    assert "One stop rule of solo is left out below" in said
    assert "2 stop rules of parts are left out below" in said
    assert "(solo 30, parts 40); a paired difference uses those that both arms have" in said


@pytest.mark.parametrize(
    ("low", "high", "n", "said"),
    [
        (-2.0, -1.0, 3, "solo errs less"),
        (1.0, 2.0, 3, "parts errs less"),
        (-1.0, 1.0, 3, "cannot tell apart"),
        (None, None, 1, "n = 1 seed, no interval"),
        (None, None, 0, "no shared seed"),
    ],
)
def test_verdict(low, high, n, said):
    assert verdict(PairedDifference(0.0, low, high, n, "solo", "parts", HEADLINE_METRIC, "last", 40)) == said


def test_millimetres_as_text():
    assert [mm(None), mm(45.44), mm(-0.31, sign=True), mm(3.0, sign=True)] == ["–", "45.4", "−0.3", "+3.0"]


def test_rows_say_how_many_seeds_are_in_the_means(curves_with_divergence, summary):
    curves = curves_with_divergence
    rows = {row["name"]: row for row in headline_rows(summary)}
    assert list(rows) == ["solo", "parts", "flat", "supervised"]
    assert rows["solo"]["seeds"] == "2 of 3"
    assert rows["parts"]["seeds"] == "3"
    assert [row["knows"] for row in rows.values()] == ["nothing", "nothing", "", "true depths"]
    assert rows["flat"][HEADLINE_METRIC]["last"]["text"] == "95.2"
    tail = curves[(curves["arm"] == "parts") & (curves["epoch"] > 20)].groupby("seed")[HEADLINE_METRIC]
    expected = f"{interval(tail.mean()).mean:.1f} ± {tail.std().mean():.1f}"
    assert rows["parts"][HEADLINE_METRIC]["last_half"]["text"] == expected
    assert rows["parts"]["medians"]["last_half"] == mm(tail.mean().median())
