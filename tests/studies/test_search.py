"""The command line of the weight search, run as a user runs it: a real Ray, a process killed, a
report."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from helpers import ROOT, TIMES, TINY, refusal, run_python
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.skeleton import JOINTS

OPTIONS = [*TINY, "--data.num-views", "1", "--num-seeds", "2", "--keep-weights.every", "1000"]


def command(storage: Path, *options: str) -> list[str]:
    return [sys.executable, "studies/weight_search.py", *OPTIONS, "--storage", str(storage), "--campaign", "s", *options]


def run_search(storage: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_python(*command(storage, *options)[1:])


def rows_of(storage: Path) -> pd.DataFrame:
    """Rows of all runs, without what a clock measured."""
    table = pd.concat([pd.read_parquet(path) for path in sorted(storage.glob("s/runs/*/curve.parquet"))], ignore_index=True)
    assert not table[["arm", "seed", "epoch"]].duplicated().any()
    return table.drop(columns=TIMES).sort_values(["arm", "seed", "epoch"], ignore_index=True)


def agrees(storage: Path, study: str) -> dict:
    """The summary, once the study for optuna-dashboard was found to hold its trials with the scores
    of their curves."""
    summary = json.loads((storage / "s" / "summary.json").read_text())
    url = f"sqlite:///{storage}/s/study.db"
    name = next(name for name in optuna.get_all_study_names(url) if name.startswith(study))
    known = optuna.load_study(study_name=name, storage=url).get_trials()
    known.sort(key=lambda trial: trial.user_attrs["trial"])
    assert (
        [trial.user_attrs["trial"] for trial in known]
        == [trial["number"] for trial in summary["trials"]]
        == list(range(len(known)))
    )
    curves = rows_of(storage)
    for trial, row in zip(known, summary["trials"], strict=True):
        assert trial.state == optuna.trial.TrialState.COMPLETE
        assert row["state"] == "complete"
        first, last = summary["window"]  # runs may have had more epochs, before fewer were asked for
        own = curves[(curves["arm"] == row["trial"]) & curves["epoch"].between(first, last)]
        error = own.groupby("seed")["p_mpjpe_signed_mm"].mean().mean()
        assert trial.value == row["error_mm"] == pytest.approx(error)
    return summary


def kill_after(storage: Path, num_rows: int, seconds: float, *options: str) -> None:
    """Start a search, and kill it and its Ray so long after its curves have so many rows."""
    with subprocess.Popen(
        command(storage, *options), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as search:
        deadline = time.monotonic() + 150
        while len(list(storage.glob("s/runs/*/weights/*.pt"))) < num_rows and time.monotonic() < deadline:
            assert search.poll() is None
            time.sleep(0.05)
        time.sleep(seconds)
        os.killpg(search.pid, 9)


@pytest.mark.timeout(600)
def test_killed_and_continued_it_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    """8 trials asked, killed, asked again; then confirmed and reported."""
    options = ("--num-trials", "8", "--num-epochs", "6", "--confirm-top", "1", "--confirm-seeds", "2")
    kill_after(tmp_path, 3, 0.3, *options)
    cut = rows_of(tmp_path)
    begun = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("s/trials/*.json"))]
    ended = run_search(tmp_path, *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = agrees(tmp_path, "s error 2x6")
    assert len(summary["trials"]) == 8
    assert [json.loads(path.read_text()) for path in sorted(tmp_path.glob("s/trials/*.json"))][: len(begun)] == begun
    found = rows_of(tmp_path)
    assert len(found) == 8 * 2 * 6
    kept = found.merge(cut[["arm", "seed", "epoch"]])
    pd.testing.assert_frame_equal(kept, cut, check_exact=True)
    assert summary["confirmation"]["seeds"] == [1000, 1001]
    searched = {*summary["data"]["train_subjects"], *summary["data"]["test_subjects"]}
    assert not searched & set(summary["confirmation"]["subjects"])
    assert "8 of 8 trials, best " in ended.stdout
    assert f"Report: {tmp_path}/s/report.html" in ended.stdout
    assert (tmp_path / "s" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "s" / "confirmation" / "report.html").exists()
    again = run_search(tmp_path, *options)
    assert again.returncode == 0
    assert "Starting Ray" not in again.stdout
    other = run_search(tmp_path, *options, "--ranges.legs", "0.02", "0.5")
    assert other.returncode == 2
    assert "space.weights.legs.low was 0.01 and is 0.02" in other.stderr


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_killed_at_many_moments_it_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    options = ("--num-trials", "8", "--num-epochs", "12", "--confirm-top", "0")
    rng = np.random.default_rng(0)
    for num_rows in (1, 4, 8, 12):
        kill_after(tmp_path / "killed", num_rows, rng.uniform(0, 2), *options)
    ended = run_search(tmp_path / "killed", *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    agrees(tmp_path / "killed", "s error 2x12")
    whole = run_search(tmp_path / "whole", *options)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    pd.testing.assert_frame_equal(rows_of(tmp_path / "killed"), rows_of(tmp_path / "whole"), check_exact=True)


@pytest.mark.nightly
def test_when_its_time_is_up_it_says_so_and_confirms_nothing(tmp_path: Path) -> None:
    ended = run_search(tmp_path, "--num-trials", "4", "--num-epochs", "100000", "--max-hours", "0.006")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Not all epochs were trained (trial-00000" in ended.stdout
    assert "confirm its best: the same with --num-trials +0" in " ".join(ended.stdout.split())
    assert not (tmp_path / "s" / "confirmation").exists()
    assert (tmp_path / "s" / "report.html").exists()
    more = run_search(tmp_path, "--num-trials", "+1", "--num-epochs", "2", "--confirm-top", "0")
    assert more.returncode == 0, more.stdout + more.stderr
    agrees(tmp_path, "s error 2x2")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--minimise", "mpjpe"], "mpjpe"),
        (["--ranges.legs", "1", "0.1"], "The range of weights.legs is 1 to 0.1; give two numbers above 0, the smaller one first"),
        (["--fix", "leg"], "--fix 'leg' is no weight, or is given twice; the weights are legs"),
        (["--vary", "optimizer.learning_rate=1e-4..1e-3"], "Unknown field 'optimizer.learning_rate' to search"),
        (["--vary", "weights.legs=0.01..1"], "weights.legs is searched twice"),
        (["--vary", "data.num_views=1..4"], "data.num_views cannot be searched"),
        (["--weights.torso", "5"], "The values of weights.torso, 0.01 to 1, leave out 5.0"),
        (["--minimise", "pareto", "--pruner", "asha"], "'pareto' cannot be pruned"),
        (["--confirm-seeds", "0"], "--confirm-top is 3 and"),
        (["--num-trials", "many"], "--num-trials is 'many'; give a number such as 30, or +20"),
        (["--validation-subjects", "S99"], "no subject 'S99' to validate on"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_error_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert said in refusal(capsys, "search", *OPTIONS, "--storage", str(tmp_path / "storage"), *options)
    assert not (tmp_path / "storage").exists()


def test_a_study_storage_without_its_driver_is_an_error_without_the_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "mysql+pymysql://me:s3cret@127.0.0.1:1/studies"
    error = refusal(capsys, "search", *OPTIONS, "--storage", str(tmp_path), "--study-storage", url)
    assert "'mysql+pymysql://me:***@127.0.0.1:1/studies' needs a Python package that is not installed (pymysql)" in error
    assert "s3cret" not in error


@pytest.fixture
def keypoints(tmp_path: Path) -> Path:
    """A plain file of keypoints alone."""
    poses = synthesise(num_poses=300)
    labels = {"subject": poses.subject, "clip": poses.clip, "joint_names": np.array(JOINTS)}
    np.savez(tmp_path / "keypoints.npz", keypoints=poses.positions[..., :2], up="y", **labels)
    return tmp_path / "keypoints.npz"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--minimise", "error"], "the objective 'error' needs errors; give --minimise label_free or signals"),
        (["--minimise", "pareto"], "the objective 'pareto' needs errors"),
        (["--validation-subjects", "S1"], "no error is measured on held-out subjects; leave out --validation-subjects"),
        (["--arm", "supervised"], "a supervised arm trains on true depths"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_what_needs_labels_is_refused_on_keypoints_alone_and_nothing_is_written(
    keypoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
):
    words = ("--storage", str(tmp_path / "storage"), "--data", str(keypoints), *options)
    assert said in refusal(capsys, "search", *OPTIONS, *words)
    assert not (tmp_path / "storage").exists()


def test_keypoints_alone_are_searched_by_their_signals(keypoints: Path, tmp_path: Path) -> None:
    options = ("--data", str(keypoints), "--num-trials", "3", "--num-epochs", "4", "--confirm-top", "1", "--confirm-seeds", "2")
    ended = run_search(tmp_path, *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    printed = " ".join(ended.stdout.split())
    assert "for signals" in printed
    assert "without labels: no errors are measured" in printed
    assert "There are no labels here, so nothing below is an error" in printed
    assert "mpjpe" not in printed
    summary = json.loads((tmp_path / "s" / "summary.json").read_text())
    assert [trial["state"] for trial in summary["trials"]] == ["complete"] * 3
    signals = {trial["trial"]: trial["signals"] for trial in summary["trials"]}
    assert summary["ranked"] == sorted(signals, key=signals.__getitem__)
    assert summary["confirmation"]["baseline"]["score"]["n"] == 2
    assert summary["confirmation"]["subjects"] == []
