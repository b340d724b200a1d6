"""The report of a campaign without labels: it opens offline, and nothing on it is an error."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import METRICS, TRAIN_METRIC
from tips_ray.poses.skeleton import JOINTS
from tips_ray.report.study.label_free import finding, render_label_free
from tips_ray.stability.bodies import LiftedView, LiftedViews
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.choice import Choice
from tips_ray.stability.label_free import summarise_label_free


def without_labels(curves: pd.DataFrame) -> LoadedCampaign:
    """A campaign with the curves of another, but for what needs labels."""
    labelled = [*METRICS, TRAIN_METRIC, "part_sign_agreement"]
    kept = [column for column in curves if column not in labelled and "mpjpe" not in str(column)]
    arms = {arm: {"objective": "adversarial"} for arm in curves["arm"].unique()} if len(curves) else {}
    manifest = {"data": {"labelled": False, "spec": "wild.json", "synthetic": False}, "arms": arms, "references": {}}
    return LoadedCampaign(
        manifest | {"executions": [{"command": "tips-ray stability --data wild.json", "seconds": 60.0}]}, curves[kept]
    )


@pytest.mark.parametrize("width", [1100, 360])
def test_it_is_drawn_offline_and_calls_nothing_an_error(opening, barriers, make_curves, tmp_path: Path, width: int):
    name = "a very long arm with <b>markup</b> in its name"
    campaign = without_labels(make_curves(("solo", name), num_epochs=20))
    body = np.random.default_rng(0).normal(0, 300, (len(JOINTS), 3))
    view = LiftedView({"solo": body, name: body}, np.zeros(len(JOINTS), bool), "S1", "walk", "c1", 0.5, 30.0)
    lifted = LiftedViews({"solo": Choice("solo-seed0", 0, 19, 20)}, 256, [view])
    page = render_label_free(campaign.curves, summarise_label_free(campaign), lifted)
    (tmp_path / "page.html").write_text(page)
    with opening(tmp_path / "page.html", width=width, expected="WebGL|GL Driver|willReadFrequently") as opened:
        plots = opened.evaluate("[...document.querySelectorAll('.plot')].map(plot => plot.querySelectorAll('.main-svg').length)")
        text = opened.locator("body").inner_text()
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert barriers(opened) == []
    assert plots
    assert min(plots) > 0
    assert name in text
    assert "seeds differ by 30 mm: median agreement" in text
    assert "nothing below is an error" in text
    assert "P-MPJPE" not in text


def test_it_names_the_weights_to_use(make_curves):
    campaign = without_labels(make_curves(("solo", "parts"), num_epochs=20))
    summary = summarise_label_free(campaign)
    assert "For parts, use the weights of parts-seed0, averaged over epochs 19 to 20" in finding(summary)
    nothing = without_labels(make_curves(("solo",), num_seeds=1, num_epochs=1))
    assert "solo-seed0, epoch 1" in finding(summarise_label_free(nothing))


def test_before_the_first_epoch_it_says_so():
    campaign = without_labels(pd.DataFrame())
    page = render_label_free(campaign.curves, summarise_label_free(campaign))
    assert "No run has finished an epoch yet" in page
