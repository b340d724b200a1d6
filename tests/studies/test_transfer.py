"""`tips-ray transfer` on campaigns as studies leave them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import refusal, store_campaign
from tips_ray.cli import main
from tips_ray.columns import HEADLINE_METRIC, TRAIN_METRIC
from tips_ray.config import Config
from tips_ray.store.records import MANIFEST, read_manifest, write_manifest
from tips_ray.store.storage import Storage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labelled campaigns of three seeds, and one without labels."""
    root = tmp_path_factory.mktemp("transfer")
    rng = np.random.default_rng(0)
    for name in ("lab", "studio", "stage", "wild"):
        rows = []
        for seed in range(3):
            for epoch in range(1, 13):
                asymmetry = 0.05 + 0.3 / epoch + 0.01 * seed
                error = 400 * asymmetry * np.exp(rng.normal(0, 0.02))
                row = {"arm": "solo", "run": f"solo-seed{seed}", "seed": seed, "epoch": epoch, "status": "ok"}
                row |= {"bone_asymmetry": asymmetry, "bone_variation": asymmetry / 2, "bone_proportions": asymmetry / 3}
                row |= {"depth_sign": 1.0}
                rows.append(row | ({} if name == "wild" else {HEADLINE_METRIC: error, TRAIN_METRIC: error}))
        store_campaign(Storage(str(root / name)), pd.DataFrame(rows), {"solo": Config()})
        manifest = read_manifest(Storage(str(root / name)))
        seen = {"fingerprint": name, "labelled": name != "wild", "synthetic": name == "stage", "name": f"{name}.npz"}
        write_manifest(Storage(str(root / name)), {**manifest, "data": {**manifest["data"], **seen}})
    return root


def test_rules_are_compared_and_errors_predicted(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    studies = [str(folder / name) for name in ("lab", "studio", "stage", "wild")]
    assert main(["transfer", *studies, "--out", str(tmp_path / "t")]) == 0
    printed = capsys.readouterr().out
    assert "3D labels of lab, studio, stage" in printed
    content = json.loads((tmp_path / "t" / "transfer.json").read_text())
    assert content["default_rule"]["worst_regret_mm"] <= content["rules"][1]["worst_regret_mm"]
    assert content["predicted_error"]["n"] == 9
    wild = [run for run in content["predicted_error"]["runs"] if run["campaign"] == "wild"]
    assert len(wild) == 3
    assert all(run["low_mm"] < 400 * (0.05 + 0.3 / 11.5 + 0.01 * run["seed"]) < run["high_mm"] for run in wild)
    page = (tmp_path / "t" / "report.html").read_text()
    assert "Some of the poses are synthetic" in page


def test_what_cannot_be_compared_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab, wild = str(folder / "lab"), str(folder / "wild")
    out = ["--out", str(tmp_path / "t")]
    assert "Two of the studies are called 'lab'" in refusal(capsys, "transfer", lab, lab + "/", *out)
    assert "at least two must" in refusal(capsys, "transfer", lab, wild, *out)
    assert f"no {MANIFEST}" in refusal(capsys, "transfer", lab, str(tmp_path), *out)
    assert "campaigns" in refusal(capsys, "transfer", *out)
    assert not (tmp_path / "t").exists()
