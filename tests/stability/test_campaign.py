"""A campaign is read once, with all columns of its curves."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tips_ray.campaign.measure import unmeasured
from tips_ray.campaign.plan import Campaign
from tips_ray.columns import METRICS, TRAIN_METRIC
from tips_ray.config import Config, Teacher
from tips_ray.report.publish import publish
from tips_ray.stability.agreement import (
    SEED_DISAGREEMENT,
    STUDENT_DISAGREEMENT,
    final_depths,
    seed_disagreement,
    student_disagreement,
)
from tips_ray.stability.campaign import load_campaign
from tips_ray.stability.rules import Lowest
from tips_ray.stability.summary import summarise
from tips_ray.stability.teachers import CARDS, NOT_MEASURED, TeacherCard, TeacherWindow
from tips_ray.store.curves import CURVE, RUNS, arm_of
from tips_ray.store.lifted import lifted_bytes, lifted_name, read_lifted
from tips_ray.store.measurements import WINDOWS
from tips_ray.store.records import write_manifest
from tips_ray.store.storage import Storage

RUN_LENGTHS = {"parts-seed0": 9, "parts-seed1": 9, "parts-seed2": 9, "tips-seed1": 4}
CONFIGS = {"parts": Config(), "tips": Config(objective="distilled", teacher=Teacher(arm="parts"))}


@pytest.fixture
def folder(tmp_path: Path) -> Storage:
    """A campaign with weights and lifted depths of all epochs; tips-seed1 learnt from
    parts-seed1."""
    folder, rng = Storage(str(tmp_path)) / "c", np.random.default_rng(0)
    arms = {arm: asdict(config) for arm, config in CONFIGS.items()}
    record = {"version": 4, "name": "c", "data": {}, "references": {}, "arms": arms, "executions": []}
    write_manifest(folder, record)
    for run, num_epochs in RUN_LENGTHS.items():
        curve = pd.DataFrame({"arm": arm_of(run), "run": run, "seed": int(run[-1]), "epoch": np.arange(1, num_epochs + 1)})
        curve["status"], curve["depth_sign"] = "ok", rng.choice([-1.0, 1.0], num_epochs)
        for column in (*METRICS, TRAIN_METRIC):
            curve[column] = rng.uniform(50, 60, num_epochs)
        (folder / RUNS / run).write_table(CURVE, curve)
        for epoch in curve["epoch"]:
            (folder / RUNS / run).write(lifted_name(epoch), lifted_bytes(rng.normal(0, 300, (5, 16))))
            (folder / RUNS / run).write(f"weights/epoch-{epoch:05d}.pt", b"")
    lesson = TeacherWindow("parts-seed1", 1, 9, 9, None, 1.0, None)
    card = TeacherCard("tips", CONFIGS["tips"].teacher, False, 9, (lesson,), NOT_MEASURED)
    folder.write(f"{CARDS}/tips.json", json.dumps(asdict(card)).encode())
    folder.write(f"{CARDS}/notes.txt", b"not a card")
    return folder


def test_curves_are_loaded_with_their_distances_from_other_seeds_and_from_students(folder: Storage) -> None:
    campaign = load_campaign(folder)
    curves = campaign.curves
    lifted = {run: read_lifted(folder, run) for run in RUN_LENGTHS}
    assert curves[SEED_DISAGREEMENT].to_numpy() == pytest.approx(seed_disagreement(curves, lifted), nan_ok=True)
    assert curves.loc[curves["arm"] == "parts", SEED_DISAGREEMENT].notna().all()
    final = {"parts-seed1": final_depths(curves[curves["run"] == "tips-seed1"], {4: lifted["tips-seed1"][4]})}
    assert curves[STUDENT_DISAGREEMENT].to_numpy() == pytest.approx(student_disagreement(curves, lifted, final), nan_ok=True)
    assert curves.loc[curves["run"] == "parts-seed1", STUDENT_DISAGREEMENT].notna().all()
    assert list(campaign.cards) == ["tips"]
    assert load_campaign(folder, ["tips"]).curves["arm"].unique().tolist() == ["tips"]
    assert load_campaign(folder, []).curves.empty


def test_a_rule_that_averages_weights_by_an_agreement_signal_is_measured_and_reported(
    folder: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = Lowest((SEED_DISAGREEMENT,), average=3)
    monkeypatch.setattr("tips_ray.stability.regret.standard_rules", lambda num_epochs: (rule,))
    campaign = Campaign("c", Storage(str(Path(str(folder)).parent)), CONFIGS, num_seeds=3, num_epochs=9)
    tasks = [task for task in unmeasured(campaign, load_campaign(campaign.folder), ["parts"]) if task.table == WINDOWS]
    assert [task.seed for task in tasks] == [0, 1, 2]
    rows = [
        {"arm": task.arm, "seed": task.seed, "first": window.first, "last": window.last, "half_life": 0.0}
        | dict.fromkeys((*METRICS, TRAIN_METRIC), 51.0)
        for task in tasks
        for window in task.windows
    ]
    assert rule.name in summarise(load_campaign(folder)).unmeasured_rules["parts"]
    folder.write_table(WINDOWS, pd.DataFrame(rows))
    assert summarise(load_campaign(folder)).unmeasured_rules == {}
    score = next(score for score in publish(folder).stop_rules if score.arm == "parts" and score.rule == rule.name)
    assert score.n == 3
    assert score.error_mm.mean == 51.0
