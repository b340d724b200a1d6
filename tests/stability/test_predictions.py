"""What a report shows of predictions: the poses on which arms err least, most and between, with
errors that are those of the slow truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.stability.test_label_free import make_campaign
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.poses.skeleton import JOINTS, LIFTED
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.predictions import FLAT, NO_PREDICTIONS, joint_errors, predictions
from tips_ray.store.curves import RUNS
from tips_ray.store.lifted import lifted_bytes, lifted_name
from tips_ray.store.storage import Storage

NUM_VIEWS = 20
RNG = np.random.default_rng(0)
TRUTH = np.insert(RNG.normal(0, 300, (NUM_VIEWS, len(LIFTED), 3)), 0, 0.0, axis=1)
BODIES = TRUTH + [0, 0, 1] * RNG.normal(0, 60, TRUTH.shape) * (TRUTH != 0)
DEPTHS = RNG.normal(0, 200, (NUM_VIEWS, len(LIFTED)))


@pytest.fixture
def campaign() -> LoadedCampaign:
    """Three runs of one arm, of which the middle one is chosen; two views a clip."""
    rows = [
        {"arm": "parts", "seed": 1, "first": 19, "last": 20, "view": view, "joint": joint, "missing": False}
        | dict(zip(("x_mm", "y_mm", "z_mm"), BODIES[view, JOINTS.index(joint)], strict=True))
        | dict(zip(("true_x_mm", "true_y_mm", "true_z_mm"), TRUTH[view, JOINTS.index(joint)], strict=True))
        | {"subject": "S", "action": "walk", "clip": f"c{view // 2}"}
        for view in range(NUM_VIEWS)
        for joint in LIFTED
    ]
    made = make_campaign({0: 0.05, 1: 0.02, 2: 0.08})
    return replace(made, measured=replace(made.measured, bodies=pd.DataFrame(rows)))


def truth_of(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """P-MPJPE by the package's metric."""
    return p_mpjpe(*(torch.from_numpy(np.ascontiguousarray(pose[..., 1:, :])) for pose in (predicted, target))).numpy()


def test_errors_by_joint_average_to_the_metric():
    np.testing.assert_allclose(joint_errors(BODIES, TRUTH).mean(axis=-1), truth_of(BODIES, TRUTH), rtol=1e-9)
    mirrored = joint_errors(TRUTH * [1, 1, -1], TRUTH).mean(axis=-1)
    np.testing.assert_allclose(mirrored, truth_of(TRUTH * [1, 1, -1], TRUTH), rtol=1e-9)
    assert (mirrored > 10).all()


def test_poses_go_from_the_one_that_errs_least_to_the_one_that_errs_most(campaign, tmp_path: Path):
    shown = predictions(campaign, Storage(str(tmp_path)), ["parts", "solo"])
    errors = [pose.errors["parts"] for pose in shown.poses]
    expected = truth_of(BODIES, TRUTH)
    assert errors == sorted(errors)
    assert errors[0] == pytest.approx(expected.min())
    assert errors[-1] == pytest.approx(expected.max())
    assert shown.poses[-1].errors[FLAT] == pytest.approx(truth_of(BODIES * [1, 1, 0], TRUTH)[expected.argmax()])
    assert shown.by_joint["parts"].mean() == pytest.approx(expected.mean())
    assert (shown.histories, shown.num_compared) == ({}, NUM_VIEWS)


def test_epochs_have_the_sign_that_anatomy_voted_for(campaign, tmp_path: Path):
    folder = Storage(str(tmp_path))
    for run in campaign.curves["run"].unique():
        for epoch in (5, 10, 20):
            (folder / RUNS / run).write(lifted_name(epoch), lifted_bytes(DEPTHS + epoch))
    curves = campaign.curves.assign(depth_sign=np.where(campaign.curves["epoch"] == 10, -1.0, 1.0))
    shown = predictions(replace(campaign, curves=curves), folder, ["parts"])
    history = shown.histories["parts"]
    assert (history.seeds, history.epochs) == ([0, 1, 2], [5, 10, 20])
    views = [int(np.abs(TRUTH - pose.truth).sum(axis=(1, 2)).argmin()) for pose in shown.poses]
    np.testing.assert_allclose(history.depths[2, 1], -(DEPTHS[views] + 10), atol=0.5)
    body = BODIES[views].copy()
    body[:, 1:, 2] = history.depths[0, 0]
    np.testing.assert_allclose(history.errors[0, 0], truth_of(body, TRUTH[views]), atol=0.01)


def test_nothing_is_shown_without_true_poses_or_before_anything_was_measured(campaign, tmp_path: Path):
    folder = Storage(str(tmp_path))
    unknown = campaign.measured.bodies.assign(true_x_mm=np.nan)
    assert (
        predictions(replace(campaign, measured=replace(campaign.measured, bodies=unknown)), folder, ["parts"]) == NO_PREDICTIONS
    )
    assert predictions(make_campaign({0: 0.05}), folder, ["parts"]) == NO_PREDICTIONS
