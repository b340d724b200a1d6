"""Runs that have hardly begun are in no statistic, and the report says so."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from helpers import store_campaign
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Config
from tips_ray.report.publish import print_headline, publish
from tips_ray.stability.statistics import errors_of, runs_of
from tips_ray.store.storage import Storage

EPOCHS = 12


def cut(curves: pd.DataFrame, ends: Mapping[int, int]) -> pd.DataFrame:
    """The curves of runs that were killed, by seed, after so many epochs."""
    return curves[curves["epoch"] <= curves["seed"].map(lambda seed: ends.get(seed, EPOCHS))].reset_index(drop=True)


def publication(folder: Path, curves: pd.DataFrame, **record: object) -> tuple[dict, str, str]:
    """The summary, the page and the terminal's output of a campaign of one arm."""
    terminal = io.StringIO()
    store_campaign(Storage(str(folder)), curves.drop(columns="campaign"), {"solo": Config()}, **record)
    print_headline(publish(Storage(str(folder))), Console(file=terminal, width=500))
    return json.loads((folder / "summary.json").read_text()), (folder / "report.html").read_text(), terminal.getvalue()


@pytest.mark.parametrize("labelled", [True, False])
def test_a_study_that_was_killed_while_seeds_were_added_keeps_its_statistics(
    make_curves: Callable[..., pd.DataFrame], tmp_path: Path, labelled: bool
) -> None:
    curves = make_curves(arms=("solo",), num_seeds=4, num_epochs=EPOCHS)
    if not labelled:
        curves = curves.drop(columns=[name for name in curves if "mpjpe" in name])
    summary, page, terminal = publication(tmp_path, cut(curves, {2: 1, 3: 5}), data={"labelled": labelled})
    said = (
        "2 runs of solo have less than half of the 12 epochs of the longest and are left out of all statistics:"
        " seed 2 (1 epoch), seed 3 (5 epochs). Run the same command again to finish them."
    )
    assert summary["left_out"] == [said]
    assert said in page
    assert said in terminal
    solo = summary["arms"]["solo"]
    assert (solo["num_seeds"], solo["num_epochs"]) == (4, EPOCHS)
    assert [(entry["seed"], entry["epochs"]) for entry in solo["begun"]] == [(2, 1), (3, 5)]
    if labelled:
        assert solo["last"][HEADLINE_METRIC]["n"] == 2
        assert [run["status"] for run in solo["runs"]] == ["ok", "ok", "begun", "begun"]
        assert solo["runs"][2]["last"] is None
        assert summary["steadiness"]["arms"]["solo"]["divergence_rate"]["n"] == 2


def test_a_run_of_half_the_epochs_counts_and_all_are_cut_to_it(make_curves: Callable[..., pd.DataFrame]) -> None:
    curves = cut(make_curves(arms=("solo",), num_seeds=3, num_epochs=EPOCHS), {2: 6})
    assert errors_of(curves, "solo").shape == (6, 3)


def test_runs_that_ended_on_purpose_or_diverged_have_not_just_begun(make_curves: Callable[..., pd.DataFrame]) -> None:
    curves = cut(make_curves(arms=("solo",), num_seeds=4, num_epochs=EPOCHS), {1: 3, 2: 3, 3: 3})
    for seed, status in ((1, "stopped"), (2, "diverged")):
        curves.loc[(curves["seed"] == seed) & (curves["epoch"] == 3), "status"] = status
    assert runs_of(curves, "solo")["status"].tolist() == ["ok", "stopped", "diverged", "begun"]
    errors = errors_of(curves, "solo")
    assert (list(errors), len(errors)) == ([0, 1], EPOCHS)


def test_a_long_run_that_diverged_leaves_no_other_out(make_curves: Callable[..., pd.DataFrame]) -> None:
    curves = cut(make_curves(arms=("solo",), num_seeds=3, num_epochs=EPOCHS), {1: 3, 2: 3})
    curves.loc[(curves["seed"] == 0) & (curves["epoch"] == EPOCHS), "status"] = "diverged"
    assert errors_of(curves, "solo").shape == (3, 2)


def test_runs_that_a_stop_rule_ended_count_among_those_that_were_not(
    make_curves: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    curves = cut(make_curves(arms=("solo",), num_seeds=3, num_epochs=EPOCHS), {0: 3, 2: 1})
    stop = {"rule": "epoch at 25 %", "num_epochs": EPOCHS}
    summary, _, _ = publication(tmp_path, curves, data={"labelled": True}, stop=stop)
    assert [run["status"] for run in summary["arms"]["solo"]["runs"]] == ["stopped", "stopped", "begun"]
    assert summary["early_stops"]["solo"]["saved_share"] == pytest.approx(0.75)
