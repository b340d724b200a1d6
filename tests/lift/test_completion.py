"""Missing keypoints are put where the others make them likely."""

import numpy as np

from tips_ray.data.completion import LEAST_SEEN
from tips_ray.poses.skeleton import JOINTS, PARENTS


def without(keypoints: np.ndarray, *joints: str) -> np.ndarray:
    lacking = keypoints.copy()
    lacking[:, [JOINTS.index(joint) for joint in joints]] = np.nan
    return lacking


def test_what_was_seen_stays_and_what_was_not_comes_near(lifter, pixels):
    upright = pixels * [1, -1]
    for joint in ("r_knee", "l_wrist", "head", "pelvis"):
        at = JOINTS.index(joint)
        completed = lifter.prior.complete(without(upright, joint))
        others = np.arange(len(JOINTS)) != at
        assert (completed[:, others] == upright[:, others]).all()
        error = np.linalg.norm(completed[:, at] - upright[:, at], axis=-1).mean()
        at_parent = np.linalg.norm(upright[:, PARENTS[at]] - upright[:, at], axis=-1).mean() if PARENTS[at] >= 0 else 40.0
        assert error < 0.75 * at_parent, joint


def test_neither_place_nor_size_matters(lifter, pixels):
    lacking = without(pixels * [1, -1], "l_hip", "pelvis", "r_ankle")
    completed = lifter.prior.complete(lacking)
    elsewhere = lifter.prior.complete(lacking * 0.01 + [5.0, -3.0])
    np.testing.assert_allclose((elsewhere - [5.0, -3.0]) / 0.01, completed, rtol=1e-4, atol=0.5)


def test_each_frame_is_completed_by_itself(lifter, pixels):
    upright = pixels[:50] * [1, -1]
    rng = np.random.default_rng(0)
    for frame in range(len(upright)):
        upright[frame, rng.choice(len(JOINTS), frame % 8, replace=False)] = np.nan
    together = lifter.prior.complete(upright)
    alone = np.concatenate([lifter.prior.complete(frame[None]) for frame in upright])
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, alone)


def test_noise_is_taken_out(lifter, pixels):
    upright = pixels * [1, -1]
    height = np.ptp(upright[..., 1], axis=1)[:, None, None]
    noisy = upright + 0.05 * height * np.random.default_rng(0).normal(size=upright.shape)
    calmed = lifter.prior.complete(noisy, noise=0.05)
    before, after = (np.abs((points - points[:, :1]) - (upright - upright[:, :1])).mean() for points in (noisy, calmed))
    assert after < 0.8 * before
    np.testing.assert_array_equal(lifter.prior.complete(noisy), noisy)
    noisy[:, 3] = np.nan
    assert np.isfinite(lifter.prior.complete(noisy, noise=0.05)).all()


def test_a_frame_with_too_few_joints_stays_as_it_is(lifter, pixels):
    lacking = without(pixels[:3] * [1, -1], *JOINTS[LEAST_SEEN - 1 :])
    np.testing.assert_array_equal(lifter.prior.complete(lacking), lacking)
