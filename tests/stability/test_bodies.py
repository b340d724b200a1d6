"""Which lifted poses are shown: those on which seeds agree best and worst, and some between."""

from dataclasses import replace

import numpy as np
import pandas as pd

from tests.stability.test_label_free import make_campaign
from tips_ray.poses.skeleton import JOINTS, LIFTED
from tips_ray.stability.bodies import NO_VIEWS, SHARES, lifted_views, views_to_show
from tips_ray.stability.campaign import LoadedCampaign

NUM_VIEWS = 40


def with_bodies(distance: np.ndarray | None, first: int = 19) -> LoadedCampaign:
    """A campaign whose chosen weights lift joint j of view v to (j, v, 0); two views a clip."""
    rows = [
        {"arm": "parts", "seed": 1, "first": first, "last": 20, "view": view, "joint": joint}
        | {"x_mm": place, "y_mm": view, "z_mm": 0.0, "missing": place == 3, "clip": f"c{view // 2}"}
        | {"true_x_mm": np.nan, "true_y_mm": np.nan, "true_z_mm": np.nan, "subject": "S", "action": "walk"}
        for view in range(NUM_VIEWS)
        for place, joint in enumerate(LIFTED, start=1)
    ]
    campaign = make_campaign({0: 0.05, 1: 0.02, 2: 0.08})
    measured = replace(campaign.measured, bodies=pd.DataFrame(rows))
    return replace(campaign, measured=measured, disagreement_by_view={} if distance is None else {"parts": distance})


def test_views_are_those_of_best_median_and_worst_agreement():
    distance = np.random.default_rng(0).permutation(NUM_VIEWS).astype(float)
    shown = lifted_views(with_bodies(distance), ["parts", "solo"])
    assert (shown.choices["parts"].run, shown.num_compared) == ("parts-seed1", NUM_VIEWS)
    assert len(shown.views) == len(SHARES) == len({view.clip for view in shown.views})
    found = [view.distance_mm for view in shown.views if view.distance_mm is not None]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, NUM_VIEWS - 1)
    assert abs(found[2] - NUM_VIEWS / 2) <= 2
    worst = shown.views[-1]
    assert worst.bodies["parts"].tolist() == [[0, 0, 0]] + [[j, int(distance.argmax()), 0] for j in range(1, len(JOINTS))]
    assert worst.missing.nonzero()[0].tolist() == [3]


def test_a_single_seed_gives_views_spread_over_all():
    shown = lifted_views(with_bodies(None), ["parts"])
    assert [view.share for view in shown.views] == [None] * len(SHARES)
    assert len(views_to_show([0, 1], None, ["a", "a"])) == 2


def test_nothing_is_shown_of_weights_that_were_not_measured():
    assert lifted_views(with_bodies(None, first=18), ["parts"]) == NO_VIEWS
    assert lifted_views(make_campaign({0: 0.05}), ["parts"]) == NO_VIEWS
