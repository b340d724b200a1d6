"""Training that a stop rule ends: where, what it saves, and how it goes on with more epochs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers import store_campaign
from tips_ray.columns import HEADLINE_METRIC, METRICS, TRAIN_METRIC
from tips_ray.config import Config
from tips_ray.errors import UserError
from tips_ray.report.study.answers import early_sentences
from tips_ray.stability.campaign import load_campaign
from tips_ray.stability.early import STOPPED, causal_rule, early_stops, has_ended, last_epoch, with_stops
from tips_ray.stability.regret import whole_runs
from tips_ray.stability.statistics import errors_of
from tips_ray.stability.summary import summarise
from tips_ray.store.records import find_manifest, write_manifest
from tips_ray.store.storage import Storage

RULE = "frechet 2d levels off"


def curves(num_epochs: int = 40, levels: tuple[int, ...] = (12, 20)) -> pd.DataFrame:
    """Runs whose `frechet_2d` falls until an epoch of its own, where the error begins to rise."""
    runs = []
    for seed, level in enumerate(levels):
        epoch = np.arange(1, num_epochs + 1)
        run = pd.DataFrame({"arm": "parts", "run": f"parts-seed{seed}", "seed": seed, "epoch": epoch, "status": "ok"})
        run["frechet_2d"] = np.maximum(1.0 - epoch / (level + 1.0), 1 / (level + 1.0))
        for name in (*METRICS, TRAIN_METRIC):
            run[name] = 60 + np.abs(epoch - level)
        runs.append(run.assign(depth_sign=1.0))
    return pd.concat(runs, ignore_index=True)


def manifest(num_epochs: int = 40, rule: str = RULE) -> dict:
    return {"stop": {"rule": rule, "num_epochs": num_epochs}, "arms": {"parts": {"objective": "adversarial"}}}


def test_runs_end_at_the_epoch_at_which_one_who_watches_would_end_them() -> None:
    rule = causal_rule(RULE, 40)
    for seed, run in curves().groupby("seed"):
        rows = run.to_dict("records")
        watched = next(number for number in range(1, 41) if has_ended(rule, rows[:number]))
        assert last_epoch(rule, run) == watched, seed
    cut = with_stops(curves(), manifest())
    ends = cut.groupby("seed").agg({"epoch": "max", "status": "last"})
    assert (ends["status"] == STOPPED).all()
    assert ends["epoch"].is_monotonic_increasing
    assert ends["epoch"].nunique() == 2


def test_what_was_trained_further_does_not_change_where_a_run_ends() -> None:
    whole = with_stops(curves(), manifest())
    for further in range(0, 40, 5):
        ends = whole.groupby("seed")["epoch"].transform("max")
        stored = curves()
        stored = stored[stored["epoch"] <= stored["seed"].map(ends.groupby(whole["seed"]).first()) + further]
        assert with_stops(stored, manifest()).equals(whole)


def test_a_run_that_has_ended_keeps_its_last_error_and_its_own_curve() -> None:
    cut = with_stops(curves(), manifest())
    ends = cut.groupby("seed")["epoch"].max()
    errors = errors_of(cut, "parts")
    assert len(errors) == ends.max()
    assert (errors.loc[ends[0] :, 0] == errors.loc[ends[0], 0]).all()
    assert {seed: len(run) for seed, run in whole_runs(cut, "parts").items()} == ends.to_dict()
    going = cut[(cut["seed"] == 0) | (cut["epoch"] <= 10)].assign(status="ok")
    going.loc[(going["seed"] == 0) & (going["epoch"] == ends[0]), "status"] = STOPPED
    assert len(errors_of(going, "parts")) == 10  # the other is still in training


def test_what_it_saved_and_costs_is_said() -> None:
    cut = with_stops(curves(), manifest())
    early = early_stops(cut, manifest())["parts"]
    saved = 1 - len(cut) / 80
    assert early.saved_share == pytest.approx(saved)
    assert early.regret_mm is not None
    assert early.regret_mm.median == np.median([end - level for end, level in zip(early.ends.values(), (12, 20), strict=True)])
    said = early_sentences({"parts": early})[0]
    assert (
        f"ended 2 runs of parts at epochs {early.ends[0]} to {early.ends[1]} of 40, which saved {saved:.0%} of the epochs" in said
    )
    assert "above the best epoch up to there" in said
    unlabelled = cut.drop(columns=[*METRICS, TRAIN_METRIC])
    assert early_stops(unlabelled, manifest())["parts"].regret_mm is None


def test_only_rules_whose_stop_stands_are_accepted() -> None:
    for name, said in (
        ("last epoch", "cannot end it"),
        ("average of the last 10 %", "cannot end it"),
        ("soon", "is no stop rule"),
    ):
        with pytest.raises(UserError, match=said) as refused:
            causal_rule(name, 40)
        assert "'frechet 2d levels off'" in str(refused.value)
        assert "'epoch at 50 %'" in str(refused.value)


def test_runs_that_see_labels_or_lack_the_signal_go_on() -> None:
    supervised = {**manifest(), "arms": {"parts": {"objective": "supervised"}}}
    assert with_stops(curves(), supervised)["epoch"].max() == 40
    assert with_stops(curves().drop(columns="frechet_2d"), manifest())["epoch"].max() == 40
    assert with_stops(curves(), {"arms": {}}).equals(curves())


def test_a_campaign_is_read_as_its_record_says_and_whole_without_a_rule(tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    store_campaign(folder, curves(), {"parts": Config()})
    assert len(load_campaign(folder).curves) == 80
    record = find_manifest(folder)
    assert record is not None
    write_manifest(folder, {**record, "stop": manifest()["stop"]})
    campaign = load_campaign(folder)
    assert (campaign.curves.groupby("seed")["status"].last() == STOPPED).all()
    summary = summarise(campaign)
    assert summary.early_stops["parts"].rule == RULE
    assert summary.arms["parts"].num_epochs == campaign.curves["epoch"].max()
    last = summary.arms["parts"].last[HEADLINE_METRIC].mean
    assert last == pytest.approx(campaign.curves.groupby("seed")[HEADLINE_METRIC].last().mean())
    write_manifest(folder, {**record, "stop": {"rule": RULE, "num_epochs": 80}})  # twice the patience
    longer = load_campaign(folder).curves.groupby("seed")["epoch"].max()
    assert (longer > campaign.curves.groupby("seed")["epoch"].max()).all()
