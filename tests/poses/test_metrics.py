"""Metrics against slow float64 references by other algorithms, their laws, and input that is
degenerate or wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tips_ray.poses.geometry import mirror_depth
from tips_ray.poses.metrics import AUC_THRESHOLDS_MM, auc, best_rotation, mpjpe, n_mpjpe, p_mpjpe, pck, procrustes

RTOL = {torch.float32: 2e-5, torch.float64: 1e-11}
METRICS = (mpjpe, n_mpjpe, p_mpjpe, pck, auc)
seeds = st.integers(0, 10_000)


def random_poses(seed: int, *leading: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Poses of 16 joints as large as a person, mm."""
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 300, (*leading, 16, 3))).to(dtype)


def each(metric, *poses: torch.Tensor) -> np.ndarray:
    """A reference for one pose, looped over leading dimensions in float64."""
    arrays = [pose.double().numpy() for pose in poses]
    leading = arrays[0].shape[:-2]
    values = [metric(*(array[index] for array in arrays)) for index in np.ndindex(leading)]
    return np.array(values).reshape(leading)


def reference_mpjpe(predicted: np.ndarray, target: np.ndarray) -> float:
    return float(
        np.mean([np.sqrt(sum((a - b) ** 2 for a, b in zip(p, t, strict=True))) for p, t in zip(predicted, target, strict=True)])
    )


def reference_n_mpjpe(predicted: np.ndarray, target: np.ndarray) -> float:
    scale = np.linalg.lstsq(predicted.reshape(-1, 1), target.ravel(), rcond=None)[0]
    return reference_mpjpe(predicted * scale, target)


