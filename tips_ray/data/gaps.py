"""Filling joints that are missing for a few frames from their neighbours in time."""

import numpy as np

from tips_ray.data.derive import seen


def fill_gaps(points: np.ndarray, frame: np.ndarray, max_gap: int) -> np.ndarray:
    """Points (frames, joints, axes) of one clip with NaN replaced by the straight line between the
    neighbours in time, where a joint is missing in at most `max_gap` consecutive frames.

    `frame` (frames,) are rising numbers; numbers left out count as missing frames. A gap at the
    start or the end of the clip has one neighbour only and stays.
    """
    filled = points.copy()
    for joint in range(points.shape[1]):
        there = seen(points[:, joint])
        present, missing = np.flatnonzero(there), np.flatnonzero(~there)
        after = np.searchsorted(present, missing)
        inside = (after > 0) & (after < len(present))
        missing, after = missing[inside], after[inside]
        left, right = present[after - 1], present[after]
        near = frame[right] - frame[left] - 1 <= max_gap
        missing, left, right = missing[near], left[near], right[near]
        share = ((frame[missing] - frame[left]) / (frame[right] - frame[left]))[:, None]
        filled[missing, joint] = (1 - share) * points[left, joint] + share * points[right, joint]
    return filled
