"""Errors of predictions whose errors are known."""

import math
from dataclasses import replace

import pytest
import torch

from tips_ray.columns import ACTION_PREFIX, SUBJECT_PREFIX
from tips_ray.config import Config, Data, Network, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Views
from tips_ray.lifting.evaluate import NUM_VOTERS, errors, evaluate, flat_errors, lift_views, sign_agreement
from tips_ray.lifting.networks import Lifter, initialise
from tips_ray.poses.geometry import mirror_depth
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED, SOLO
from tips_ray.seeding import stream

ERRORS = ("p_mpjpe_mm", "p_mpjpe_reflected_mm", "p_mpjpe_signed_mm", "n_mpjpe_mm", "mpjpe_mm")
SMALL = Network(width=16, generator_blocks=1, generator_dropout=0.5)


class Knowing(Lifter):
    """Looks the depth up that belongs to the keypoints, 0 for what it never saw; `sign` -1 turns it
    inside out."""

    def __init__(self, dataset: Dataset, sign: float = 1.0) -> None:
        super().__init__(SOLO, SMALL)
        views = (dataset.train, dataset.test)
        depths = [sign * seen.pose[..., 2] / seen.scale[:, None] for seen in views]
        self.answers = {
            tuple(row): depth for seen, known in zip(views, depths, strict=True) for row, depth in self.pairs(seen, known)
        }

    @staticmethod
    def pairs(seen: Views, depth: torch.Tensor):
        return zip(seen.keypoints.flatten(1).tolist(), depth, strict=True)

    def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.answers.get(tuple(row), torch.zeros(16)) for row in keypoints.flatten(1).tolist()])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return prepare(synthesise(num_poses=400), Data(num_views=2))


def test_a_perfect_lifter_scores_0(dataset):
    row = evaluate(Knowing(dataset), dataset)
    assert {name: row[name] for name in ERRORS} == pytest.approx(dict.fromkeys(ERRORS, 0.0), abs=0.01)
    assert row["depth_sign"] == 1.0
    assert row["part_sign_agreement"] == 1.0
    assert row["correct_sign_share_legs"] > 0.95
    assert row["evaluate_seconds"] > 0


def test_an_inside_out_lifter_scores_0_once_its_sign_is_told(dataset):
    row = evaluate(Knowing(dataset, sign=-1.0), dataset)
    assert row["depth_sign"] == -1.0
    assert row["p_mpjpe_signed_mm"] == pytest.approx(0.0, abs=0.01)
    assert row["p_mpjpe_reflected_mm"] == pytest.approx(0.0, abs=0.01)
    assert row["mpjpe_mm"] == pytest.approx(0.0, abs=0.01)
    assert row["p_mpjpe_mm"] > 20
    assert row["part_sign_agreement"] == 1.0
    assert row["correct_sign_share_legs"] < 0.05


def test_a_part_inside_out_is_not_repaired_by_one_sign(dataset):
    pose = dataset.test.pose
    half = pose.clone()
    legs = list(LEGS_TORSO[0].indices)
    half[:, legs] = mirror_depth(pose[:, legs])
    row = errors(half, dataset.test, sign=1.0)
    assert row["p_mpjpe_reflected_mm"] > 10
    assert row["sign_agreement_torso"] == 1.0
    assert row["sign_agreement_legs"] < 0.1
    assert row["part_sign_agreement"] == row["sign_agreement_legs"]


def test_the_signed_error_is_of_the_pose_turned_by_the_sign(dataset):
    target = dataset.test.pose
    predicted = target + 80 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    kept, turned = (errors(predicted, dataset.test, sign) for sign in (1.0, -1.0))
    assert kept["p_mpjpe_signed_mm"] == kept["p_mpjpe_mm"] == turned["p_mpjpe_mm"]
    assert turned["p_mpjpe_signed_mm"] == pytest.approx(float(p_mpjpe(mirror_depth(predicted), target).mean()))
    assert turned["p_mpjpe_reflected_mm"] == kept["p_mpjpe_reflected_mm"] <= kept["p_mpjpe_mm"]


@pytest.mark.parametrize(("prefix", "kind"), [(ACTION_PREFIX, "action"), (SUBJECT_PREFIX, "subject")])
def test_errors_per_group_are_means_and_weigh_to_the_total(dataset, prefix, kind):
    views = dataset.test
    group, names = getattr(views, kind), getattr(views, f"{kind}s")
    predicted = views.pose + 80 * torch.randn(views.pose.shape, generator=torch.Generator().manual_seed(0))
    row = errors(predicted, views, sign=1.0)
    signed = p_mpjpe(predicted, views.pose)
    shares = torch.bincount(group) / len(views)
    by_group = torch.tensor([row[prefix + name] for name in names])
    for index, value in enumerate(by_group.tolist()):
        assert value == pytest.approx(float(signed[group == index].mean()), rel=1e-4)
    assert float(shares @ by_group) == pytest.approx(row["p_mpjpe_signed_mm"], rel=1e-4)