def horn(moved: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The rotation that brings centred points nearest to others: the largest eigenvector of Horn's
    quaternion matrix (1987)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = moved.T @ goal
    matrix = [
        [xx + yy + zz, yz - zy, zx - xz, xy - yx],
        [yz - zy, xx - yy - zz, xy + yx, zx + xz],
        [zx - xz, xy + yx, yy - xx - zz, yz + zy],
        [xy - yx, zx + xz, yz + zy, zz - xx - yy],
    ]
    w, x, y, z = np.linalg.eigh(matrix)[1][:, -1]
    return Rotation.from_quat([x, y, z, w]).as_matrix()


def reference_procrustes(predicted: np.ndarray, target: np.ndarray, reflection: bool) -> np.ndarray:
    moved, goal = predicted - predicted.mean(0), target - target.mean(0)
    size = np.sum(moved**2)
    if size < 1e-12 * np.sum(predicted**2) or size == 0:
        return np.broadcast_to(target.mean(0), target.shape)
    rotated = [pose @ horn(pose, goal).T for pose in ((moved, -moved) if reflection else (moved,))]
    best = max(rotated, key=lambda pose: float(np.sum(pose * goal)))
    return best * np.sum(best * goal) / size + target.mean(0)


def reference_p_mpjpe(predicted: np.ndarray, target: np.ndarray, reflection: bool = False) -> float:
    return reference_mpjpe(reference_procrustes(predicted, target, reflection), target)


def reference_pck(predicted: np.ndarray, target: np.ndarray, threshold: float = 150.0) -> float:
    return float(np.mean([np.linalg.norm(p - t) < threshold for p, t in zip(predicted, target, strict=True)]))


def reference_auc(predicted: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean([reference_pck(predicted, target, threshold) for threshold in range(0, 151, 5)]))


def reflected(metric):
    """P-MPJPE, or its reference, with reflections allowed."""
    return lambda predicted, target: metric(predicted, target, reflection=True)


PAIRS = {
    "mpjpe": (mpjpe, reference_mpjpe),
    "n_mpjpe": (n_mpjpe, reference_n_mpjpe),
    "p_mpjpe": (p_mpjpe, reference_p_mpjpe),
    "p_mpjpe_reflected": (reflected(p_mpjpe), reflected(reference_p_mpjpe)),
    "pck": (pck, reference_pck),
    "auc": (auc, reference_auc),
}


@pytest.mark.parametrize("leading", [(), (5,), (2, 3), (0,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_agrees_with_the_reference(name, dtype, leading):
    metric, reference = PAIRS[name]
    target = random_poses(1, *leading, dtype=dtype)
    noise = 0.3 * random_poses(2, *leading, dtype=dtype)
    for predicted in (target + noise, noise, mirror_depth(target) + noise):
        value = metric(predicted, target)
        assert value.dtype == dtype
        assert value.shape == leading
        np.testing.assert_allclose(value.numpy(), each(reference, predicted, target), rtol=RTOL[dtype])


def degenerate_poses(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    along = torch.linspace(-1, 2, 16, dtype=dtype)[:, None]
    return {
        "zero": torch.zeros(16, 3, dtype=dtype),
        "coincident": torch.tensor([100.1, -20.7, 333.3], dtype=dtype).expand(16, 3),
        "collinear": along * torch.tensor([100.0, 200.0, -50.0], dtype=dtype),
        "flat": random_poses(3, dtype=dtype) * torch.tensor([1.0, 1.0, 0.0], dtype=dtype),
        "one joint off": torch.eye(16, 3, dtype=dtype) * torch.tensor([250.0, 0.0, 0.0], dtype=dtype),
        "whole": random_poses(4, dtype=dtype),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_degenerate_poses_have_the_reference_s_finite_error(name, dtype):
    metric, reference = PAIRS[name]
    poses = degenerate_poses(dtype)
    for predicted in poses.values():
        for target in poses.values():
            value = metric(predicted, target)
            assert value.isfinite()
            expected = each(reference, predicted, target)
            np.testing.assert_allclose(value.numpy(), expected, rtol=100 * RTOL[dtype], atol=300 * RTOL[dtype])


@pytest.mark.parametrize("point", [(100.1, -20.7, 333.3), (0.1, 0.1, 0.1), (1e4 / 3, 0.0, -1e3 / 7)])
def test_joints_at_one_point_off_the_origin_fit_nothing_by_rounding(point):
    predicted, target = torch.tensor(point).expand(17, 3), random_poses(5, 2, dtype=torch.float32).reshape(-1, 3)[:17]
    expected = (target - target.mean(0)).norm(dim=-1).mean()
    torch.testing.assert_close(p_mpjpe(predicted, target), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rotation_is_proper_even_if_the_poses_leave_it_open(dtype):
    poses = list(degenerate_poses(dtype).values())
    poses = [pose - pose.mean(-2, keepdim=True) for pose in [*poses, *map(mirror_depth, poses)]]
    for moved in poses:
        for goal in poses:
            rotation = best_rotation(moved, goal)
            torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=dtype), rtol=0, atol=1e-5)
            assert float(torch.det(rotation)) == pytest.approx(1.0, abs=1e-5)


@given(seed=seeds, scale=st.floats(0.01, 100), reflection=st.booleans())
def test_p_mpjpe_does_not_see_similarities(seed, scale, reflection):
    predicted, target = random_poses(seed), random_poses(seed + 1)
    turn = torch.from_numpy(Rotation.random(rng=seed).as_matrix())
    moved = scale * predicted @ turn + 1000 * torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(p_mpjpe(moved, target, reflection), p_mpjpe(predicted, target, reflection), rtol=1e-9, atol=0)
    assert p_mpjpe(moved, predicted, reflection) < 1e-9


@given(seed=seeds)
def test_a_mirrored_pose_is_right_only_with_reflection(seed):
    pose = random_poses(seed)
    assert p_mpjpe(mirror_depth(pose), pose, reflection=True) < 1e-9
    assert p_mpjpe(mirror_depth(pose), pose) > 10


@given(seed=seeds)
def test_reflection_never_fits_worse(seed):
    predicted, target = random_poses(seed, 8), random_poses(seed + 1, 8)
    proper, mirrored = ((procrustes(predicted, target, allowed) - target).square().sum((-2, -1)) for allowed in (False, True))
    assert bool((mirrored <= proper * (1 + 1e-12)).all())


@given(seed=seeds)
def test_no_similarity_near_the_answer_fits_better(seed):
    rng = np.random.default_rng(seed)
    predicted, target = random_poses(seed), random_poses(seed + 1)
    found = procrustes(predicted, target)
    centre = target.mean(0)
    nudge = torch.from_numpy(Rotation.from_rotvec(rng.normal(0, 0.05, 3)).as_matrix())
    other = rng.normal(1, 0.05) * (found - centre) @ nudge + centre + torch.from_numpy(rng.normal(0, 5, 3))
    assert (found - target).square().sum() <= (other - target).square().sum()


@given(seed=seeds, exponent=st.integers(-30, 30), sign=st.sampled_from((-1, 1)))
def test_n_mpjpe_does_not_see_the_scale_of_the_prediction(seed, exponent, sign):
    predicted, target = random_poses(seed, dtype=torch.float32), random_poses(seed + 1, dtype=torch.float32)
    scaled = predicted * (sign * 10.0**exponent)
    torch.testing.assert_close(n_mpjpe(scaled, target), n_mpjpe(predicted, target), rtol=1e-5, atol=0)
    torch.testing.assert_close(p_mpjpe(scaled.abs(), target), p_mpjpe(predicted.abs(), target), rtol=1e-4, atol=0)


@given(seed=seeds)
def test_alignment_only_lowers_the_squared_error(seed):
    predicted, target = random_poses(seed), random_poses(seed + 1)
    assert (procrustes(predicted, target) - target).square().sum() <= (predicted - target).square().sum()
    assert mpjpe(target, target) == p_mpjpe(target, target).round(decimals=9) == 0


def test_a_joint_at_the_threshold_is_not_correct():
    target = torch.zeros(4, 3)
    predicted = torch.tensor([[150.0, 0, 0], [0, 149.9, 0], [0, 0, -150.1], [0, 0, 0]])
    assert float(pck(predicted, target)) == 0.5
    assert float(pck(predicted, target, threshold=150.05)) == 0.75
    assert float(auc(target, target)) == pytest.approx(30 / 31)  # at 0 mm nothing is nearer than the threshold
    assert AUC_THRESHOLDS_MM[0] == 0
    assert AUC_THRESHOLDS_MM[-1] == 150
    assert len(AUC_THRESHOLDS_MM) == 31


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_error_of_what_is_not_finite_is_refused(metric, bad):
    good = random_poses(0, 2)
    broken = good.clone()
    broken[1, 3, 2] = bad
    with pytest.raises(ValueError, match="predicted poses hold NaN or infinity"):
        metric(broken, good)
    with pytest.raises(ValueError, match="target poses hold NaN or infinity"):
        metric(good, broken)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("predicted", "target"),
    [((2, 16, 3), (3, 16, 3)), ((2, 16, 3), (2, 17, 3)), ((2, 16, 2), (2, 16, 2)), ((3,), (3,)), ((0, 3), (0, 3))],
)
def test_poses_of_other_shapes_are_refused(metric, predicted, target):
    with pytest.raises(ValueError, match=r"have shapes .*; give two of the same shape \(\.\.\., joints, 3\)"):
        metric(torch.ones(predicted), torch.ones(target))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("metric", METRICS)
def test_poses_of_other_types_are_refused(metric):
    pose = torch.ones(16, 3)
    for other in (pose.double(), pose.int()):
        with pytest.raises(ValueError, match="give two of the same type, float32 or float64"):
            metric(pose, other)
    with pytest.raises(ValueError, match=r"torch\.int32 and torch\.int32"):
        metric(pose.int(), pose.int())
