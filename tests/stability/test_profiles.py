"""Arms compared over runs and actions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from tips_ray.columns import ACTION_PREFIX, HEADLINE_METRIC
from tips_ray.stability.profiles import action_errors, bounds_of, errors_by_action, improvement, shares_below


def errors_of(rng: np.random.Generator, seeds: int, actions: int) -> pd.DataFrame:
    """Whole numbers, so that some are equal."""
    return pd.DataFrame(
        rng.integers(0, 6, (seeds, actions)).astype(float), columns=[f"action {place}" for place in range(actions)]
    )


def by_epoch(*errors: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Errors by action, from those of each epoch."""
    epochs = range(1, len(errors) + 1)
    return {action: pd.DataFrame([table[action] for table in errors], index=epochs) for action in errors[0]}


@given(st.integers(0, 200), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_the_probability_is_the_mean_of_mann_whitneys_u_over_actions(seed: int, n_a: int, n_b: int, actions: int) -> None:
    rng = np.random.default_rng(seed)
    errors = {"a": errors_of(rng, n_a, actions), "b": errors_of(rng, n_b, actions)}
    tables = {arm: by_epoch(table) for arm, table in errors.items()}
    one, other = improvement("a", "b", tables), improvement("b", "a", tables)
    u = [mannwhitneyu(errors["b"][name], errors["a"][name]).statistic / (n_a * n_b) for name in errors["a"]]
    assert one.probability == pytest.approx(np.mean(u))
    assert other.probability == pytest.approx(1 - np.mean(u))
    assert (one.low is None) == (min(n_a, n_b) < 2)
    if one.low is not None and one.high is not None:
        assert 0 <= one.low <= one.high <= 1


def test_a_seed_is_drawn_with_all_its_actions() -> None:
    """Actions of a run that are all alike give the interval of one action, not a narrower one."""
    rng = np.random.default_rng(0)
    one, other = (errors_of(rng, 6, 1) for _ in "ab")
    single = improvement("a", "b", {"a": by_epoch(one), "b": by_epoch(other)})
    many = improvement(
        "a", "b", {arm: by_epoch(pd.concat([table] * 20, axis=1, keys=range(20))) for arm, table in (("a", one), ("b", other))}
    )
    assert (many.probability, many.low, many.high) == pytest.approx((single.probability, single.low, single.high))


def test_arms_without_a_finished_run_or_a_shared_action_have_no_probability() -> None:
    table = pd.DataFrame({"walking": [1.0, 2.0]})
    for other in (pd.DataFrame(), pd.DataFrame({"waving": [1.0]})):
        assert improvement("a", "b", {"a": by_epoch(table), "b": by_epoch(other)}).probability is None


def test_arms_are_compared_at_the_epochs_that_both_have() -> None:
    early, late = (pd.DataFrame({"walking": errors}) for errors in ([5.0, 6.0], [1.0, 2.0]))
    short, long = by_epoch(early, early - 2), by_epoch(early, early - 1, late, late)
    assert improvement("short", "long", {"short": short, "long": long}).epochs == 2
    assert improvement("short", "long", {"short": short, "long": long}).probability == 1 - 0.5 / 4  # one pair is equal


def test_a_profile_counts_runs_and_actions_below_each_bound() -> None:
    errors = pd.DataFrame({"walking": [10.2, 20.0], "waving": [30.0, 20.4]}, index=[3, 5])
    bounds = bounds_of({"a": errors})
    assert (bounds[0], bounds[-1]) == (10, 30)
    shares = shares_below(errors, np.array([10.0, 20.0, 25.0, 30.0]))
    assert shares[3].tolist() == [0, 0.5, 0.5, 1]
    assert shares[5].tolist() == [0, 0.5, 1, 1]
    assert (np.diff(shares_below(errors, bounds), axis=0) >= 0).all()


def test_errors_are_means_over_the_last_half_by_action_or_of_all_poses() -> None:
    rows = pd.DataFrame({"arm": "a", "run": "a-seed0", "seed": 0, "epoch": range(1, 5), "status": "ok"})
    rows[HEADLINE_METRIC] = [9.0, 8.0, 4.0, 2.0]
    assert action_errors(errors_by_action(rows, "a")).to_dict("list") == {HEADLINE_METRIC: [3.0]}
    rows[f"{ACTION_PREFIX}walking"] = [9.0, 8.0, 6.0, 4.0]
    assert action_errors(errors_by_action(rows, "a")).to_dict("list") == {f"{ACTION_PREFIX}walking": [5.0]}
    assert action_errors(errors_by_action(rows, "a"), num_epochs=2).to_dict("list") == {f"{ACTION_PREFIX}walking": [8.0]}
    assert action_errors(errors_by_action(rows.assign(status=["ok"] * 3 + ["diverged"]), "a")).empty
