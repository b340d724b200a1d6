"""What is said of a campaign without labels: signals, stops and a choice, and no error."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from tips_ray.columns import METRICS
from tips_ray.report.study.label_free import agreement
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.choice import DEFAULT_RULE
from tips_ray.stability.label_free import summarise_label_free

EPOCHS = 20


def make_campaign(variation: dict[int, float], diverged: tuple[int, ...] = (), **columns: dict[int, float]) -> LoadedCampaign:
    """Runs of one arm, one a seed, with a constant `bone_variation` each, and other columns by
    seed."""
    rows = [
        {"campaign": "wild", "arm": "parts", "run": f"parts-seed{seed}", "seed": seed, "epoch": epoch, "status": "ok"}
        | {"bone_variation": value, "bone_asymmetry": 0.1 * (seed + 1), "loss_reprojection": 1 / epoch, "depth_sign": 1.0}
        | {name: by_seed[seed] for name, by_seed in columns.items()}
        for seed, value in variation.items()
        for epoch in range(1, EPOCHS + 1)
        if seed not in diverged or epoch <= 5
    ]
    curves = pd.DataFrame(rows)
    for seed in diverged:
        curves.loc[(curves["seed"] == seed) & (curves["epoch"] == 5), "status"] = "diverged"
    manifest = {
        "data": {"labelled": False, "spec": "wild.json", "synthetic": False},
        "arms": {"parts": {"objective": "adversarial"}, "solo": {"objective": "adversarial"}},
        "references": {},
        "executions": [],
    }
    return LoadedCampaign(manifest, curves)


def test_signals_stops_and_the_most_plausible_run_are_told_and_no_error():
    summary = summarise_label_free(make_campaign({0: 0.05, 1: 0.02, 2: 0.08}))
    parts = summary.arms["parts"]
    assert parts.signals["bone_asymmetry"].mean == pytest.approx(0.2)
    assert parts.signals["bone_asymmetry"].n == 3
    assert parts.stops["last epoch"] == {0: "20", 1: "20", 2: "20"}
    assert parts.choice
    assert (parts.choice.run, parts.choice.first, parts.choice.last) == ("parts-seed1", 19, 20)
    assert summary.default_rule == DEFAULT_RULE in parts.stops
    content = json.dumps(summary.to_json(), allow_nan=False)
    assert not any(metric in content for metric in METRICS)
    assert json.loads(content)["labelled"] is False


def test_an_arm_without_a_run_has_no_choice():
    solo = summarise_label_free(make_campaign({0: 0.05})).arms["solo"]
    assert (solo.num_seeds, solo.num_epochs, solo.choice, solo.stops) == (0, 0, None, {})


def test_without_clips_the_run_closest_to_the_others_is_chosen():
    nan = float("nan")
    campaign = make_campaign({0: nan, 1: nan, 2: nan}, seed_disagreement_mm={0: 30.0, 1: 40.0, 2: 20.0})
    choice = summarise_label_free(campaign).arms["parts"].choice
    assert choice
    assert choice.seed == 2
    unknown = make_campaign({0: nan, 1: nan}, seed_disagreement_mm={0: nan, 1: nan})
    choice = summarise_label_free(unknown).arms["parts"].choice
    assert choice
    assert choice.seed == 0


def test_runs_that_diverged_are_named_and_left_out():
    parts = summarise_label_free(make_campaign({0: 0.05, 1: 0.02}, diverged=(1,))).arms["parts"]
    assert [entry.seed for entry in parts.diverged] == [1]
    assert parts.choice
    assert parts.choice.seed == 0
    assert parts.signals["bone_asymmetry"].n == 1


def test_what_the_error_is_at_least_is_told_of_arms_with_several_runs():
    campaign = replace(make_campaign({0: 0.05, 1: 0.02}), error_bound_mm={"parts": 12.5})
    summary = summarise_label_free(campaign)
    assert (summary.arms["parts"].error_bound_mm, summary.arms["solo"].error_bound_mm) == (12.5, None)
    assert any("at least 12.5 mm" in sentence for sentence in agreement(summary))
