"""Equation 16: the derivative of equation 12 by the angle, for lifters that see several joints."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.lifting.test_losses import SMALL, Consistent, keypoints, make, random_view, step_of
from tips_ray.config import Config, override
from tips_ray.data.dataset import prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.losses import all_angles_loss
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.train import fit
from tips_ray.poses.geometry import View, lift, reproject, rotate
from tips_ray.poses.skeleton import LEGS_TORSO, SOLO

CONFIG = override(Config(), {"network": SMALL, "optimiser": {"batch_size": 128}, "data": {"num_views": 2}})


def turned(lifter: Lifter, seen: torch.Tensor, seed: int) -> torch.Tensor:
    return reproject(rotate(lift(seen, lifter(seen)), random_view(seed)))


def jacobian_by_x(lifter: Lifter, pose: torch.Tensor) -> torch.Tensor:
    """dz_i / dx_j of one pose."""
    return torch.autograd.functional.jacobian(lambda one: lifter(one[None])[0], pose)[..., 0]


def residuals(lifter: Lifter, seen: torch.Tensor, diagonal: bool = False) -> torch.Tensor:
    """x_i + sum_j z_j dz_i/dx_j pose by pose, or with the diagonal alone, as the paper has it."""
    rows = []
    for pose in seen:
        slopes, depth = jacobian_by_x(lifter, pose), lifter(pose[None])[0]
        along = slopes.diagonal() * depth if diagonal else slopes @ depth
        rows.append(pose[:, 0] + along)
    return torch.stack(rows)


@pytest.mark.parametrize("parts", [SOLO, LEGS_TORSO], ids=["solo", "legs and torso"])
@pytest.mark.parametrize("norm", ["layer", "affine", "none"])
def test_it_is_the_residual_with_the_whole_jacobian(parts, norm):
    lifter = make(Lifter, parts, generator_norm=norm).eval()
    seen = keypoints(0)
    again = turned(lifter, seen, 1)
    by_hand = torch.stack([residuals(lifter, seen), residuals(lifter, again)]).square().mean(dim=(0, 1))
    torch.testing.assert_close(all_angles_loss(step_of(lifter, seen, again)), by_hand)


@given(seed=st.integers(0, 10_000))
def test_a_lifter_that_is_right_from_all_sides_has_none_though_the_papers_form_does(seed):
    lifter, seen = make(Consistent, SOLO), keypoints(seed)
    assert all_angles_loss(step_of(lifter, seen, turned(lifter, seen, seed + 1))).max() < 1e-24
    assert residuals(lifter, seen).abs().max() < 1e-12
    assert residuals(lifter, seen, diagonal=True).square().mean() > 1e-3


@given(seed=st.integers(0, 10_000))
def test_it_is_how_fast_equation_12_fails_with_the_angle(seed):
    """A small turn: the difference of both sides of equation 12, over the angle."""
    lifter, seen, angle = make(Lifter, SOLO).eval(), keypoints(seed), 1e-6
    pose = lift(seen, lifter(seen))
    after = rotate(pose, View(torch.full((6,), angle, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)))
    failing = (lifter(reproject(after)) - after[..., 2]) / angle
    torch.testing.assert_close(-residuals(lifter, seen), failing, rtol=1e-3, atol=1e-4)


def test_its_gradient_is_that_of_differences():
    lifter, seen = make(Lifter, SOLO).eval(), keypoints(3)
    weight = lifter.generators["body"][-1].weight

    def loss() -> torch.Tensor:
        return all_angles_loss(step_of(lifter, seen)).sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    place, step = (2, 5), 1e-6
    with torch.no_grad():
        weight[place] += step
        above = loss()
        weight[place] -= 2 * step
        below = loss()
    assert float(gradient[place]) == pytest.approx(float(above - below) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("numerics", [{}, {"bf16": True}], ids=["float32", "bf16"])
def test_training_lowers_it(numerics):
    changes = {"weights": {"all_angles": 3.0, "ninety_degree": 0.0}, "numerics": numerics, "optimiser": {"learning_rate": 2e-3}}
    config = override(CONFIG, changes)
    rows = [epoch.row for epoch in itertools.islice(fit(config, prepare(synthesise(num_poses=400), config.data), 0), 5)]
    assert "loss_ninety_degree" not in rows[0]
    assert rows[-1]["loss_all_angles"] < 0.7 * rows[0]["loss_all_angles"]


def test_batch_norm_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"batch norm mixes the poses .* --network.generator-norm of layer, affine or none"):
        override(CONFIG, {"weights": {"all_angles": 1.0}, "network": {"generator_norm": "batch"}})
