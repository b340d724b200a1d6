"""What the page says of stop rules, teachers, students and codependence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tips_ray.config import Teacher
from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED
from tips_ray.report.study.page import render
from tips_ray.report.study.stop_figures import draw_codependence, draw_rules
from tips_ray.report.style import arm_colours
from tips_ray.report.text import ends
from tips_ray.stability.summary import Summary
from tips_ray.stability.teachers import ExpectedRegret, TeacherCard, TeacherWindow
from tips_ray.store.measurements import CODEPENDENCE, KEYS, NOTHING, Measured

ARMS = ("solo", "parts", "tips", "a_student_with_a_very_long_name")
STUDENTS = ARMS[2:]


def config(arm: str) -> dict:
    if arm not in STUDENTS:
        return {"objective": "adversarial", "partition": "solo", "weights": {"symmetry": 1.0 if arm == "parts" else 0.0}}
    teacher = {"arm": "parts", "rule": "last epoch", "runs": "own" if arm == "tips" else "all"}
    return {"objective": "distilled", "teacher": teacher, "partition": "solo"}


def card(student: str) -> TeacherCard:
    lesson = TeacherWindow("parts-seed0", 0, 33, 40, None, 1.0, 9.5, {"40": "0123456789abcdef"})
    regret = ExpectedRegret(1.25, 3.0, 4.0, 0.5, 2.0, 3)
    return TeacherCard(student, Teacher(**config(student)["teacher"]), False, 40, (lesson,), regret)


@pytest.fixture(scope="module")
def measured() -> Measured:
    taught = pd.DataFrame([{"arm": arm, "seed": seed, "p_mpjpe_signed_mm": 90.0} for arm in STUDENTS for seed in range(3)])
    part = {joint: part.name for part in LEGS_TORSO for joint in part.joints}
    rows = [
        (
            arm,
            seed,
            40,
            depth,
            seen,
            0.0 if arm == "parts" and part[depth] != part[seen] else 0.5,
            0.0 if arm == "parts" else 0.47,
        )
        for arm in ARMS
        for seed in range(3)
        for depth in LIFTED
        for seen in LIFTED
    ]
    codependence = pd.DataFrame(rows, columns=[*KEYS[CODEPENDENCE], "sensitivity", "outside_share"])
    return replace(NOTHING, taught=taught, codependence=codependence)


@pytest.fixture(scope="module")
def curves(make_curves) -> pd.DataFrame:
    return make_curves(arms=ARMS, num_seeds=3)


@pytest.fixture(scope="module")
def summary(curves, make_summary, measured) -> Summary:
    return make_summary(curves, measured, {arm: card(arm) for arm in STUDENTS}, arms={arm: config(arm) for arm in ARMS})


@pytest.fixture(scope="module")
def page(curves, summary, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(curves, summary))
    return path


def test_the_page_draws_and_tells_all_of_it(opening, page):
    with opening(page) as opened:
        text = opened.locator("main").inner_text()
        plots = opened.evaluate("[...document.querySelectorAll('.plot')].map(plot => plot.id)")
        assert {"plot-rules", *(f"plot-codependence-{place}" for place in range(1, 5))} <= set(plots)
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "by the error on training subjects, which needs their 3D labels, one would choose" in text
    assert "tips − teachers of tips" in text
    assert text.count("anatomy") > 3 * len(ARMS[1:])  # in each table of arms; students know what parts do
    assert "tips errs less" in text  # made-up students err by 66 mm, their teachers by 90
    assert "parts, seed by seed" in text
    assert "01234567" in text
    assert "47%" in text


def test_a_diamond_marks_the_rule_that_was_chosen(summary):
    figure = draw_rules(summary.stop_rules, arm_colours(ARMS), synthetic=True)
    order = [text.replace("<br>", " ").replace("\u00a0", " ") for text in figure.layout.yaxis.ticktext]
    for trace in filter(lambda trace: trace.name, figure.data):
        chosen = {score.rule: score.chosen for score in summary.stop_rules if score.arm == trace.name}
        rules = [rule for rule, _, _ in trace.customdata]
        inside = [rule for rule, symbol in zip(rules, trace.marker.symbol, strict=True) if symbol != "triangle-right"]
        assert [symbol == "diamond" for symbol in trace.marker.symbol if symbol != "triangle-right"] == [
            chosen[rule] for rule in inside
        ]
        assert [round(height) for height in trace.y] == [order.index(rule) for rule in rules]
    assert order[0] == "best epoch (oracle)"
    assert "last epoch" in order
    assert any(note.text == "synthetic data" for note in figure.layout.annotations)


def test_a_rule_beyond_the_axis_is_an_arrow_with_its_number(summary):
    scores = [replace(score, arm="solo") for score in summary.stop_rules if score.arm == ARMS[0]]
    scores[3] = replace(scores[3], chosen=True, regret_mm=replace(scores[3].regret_mm, median=500.0))
    figure = draw_rules(scores, {"solo": "#D55E00"}, synthetic=False)
    trace = figure.data[0]
    place = [rule for rule, _, _ in trace.customdata].index(scores[3].rule)
    assert (trace.marker.symbol[place], trace.text[place].strip()) == ("triangle-right", "500")
    assert trace.x[place] == pytest.approx(figure.layout.xaxis.range[1], abs=0.01)


def test_an_interval_that_goes_beyond_the_axis_ends_in_an_empty_arrow(summary):
    scores = [replace(score, arm="solo") for score in summary.stop_rules if score.arm == ARMS[0]]
    scores = [replace(score, regret_mm=replace(score.regret_mm, median=1.0, low=0.5, high=1.5)) for score in scores]
    colours = {"solo": "#D55E00"}
    assert len(draw_rules(scores, colours, synthetic=False).data) == 1
    scores[0] = replace(scores[0], regret_mm=replace(scores[0].regret_mm, high=500.0))
    points, arrows = draw_rules(scores, colours, synthetic=False).data
    assert list(arrows.y) == [points.y[[rule for rule, _, _ in points.customdata].index(scores[0].rule)]]


def test_a_heat_map_has_depths_as_rows():
    matrix = np.arange(256.0).reshape(16, 16)
    figure = draw_codependence("solo", matrix.tolist(), 255.0, synthetic=False)
    assert np.allclose(np.array(figure.data[0].z, float), matrix)
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.data[0].x[0] == figure.data[0].y[0] == "r hip"


def test_rows_of_one_seed_have_no_interval(make_curves, make_summary):
    summary = make_summary(make_curves(arms=("solo",), num_seeds=1))
    assert summary.stop_rules
    assert all("no interval" in ends(score.regret_mm) for score in summary.stop_rules)