def test_sign_agreement_asks_which_sign_fits_the_truth_best(dataset):
    target = dataset.test.pose
    predicted = torch.randn(target.shape, generator=torch.Generator().manual_seed(0)) * target.abs().amax()
    found = sign_agreement(predicted, target)
    for part in LEGS_TORSO:
        depth, truth = predicted[:, list(part.indices), 2], target[:, list(part.indices), 2]
        better = (depth - truth).square().sum(-1) <= (-depth - truth).square().sum(-1)
        assert torch.equal(found[f"sign_agreement_{part.name}"].bool(), better)
    both = found["sign_agreement_legs"].bool() & found["sign_agreement_torso"].bool()
    assert torch.equal(found["part_sign_agreement"].bool(), both)


@pytest.mark.parametrize("joints", [("l_wrist",), ("r_elbow", "r_wrist"), ("l_ankle",), ("r_knee", "r_ankle")], ids=str)
def test_a_limb_inside_out_is_seen_though_the_rest_outweighs_it(dataset, joints):
    pose = dataset.test.pose
    assert errors(pose, dataset.test, sign=1.0)["limb_sign_agreement"] == 1.0
    assert errors(mirror_depth(pose), dataset.test, sign=-1.0)["limb_sign_agreement"] == 1.0
    root = {"wrist": "elbow", "elbow": "shoulder", "ankle": "knee", "knee": "hip"}[joints[0][2:]]
    places, about = [LIFTED.index(joint) for joint in joints], LIFTED.index(joints[0][:2] + root)
    flipped = pose.clone()
    flipped[:, places, 2] = 2 * pose[:, about, None, 2] - pose[:, places, 2]
    row = errors(flipped, dataset.test, sign=1.0)
    assert row["limb_sign_agreement"] < 0.1
    assert row["part_sign_agreement"] > 0.5


def test_the_flat_prediction_is_as_wrong_as_the_pose_is_deep(dataset):
    row = flat_errors(dataset.test)
    assert row["mpjpe_mm"] == pytest.approx(float(dataset.test.pose[..., 2].abs().mean()), rel=1e-5)
    assert row["p_mpjpe_mm"] == pytest.approx(row["p_mpjpe_reflected_mm"])  # what is flat is its own mirror image
    assert row["p_mpjpe_mm"] == row["p_mpjpe_signed_mm"]
    assert {name.partition("/")[0] for name in row} == {*ERRORS, SUBJECT_PREFIX.rstrip("/")}


def test_lifting_undoes_the_normalisation_and_uses_no_chance(dataset):
    lifter = Lifter(LEGS_TORSO, SMALL).train()
    initialise(lifter, stream(0, "initialise"))
    pose = lift_views(lifter, dataset.test)
    torch.testing.assert_close(pose[..., :2], dataset.test.pose[..., :2])
    assert torch.equal(pose, lift_views(lifter, dataset.test))
    assert not pose.requires_grad


def test_all_subjects_vote_on_the_depth_sign():
    """The views of the first subjects do not outvote the others."""
    config = override(Config(), {"optimiser": {"batch_size": 64}, "data": {"num_views": 3}})
    dataset = prepare(synthesise(num_poses=4000), config.data)
    sign = torch.ones(len(dataset.train))
    sign[:NUM_VOTERS] = -1.0
    pose = torch.where(sign[:, None, None] < 0, mirror_depth(dataset.train.pose), dataset.train.pose)
    mixed = replace(dataset, train=replace(dataset.train, pose=pose))
    row = evaluate(Knowing(mixed), mixed)
    assert row["depth_sign"] == 1.0
    assert row["correct_sign_share_legs"] == pytest.approx(float((sign > 0).float().mean()), abs=0.02)


def test_a_lifter_that_answers_nan_has_diverged(dataset):
    lifter = Lifter(LEGS_TORSO, SMALL)
    with torch.no_grad():
        next(iter(lifter.parameters())).fill_(math.nan)
    row = evaluate(lifter, dataset)
    assert row.keys() == {"status", "evaluate_seconds"}
    assert row["status"] == "diverged"
