"""Keypoints that are missing or noisy, as the others make them likely."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tips_ray.data.derive import seen
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS, LIFTED, ROOT

LEAST_SEEN = 6
"""A frame with fewer keypoints is left as it is."""
ANYWHERE = 100.0
"""Variance of where a body is, in squares of its size: nothing is known of it."""
LEAST_VARIANCE = 1e-6
ROUNDS = 5


@dataclass(frozen=True)
class Prior:
    """Mean and covariance of the 2D poses that a lifter was trained on: max-normalised, relative to
    the root, y up."""

    mean: np.ndarray
    """(32,), of the 16 lifted joints, x and y by turns."""
    covariance: np.ndarray
    """(32, 32)."""

    def __post_init__(self) -> None:
        size = 2 * len(LIFTED)
        if self.mean.shape != (size,) or self.covariance.shape != (size, size):
            raise UserError(f"mean and covariance of keypoints have shapes {self.mean.shape} and {self.covariance.shape}.")

    def complete(self, keypoints: np.ndarray, noise: float = 0.0) -> np.ndarray:
        """Keypoints (frames, 17, 2), y up, in any unit, with those that are NaN replaced by their
        expectation given the others, were 2D poses normally distributed.

        With `noise`, the standard deviation of normal noise on each coordinate as a share of the
        body's height, those that were seen are replaced by their expectation too. Where a body is,
        and how large, is found from the keypoints that are there. Frames with fewer than
        LEAST_SEEN of them stay as they are.
        """
        there = seen(keypoints)
        completed = np.array(keypoints, dtype=float)
        patterns, which = np.unique(there, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            if pattern.sum() >= LEAST_SEEN and (noise or not pattern.all()):
                frames = which == number
                completed[frames] = self._expected(completed[frames], np.flatnonzero(pattern), noise)
        return completed

    def _expected(self, keypoints: np.ndarray, known: np.ndarray, noise: float) -> np.ndarray:
        mean, covariance = self._anywhere
        middle = keypoints[:, known].mean(axis=1, keepdims=True)
        keypoints = keypoints - middle
        seen_joints = keypoints[:, known]
        size = _extent(seen_joints) / _extent(mean[None, known])
        height = float(np.ptp(mean[:, 1]))  # of the mean pose, in units of its size
        of_known = _block(covariance, known, known)
        of_known = of_known + max((noise * height) ** 2, LEAST_VARIANCE) * np.eye(len(of_known))
        gain = np.linalg.solve(of_known, _block(covariance, known, np.arange(len(JOINTS)))).T
        whole = keypoints.copy()
        for _ in range(ROUNDS):
            size = size.clip(1e-9)
            distance = seen_joints / size[:, None, None] - mean[known]
            likely = mean + (distance.reshape(len(keypoints), -1) @ gain.T).reshape(keypoints.shape)
            whole = likely * size[:, None, None]
            if not noise:
                whole[:, known] = seen_joints
            size = np.abs(whole - whole[:, [ROOT]]).max(axis=(1, 2))
        return whole + middle

    @cached_property
    def _anywhere(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (17, 2) and covariance (17, 2, 17, 2) of poses of size 1 that may be anywhere."""
        mean = np.insert(self.mean.reshape(-1, 2), ROOT, 0.0, axis=0)
        covariance = np.zeros((len(JOINTS), 2, len(JOINTS), 2))
        lifted, both = np.delete(np.arange(len(JOINTS)), ROOT), np.arange(2)
        covariance[np.ix_(lifted, both, lifted, both)] = self.covariance.reshape(len(LIFTED), 2, len(LIFTED), 2)
        return mean, covariance + ANYWHERE * np.eye(2)[None, :, None, :]


def _block(covariance: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The covariance of the coordinates of some joints with those of others."""
    return covariance[rows][:, :, columns].reshape(2 * len(rows), 2 * len(columns))


def _extent(keypoints: np.ndarray) -> np.ndarray:
    """How far the keypoints (frames, joints, 2) of each frame lie from their middle, root mean
    square."""
    return np.sqrt(keypoints.var(axis=1).sum(axis=-1))
