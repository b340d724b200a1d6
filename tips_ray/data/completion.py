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
RIDGE = 1e-3
"""Variance that is added to each coordinate's own, in squares of the body's size: few poses do not
tell covariances exactly."""
ROUNDS = 5
AT_ONCE = 2048
"""Frames: the memory that their matrices take."""


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

    @classmethod
    def of(cls, keypoints: np.ndarray) -> "Prior":
        """Of keypoints (poses, 16, 2) relative to the root, in any unit, of which some are NaN.

        Each pair of coordinates counts where both are there.
        """
        flat = keypoints.reshape(len(keypoints), -1)
        largest = np.fmax.reduce(np.abs(flat), axis=1, keepdims=True)  # NaN where all are
        flat = flat / np.where(largest > 0, largest, np.nan)
        known = np.isfinite(flat)
        count = known.sum(axis=0).clip(1)
        mean = np.where(known, flat, 0.0).sum(axis=0) / count
        off = np.where(known, flat - mean, 0.0)
        together = known.T.astype(float) @ known
        strength, axes = np.linalg.eigh(off.T @ off / together.clip(1.0))
        return cls(mean, (axes * strength.clip(0.0)) @ axes.T + RIDGE * np.eye(len(mean)))

    def complete(self, keypoints: np.ndarray, noise: float = 0.0, least_seen: int = LEAST_SEEN) -> np.ndarray:
        """Keypoints (frames, 17, 2), y up, in any unit, with those that are NaN replaced by their
        expectation given the others, were 2D poses normally distributed.

        With `noise`, the standard deviation of normal noise on each coordinate as a share of the
        body's height, those that were seen are replaced by their expectation too. Where a body is,
        and how large, is found from the keypoints that are there. Frames with fewer than
        `least_seen` of them stay as they are.
        """
        completed = np.array(keypoints, dtype=float)
        there = seen(completed)
        count = there.sum(axis=1)
        frames = np.flatnonzero((count >= max(least_seen, 1)) & (bool(noise) | (count < len(JOINTS))))
        for some in (frames[start : start + AT_ONCE] for start in range(0, len(frames), AT_ONCE)):
            completed[some] = self._expected(completed[some], there[some], noise)
        return completed

    def _expected(self, keypoints: np.ndarray, there: np.ndarray, noise: float) -> np.ndarray:
        mean, covariance = self._anywhere
        known = there[..., None]
        keypoints = np.where(known, keypoints, 0.0)
        middle = keypoints.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
        keypoints = keypoints - middle
        mean_pose = np.broadcast_to(mean, keypoints.shape)
        size = _extent(keypoints, known) / _extent(mean_pose, known).clip(1e-9)
        height = float(np.ptp(mean[:, 1]))  # of the mean pose, in units of its size
        patterns, which = np.unique(there, axis=0, return_inverse=True)
        gain = _gain(covariance, patterns, max((noise * height) ** 2, LEAST_VARIANCE))[which]
        whole = keypoints
        for _ in range(ROUNDS):
            size = size.clip(1e-9)
            distance = np.where(known, keypoints / size[:, None, None] - mean, 0.0)
            likely = mean + np.einsum("fk,fkj->fj", distance.reshape(len(keypoints), -1), gain).reshape(keypoints.shape)
            whole = likely * size[:, None, None]
            if not noise:
                whole = np.where(known, keypoints, whole)
            size = np.abs(whole - whole[:, [ROOT]]).max(axis=(1, 2))
        return whole + middle

    @cached_property
    def _anywhere(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (17, 2) and covariance (34, 34) of poses of size 1 that may be anywhere."""
        mean = np.insert(self.mean.reshape(-1, 2), ROOT, 0.0, axis=0)
        covariance = np.zeros((len(JOINTS), 2, len(JOINTS), 2))
        lifted, both = np.delete(np.arange(len(JOINTS)), ROOT), np.arange(2)
        covariance[np.ix_(lifted, both, lifted, both)] = self.covariance.reshape(len(LIFTED), 2, len(LIFTED), 2)
        size = 2 * len(JOINTS)
        return mean, (covariance + ANYWHERE * np.eye(2)[None, :, None, :]).reshape(size, size)


def _gain(covariance: np.ndarray, patterns: np.ndarray, variance: float) -> np.ndarray:
    """What the expectation of all coordinates gains by each that is known, (patterns, known, all),
    for each pattern of joints that are there (patterns, 17); 0 where one is not known.
    `covariance` is (34, 34), and known coordinates have noise of some variance."""
    known = np.repeat(patterns, 2, axis=1).astype(float)
    noise = np.where(known > 0, variance, 1.0)
    of_known = covariance * known[:, :, None] * known[:, None, :] + noise[:, :, None] * np.eye(len(covariance))
    return np.linalg.solve(of_known, covariance * known[:, :, None])


def _extent(keypoints: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How far the known keypoints (frames, joints, 2) of each frame lie from their middle, root
    mean square."""
    count = known.sum(axis=1, keepdims=True)
    middle = np.where(known, keypoints, 0.0).sum(axis=1, keepdims=True) / count
    return np.sqrt((np.where(known, keypoints - middle, 0.0) ** 2 / count).sum(axis=(1, 2)))
