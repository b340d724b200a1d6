"""The tables behind a search's figures, as laws."""

import numpy as np
import pandas as pd
import pytest

from tips_ray.report.search import tables
from tips_ray.report.search.importances import importance_table

PATHS = ("weights.legs", "weights.reprojection", "weights.ninety_degree", "weights.torso")
SPACE = {path: {"kind": "log", "low": 0.01, "high": 1.0} for path in PATHS}


def drawn(num_trials: int, seed: int = 0) -> pd.DataFrame:
    """Complete trials with log-uniform fields and scores that are noise."""
    rng = np.random.default_rng(seed)
    number = np.arange(num_trials)
    table = pd.DataFrame({"search": "s", "number": number, "trial": [f"trial-{place:05d}" for place in number]})
    table["state"], table["baseline"] = "complete", number == 0
    for column in tables.SCORE_COLUMNS:
        table[column] = 60 + rng.normal(0, 1, num_trials)
    for path in SPACE:
        table[path] = 10 ** rng.uniform(-2, 0, num_trials)
    return table


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_brute_force_finds_among_complete_trials(seed):
    rng = np.random.default_rng(seed)
    trials = drawn(120)
    trials[["error_mm", "instability_mm"]] = rng.integers(0, 12, (120, 2)).astype(float)  # with ties
    trials["state"] = rng.choice(["complete", "pruned", "diverged"], 120)
    trials.loc[trials["state"] == "pruned", ["error_mm", "instability_mm"]] = -1.0
    complete = trials[trials["state"] == "complete"]
    expected = set()
    for row in complete.itertuples():
        no_worse = (complete["error_mm"] <= row.error_mm) & (complete["instability_mm"] <= row.instability_mm)
        better = (complete["error_mm"] < row.error_mm) | (complete["instability_mm"] < row.instability_mm)
        if not (no_worse & better).any():
            expected.add(row.number)
    found = tables.front(trials)
    assert set(found.loc[found["on_front"], "number"]) == expected
    assert len(found) == len(complete)


def test_complete_trials_come_best_first_and_the_front_before_the_rest():
    trials = drawn(50)
    trials.loc[3, "state"], trials.loc[4, "error_mm"] = "pruned", np.nan
    single = tables.complete_trials(trials, ["error_mm"])
    assert single["error_mm"].is_monotonic_increasing
    assert set(single["number"]) == set(range(50)) - {3, 4}
    double = tables.complete_trials(trials, ["error_mm", "instability_mm"])
    assert double["behind"].is_monotonic_increasing
    assert double.groupby("behind")["error_mm"].agg(lambda errors: errors.is_monotonic_increasing).all()


def test_best_so_far_is_the_running_minimum_of_each_search_over_complete_trials():
    trials = pd.concat([drawn(30, 1).assign(search="a"), drawn(20, 2).assign(search="b")], ignore_index=True)
    trials.loc[::4, "state"] = "pruned"
    trials.loc[::4, "error_mm"] = 1.0
    found = tables.best_so_far(trials.sample(frac=1, random_state=0), "error_mm")
    for search, rows in found.groupby("search"):
        own = trials[(trials["search"] == search) & (trials["state"] == "complete")]
        assert rows["number"].tolist() == own["number"].tolist()
        assert rows["best"].tolist() == [own["error_mm"].iloc[: end + 1].min() for end in range(len(own))]


def test_importances_find_the_field_that_matters_and_leave_out_what_was_pruned_or_diverged():
    trials = drawn(200)
    trials["error_mm"] += 6 * (np.log10(trials["weights.legs"]) + 1) ** 2
    found = importance_table(trials, SPACE)
    own = found[found["column"] == "error_mm"].set_index("field")
    assert own["importance"].idxmax() == "weights.legs"
    assert own["importance"].sum() == pytest.approx(1)
    assert own.loc["weights.legs", "importance"] > own.loc["weights.legs", "chance"]
    assert own["n"].unique().tolist() == [200]
    lost = drawn(80, 5).assign(state="pruned", number=range(200, 280), error_mm=1.0, instability_mm=0.0, label_free=0.0)
    lost["weights.torso"] = 0.5  # would be all-important
    lost.loc[::2, "state"] = "diverged"
    with_lost = importance_table(pd.concat([trials, lost], ignore_index=True), SPACE)
    pd.testing.assert_frame_equal(found, with_lost)


def test_noise_rarely_gets_beyond_chance():
    beyond = []
    for seed in range(8):
        table = importance_table(drawn(40, seed), SPACE, ["error_mm"])
        beyond += (table["importance"] > table["chance"]).tolist()
    assert np.mean(beyond) < 0.2  # 1 of 20 is expected


def test_importances_need_trials_and_scores_that_vary():
    assert importance_table(drawn(9), SPACE).empty
    assert len(importance_table(drawn(10), SPACE, ["error_mm"])) == 4
    assert importance_table(drawn(30).assign(error_mm=60.0), SPACE, ["error_mm"]).empty
    assert importance_table(drawn(30).assign(label_free=np.nan), SPACE, ["label_free"]).empty
    same = importance_table(drawn(30).assign(**{"weights.legs": 0.05}), SPACE, ["error_mm"])
    assert set(same["field"]) == set(PATHS[1:])


def test_importances_take_fields_of_every_kind_and_trials_outside_the_space(make_search, make_search_summary):
    trials, _ = make_search(40, fields=("weights.legs", "network.generator_norm", "network.width", "optimiser.beta1"))
    space = make_search_summary(trials).space
    trials.loc[5, "network.generator_norm"] = "affine"
    complete = (trials["state"] == "complete").sum()
    found = importance_table(trials, space, ["error_mm"])
    assert set(found["field"]) == set(space)
    assert found["n"].unique().tolist() == [complete - 1]


