"""What cameras see: where they stand, what they keep of the poses, and what a run is given."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from tips_ray.config import Config, Data, Evaluation, override
from tips_ray.data.dataset import check_batch_size, prepare
from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Views, render_views, scene
from tips_ray.poses.metrics import best_rotation

CONFIG = override(Config(), {"optimiser": {"batch_size": 64}})


@pytest.fixture(scope="module")
def poses() -> PoseSet:
    return synthesise(num_poses=400)


def camera_angles(poses: PoseSet, views: Views) -> np.ndarray:
    """Azimuth and elevation (cameras, frames, 2) found again from 3D: cameras turn by Rx(elevation)
    · Ry(azimuth)."""
    world = torch.from_numpy(np.delete(root_centred(poses.positions), 0, axis=1)).double()
    num_views = len(views) // len(world)
    turn = best_rotation(world.repeat(num_views, 1, 1), views.pose.double()).mT
    torch.testing.assert_close(turn[:, 0, 1], torch.zeros(len(turn), dtype=torch.float64), rtol=0, atol=1e-5)  # no roll
    angles = torch.stack([torch.atan2(-turn[:, 0, 2], turn[:, 0, 0]), torch.atan2(turn[:, 2, 1], turn[:, 1, 1])], dim=-1)
    return angles.reshape(num_views, len(world), 2).numpy()


def test_a_camera_stands_still_for_a_clip_and_moves_between_clips(poses):
    angles = camera_angles(poses, render_views(poses, 3, seed=0))
    found = []
    for clip in np.unique(poses.clip):
        own = angles[:, poses.clip == clip]
        assert np.ptp(own, axis=1).max() < 1e-4
        found.append(own[:, 0])
    azimuth = np.array(found)[..., 0].ravel()
    assert len(np.unique(azimuth.round(4))) > 0.98 * azimuth.size


def test_cameras_stand_all_around_and_within_ten_degrees_of_the_horizon():
    frames = synthesise(num_poses=160).positions[[0]].repeat(300, axis=0)
    many = make_poseset(RawPoses(frames, "many clips", clip=np.array([f"clip {number}" for number in range(300)])))
    azimuth, elevation = camera_angles(many, render_views(many, 4, seed=3)).reshape(-1, 2).T
    limit = math.radians(10)
    assert np.abs(elevation).max() <= limit + 1e-6
    assert kstest(azimuth, "uniform", (-math.pi, 2 * math.pi)).pvalue > 0.01
    assert kstest(elevation, "uniform", (-limit, 2 * limit)).pvalue > 0.01
    assert abs(np.corrcoef(azimuth, elevation)[0, 1]) < 0.1


@settings(max_examples=30)
@given(chosen=st.sets(st.integers(0, 10_000), min_size=1, max_size=4))
def test_a_clip_is_seen_the_same_whatever_other_clips_there_are(poses, chosen):
    clips = np.unique(poses.clip)
    mask = np.isin(poses.clip, clips[[number % len(clips) for number in chosen]])
    campaign_lock, together = render_views(poses.select(mask), 2, seed=5), render_views(poses, 2, seed=5)
    assert torch.equal(campaign_lock.pose, together.pose[torch.from_numpy(mask).repeat(2)])


def test_cameras_depend_on_seed_number_and_occasion(poses):
    views = render_views(poses, 2, seed=0)
    assert torch.equal(views.pose, render_views(poses, 2, seed=0).pose)
    assert torch.equal(views.pose[: len(poses)], render_views(poses, 1, seed=0).pose)  # another camera moves no other
    assert not torch.allclose(views.pose[: len(poses)], views.pose[len(poses) :])
    assert not torch.allclose(views.pose, render_views(poses, 2, seed=1).pose)
    assert not torch.allclose(views.pose, scene(poses).render(2, seed=0, occasion=0).pose)


def test_keypoints_are_max_normalised_and_the_scale_restores_millimetres(poses):
    views = render_views(poses, 2, seed=0)
    assert views.keypoints.shape == (800, 16, 2)
    torch.testing.assert_close(views.keypoints.abs().amax((-2, -1)), torch.ones(800))
    torch.testing.assert_close(views.keypoints * views.scale[:, None, None], views.pose[..., :2])
    lengths = torch.from_numpy(np.delete(root_centred(poses.positions), 0, axis=1)).norm(dim=-1).repeat(2, 1)
    torch.testing.assert_close(views.pose.norm(dim=-1), lengths)  # turned, not scaled
    assert [views.actions[index] for index in views.action.tolist()] == poses.action.tolist() * 2


@settings(max_examples=30)
@given(chosen=st.sets(st.integers(0, 10_000), min_size=1, max_size=6), num_views=st.integers(1, 3))
def test_a_clip_code_is_of_one_clip_and_one_camera(poses, chosen, num_views):
    clips = np.unique(poses.clip)
    some = poses.select(np.isin(poses.clip, clips[[number % len(clips) for number in chosen]]))
    codes = scene(some).render(num_views, seed=0, occasion=len(chosen)).clip.tolist()
    seen = [(camera, clip) for camera in range(num_views) for clip in some.clip.tolist()]
    assert len(codes) == len(seen)
    assert len(set(zip(codes, seen, strict=True))) == len(set(codes)) == len(set(seen)) == num_views * len(set(some.clip))


def test_new_views_differ_by_epoch_and_are_the_same_when_drawn_again(poses):
    config = override(CONFIG, {"data": {"new_views_each_epoch": True}})
    dataset = prepare(poses, config.data)
    first, second = (dataset.training_views(config.data, epoch) for epoch in (0, 1))
    assert len(first) == len(second) == len(dataset.train)
    assert torch.equal(first.pose, dataset.training_views(config.data, 0).pose)
    assert not torch.allclose(first.pose, second.pose)
    assert not torch.allclose(first.pose, dataset.train.pose)


def test_views_that_are_drawn_once_are_the_same_in_every_epoch(poses):
    dataset = prepare(poses, CONFIG.data)
    assert all(dataset.training_views(CONFIG.data, epoch) is dataset.train for epoch in range(3))


def test_train_and_test_share_no_subject(poses):
    dataset = prepare(poses, Data(num_views=2), Evaluation(num_views=3))
    assert set(dataset.train_poses.subjects).isdisjoint(dataset.test_poses.subjects)
    assert len(dataset.train) == 2 * len(dataset.train_poses)
    assert len(dataset.test) == 3 * len(dataset.test_poses)
    chosen = prepare(poses, Data(test_subjects=("S1",)))
    assert chosen.test_poses.subjects == ["S1"]


def test_a_subset_is_drawn_once_from_all_of_the_training_poses(poses):
    config = override(CONFIG, {"data": {"max_train_poses": 100}})
    few, all_of_them = prepare(poses, config.data), prepare(poses, CONFIG.data)
    assert len(few.train_poses) == 100
    assert few.train_poses.subjects == all_of_them.train_poses.subjects
    assert torch.equal(few.train.pose, prepare(poses, config.data).train.pose)
    assert torch.equal(few.test.pose, all_of_them.test.pose)
    assert few.train_poses.fingerprint != prepare(poses, override(config.data, {"seed": 1})).train_poses.fingerprint
    assert len(prepare(poses, Data(max_train_poses=10_000)).train_poses) == 300


def test_views_can_be_thinned_evenly(poses):
    views = render_views(poses, 2, seed=0)
    some = views.spread(40)
    assert torch.equal(some.pose, views.pose[::20])
    assert torch.equal(some.keypoints, views.keypoints[::20])
    assert torch.equal(some.clip, views.clip[::20])
    assert torch.equal(views.spread(10_000).pose, views.pose)
    assert len(set(views.spread(301).scale.tolist())) > 290


def test_views_are_moved_as_a_whole(poses):
    views = render_views(poses, 2, seed=0)
    fields = ("keypoints", "pose", "scale", "action", "clip")
    moved = views.to("meta")
    assert {getattr(moved, name).device.type for name in fields} == {"meta"}
    assert all(getattr(moved, name).shape == getattr(views, name).shape for name in fields)
    assert all(torch.equal(getattr(views.to("cpu"), name), getattr(views, name)) for name in fields)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            Data(num_views=1, max_train_poses=50),
            "The batch size 64 is larger than the data, 50 training views",
        ),
        (
            Data(epoch_views=63),
            "The batch size 64 is larger than an epoch of 63 views; give an --optimiser.batch-size of at most 63",
        ),
        (Data(test_subjects=("Anna",)), "no subject 'Anna'"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(poses, data, said):
    with pytest.raises(ValueError, match=said):
        check_batch_size(override(CONFIG, {"data": data}), len(prepare(poses, data).train))
