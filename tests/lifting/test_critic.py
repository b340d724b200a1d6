"""The fresh critic: what nobody can tell apart, what everybody can, and what lies between."""

import math

import pytest
import torch

from tips_ray.config import Data
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Views, labelled_views
from tips_ray.lifting.critic import fresh_critic
from tips_ray.poses.geometry import View, lift, max_normalise, reproject, rotate


@pytest.fixture(scope="module")
def views() -> Views:
    return labelled_views(synthesise(), 1, Data()).spread(2048)


def seen_from_behind(views: Views, depth_factor: float) -> torch.Tensor:
    """The keypoints of poses whose depths are wrong by a factor, after half a right angle."""
    poses = lift(views.keypoints, depth_factor * views.pose[..., 2] / views.scale[:, None])
    turn = torch.full((len(views),), math.pi / 4)
    return max_normalise(reproject(rotate(poses, View(turn, torch.zeros_like(turn)))))[0]


def test_the_same_poses_cannot_be_told_apart(views: Views) -> None:
    assert float(fresh_critic(views.keypoints, views.keypoints)) == pytest.approx(0.5, abs=1e-6)
    one, other = views.keypoints[torch.randperm(len(views), generator=torch.Generator().manual_seed(0))].chunk(2)
    assert abs(float(fresh_critic(one, other)) - 0.5) < 0.1


def test_the_flatter_the_poses_the_easier_they_are_told(views: Views) -> None:
    shares = [float(fresh_critic(views.keypoints, seen_from_behind(views, factor))) for factor in (1.0, 0.5, 0.0)]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 0.1


def test_what_cannot_be_asked_is_not_a_number(views: Views) -> None:
    broken = views.keypoints.clone()
    broken[3, 2, 0] = math.nan
    assert math.isnan(float(fresh_critic(views.keypoints, broken)))
    assert float(fresh_critic(views.keypoints[:1], -views.keypoints[:1])) == 0.5
    assert 0 <= float(fresh_critic(views.keypoints[:2], -views.keypoints[:2])) <= 1
