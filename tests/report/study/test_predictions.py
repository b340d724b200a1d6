"""The section on predictions, as a browser shows it: epochs are stepped through, joints dragged."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from made_lifter import made_network
from tips_ray.config import Config, Network
from tips_ray.data.completion import Prior
from tips_ray.lift.card import Card
from tips_ray.lift.lifter import Lifter
from tips_ray.lift.trained import folded
from tips_ray.poses.skeleton import LIFTED
from tips_ray.report.study import predictions as section
from tips_ray.report.study.joint_bodies import joint_bodies
from tips_ray.report.study.page import render
from tips_ray.report.study.predictions import draw_predictions
from tips_ray.report.text import mm
from tips_ray.stability.choice import Choice
from tips_ray.stability.predictions import FLAT, NO_PREDICTIONS, History, PredictedPose, Predictions

HOSTILE = "</script><b>parts</b>"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    """A small one."""
    network = folded(made_network(Network(width=16, generator_blocks=1)), Config(), 1.0)
    return Lifter(network, Prior(np.zeros(32), np.eye(32)), Card("small", {}, network.negative_slope, False))


@pytest.fixture(scope="module")
def predicted() -> Predictions:
    """Of two arms, the second of which stored nothing by epoch."""
    arms = ("solo", HOSTILE)
    truths = RNG.normal(0, 300, (3, 17, 3)) * (np.arange(17) > 0)[:, None]
    poses = [
        PredictedPose(
            truth, {arm: truth * [1, 1, 0.5] for arm in arms}, dict.fromkeys((*arms, FLAT), 30.0 + at), "S", "walk", "c", at / 2
        )
        for at, truth in enumerate(truths)
    ]
    history = History([0, 1], [1, 5, 10], RNG.normal(0, 200, (2, 3, 3, 16)), np.arange(18.0).reshape(2, 3, 3) + 50)
    by_joint = {arm: np.arange(16.0) for arm in (*arms, FLAT)}
    return Predictions({arm: Choice(f"{arm}-seed0", 0, 9, 10) for arm in arms}, 256, poses, {"solo": history}, by_joint)


def test_poses_are_stepped_through_and_lifted_anew(make_summary, predicted, lifter, opening, barriers, tmp_path):
    nothing = pd.DataFrame()  # without other figures the page is light
    (tmp_path / "page.html").write_text(render(nothing, make_summary(nothing), predicted, {HOSTILE: lifter}))
    with opening(tmp_path / "page.html", expected="Canvas2D|GL Driver|willReadFrequently") as page:
        first, worst = (page.locator("#predictions .poses").nth(row) for row in (0, 1))
        captions = "#predictions .poses:first-child figcaption"
        said = page.locator(captions).all_inner_texts()
        assert said == ["as it was seen", "solo: 31 mm", f"{HOSTILE}: 31 mm", "truth", "flat: 31 mm"]
        assert barriers(page) == []
        assert worst.locator("select").input_value().startswith("errs most")
        page.locator("#prediction-epoch").fill("1")
        assert page.locator(captions).all_inner_texts()[1] == "solo, epoch 5: 54 mm"
        page.select_option("#prediction-seed", "1")
        assert page.locator(captions).all_inner_texts()[1] == "solo, epoch 5: 63 mm"
        assert "after 67 % of the epochs" in page.locator("#prediction-when").inner_text()
        first.locator("select").select_option(index=0)
        box = first.locator("canvas").first.bounding_box()
        for down in np.linspace(0.1, 0.9, 9):
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * down)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] / 2 + 15, box["y"] + box["height"] * down, steps=2)
            page.mouse.up()
        assert page.locator(captions).all_inner_texts()[:3] == ["changed by hand", "solo", HOSTILE]
        painted = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
        canvases = first.locator("canvas")
        assert [canvases.nth(at).evaluate(painted) for at in range(5)] == [True, False, True, False, True]
        page.click("#prediction-reset")
        assert page.locator(captions).all_inner_texts()[0] == "as it was seen"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_table_has_left_and_right_together(predicted):
    rows = section.joint_rows(predicted)
    assert list(rows[0]["joints"]) == ["hip", "knee", "ankle", "spine", "thorax", "neck", "head", "shoulder", "elbow", "wrist"]
    both = [LIFTED.index(name) for name in ("l_knee", "r_knee")]
    assert rows[0]["joints"]["knee"] == np.mean(both)


def test_networks_that_a_page_has_no_room_for_stay_out(predicted, lifter, monkeypatch):
    monkeypatch.setattr(section, "MAX_NETWORKS_BYTES", 1000)
    content = section.prediction_content(predicted, {"solo": lifter})
    assert [arm["network"] for arm in json.loads(json.dumps(content))["arms"]] == [None, None]


def test_each_arm_has_a_body_whose_largest_joint_errs_most(predicted):
    bodies = joint_bodies(predicted)
    assert [body.arm for body in bodies] == list(predicted.by_joint)
    joints = [joint for body in bodies for joint in body.joints]
    assert max(joint.share for joint in joints) == 1
    for body, errors in zip(bodies, predicted.by_joint.values(), strict=True):
        worst = max(body.joints, key=lambda joint: joint.radius)
        assert worst.error == errors.max()
        assert f"{worst.name} {mm(worst.error)} mm" in body.result
        assert len({(joint.x, joint.y) for joint in body.joints}) == len(body.joints) == 16


def test_drawings_of_the_section_are_figures_too(predicted):
    figures = draw_predictions(predicted, synthetic=True)
    assert list(figures) == ["joints", "pose-1", "pose-2", "pose-3"]
    traces: Any = figures["joints"].data
    shown = [trace.text for trace in traces if trace.text]
    assert shown == [tuple(f"{error:.0f}" for error in errors) for errors in predicted.by_joint.values()]
    for figure in figures.values():
        layout: Any = figure.layout
        assert "synthetic data" in [note.text for note in layout.annotations]
    assert not draw_predictions(NO_PREDICTIONS, synthetic=False)
