"""The command line of the stability study, run as a user runs it: a real Ray, real
interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from helpers import ROOT, TIMES, TINY, refusal, run_python
from tips_ray.studies.stability import main

MARK = "TIPS_RAY_TEST_OF"


def command(storage: Path, *options: str) -> list[str]:
    return [sys.executable, "studies/stability.py", *TINY, "--storage", str(storage), "--campaign", "c", *options]


def run_study(storage: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(storage, *options), cwd=ROOT, env=marked(storage), capture_output=True, text=True, timeout=240, check=False
    )


def marked(storage: Path) -> dict[str, str]:
    return os.environ | {MARK: str(storage.resolve())}


def curves(storage: Path) -> pd.DataFrame:
    """Rows of all runs, without what a clock measured."""
    table = pd.concat([pd.read_parquet(path) for path in sorted(storage.glob("c/runs/*/curve.parquet"))], ignore_index=True)
    return table.drop(columns=TIMES).sort_values(["arm", "seed", "epoch"], ignore_index=True)


def assert_same_rows(storage: Path, undisturbed: Path, arms: list[str]) -> None:
    """The first four epochs of some arms are those of the undisturbed campaign, to the last bit."""
    rows, expected = curves(storage), curves(undisturbed)
    rows = rows[rows["epoch"] <= 4].dropna(axis="columns", how="all").reset_index(drop=True)
    expected = expected[expected["arm"].isin(arms)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, expected[rows.columns], check_exact=True)


def wait_for_rows(storage: Path, count: int, study: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and study.poll() is None:
        if len(list(storage.glob("c/runs/*/weights/*.pt"))) >= count:
            return
        time.sleep(0.2)
    study.kill()
    raise AssertionError(f"no {count} epochs in time: {study.communicate()}")


def descendants(storage: Path) -> set[int]:
    """Processes that a study on this storage started, Ray's daemons among them: they inherit the
    mark in its environment."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if f"{MARK}={storage}".encode() in environment.split(b"\0"):
            found.add(int(folder.name))
    return found


def leaves_nothing_behind(storage: Path) -> bool:
    """Whether all processes that a study started end within seconds of it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and descendants(storage):
        time.sleep(0.2)
    return not descendants(storage)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign: three arms, two seeds, four epochs."""
    storage = tmp_path_factory.mktemp("undisturbed")
    relative = Path(os.path.relpath(storage, ROOT))
    ended = run_study(relative, "--num-seeds", "2", "--num-epochs", "4")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "synthetic" in ended.stdout
    assert f"Report: {storage}/c/report.html" in ended.stdout
    assert leaves_nothing_behind(storage)
    return storage


def test_a_study_leaves_a_report_a_summary_and_curves(undisturbed: Path) -> None:
    table = pd.read_parquet(undisturbed / "c" / "curves.parquet")
    metrics = {"p_mpjpe_mm", "p_mpjpe_reflected_mm", "p_mpjpe_signed_mm", "n_mpjpe_mm"}
    wanted = {"campaign", "arm", "run", "seed", "epoch", "status", *metrics}
    assert wanted <= set(table.columns)
    assert len(table) == 3 * 2 * 4
    assert not table[["arm", "seed", "epoch"]].duplicated().any()
    summary = json.loads((undisturbed / "c" / "summary.json").read_text())
    assert summary["data"]["synthetic"] is True
    assert set(summary["arms"]) == {"parts", "single"}
    assert {"flat", "supervised"} <= set(summary["references"])
    assert summary["arms"]["parts"]["last_half"]["p_mpjpe_signed_mm"]["n"] == 2
    assert {"a", "b", "metric", "statistic", "difference", "low", "high", "n"} <= set(summary["paired"][0])
    assert "synthetic" in (undisturbed / "c" / "report.html").read_text()


def test_the_same_command_has_nothing_left_to_do(undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("c/runs/*/*")}
    assert main([*TINY, "--storage", str(undisturbed), "--campaign", "c", "--num-seeds", "2", "--num-epochs", "4"]) == 0
    assert "Starting Ray" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("c/runs/*/*")} == before


