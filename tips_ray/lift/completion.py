"""Keypoints that are missing, as those that are there make them likely."""

from dataclasses import dataclass

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

    def complete(self, keypoints: np.ndarray) -> np.ndarray:
        """Keypoints (frames, 17, 2), y up, in any unit, with those that are NaN replaced by their
        expectation given the others, were 2D poses normally distributed.

        Where a body is, and how large, is found from the keypoints that are there. Frames with
        fewer than LEAST_SEEN of them stay as they are.
        """
        there = seen(keypoints)
        completed = np.array(keypoints, dtype=float)
        patterns, which = np.unique(there, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            if LEAST_SEEN <= pattern.sum() < len(JOINTS):
                frames = which == number
                completed[frames] = self._complete(completed[frames], pattern)
        return completed

    def _complete(self, keypoints: np.ndarray, there: np.ndarray) -> np.ndarray:
        mean = np.insert(self.mean.reshape(-1, 2), ROOT, 0.0, axis=0)
        covariance = np.zeros((len(JOINTS), 2, len(JOINTS), 2))
        lifted = np.delete(np.arange(len(JOINTS)), ROOT)
        both = np.arange(2)
        covariance[np.ix_(lifted, both, lifted, both)] = self.covariance.reshape(len(LIFTED), 2, len(LIFTED), 2)
        covariance += ANYWHERE * np.eye(2)[None, :, None, :]
        known, unknown = np.flatnonzero(there), np.flatnonzero(~there)

        def block(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return covariance[rows][:, :, columns].reshape(2 * len(rows), 2 * len(columns))

        of_known = block(known, known) + LEAST_VARIANCE * np.eye(2 * len(known))
        gain = np.linalg.solve(of_known, block(known, unknown)).T
        middle = keypoints[:, known].mean(axis=1, keepdims=True)
        keypoints = keypoints - middle
        whole = keypoints.copy()
        size = _extent(keypoints[:, known]) / _extent(mean[None, known])
        for _ in range(ROUNDS):
            size = size.clip(1e-9)
            distance = keypoints[:, known] / size[:, None, None] - mean[known]
            likely = mean[unknown] + (distance.reshape(len(keypoints), -1) @ gain.T).reshape(len(keypoints), -1, 2)
            whole[:, unknown] = likely * size[:, None, None]
            size = np.abs(whole - whole[:, [ROOT]]).max(axis=(1, 2))
        return whole + middle


def _extent(keypoints: np.ndarray) -> np.ndarray:
    """How far the keypoints (frames, joints, 2) of each frame lie from their middle, root mean
    square."""
    return np.sqrt(keypoints.var(axis=1).sum(axis=-1))
