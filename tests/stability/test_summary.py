"""summary.json: its schema, strict JSON, and campaigns that are not finished."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tips_ray.columns import METRICS
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.summary import strict, summarise

INTERVAL = {"mean", "std", "low", "high", "n"}


def curves(num_seeds: int = 3, num_epochs: int = 6, arms: tuple[str, ...] = ("solo", "parts", "supervised")) -> pd.DataFrame:
    """Errors of made-up runs; seed 1 of solo diverges in epoch 4."""
    rng = np.random.default_rng(0)
    rows = []
    for arm in arms:
        for seed in range(num_seeds):
            for epoch in range(1, num_epochs + 1):
                lost = (arm, seed, epoch) == ("solo", 1, 4)
                errors = dict.fromkeys(METRICS, np.nan) if lost else {metric: rng.uniform(50, 90) for metric in METRICS}
                row = {"campaign": "c", "arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": epoch}
                rows.append(row | {"status": "diverged" if lost else "ok"} | errors)
                if lost:
                    break
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, arms: tuple[str, ...] = ("solo", "parts", "supervised")) -> dict:
    """The summary of a campaign of these arms, with made-up data and references."""
    objectives = {arm: {"objective": "supervised" if arm == "supervised" else "adversarial"} for arm in arms}
    references = {"flat": {METRICS[0]: 95.2}}
    record = {"data": {"synthetic": True}, "references": references, "arms": objectives, "executions": [{"seconds": 1.0}]}
    return summarise(LoadedCampaign(record, table)).to_json()


def test_schema():
    found = summary(curves())
    assert found["schema_version"] == 1
    assert found["campaign"] == "c"
    assert list(found["arms"]) == ["solo", "parts"]
    for arm in found["arms"].values():
        for name in ("best", "last", "last_half", "regret", "epochs_within_2mm"):
            assert set(arm[name]) == set(METRICS)
            assert all(set(entry) == INTERVAL for entry in arm[name].values())
    assert found["arms"]["solo"]["num_seeds"] == 3
    assert found["arms"]["solo"]["last"]["p_mpjpe_mm"]["n"] == 2
    assert found["arms"]["solo"]["diverged"] == [{"arm": "solo", "run": "solo-seed1", "seed": 1, "epoch": 4}]
    assert found["arms"]["parts"]["num_epochs"] == 6
    assert list(found["arms"]["parts"]["at_epochs"]) == ["2", "3", "4", "6"]
    assert found["references"]["flat"] == {METRICS[0]: 95.2}
    assert set(found["references"]["supervised"]) == set(found["arms"]["parts"])
    assert len(found["paired"]) == len(METRICS) * 3
    assert set(found["paired"][0]) == {"a", "b", "metric", "statistic", "difference", "low", "high", "n", "epochs"}


def test_is_strict_json_and_comes_back_equal():
    found = summary(curves())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_agrees_with_a_slow_loop():
    table = curves()
    found = summary(table)["arms"]["parts"]
    rows = [table[(table["arm"] == "parts") & (table["seed"] == seed)]["n_mpjpe_mm"].tolist() for seed in range(3)]
    assert np.isclose(found["best"]["n_mpjpe_mm"]["mean"], np.mean([min(row) for row in rows]))
    assert np.isclose(found["last"]["n_mpjpe_mm"]["mean"], np.mean([row[5] for row in rows]))
    assert np.isclose(found["last_half"]["n_mpjpe_mm"]["mean"], np.mean([row[3:] for row in rows]))
    assert np.isclose(found["last_half"]["n_mpjpe_mm"]["std"], np.mean([np.std(row[3:], ddof=1) for row in rows]))
    assert np.isclose(found["regret"]["n_mpjpe_mm"]["mean"], np.mean([row[5] - min(row) for row in rows]))


def test_an_arm_without_rows_and_a_campaign_without_any():
    found = summary(curves(arms=("solo",)))
    assert found["arms"]["parts"]["num_seeds"] == 0
    assert found["arms"]["parts"]["best"][METRICS[0]]["n"] == 0
    nothing = summary(pd.DataFrame(), arms=())
    assert (nothing["campaign"], nothing["arms"], nothing["paired"]) == (None, {}, [])
    json.dumps([found, nothing], allow_nan=False)


def test_one_seed_has_no_interval():
    entry = summary(curves(num_seeds=1))["arms"]["parts"]["last"][METRICS[0]]
    assert entry["n"] == 1
    assert entry["low"] is entry["high"] is entry["std"] is None


def test_a_student_knows_what_its_teacher_does():
    record = {"data": {}, "references": {}, "executions": []}
    record["arms"] = {
        "paper": {"objective": "adversarial"},
        "pupil": {"objective": "distilled", "teacher": {"arm": "taught", "rule": "last epoch"}},
        "taught": {"objective": "adversarial", "weights": {"symmetry": 1.0, "rigidity": 1.0}},
        "ceiling": {"objective": "supervised"},
    }
    found = summarise(LoadedCampaign(record, curves(arms=tuple(record["arms"])))).to_json()
    told = {arm: entry["knowledge"] for arm, entry in [*found["arms"].items(), *found["references"].items()]}
    assert told == {
        "paper": [],
        "pupil": ["anatomy", "time"],
        "taught": ["anatomy", "time"],
        "ceiling": ["true depths"],
    }


def test_strict_makes_plain_values():
    given = {
        1: np.float32(0.5),
        "a": (np.int64(3), float("nan"), np.inf),
        "b": np.arange(2),
        "c": Path("x"),
        "d": True,
        "e": pd.NA,
    }
    assert strict(given) == {"1": 0.5, "a": [3, None, None], "b": [0, 1], "c": "x", "d": True, "e": None}


def test_statistics_load_neither_torch_nor_ray():
    code = "import sys, tips_ray.stability.summary; print([name for name in ('torch', 'ray', 'plotly') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
