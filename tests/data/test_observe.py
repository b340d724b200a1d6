"""What cameras and detectors make of poses, against loops and by its statistics."""

import numpy as np
import pytest
import torch

from tips_ray.config import EXACT, Config, Data, Observation, fingerprint, override
from tips_ray.data.dataset import prepare
from tips_ray.data.observe import completed, observe, perspective
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import render_views
from tips_ray.poses.geometry import reproject
from tips_ray.poses.skeleton import JOINTS, LIFTED, PARENTS

POSES = synthesise(num_poses=300)


@pytest.fixture(scope="module")
def pose() -> torch.Tensor:
    """Poses in their cameras' frames, in mm."""
    return render_views(POSES, 4, seed=0).pose


def test_by_default_a_camera_is_orthographic_and_exact(pose):
    assert torch.equal(observe(pose, EXACT, 0), reproject(pose))
    assert Config() == override(Config(), {"data": {"observation": {}}})
    assert fingerprint(override(Config(), {"data": {"observation": {"noise_mm": 5.0}}})) != fingerprint(Config())


def test_perspective_is_a_pinhole_at_a_distance(pose):
    distance = 3000.0
    seen = perspective(pose, distance)
    for place, joint in ((0, 0), (3, 7), (100, 15)):
        x, y, z = pose[place, joint].double().tolist()
        ray = np.array([x, y, z - distance])  # from the camera, on the z axis, through the joint
        hit = ray * (distance / -ray[2])  # where it meets the plane of the root
        assert seen[place, joint].tolist() == pytest.approx(hit[:2], rel=1e-4)
    torch.testing.assert_close(perspective(pose, 1e9), reproject(pose), rtol=1e-5, atol=1e-2)
    nearer = pose[..., 2] > 50
    assert (seen.norm(dim=-1) >= reproject(pose).norm(dim=-1))[nearer].all()


def test_noise_has_the_size_that_is_given_and_is_the_same_each_time(pose):
    noise = observe(pose, Observation(noise_mm=5.0), 1) - reproject(pose)
    assert float(noise.std()) == pytest.approx(5.0, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.1)
    again, other = (observe(pose, Observation(noise_mm=5.0), seed) - reproject(pose) for seed in (1, 2))
    assert torch.equal(noise, again)
    assert not torch.allclose(noise, other)
    twice = observe(pose, Observation(noise_mm=10.0), 1) - reproject(pose)
    torch.testing.assert_close(twice, 2 * noise, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_missing_joints_are_put_nearer_than_their_parents_are(pose, share):
    exact = reproject(pose)
    seen = observe(pose, Observation(missing=share), 0)
    moved = (seen != exact).any(dim=-1)
    assert float(moved.float().mean()) == pytest.approx(share, abs=0.01)
    off = (seen - exact).norm(dim=-1)[moved]
    with_root = torch.cat([torch.zeros_like(exact[:, :1]), exact], dim=1)
    parents = with_root[:, [PARENTS[JOINTS.index(joint)] for joint in LIFTED]]
    assert float(off.mean()) < 0.6 * float((parents - exact).norm(dim=-1).mean())
    noisy = observe(pose, Observation(missing=share, noise_mm=1.0), 0)  # the same joints are missing
    assert float((noisy - seen).norm(dim=-1).median()) < 3.0


def test_poses_of_which_hardly_anything_is_seen_are_finite(pose):
    assert torch.isfinite(observe(pose, Observation(missing=0.95), 0)).all()
    assert torch.isfinite(observe(pose[:1], Observation(missing=0.5), 0)).all()


def test_keypoints_are_completed_by_a_conditional_mean():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(32, 4)) * 0.1
    poses = (rng.normal(size=(4000, 4)) @ factors.T + rng.normal(size=32)).reshape(-1, 16, 2)  # of four dimensions
    lacking = poses.copy()
    lacking[rng.random((4000, 16)) < 0.1] = np.nan
    whole = completed(torch.from_numpy(lacking)).numpy()
    missing = np.isnan(lacking)
    assert whole[~missing] == pytest.approx(poses[~missing], abs=1e-9)
    assert np.abs(whole - poses)[missing].mean() < 0.2 * np.abs(poses - poses.mean(axis=0))[missing].mean()


def test_train_and_test_are_observed_alike_and_errors_are_against_true_poses():
    exact = prepare(POSES, Data(num_views=1))
    noisy = prepare(POSES, Data(num_views=1, observation=Observation(noise_mm=20.0, missing=0.1, distance_m=4.0)))
    for one, other in ((exact.train, noisy.train), (exact.test, noisy.test)):
        assert torch.equal(one.pose, other.pose)
        assert not torch.allclose(one.keypoints, other.keypoints, atol=0.02)
        torch.testing.assert_close(other.keypoints.abs().amax(dim=(1, 2)), torch.ones(len(other)))
    weak = Data(num_views=1, new_views_each_epoch=True, observation=Observation(noise_mm=20.0))
    one, other = (prepare(POSES, weak).training_views(weak, epoch).keypoints for epoch in (0, 1))
    assert not torch.allclose(one, other)
