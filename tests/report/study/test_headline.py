"""The finding claims what the paired interval bears, and the cautions say what it leaves out."""

import pytest

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.report.study.headline import cautions, finding, headline_rows
from tips_ray.report.text import mm, verdict
from tips_ray.stability.statistics import interval


def summary(difference: float, low: float | None, high: float | None, n: int, **changes) -> dict:
    """Two arms, solo at 70 mm, parts `difference` below, and their paired difference."""
    cell = {"mean": 70.0, "std": 1.0, "low": None, "high": None, "n": n}
    entry = {"num_seeds": n, "num_epochs": 40, "diverged": [], "best_epoch": {"mean": 20.0}}
    solo, parts = (entry | {"last_half": {HEADLINE_METRIC: cell | {"mean": mean}}} for mean in (70.0, 70.0 - difference))
    pair = {"a": "solo", "b": "parts", "metric": HEADLINE_METRIC, "statistic": "last_half", "epochs": 40}
    pair |= {"difference": difference, "low": low, "high": high, "n": n}
    given = {"arms": {"solo": solo, "parts": parts}, "paired": [pair], "references": {}, "data": {"synthetic": False}}
    given |= {"teachers": {}, "students": [], "distillation": [], "unmeasured_rules": {}}
    return given | changes


def test_an_interval_away_from_zero_names_the_better_arm():
    said = finding(summary(7.4, 6.9, 7.9, 6))
    assert said.startswith("Over the last half of training, parts errs by 7.4 mm less than solo (95% interval")
    assert "6.9 to 7.9 mm, n = 6 seeds)." in said
    assert "solo errs by 7.4 mm less than parts" in finding(summary(-7.4, -7.9, -6.9, 6))
    assert "6.9 to 7.9 mm" in finding(summary(-7.4, -7.9, -6.9, 6))


def test_few_seeds_are_said_to_be_few():
    assert "n = 3 seeds, too few to be sure" in finding(summary(7.4, 6.9, 7.9, 3))
    assert any("about 75%" in caution and "1 of 4 studies" in caution for caution in cautions(summary(7.4, 6.9, 7.9, 3)))
    assert cautions(summary(7.4, 6.9, 7.9, 10)) == []


def test_an_interval_around_zero_cannot_tell_apart():
    said = finding(summary(0.3, -0.6, 1.2, 5))
    assert "5 seeds cannot tell parts and solo apart: solo − parts is +0.3 mm (95% interval −0.6 to +1.2 mm)" in said


def test_one_seed_and_none_bear_no_claim():
    assert "n = 1 seed, no interval, so this may be luck" in finding(summary(7.4, None, None, 1))
    assert "share no finished seed" in finding(summary(7.4, None, None, 0))
    assert "nothing to compare" in finding(summary(0, None, None, 0, arms={}, paired=[]))
    one = summary(7.4, 6.9, 7.9, 3)
    assert "no other arm" in finding(one | {"arms": {"solo": one["arms"]["solo"]}, "paired": []})


def test_cautions_say_what_is_odd_about_teachers():
    card = {"oracle": True, "teacher": {"arm": "parts", "runs": "all"}, "num_epochs": 30}
    said = " ".join(cautions(summary(7.4, 6.9, 7.9, 10, teachers={"tips": card})))
    assert "tips learns from an oracle" in said
    assert "tips learns from parts as it was after 30 epochs; it has 40 by now." in said
    assert "All students of tips share one teacher" in said
    fine = {"oracle": False, "teacher": {"arm": "parts", "runs": "own"}, "num_epochs": 40}
    assert cautions(summary(7.4, 6.9, 7.9, 10, teachers={"tips": fine})) == []


@pytest.mark.parametrize(
    ("low", "high", "n", "said"),
    [
        (-0.6, 0.4, 5, "tips cannot be told apart from its teachers: −0.1 mm (95% interval −0.6 to +0.4 mm, n = 5 seeds)."),
        (-0.6, -0.04, 5, "tips errs less than its teachers: −0.1 mm"),
        (None, None, 1, "tips errs by −0.1 mm against its teachers: n = 1 seed, no interval."),
    ],
)
def test_students_are_no_rivals_but_are_held_against_their_teachers(low, high, n, said):
    entry = {"kind": "teacher", "a": "tips", "b": "teachers of tips", "difference": -0.1, "low": low, "high": high, "n": n}
    given = summary(7.4, 6.9, 7.9, 6, students=["tips"], distillation=[entry])
    given["arms"]["tips"] = {"last_half": {HEADLINE_METRIC: {"mean": 1.0}}}
    assert finding(given).startswith("Over the last half of training, parts errs by 7.4 mm less than solo")
    assert finding(given).partition("At its last epoch, ")[2].startswith(said)


def test_cautions_name_synthetic_poses_divergence_flat_and_unequal_length():
    given = summary(7.4, 6.9, 7.9, 10, data={"synthetic": True}, references={"flat": {HEADLINE_METRIC: 65.0}})
    given |= {"unmeasured_rules": {"solo": ["average of the last 10 %"], "parts": ["average of the last 10 %", "another"]}}
    given["arms"]["solo"] |= {"diverged": [{}, {}], "num_seeds": 12, "num_epochs": 30}
    said = " ".join(cautions(given))
    assert "no human was measured" in said
    assert "2 of 12 runs of solo diverged" in said
    assert "solo is not shown to be better than the flat prediction (65.0 mm)" in said
    assert "parts is not shown" not in said
    assert "One stop rule of solo is left out below" in said
    assert "2 stop rules of parts are left out below" in said
    assert "(solo 30, parts 40); paired differences use the first 30" in said


@pytest.mark.parametrize(
    ("low", "high", "n", "said"),
    [
        (-2, -1, 3, "solo errs less"),
        (1, 2, 3, "parts errs less"),
        (-1, 1, 3, "cannot tell apart"),
        (None, None, 1, "n = 1 seed, no interval"),
        (None, None, 0, "no shared seed"),
    ],
)
def test_verdict(low, high, n, said):
    assert verdict({"a": "solo", "b": "parts", "low": low, "high": high, "n": n}) == said


def test_millimetres_as_text():
    assert [mm(None), mm(45.44), mm(-0.31, sign=True), mm(3.0, sign=True)] == ["–", "45.4", "−0.3", "+3.0"]


def test_rows_say_how_many_seeds_are_in_the_means(make_curves, make_summary):
    curves = make_curves(diverged={("solo", 1): 9})
    rows = {row["name"]: row for row in headline_rows(make_summary(curves))}
    assert list(rows) == ["solo", "parts", "flat", "supervised"]
    assert rows["solo"]["seeds"] == "2 of 3"
    assert rows["parts"]["seeds"] == "3"
    assert rows["flat"][HEADLINE_METRIC]["last"]["text"] == "95.2"
    tail = curves[(curves["arm"] == "parts") & (curves["epoch"] > 20)].groupby("seed")[HEADLINE_METRIC]
    expected = f"{interval(tail.mean()).mean:.1f} ± {tail.std().mean():.1f}"
    assert rows["parts"][HEADLINE_METRIC]["last_half"]["text"] == expected
