"""How many files an addition touches: one of each kind is added to a copy of the package, and a
tiny study must show them all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers import ROOT, TINY
from tips_ray.data.synthetic import synthesise

BUDGETS = {"loss term": 3, "signal": 2, "stop rule": 1, "data format": 2, "arm": 1, "figure": 2, "optimiser field": 2}
"""The most files that an addition may touch."""

READER = '''"""Poses as a bare array of positions (frames, 17, 3) in mm, two subjects."""

import numpy as np

from tips_ray.data.raw import RawPoses

ACCEPTS = "the path of an .npy file"


def detect(file):
    return file.path.suffix == ".npy"


def read(file):
    positions = np.load(file.path)
    return RawPoses(positions, file.name, subject=np.where(np.arange(len(positions)) % 4 == 0, "b", "a"))
'''

FLAT_LOSS = "def flat_loss(step: Step) -> PerJoint:\n    return step.depth.square().mean(dim=0)\n\n\n"

DRAW = '''

def draw_seconds(curves):
    """Seconds of training by epoch."""
    return go.Figure(go.Scatter(x=curves["epoch"].tolist(), y=curves["train_seconds"].tolist()))
'''

ADDITIONS: dict[str, dict[str, list[tuple[str, str]]]] = {
    "loss term": {
        "lifting/losses.py": [
            (
                "TERMS: dict[",
                "def flat_loss(step: Step) -> PerJoint:\n    return step.depth.square().mean(dim=0)\n\n\nTERMS: dict[",
            ),
            ('    "ninety_degree": ninety_degree_loss,\n', '    "ninety_degree": ninety_degree_loss,\n    "flat": flat_loss,\n'),
        ],
        "config.py": [("    ninety_degree: float = 3.0\n", "    ninety_degree: float = 3.0\n    flat: float = 0.0\n")],
        "columns.py": [
            ('    Column("loss_discriminator"', '    Column("loss_flat", "Flatness", "loss"),\n    Column("loss_discriminator"')
        ],
    },
    "signal": {
        "lifting/signals.py": [
            ('        "depth_anisotropy"', '        "mean_depth": pose[..., 2].mean().abs(),\n        "depth_anisotropy"')
        ],
        "columns.py": [
            ('    Column("depth_anisotropy"', '    Column("mean_depth", "Mean depth", "signal"),\n    Column("depth_anisotropy"')
        ],
    },
    "stop rule": {"stability/rule_sets.py": [("        Last(),\n", '        Last(),\n        Fixed(1, "first epoch"),\n')]},
    "data format": {
        "data/formats/npy.py": [("", READER)],
        "data/formats/__init__.py": [("    npz,\n", "    npy,\n    npz,\n"), ("(yolo, npz, cmu)", "(yolo, npy, npz, cmu)")],
    },
    "arm": {"presets.py": [('    "parts": {},\n', '    "parts": {},\n    "flattened": {"weights": {"flat": 0.1}},\n')]},
    "figure": {
        "report/study/figures.py": [
            ("def draw_error_curves(", DRAW.lstrip("\n") + "\n\ndef draw_error_curves("),
            ("    if metrics:\n", '    drawn["seconds"] = draw_seconds(curves)\n    if metrics:\n'),
        ],
        "report/study/page.html.j2": [
            ('<section id="signs"', '{{ figure("seconds", "Seconds of an epoch.") }}\n<section id="signs"')
        ],
    },
    "optimiser field": {
        "config.py": [("    beta1: float = 0.9\n", "    beta1: float = 0.9\n    amsgrad: bool = False\n")],
        "lifting/optimise.py": [("fused=True", "fused=True, amsgrad=settings.amsgrad")],
    },
}


@pytest.mark.parametrize("kind", BUDGETS)
def test_an_addition_touches_few_files(kind: str) -> None:
    assert len(ADDITIONS[kind]) <= BUDGETS[kind]


def test_a_study_shows_what_was_added(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tips_ray", tmp_path / "tips_ray", ignore=shutil.ignore_patterns("__pycache__"))
    for files in ADDITIONS.values():
        for file, changes in files.items():
            path = tmp_path / "tips_ray" / file
            text = path.read_text() if path.exists() else ""
            for before, after in changes:
                assert not before or text.count(before) == 1, f"{file} has {before!r} {text.count(before)} times"
                text = text.replace(before, after) if before else after
            path.write_text(text)
    np.save(tmp_path / "poses.npy", synthesise(num_poses=600).positions)
    options = ["--data", "poses.npy", "--arms", "flattened", "--num-seeds", "1", "--num-epochs", "2", "--optimiser.amsgrad"]
    command = [sys.executable, "-m", "tips_ray", "stability", *options, *TINY, "--campaign", "added"]
    study = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=280
    )
    assert study.returncode == 0, study.stdout + study.stderr
    campaign = tmp_path / "reports" / "added"
    curves = pd.read_parquet(campaign / "curves.parquet")
    assert (curves["loss_flat"] > 0).all()
    assert curves["mean_depth"].notna().all()
    summary = json.loads((campaign / "summary.json").read_text())
    rules = {entry["rule"] for entry in summary["stop_rules"]}
    assert {"first epoch", "lowest mean depth"} <= rules
    assert "mean_depth" in {entry["signal"] for entry in summary["signals"]}
    page = (campaign / "report.html").read_text()
    assert 'id="plot-seconds"' in page
    assert 'id="plot-loss_flat"' in page
    record = json.loads((campaign / "campaign.json").read_text())
    assert record["arms"]["flattened"]["optimiser"]["amsgrad"] is True