def test_another_config_under_the_same_name_is_refused(undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--num-seeds", "2", "--num-epochs", "4", "--weights.legs", "0.5"]
    error = refusal(capsys, "stability", *TINY, "--storage", str(undisturbed), "--campaign", "c", *options)
    assert "weights.legs was 0.05 and is 0.5 (in parts, supervised)" in error


@pytest.mark.slow
def test_interrupted_extended_and_dealt_to_workers_it_gives_the_same_rows(undisturbed: Path, tmp_path: Path) -> None:
    """Ctrl-C in a campaign on Ray Train workers; continued without them; the curves are those of
    the undisturbed campaign."""
    options = ("--arms", "parts", "single", "--num-seeds", "2")
    workers = ("--num-workers", "2")  # one arm fits at a time: the other waits when the first is interrupted
    study = subprocess.Popen(
        command(tmp_path, *options, *workers, "--num-epochs", "60"),
        cwd=ROOT,
        env=marked(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_rows(tmp_path, 2, study)
    study.send_signal(signal.SIGINT)
    out, err = study.communicate(timeout=120)
    assert study.returncode == 130, out + err
    assert "the same command continues" in " ".join(out.split())
    assert leaves_nothing_behind(tmp_path)
    cut = curves(tmp_path)
    ended = run_study(tmp_path, *options, "--num-epochs", "4")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(curves(tmp_path)) >= len(cut)
    assert_same_rows(tmp_path, undisturbed, ["parts", "single"])


def test_killed_without_warning_it_continues_to_the_same_rows(undisturbed: Path, tmp_path: Path) -> None:
    options = ("--arms", "single", "--num-seeds", "2", "--num-epochs", "4")
    study = subprocess.Popen(
        command(tmp_path, *options), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for_rows(tmp_path, 2, study)
    os.killpg(study.pid, signal.SIGKILL)
    study.wait()
    ended = run_study(tmp_path, *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_same_rows(tmp_path, undisturbed, ["single"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--arms", "duo"], "Unknown arm 'duo'; there are solo, solo_deep, parts"),
        (["--preset", "huge"], "huge"),
        (["--no-such-field", "1"], "no-such-field"),
        (["--data", "missing.npz"], "missing.npz"),
        (["--num-seeds", "0"], "num_seeds = 0"),
        (["--optimiser.batch-size", "100000"], "batch size 100000 is larger than the data"),
        (["--network.discriminator-dropout", "1.5"], "dropout"),
        (["--partition", '{"a": ["nose"]}'], "Unknown joint 'nose'"),
        (["--data.test-subjects", "S99"], "no subject 'S99'"),
        (["--campaign", "a/b"], "campaign name 'a/b'"),
        (["--attach"], "--attach follows a study on a cluster"),
        (["--cluster", "missing.yaml"], "missing.yaml"),
        (["--cluster", "pyproject.toml"], "'pyproject.toml' is not YAML"),
        (["--cluster", "cluster.yaml", "--data", "missing.npz"], "'missing.npz' does not exist here"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_error_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    monkeypatch.chdir(ROOT)
    assert said in refusal(capsys, "stability", *TINY, "--storage", str(tmp_path / "storage"), "--campaign", "c", *options)
    assert not (tmp_path / "storage").exists()


def test_bad_input_ends_the_program_with_one_sentence(tmp_path: Path) -> None:
    ended = run_python("-m", "tips_ray", "stability", "--data", "missing.npz", "--storage", str(tmp_path / "storage"))
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "storage").exists()


@pytest.mark.slow
def test_a_cluster_that_is_too_small_is_refused(tmp_path: Path) -> None:
    ended = run_study(tmp_path, "--cpus-per-worker", "640")
    assert ended.returncode == 2
    assert "One arm needs 1 x 640 CPUs at once" in ended.stderr
    assert not (tmp_path / "c" / "campaign.json").exists()


def test_a_storage_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert "lies below a file" in refusal(capsys, "stability", *TINY, "--storage", str(tmp_path / "file"))
