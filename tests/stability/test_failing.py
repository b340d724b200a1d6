"""Runs that fare far worse than the others of their arm."""

import pytest

from tips_ray.stability.failing import failing


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([66, 67, 65, 66, 68, 102], [5]),
        ([66, 67, 65, 66, 68, 70], []),
        ([60, 80], []),  # of two, either may be the one that fails
        ([50, 60, 70, 80, 90], []),  # a wide spread has no outlier
        ([66, 66, 66, 66, 67], []),  # equal runs: a small distance is nothing
        ([66, 30, 66, 67], []),  # a better run does not fail
        ([], []),
    ],
)
def test_only_a_run_far_above_the_others_fails(errors: list[float], expected: list[int]) -> None:
    assert failing(dict(enumerate(errors))) == expected
