"""Runs of an arm that fare much worse than the arm's others."""

from collections.abc import Mapping

import numpy as np

FAR = 4.0
"""So many robust standard deviations above the median are far."""
LEAST_SHARE = 0.1
"""And so much of the median: of runs that all agree, a small distance is nothing."""
LEAST_RUNS = 3
NORMAL = 1.4826
"""A standard deviation in median absolute deviations, of normal values."""


def failing(errors: Mapping[int, float]) -> list[int]:
    """The keys of errors that lie far above the median of all; none of fewer than LEAST_RUNS."""
    if len(errors) < LEAST_RUNS:
        return []
    values = np.array(list(errors.values()))
    median = float(np.median(values))
    deviation = NORMAL * float(np.median(np.abs(values - median)))
    limit = median + max(FAR * deviation, LEAST_SHARE * abs(median))
    return [key for key, error in errors.items() if error > limit]
