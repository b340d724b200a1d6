"""The twins of the paper's Tables 1 and 2, as users run them, on synthetic poses in the layouts of
Human3.6M and MPI-INF-3DHP."""

import json
from pathlib import Path

import pandas as pd
import pytest

from data.formats import made
from helpers import TINY_NETWORK, run_python

OPTIONS = (*TINY_NETWORK, "--data.epoch-views", "256", "--optimiser.batch-size", "64", "--seeds", "2", "--epochs", "2")


@pytest.fixture(scope="module")
def human36m(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Human3.6M as VideoPose3D packs it, all subjects in three actions."""
    folder = tmp_path_factory.mktemp("h36m")
    made.videopose3d(folder, made.recordings(500, num_actions=3), made.AROUND)
    made.cameras(folder)
    return folder


@pytest.mark.timeout(700)
def test_table_1(human36m: Path, tmp_path: Path) -> None:
    words = ("human36m", "--data", str(human36m), "--storage", str(tmp_path), "--campaign", "c", *OPTIONS)
    arms = ("parts", "parts_new_views", "tips", "supervised_plain")
    ended = run_python("-m", "tips_ray", *words, "--arms", *arms)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "tested on" in ended.stdout
    summary = json.loads((tmp_path / "c" / "summary.json").read_text())
    scores = {(each["arm"], each["stop"], each["metric"]): each for each in summary["benchmark"]}
    assert len(scores) == len(summary["benchmark"]) == 4 * 2 * 5
    for arm in arms:
        of_arm = summary["arms"] | summary["references"]
        for metric in ("p_mpjpe_signed_mm", "p_mpjpe_reflected_mm", "mpjpe_mm"):
            score, known = scores[arm, "last epoch", metric], of_arm[arm]["last"][metric]
            assert score["framewise"]["mean"] == pytest.approx(known["mean"], rel=1e-5)
            assert score["framewise"]["n"] == 2
            assert set(score["by_action"]) == {"Directions", "Discussion", "Eating"}
            actions = [cell["mean"] for cell in score["by_action"].values()]
            assert score["actionwise"]["mean"] == pytest.approx(sum(actions) / 3)
    assert summary["arms"]["parts_new_views"]["knowledge"] == ["true views"]
    assert summary["data"]["train_subjects"] == ["S1", "S5", "S6", "S7", "S8"]
    assert summary["data"]["test_subjects"] == ["S9", "S11"]
    page = (tmp_path / "c" / "report.html").read_text()
    assert "the paper's Table 1" in page.replace("&#39;", "'")
    assert "LInKs" in page
    measured = pd.read_parquet(tmp_path / "c" / "benchmark.parquet")
    again = run_python("-m", "tips_ray", *words, "--arms", *arms)  # nothing is left to do
    assert again.returncode == 0
    assert "All runs are trained and measured." in again.stdout
    pd.testing.assert_frame_equal(measured, pd.read_parquet(tmp_path / "c" / "benchmark.parquet"))


def test_table_2(human36m: Path, tmp_path: Path) -> None:
    made.mpi_inf_3dhp_test(tmp_path, made.recordings(300, ("A", "B", "C", "D", "E", "F"), 1))
    words = ("--data", str(human36m), "--test-data", str(tmp_path / "3dhp"), "--storage", str(tmp_path), "--campaign", "c")
    ended = run_python("studies/mpi_inf_3dhp.py", *words, *OPTIONS, "--arms", "solo", "parts")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((tmp_path / "c" / "summary.json").read_text())
    assert summary["data"]["test_subjects"] == [f"TS{number}" for number in range(1, 7)]
    metrics = {each["metric"] for each in summary["benchmark"]}
    assert len(metrics) == 6
    for score in summary["benchmark"]:
        assert 0 <= score["framewise"]["mean"] <= 100
        assert {"Sitting", "On the Floor", "Miscellaneous"} <= set(score["by_action"])
    assert "Kundu" in ended.stdout
