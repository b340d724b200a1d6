"""A campaign's weights lift as they did in training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import helpers
from helpers import refusal
from tips_ray import Lifter
from tips_ray.campaign.checkpoints import MOMENTS, StoredRun
from tips_ray.campaign.evaluate import load_window
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.campaign.run import describe
from tips_ray.cli import main
from tips_ray.config import Network
from tips_ray.data.dataset import Sources, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.errors import UserError
from tips_ray.lift.trained import keep_lifters
from tips_ray.lifting.evaluate import lift_views
from tips_ray.lifting.run import Run
from tips_ray.stability.campaign import load_campaign
from tips_ray.stability.stopping import Window
from tips_ray.store.records import write_manifest
from tips_ray.store.storage import Storage

CONFIG = replace(helpers.CONFIG, network=Network(width=8, generator_blocks=1, discriminator_blocks=1, mirror_mean=True))
POSES = synthesise(num_poses=400)
DATASET = prepare(POSES, CONFIG.data)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Campaign:
    """Two arms of two seeds, trained for four epochs."""
    made = Campaign("c", Storage(str(tmp_path_factory.mktemp("c"))), {"parts": CONFIG, "other": CONFIG}, 2, 4)
    write_manifest(made.folder, agree(made, describe(Sources(POSES), DATASET, "synthetic", CONFIG.data), {}))
    for arm in made.arms:
        for seed in made.seeds:
            run = StoredRun(made.folder, arm, Run(CONFIG, DATASET, seed))
            while run.num_epochs < 4:
                run.advance()
    return made


@pytest.mark.parametrize("rule", ["last epoch", "average of the last 50 %"])
def test_weights_that_a_rule_picks_lift_as_in_training(campaign, rule):
    lifter = Lifter.open(str(campaign.folder), "parts", rule)
    trained = lifter.card.trained
    assert (trained["arm"], trained["rule"], trained["knows_beyond_2d"]) == ("parts", rule, ["anatomy"])
    first = int(trained["epochs"].split("–")[0])
    assert (first < 4) == (rule != "last epoch")
    run = campaign.folder / "runs" / f"parts-seed{trained['seed']}"
    curves = load_campaign(campaign.folder).curves
    sign = curves.loc[(curves["run"] == f"parts-seed{trained['seed']}") & (curves["epoch"] == 4), "depth_sign"].iloc[0]
    expected = lift_views(load_window(run, Window(first, 4), CONFIG), DATASET.test).numpy() * [1, 1, sign]
    keypoints = DATASET.test.keypoints.numpy() * DATASET.test.scale.numpy()[:, None, None]
    poses = lifter.lift(np.insert(keypoints, 0, 0.0, axis=1), y_down=False)
    np.testing.assert_allclose(poses[:, 1:], expected, atol=2e-2)  # mm


def test_what_a_campaign_cannot_give_is_said(campaign, tmp_path: Path):
    folder = str(campaign.folder)
    for arm, rule, said in (
        (None, None, "several arms"),
        ("solo", None, "no arm 'solo'"),
        ("parts", "the best", "the rules are"),
    ):
        with pytest.raises(UserError, match=said):
            Lifter.open(folder, arm, rule)
    empty = Campaign("e", Storage(str(tmp_path)), {"parts": CONFIG}, 1, 3)  # its folder is tmp_path / "e"
    write_manifest(empty.folder, agree(empty, {"fingerprint": "abc"}, {}))
    with pytest.raises(UserError, match="finished"):
        Lifter.open(str(empty.folder))
    keep_lifters(empty.folder)
    assert not empty.folder.exists("lifters")


def test_each_arm_leaves_a_lifter_in_the_campaign(campaign):
    keep_lifters(campaign.folder)
    kept = Lifter.open(campaign.folder.path("lifters/parts"))
    assert kept.card.trained == Lifter.open(str(campaign.folder), "parts").card.trained
    written = {name: campaign.folder.path(f"lifters/{name}/lifter.json") for name in campaign.arms}
    times = [Path(file).stat().st_mtime_ns for file in written.values()]
    keep_lifters(campaign.folder)
    assert [Path(file).stat().st_mtime_ns for file in written.values()] == times


def test_a_run_without_its_moments_is_named(campaign):
    for seed in campaign.seeds:
        (campaign.folder / "runs" / f"other-seed{seed}").delete(MOMENTS)
    with pytest.raises(UserError, match=r"moments\.pt"):
        Lifter.open(str(campaign.folder), "other")


def test_a_lifter_is_exported_with_its_errors(campaign, tmp_path: Path, capsys):
    options = ["--arm", "parts", "--out", str(tmp_path / "mine"), "--name", "mine", "--data", "synthetic", "--subjects", "S8"]
    assert main(["export", str(campaign.folder), *options]) == 0
    assert "synthetic views of S8" in capsys.readouterr().out
    card = Lifter.open(tmp_path / "mine").card
    errors = card.errors["synthetic"]
    assert card.name == "mine"
    assert errors["synthetic"]
    assert errors["by_subject"] == {"S8": pytest.approx(errors["mean"])}
    assert errors["mean"] < errors["missing"]["1"] < errors["missing"]["4"] or errors["mean"] > 0.8 * errors["flat"]
    assert main(["export", str(tmp_path / "mine"), "--onnx", str(tmp_path / "mine.onnx")]) == 0
    assert (tmp_path / "mine.onnx").stat().st_size > 1000
    assert "Nothing is to be written" in refusal(capsys, "export", str(tmp_path / "mine"))
    assert "is no empty folder" in refusal(capsys, "export", str(campaign.folder), *options)
