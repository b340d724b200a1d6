"""Keypoints of real cameras as they are trained on: sizes without labels, errors where there are
poses."""

import numpy as np
import pytest
import torch

from helpers import CONFIG
from tips_ray.config import NOMINAL_MM, Data, override
from tips_ray.data.dataset import prepare
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import observed_views
from tips_ray.errors import UserError
from tips_ray.lifting.train import fit
from tips_ray.poses.geometry import reproject
from tips_ray.poses.metrics import p_mpjpe

DATA = Data(epoch_views=128)


@pytest.fixture(scope="module")
def poses() -> PoseSet:
    return synthesise(num_poses=300)


def keypoints_of(poses: PoseSet, pixels_per_mm: float = 0.4, paired: bool = False) -> KeypointSet:
    """What one camera from the front sees, elsewhere in its image for each frame."""
    frames = len(poses)
    place = np.random.default_rng(0).uniform(0, 500, (frames, 1, 2))
    return KeypointSet(
        keypoints=(pixels_per_mm * poses.positions[..., :2] + place).astype(np.float32),
        confidence=np.ones((frames, 17), np.float32),
        missing=np.zeros((frames, 17), bool),
        subject=poses.subject,
        action=poses.action,
        clip=poses.clip,
        frame=np.arange(frames),
        image_size=np.zeros((frames, 2), np.int32),
        name="wild",
        positions=poses.positions if paired else None,
        synthetic=True,
    )


def test_keypoints_are_normalised_about_the_pelvis_and_each_clip_is_as_large_as_people_are(poses):
    views, larger = observed_views(keypoints_of(poses)), observed_views(keypoints_of(poses, 4.0))
    assert views.keypoints.abs().amax((1, 2)).sub(1).abs().max() < 1e-6
    for clip in range(int(views.clip.max()) + 1):
        assert views.scale[views.clip == clip].median() == pytest.approx(NOMINAL_MM, rel=1e-5)
    torch.testing.assert_close(views.scale, larger.scale, rtol=1e-4, atol=0.0)
    assert not views.labelled
    assert views.pose.isnan().all()


def test_the_poses_of_paired_keypoints_have_no_say_in_what_is_trained_on(poses):
    alone, paired = observed_views(keypoints_of(poses)), observed_views(keypoints_of(poses, paired=True))
    assert torch.equal(alone.keypoints, paired.keypoints)
    assert torch.equal(alone.scale, paired.scale)


def test_paired_keypoints_are_tested_on_their_own_poses_at_their_size(poses):
    dataset = prepare(keypoints_of(poses, paired=True), DATA)
    assert dataset.test is not None
    assert dataset.test_poses is not None
    assert set(dataset.test_poses.subjects).isdisjoint(dataset.train_poses.subjects)
    torch.testing.assert_close(
        dataset.test.keypoints * dataset.test.scale[:, None, None], reproject(dataset.test.pose), rtol=1e-3, atol=0.1
    )
    assert p_mpjpe(dataset.test.pose, dataset.test.pose).max() < 0.1


def test_poses_that_come_with_keypoints_can_be_seen_anew_in_each_epoch(poses):
    weak = Data(num_views=4, new_views_each_epoch=True)
    dataset = prepare(keypoints_of(poses, paired=True), weak)
    first, second = (dataset.training_views(weak, epoch) for epoch in (0, 1))
    assert len(first) == len(second) == len(dataset.train)  # a view each
    assert not torch.allclose(first.pose, second.pose)
    length = [torch.linalg.vector_norm(seen.pose, dim=-1) for seen in (first, second, dataset.train)]
    torch.testing.assert_close(length[0], length[1], rtol=1e-4, atol=0.1)
    torch.testing.assert_close(length[0], length[2], rtol=1e-4, atol=0.1)


def test_keypoints_alone_train_without_errors(poses):
    dataset = prepare(keypoints_of(poses), DATA)
    assert dataset.test is None
    config = override(CONFIG, {"data": {"num_views": 4}})
    row = next(fit(config, dataset, 0)).row
    assert row["status"] == "ok"
    assert "bone_asymmetry" in row
    assert not [name for name in row if "mpjpe" in name or name == "part_sign_agreement"]


def test_errors_of_keypoints_alone_are_measured_on_other_labelled_poses(poses):
    dataset = prepare(keypoints_of(poses), Data(epoch_views=128, test_subjects=("S1",)), labelled=poses)
    assert dataset.test_poses is not None
    assert dataset.test_poses.subjects == ["S1"]
    assert dataset.train_poses.subjects == poses.subjects
    row = next(fit(CONFIG, dataset, 0)).row
    assert row["p_mpjpe_signed_mm"] > 0
    assert "train_p_mpjpe_signed_mm" not in row


@pytest.mark.parametrize(
    ("data", "labelled", "message"),
    [
        (Data(test_subjects=("S1",)), False, "no error can be measured; leave out --data.test-subjects"),
        (Data(new_views_each_epoch=True), False, "needs 3D poses, which cameras can see anew"),
        (Data(left_out_subjects=("Anna",)), False, "no subject 'Anna' to leave out"),
        (Data(), True, "keypoints without 3D poses, so no error can be measured on them"),
    ],
)
def test_what_needs_labels_is_refused(poses, data: Data, labelled: bool, message: str):
    keypoints = keypoints_of(poses)
    with pytest.raises(UserError, match=message):
        prepare(keypoints, data, labelled=keypoints if labelled else None)


def test_a_run_of_new_views_is_refused_beside_arms_that_need_no_poses(poses):
    weak = override(CONFIG, {"data": {"new_views_each_epoch": True}})
    with pytest.raises(UserError, match="the arm parts_new_views"):
        next(fit(weak, prepare(keypoints_of(poses), DATA), 0))


def test_a_supervised_arm_is_refused(poses):
    with pytest.raises(UserError, match="a supervised arm trains on true depths; leave it out"):
        next(fit(override(CONFIG, {"objective": "supervised", "partition": "solo"}), prepare(keypoints_of(poses), DATA), 0))


def test_random_views_look_as_far_up_as_the_cameras_do(poses):
    from tips_ray.lifting.run import Run
    from tips_ray.lifting.step import random_view

    dataset = prepare(keypoints_of(poses), DATA)
    run = Run(override(CONFIG, {"adversary": {"elevation_degrees": 45.0}}), dataset, 0)
    elevation = random_view(run.networks, run.draw(2000)).elevation.abs().rad2deg()
    assert 40 < elevation.max() <= 45