def test_luck_of_the_best_is_what_equal_trials_show():
    rng = np.random.default_rng(0)
    samples = rng.normal(60, 2, (2000, 30, 3))
    shown = 60 - samples.mean(axis=2).min(axis=1).mean()
    table = pd.DataFrame({"error_std_mm": samples.reshape(-1, 3).std(axis=1, ddof=1), "seeds": 3})
    predicted = [tables.luck_of_the_best(table.iloc[start : start + 30], "error_mm") for start in range(0, 6000, 30)]
    assert np.mean(predicted) == pytest.approx(shown, rel=0.03)
    assert tables.luck_of_the_best(pd.DataFrame({"error_std_mm": [np.nan] * 3, "seeds": 1}), "error_mm") is None
    assert tables.luck_of_the_best(table.iloc[:1], "error_mm") is None


def test_stop_epochs_and_what_they_would_have_chosen(make_search):
    assert tables.budgets(60) == {"a quarter": 15, "half": 30, "three quarters": 45, "all": 60}
    assert tables.budgets(1) == {"all": 1}
    trials, surface = make_search(30)
    complete = tables.complete_trials(trials, ["error_mm"])
    rows = tables.stop_table(complete, surface.sample(frac=1, random_state=0), "error_mm", 60, "error_mm")
    for row in rows.to_dict("records"):
        at = surface[(surface["epoch"] == row["epoch"]) & surface["number"].isin(complete["number"])].set_index("number")
        errors = at["error_mm"]
        assert row["trial"] == f"trial-{errors.idxmin():05d}"
        assert row["lowest"] == errors.min()
        assert row["baseline"] == errors[0]
        order = complete.set_index("number")["error_mm"]
        assert row["agreement"] == pytest.approx(errors.rank().corr(order.rank()))


def test_the_heat_map_has_every_error_where_it_fits(make_search):
    trials, surface = make_search(30)
    complete = tables.complete_trials(trials, ["error_mm"])
    cells = tables.heat_map(complete, surface, "error_mm")
    assert cells is not None
    expected = surface.pivot(index="number", columns="epoch", values="error_mm").loc[complete["number"]]
    np.testing.assert_allclose(cells.values, expected)
    assert cells.labels == complete["trial"].tolist()
    assert cells.epochs == [(epoch, epoch) for epoch in range(1, 61)]
    assert tables.heat_map(complete.iloc[:0], surface, "error_mm") is None


def test_a_large_heat_map_has_the_means_of_neighbours(make_search):
    trials, surface = make_search(700, num_seeds=1, num_epochs=250, pruned=0.0)
    complete = tables.complete_trials(trials, ["error_mm"])
    cells = tables.heat_map(complete, surface, "error_mm")
    assert cells is not None
    assert cells.values.shape[0] <= tables.MAX_ROWS
    assert cells.values.shape[1] <= tables.MAX_COLUMNS
    assert [end for _, end in cells.ranks][-1] == len(complete)
    assert [end for _, end in cells.epochs][-1] == 250
    whole = surface.pivot(index="number", columns="epoch", values="error_mm").loc[complete["number"]].to_numpy()
    for row, column in ((0, 0), (3, 7), (-1, -1)):
        (top, bottom), (left, right) = cells.ranks[row], cells.epochs[column]
        assert cells.values[row, column] == pytest.approx(whole[top - 1 : bottom, left - 1 : right].mean())


def test_thinning_keeps_order_ends_and_starts():
    table = drawn(1000).assign(baseline=lambda rows: rows["number"] == 501)
    few = tables.thinned(table, 100)
    assert few["number"].is_monotonic_increasing
    assert {0, 501, 999} <= set(few["number"])
    assert 100 <= len(few) <= 101
    assert few["number"].diff().max() <= 11
    assert tables.thinned(table, 1000) is table


def test_positions_run_from_0_to_1_on_the_searched_scale():
    log = {"kind": "log", "low": 0.01, "high": 1.0}
    assert tables.positions(pd.Series([0.01, 0.1, 1.0, None], dtype=object), log).tolist()[:3] == pytest.approx([0, 0.5, 1])
    choice = {"kind": "choice", "choices": ["a", None, 3]}
    assert tables.positions(pd.Series(["a", None, 3, "other"], dtype=object), choice).tolist()[:3] == [0, 0.5, 1]
    whole = {"kind": "integer", "low": 64, "high": 256, "log": True}
    assert tables.positions(pd.Series([64, 128, 256]), whole).tolist() == pytest.approx([0, 0.5, 1])


def test_edges_name_the_fields_whose_best_value_is_at_an_end():
    space = {"a": {"kind": "log", "low": 0.01, "high": 1.0}, "b": {"kind": "linear", "low": 0.0, "high": 1.0}}
    assert tables.edges(pd.Series({"a": 0.0101, "b": 0.5}), space) == ["a"]
    assert tables.edges(pd.Series({"a": 0.1, "b": 0.99}), space) == ["b"]
    assert tables.edges(pd.Series({"a": 0.1, "b": np.nan}), space) == []


def test_short_names_stay_apart():
    assert tables.short_names(["weights.legs", "a.width", "b.width"]) == {
        "weights.legs": "legs",
        "a.width": "a.width",
        "b.width": "b.width",
    }
