"""Studies on keypoints, as users run them: alone, killed and continued, tested on other poses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import ROOT, TINY, run_python
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.skeleton import JOINTS

POSES = synthesise(num_poses=300)
OPTIONS = (*TINY, "--num-seeds", "2", "--num-epochs", "6", "--campaign", "c")


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain file of keypoints alone, y down, in pixels."""
    path = tmp_path_factory.mktemp("keypoints") / "keypoints.npz"
    pixels = 500 + 0.2 * POSES.positions[..., :2] * (1, -1)
    labels = {"subject": POSES.subject, "action": POSES.action, "clip": POSES.clip}
    np.savez(path, keypoints=pixels, joint_names=np.array(JOINTS), **labels)
    return path


def test_keypoints_alone_give_signals_stops_and_weights_but_no_error(keypoints: Path, tmp_path: Path):
    """Killed after some epochs, and continued."""
    words = ["-m", "tips_ray", "stability", *OPTIONS, "--data", str(keypoints), "--storage", str(tmp_path)]
    study = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 200
    while len(list(tmp_path.glob("c/runs/*/weights/*.pt"))) < 3 and study.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(study.pid, signal.SIGKILL)
    study.wait()
    ended = run_python(*words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "supervised needs true depths, which keypoints alone lack: left out" in ended.stderr
    printed = " ".join(ended.stdout.split())
    assert "without labels: no errors are measured" in printed
    assert "nothing below is an error" in printed
    summary = json.loads((tmp_path / "c" / "summary.json").read_text())
    assert summary["labelled"] is False
    assert set(summary["arms"]) == {"parts", "single"}
    assert summary["arms"]["single"]["choice"]["last"] == 6
    curves = pd.read_parquet(tmp_path / "c" / "curves.parquet")
    assert len(curves) == 2 * 2 * 6
    assert not [column for column in curves if "mpjpe" in column]
    assert "P-MPJPE" not in (tmp_path / "c" / "report.html").read_text().partition('<script type="application/json"')[0]


def test_keypoints_alone_may_be_tested_on_other_poses(keypoints: Path, tmp_path: Path):
    write_npz(POSES, tmp_path / "poses.npz")
    tested = ("--test-data", str(tmp_path / "poses.npz"), "--data.test-subjects", "S7", "--arms", "parts")
    ended = run_python("-m", "tips_ray", "stability", *OPTIONS, "--data", str(keypoints), "--storage", str(tmp_path), *tested)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "of S7 (poses.npz)" in " ".join(ended.stdout.split())
    summary = json.loads((tmp_path / "c" / "summary.json").read_text())
    assert summary["arms"]["parts"]["last"]["p_mpjpe_signed_mm"]["n"] == 2
    assert summary["data"]["labelled_name"] == "poses.npz"
