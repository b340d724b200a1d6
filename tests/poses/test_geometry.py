"""Laws of lifting, turning and reprojecting."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.poses.geometry import View, lift, max_normalise, mirror_depth, quarter_turns, reproject, rotate, rotate_back

angles = st.floats(-math.pi, math.pi)
seeds = st.integers(0, 10_000)


def random_pose(seed: int, *leading: int) -> torch.Tensor:
    return torch.randn(*leading, 16, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def view(azimuth: float, elevation: float) -> View:
    return View(torch.tensor(azimuth, dtype=torch.float64), torch.tensor(elevation, dtype=torch.float64))


def matrices(azimuth: float, elevation: float) -> torch.Tensor:
    """Rx(elevation) · Ry(azimuth), with Ry as equation 11 prints it."""
    c, s = math.cos(azimuth), math.sin(azimuth)
    about_y = torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]], dtype=torch.float64)
    c, s = math.cos(elevation), math.sin(elevation)
    return torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]], dtype=torch.float64) @ about_y


@given(seed=seeds, azimuth=angles, elevation=angles)
def test_rotation_is_equation_11_and_then_the_elevation(seed, azimuth, elevation):
    pose = random_pose(seed)
    looped = torch.stack([matrices(azimuth, elevation) @ joint for joint in pose])
    torch.testing.assert_close(rotate(pose, view(azimuth, elevation)), looped)


@given(seed=seeds, azimuth=angles, elevation=angles)
def test_rotation_can_be_undone_and_keeps_lengths(seed, azimuth, elevation):
    pose, seen_from = random_pose(seed, 3), view(azimuth, elevation)
    turned = rotate(pose, seen_from)
    torch.testing.assert_close(rotate_back(turned, seen_from), pose)
    torch.testing.assert_close(rotate(rotate_back(pose, seen_from), seen_from), pose)
    torch.testing.assert_close(turned.norm(dim=-1), pose.norm(dim=-1))


@given(seed=seeds, azimuth=angles, elevation=angles)
def test_an_inside_out_pose_looks_the_same_from_mirrored_angles(seed, azimuth, elevation):
    pose = random_pose(seed)
    seen = reproject(rotate(mirror_depth(pose), view(azimuth, elevation)))
    torch.testing.assert_close(seen, reproject(rotate(pose, view(-azimuth, -elevation))))


def test_each_pose_has_its_own_view_or_shares_one():
    pose = random_pose(0, 4)
    azimuth, elevation = torch.rand(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    together = rotate(pose, View(azimuth, elevation))
    for number in range(4):
        torch.testing.assert_close(together[number], rotate(pose[number], View(azimuth[number], elevation[number])))
    shared = rotate(pose, View(azimuth[:1], elevation[:1]))
    torch.testing.assert_close(shared[3], rotate(pose[3], View(azimuth[0], elevation[0])))


@given(seed=seeds)
def test_quarter_turns_are_rotations(seed):
    keypoints, depth = random_pose(seed, 2)[..., :2], random_pose(seed + 1, 2)[..., 2]
    pose = lift(keypoints, depth)
    for (seen, answer), degrees in zip(quarter_turns(keypoints, depth), (-90, 90, 180), strict=True):
        torch.testing.assert_close(lift(seen, answer), rotate(pose, view(math.radians(degrees), 0.0)))


def test_lifting_and_reprojecting_are_inverse():
    pose = random_pose(0, 2, 3)
    assert torch.equal(lift(reproject(pose), pose[..., 2]), pose)
    assert torch.equal(mirror_depth(mirror_depth(pose)), pose)
    assert torch.equal(mirror_depth(pose)[..., 2], -pose[..., 2])


@given(seed=seeds, size=st.floats(1e-3, 1e4))
def test_the_largest_coordinate_becomes_1_and_the_scale_restores(seed, size):
    keypoints = size * random_pose(seed, 5)[..., :2]
    normalised, scale = max_normalise(keypoints)
    torch.testing.assert_close(normalised.abs().amax((-2, -1)), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(normalised * scale[:, None, None], keypoints)


def test_a_zero_pose_keeps_its_scale():
    keypoints = torch.zeros(2, 16, 2)
    keypoints[1, 0, 0] = -4.0
    normalised, scale = max_normalise(keypoints.requires_grad_())
    assert scale.tolist() == [1.0, 4.0]
    assert normalised.isfinite().all()
    normalised.square().sum().backward()
    assert keypoints.grad is not None
    assert keypoints.grad.isfinite().all()


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_do_not_fit_are_not_broadcast_silently():
    with pytest.raises(RuntimeError):
        lift(torch.zeros(3, 16, 2), torch.zeros(2, 16))
