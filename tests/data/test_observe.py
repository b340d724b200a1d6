"""What cameras and detectors make of poses, against loops and by its statistics."""

import numpy as np
import pytest
import torch

from tips_ray.config import EXACT, Config, Data, Observation, fingerprint, override
from tips_ray.data.dataset import prepare
from tips_ray.data.observe import observe, perspective, without
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


def test_a_missing_joint_lies_where_its_parent_does():
    rng = np.random.default_rng(0)
    keypoints, missing = rng.normal(size=(40, 16, 2)), rng.random((40, 16)) < 0.4
    found = without(torch.from_numpy(keypoints), torch.from_numpy(missing)).numpy()
    for place in range(40):
        for index, joint in enumerate(LIFTED):
            name = joint
            while name != "pelvis" and missing[place, LIFTED.index(name)]:
                name = JOINTS[PARENTS[JOINTS.index(name)]]
            expected = np.zeros(2) if name == "pelvis" else keypoints[place, LIFTED.index(name)]
            np.testing.assert_array_equal(found[place, index], expected)


def test_the_share_of_joints_that_moved_is_that_of_missing_ones(pose):
    seen = observe(pose, Observation(missing=0.2), 0)
    moved = (seen != reproject(pose)).any(dim=-1).float().mean()
    assert float(moved) == pytest.approx(0.2, abs=0.01)
    noisy = observe(pose, Observation(missing=0.2, noise_mm=1.0), 0)  # the same joints are missing
    assert float((noisy - seen).norm(dim=-1).max()) < 10.0


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
