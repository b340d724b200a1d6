"""The closed form against SVD in float64, pose by pose, where poses are easy and where they are
nearly degenerate."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tips_ray.data.poseset import root_centred
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.alignment import closed_form, similarity_errors
from tips_ray.poses.geometry import mirror_depth
from tips_ray.poses.metrics import p_mpjpe, p_mpjpe_by_sign
from tips_ray.poses.procrustes import best_rotation, rotation_by_squaring

TOLERANCE_MM = {torch.float32: 1e-3, torch.float64: 1e-6}


def slow_p_mpjpe(predicted: np.ndarray, target: np.ndarray) -> tuple[float, float, float]:
    """Proper, mirrored and reflected P-MPJPE of one pose by its own SVD."""
    moved, goal = predicted - predicted.mean(0), target - target.mean(0)
    left, values, right = np.linalg.svd(moved.T @ goal)
    sign = np.sign(np.linalg.det(left @ right))
    found = {}
    for determinant in (1, -1):
        flip = np.array([1, 1, sign * determinant])
        scale = (values * flip).sum() / max((moved**2).sum(), np.finfo(float).tiny)
        found[determinant] = float(np.linalg.norm(scale * moved @ (left * flip) @ right - goal, axis=-1).mean())
    return found[1], found[-1], found[int(sign)]


def assert_right(predicted: torch.Tensor, target: torch.Tensor) -> None:
    """All three errors agree with the slow ones, in float32 and float64."""
    for dtype, tolerance in TOLERANCE_MM.items():
        poses = predicted.to(dtype), target.to(dtype)
        slow = [slow_p_mpjpe(*pair) for pair in zip(*(pose.double().numpy() for pose in poses), strict=True)]
        for found, expected in zip(p_mpjpe_by_sign(*poses), np.array(slow).T, strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found.double().numpy(), expected, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def realistic() -> torch.Tensor:
    """1500 poses of the synthetic data, mm, relative to the root."""
    return torch.from_numpy(np.delete(root_centred(synthesise(1500, seed=1).positions), 0, axis=1)).double()


def noise_like(poses: torch.Tensor, size: float, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, size, poses.shape))


def turns(num_poses: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(num_poses, rng=np.random.default_rng(seed)).as_matrix())


@pytest.mark.parametrize("noise", [0.0, 1.0, 60.0, 500.0])
def test_realistic_poses(realistic, noise):
    predicted = (realistic + noise_like(realistic, noise)) @ turns(len(realistic)) * 1.7
    assert_right(predicted, realistic)
    assert_right(mirror_depth(predicted), realistic)


@pytest.mark.parametrize("thickness", [1e-1, 1e-3, 1e-6, 0.0])
def test_nearly_flat_poses(realistic, thickness):
    squeeze = torch.tensor([1.0, 1.0, thickness], dtype=torch.float64)
    predicted = realistic + noise_like(realistic, 60)
    assert_right(predicted * squeeze, realistic)
    assert_right(predicted, realistic * squeeze)
    flat = p_mpjpe_by_sign(predicted * squeeze, realistic * squeeze)
    assert bool(((flat.proper - flat.mirrored).abs() <= 1000 * thickness + 1e-6).all())


@pytest.mark.parametrize("thickness", [1e-1, 1e-2, 1e-3])
def test_nearly_collinear_poses(realistic, thickness):
    squeeze = torch.tensor([thickness, 1.0, thickness], dtype=torch.float64)
    predicted = (realistic + noise_like(realistic, 60)) * squeeze
    assert_right(predicted @ turns(len(realistic)), realistic)
    assert_right(predicted, realistic * squeeze)


def test_poses_that_are_nearly_their_own_mirror_image(realistic):
    whole = realistic + noise_like(realistic, 60)
    predicted = torch.cat([whole[:, :8], mirror_depth(whole[:, :8])], dim=1) + noise_like(whole, 0.01)
    assert_right(predicted, realistic)


@pytest.mark.parametrize("split", [0.0, 1e-12, 1e-8, 1e-4, 1e-2])
@pytest.mark.parametrize("values", [(3.0, 1.0, 1.0), (2.0, 2.0, 1.0), (1.0, 1.0, 1.0), (30.0, 1.0, 1.0), (1.0, 1.0, 0.0)])
def test_equal_singular_values_leave_the_rotation_exact_if_it_is_unique(values, split):
    left, right = turns(200, seed=1), turns(200, seed=2)
    spectrum = torch.tensor(values, dtype=torch.float64) * (1 + split * torch.tensor([2.0, 1.0, -1.0], dtype=torch.float64))
    covariance = left @ (spectrum[:, None] * right)
    matrix, trace, firmness = (value.movedim(-1, 0) for value in closed_form(covariance.permute(1, 2, 0), (1,)))
    told = matrix.isfinite().all(-1).all(-1).all(-1)
    if values != (1.0, 1.0, 1.0) or split > 1e-6:
        assert bool(told.all())
    torch.testing.assert_close(matrix[told, ..., 0], (left @ right)[told], rtol=0, atol=1e-9)
    torch.testing.assert_close(trace[told, 0], spectrum.sum().expand(int(told.sum())), rtol=1e-12, atol=0)
    torch.testing.assert_close(firmness[told, 0], spectrum[1:].sum().expand(int(told.sum())), rtol=1e-6, atol=0)


@given(seed=st.integers(0, 10_000), spread=st.floats(0.0, 4.0))
def test_the_closed_form_gives_orthogonal_matrices_of_either_determinant_that_no_turn_betters(seed, spread):
    rng = np.random.default_rng(seed)
    covariance = torch.from_numpy(rng.normal(size=(3, 3, 20)) * np.exp(-spread * rng.random((3, 1, 20))))
    matrix, trace, firmness = closed_form(covariance, (1, -1))
    size = covariance.square().sum((0, 1)).sqrt()
    for row, determinant in enumerate((1.0, -1.0)):
        firm = firmness[row] > 1e-2 * size
        found, own = matrix[:, :, row, firm].permute(2, 0, 1), covariance[..., firm].permute(2, 0, 1)
        torch.testing.assert_close(found @ found.mT, torch.eye(3, dtype=torch.float64).expand_as(found), rtol=0, atol=1e-8)
        torch.testing.assert_close(torch.det(found), torch.full((len(found),), determinant, dtype=torch.float64))
        torch.testing.assert_close((found * own).sum((1, 2)), trace[row, firm])
        nudge = torch.from_numpy(Rotation.from_rotvec(rng.normal(0, 0.1, (len(found), 3))).as_matrix()).reshape(-1, 3, 3)
        assert bool(((found @ nudge * own).sum((1, 2)) <= trace[row, firm] + 1e-9).all())


@given(seed=st.integers(0, 10_000), noise=st.floats(0.0, 500.0))
def test_one_decomposition_answers_for_both_signs(seed, noise):
    target = noise_like(torch.empty(20, 16, 3), 300, seed)
    predicted = target + noise_like(target, noise, seed + 1)
    found = p_mpjpe_by_sign(predicted, target)
    close = {"rtol": 0, "atol": 1e-6}
    torch.testing.assert_close(found.proper, p_mpjpe(predicted, target), **close)
    torch.testing.assert_close(found.mirrored, p_mpjpe(mirror_depth(predicted), target), **close)
    torch.testing.assert_close(found.reflected, p_mpjpe(predicted, target, reflection=True), **close)
    swapped = p_mpjpe_by_sign(mirror_depth(predicted), target)
    torch.testing.assert_close(swapped.proper, found.mirrored, **close)
    torch.testing.assert_close(swapped.reflected, found.reflected, **close)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float32, 10.0**exponent) for exponent in (-30, -22, -15, 15, 30)]
    + [(torch.float64, 10.0**exponent) for exponent in (-90, -60, 60, 90)],
)
def test_huge_and_tiny_poses(realistic, dtype, scale):
    target = realistic[:50].to(dtype)
    predicted = target + noise_like(target, 60).to(dtype)
    expected = torch.stack(p_mpjpe_by_sign(predicted, target))
    torch.testing.assert_close(torch.stack(p_mpjpe_by_sign(predicted * scale, target)), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(torch.stack(p_mpjpe_by_sign(predicted, target * scale)) / scale, expected, rtol=1e-5, atol=0)


def test_few_realistic_poses_are_left_to_svd(realistic):
    """Otherwise the errors would be right, and slow."""
    predicted = realistic + noise_like(realistic, 60)
    for signs, share in (((1,), 0.0), ((1, -1), 0.01)):
        block, other = (poses.permute(2, 1, 0).contiguous() for poses in (predicted, realistic))
        errors, _ = similarity_errors(block, other, signs)
        assert float(errors.isnan().any(0).double().mean()) <= share


@pytest.mark.parametrize("squeeze", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1e-7), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_rotation_by_squaring_fits_as_well_as_that_by_svd(squeeze, sign):
    rng = torch.Generator().manual_seed(0)
    moved, goal = torch.randn(2, 500, 16, 3, generator=rng, dtype=torch.float64)
    moved = sign * (goal + 0.2 * moved) * torch.tensor(squeeze, dtype=torch.float64)
    found, expected = (rotate(moved, goal) for rotate in (rotation_by_squaring, best_rotation))
    torch.testing.assert_close(found @ found.mT, torch.eye(3, dtype=torch.float64).expand(500, 3, 3))
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(500, dtype=torch.float64))
    fits = [(moved @ rotation * goal).sum((1, 2)) for rotation in (found, expected)]
    torch.testing.assert_close(*fits, rtol=1e-8, atol=1e-8)
