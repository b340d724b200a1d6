"""The tables behind the figures, as laws, and what the figures must say."""

import json
import time
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from tips_ray.columns import METRICS, in_group
from tips_ray.report.study import figures, tables
from tips_ray.report.style import arm_colours
from tips_ray.stability.statistics import divergences, errors_of, over_seeds

METRIC = METRICS[0]


def test_band_is_the_bootstrap_of_a_slow_loop():
    values = pd.DataFrame(np.random.default_rng(3).normal(60, 5, (4, 6)))
    rng, rows = np.random.default_rng(0), values.to_numpy()
    means = [rows[:, rng.integers(6, size=6)].mean(axis=1) for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    found = tables.band(values)
    assert found["mean"].to_numpy() == pytest.approx(values.mean(axis=1).to_numpy())
    assert found["low"].to_numpy() == pytest.approx(low, abs=0.8)
    assert found["high"].to_numpy() == pytest.approx(high, abs=0.8)


def test_band_leaves_out_missing_values_and_invents_no_interval():
    values = pd.DataFrame([[1.0, 3.0, np.nan], [2.0, np.nan, np.nan], [np.nan] * 3])
    found = tables.band(values)
    assert found["n"].tolist() == [2, 1, 0]
    assert found["mean"].tolist()[:2] == [2.0, 2.0]
    assert found[["low", "high"]].notna().to_numpy().tolist() == [[True, True], [False, False], [False, False]]
    assert found.loc[0, "low"] >= 1
    assert found.loc[0, "high"] <= 3


def test_percentiles_are_those_of_numpy():
    values = np.random.default_rng(5).normal(60, 5, (8, 100))
    values[2:5, :40], values[3, :99] = np.nan, np.nan
    shares = [0.0, 0.025, 0.5, 0.975, 1.0]
    expected = np.nanquantile(values, shares, axis=1).T
    assert tables.percentiles(values.copy(), shares) == pytest.approx(expected, rel=1e-12)


def test_seed_band_is_cut_to_common_epochs_and_agrees_with_the_summary(make_curves):
    curves = make_curves(num_seeds=4)
    curves = curves[~((curves["run"] == "solo-seed1") & (curves["epoch"] > 30))]
    found = tables.seed_band(curves, METRIC)
    assert found.columns.tolist() == ["arm", "epoch", "mean", "low", "high", "n"]
    assert found.groupby("arm")["epoch"].max().to_dict() == {"parts": 40, "solo": 30, "supervised": 40}
    assert ((found["low"] <= found["mean"]) & (found["mean"] <= found["high"])).all()
    last = found[found["arm"] == "parts"].iloc[-1]
    assert last["mean"] == pytest.approx(over_seeds(errors_of(curves, "parts", METRIC))["last"].mean)


def test_seed_lines_keep_whole_runs_and_mark_diverged_ones(make_curves):
    lines = tables.seed_lines(make_curves(diverged={("solo", 1): 7}), METRIC)
    lost = lines[lines["diverged"]]
    assert (lost["arm"].unique().tolist(), lost["seed"].unique().tolist(), len(lost)) == (["solo"], [1], 7)
    assert len(lines) == 8 * 40 + 7


def test_regret_is_never_negative_and_zero_at_the_best_epoch_of_a_single_run(make_curves):
    curves = make_curves(num_seeds=1)
    found = tables.regret_table(curves, METRIC, without=["supervised"])
    assert set(found["arm"]) == {"solo", "parts"}
    assert (found["mean"] >= 0).all()
    assert (found.groupby("arm")["mean"].min() == 0).all()
    assert (tables.regret_table(make_curves(), METRIC)["low"] >= 0).all()


def test_losses_have_each_term_for_the_arms_that_have_it(curves):
    found = tables.term_table(curves, in_group("loss"))
    arms = found.groupby("term")["arm"].unique().map(sorted).to_dict()
    assert arms["loss_supervised"] == ["supervised"]
    assert arms["loss_adversarial"] == ["parts", "solo"]
    assert not found["mean"].isna().any()


def test_actions_come_the_hardest_first_with_averages_of_the_last_half(curves):
    by_action = tables.action_intervals(curves)
    assert list(by_action) == ["waving", "sitting down on a low chair, then standing up again", "walking"]
    cell = by_action["walking"]["parts"]
    rows = curves[(curves["arm"] == "parts") & (curves["epoch"] > 20)]
    assert cell.mean == pytest.approx(rows["p_mpjpe_signed_mm/walking"].mean())
    assert cell.n == 3


def test_cost_table(curves):
    found = tables.cost_table(curves).set_index("arm").loc["solo"]
    assert found["epochs"] == 120
    assert found["minutes_a_run"] == pytest.approx(40 * 6.5 / 60)


def test_no_curves_no_rows():
    empty = pd.DataFrame()
    built = (tables.seed_band, tables.seed_lines, tables.regret_table, tables.action_intervals, tables.cost_table)
    assert [len(build(empty)) for build in built] == [0] * len(built)


def test_bands_of_a_long_study_are_quick(make_curves):
    curves = make_curves(arms=("solo",), num_seeds=10, num_epochs=800)
    start = time.process_time()
    tables.seed_band(curves, METRIC)
    assert time.process_time() - start < 1.0


def drawn(curves: pd.DataFrame, references: Mapping[str, float] = MappingProxyType({}), synthetic: bool = True) -> go.Figure:
    """The figure of error curves."""
    return figures.draw_error_curves(
        {metric: tables.seed_band(curves, metric) for metric in METRICS},
        {metric: tables.seed_lines(curves, metric) for metric in METRICS},
        dict.fromkeys(METRICS, references),
        arm_colours(["solo", "parts"]),
        synthetic,
    )


def test_the_dropdown_gives_every_trace_its_values_of_every_metric(curves):
    figure = drawn(curves, {"flat": 95.0})
    buttons = figure.layout.updatemenus[0].buttons
    assert len(buttons) == len(METRICS)
    assert buttons[0].args[0] == {}  # the figure itself has the values
    for button in buttons[1:]:
        values = button.args[0]["y"]
        assert [len(y) for y in values] == [len(trace.y) for trace in figure.data]
    mean = next(place for place, trace in enumerate(figure.data) if trace.name == "solo (n = 3)")
    n_mpjpe = buttons[METRICS.index("n_mpjpe_mm")].args[0]["y"][mean]
    assert n_mpjpe[-1] == pytest.approx(figure.data[mean].y[-1] * 1.4, abs=0.15)


def test_names_say_how_many_seeds_and_references_are_lines(curves, summary, make_curves):
    names = [trace.name for trace in drawn(curves, tables.reference_lines(summary)).data if trace.name]
    assert names == ["solo (n = 3)", "parts (n = 3)", "flat prediction (z = 0)", "supervised, last half (saw labels)"]
    figure = drawn(make_curves(arms=("solo",), num_seeds=1))
    assert "solo (n = 1 seed, no interval)" in [trace.name for trace in figure.data]
    assert not any(trace.fill for trace in figure.data)


def test_every_run_is_a_thin_line_that_says_its_seed(make_curves):
    def seeds(num_seeds: int) -> set:
        traces = drawn(make_curves(arms=("solo",), num_seeds=num_seeds)).data
        return {seed for trace in traces if trace.line.width == 1 for seed in trace.customdata}

    assert [seeds(count) for count in (1, 2, 12)] == [set(), {0, 1}, set(range(12))]  # one run is its arm's mean


def test_a_thin_line_of_a_long_run_keeps_its_spikes_and_ends(make_curves):
    curves = make_curves(arms=("solo",), num_seeds=2, num_epochs=900)
    curves.loc[(curves["seed"] == 1) & (curves["epoch"] == 451), METRIC] = 150.0
    (line,) = [trace for trace in drawn(curves).data if trace.line.width == 1]
    of_run = [(x, y) for x, y, seed in zip(line.x, line.y, line.customdata, strict=True) if seed == 1 and x is not None]
    assert (451, 150.0) in of_run
    assert [of_run[0][0], of_run[-1][0]] == [1, 900]
    assert len(of_run) <= figures.MAX_LINE_POINTS + 2


def test_the_axis_shows_every_run_after_the_first_epochs(make_curves):
    curves = make_curves(arms=("solo",), num_seeds=4)
    curves.loc[(curves["seed"] == 3) & (curves["epoch"] > 20), METRIC] = 102.0
    low, high = drawn(curves, {"flat": 300.0}).layout.yaxis.range
    assert low < curves[METRIC].min()
    assert 102 < high < 115


def test_a_diverged_run_ends_in_a_cross(make_curves):
    curves = make_curves(arms=("solo",), num_seeds=6, diverged={("solo", 2): 9})
    cross = next(trace for trace in drawn(curves).data if trace.mode == "markers")
    assert cross.x == (8,)  # the last epoch with an error
    assert cross.text == ("solo, seed 2: diverged in epoch 9",)
    assert np.isfinite(cross.y[0])
    assert divergences(curves)[0].epoch == 9


@pytest.mark.parametrize("synthetic", [True, False])
def test_every_figure_of_synthetic_data_says_so(make_curves, synthetic):
    curves = make_curves(arms=("solo",), num_epochs=4)
    terms = tables.term_table(curves, in_group("loss"))
    made = [
        drawn(curves, synthetic=synthetic),
        figures.draw_regret(tables.regret_table(curves), tables.regret_lines(curves), figures.FIXED_COLOURS, synthetic),
        figures.draw_term(terms, "loss_adversarial", figures.FIXED_COLOURS, synthetic),
    ]
    assert [("synthetic data" in json.dumps(figure.to_plotly_json()["layout"], default=str)) for figure in made] == [
        synthetic
    ] * 3


def test_arms_keep_their_colours():
    colours = arm_colours(["five", "solo", "left_right", "parts"])
    assert len({colours[arm] for arm in ("five", "solo", "left_right", "parts", "supervised")}) == 5
    assert colours["solo"] == arm_colours(["parts", "solo"])["solo"]
