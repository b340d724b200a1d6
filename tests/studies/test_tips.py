"""The whole chain as a user runs it: train, stop, pick, distil, compare; a real Ray, real
interruptions, damaged checkpoints."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import ROOT, TIMES, TINY, refusal, run_python
from tips_ray.cli import main

OPTIONS = [*TINY, "--num-seeds", "2", "--num-epochs", "20", "--optimiser.learning-rate", "5e-3"]
ARMS = ["--arms", "solo", "parts", "tips", "tips_solo", "tips_ensemble", "tips_oracle"]


@pytest.fixture(scope="module")
def run(shared_ray: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a study to its end, on the Ray that they share."""
    return lambda study, storage, *options: run_python(*words(study, storage, *options), **shared_ray)


def words(study: str, storage: Path, *options: str) -> list[str]:
    return ["-m", "tips_ray", study, *OPTIONS, "--storage", str(storage), "--campaign", "c", *options]


def curve(storage: Path, run_name: str) -> pd.DataFrame:
    return pd.read_parquet(storage / "c" / "runs" / run_name / "curve.parquet").drop(columns=TIMES)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, run: Callable) -> Path:
    storage = tmp_path_factory.mktemp("chain")
    ended = run("tips", storage, *ARMS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return storage


def copy_of(chain: Path, tmp_path: Path, *without: str) -> Path:
    """The campaign, without the runs of some arms and their cards."""
    shutil.copytree(chain, tmp_path / "copy")
    for arm in without:
        (tmp_path / "copy" / "c" / "teachers" / f"{arm}.json").unlink(missing_ok=True)
        for folder in (tmp_path / "copy" / "c" / "runs").glob(f"{arm}-seed*"):
            shutil.rmtree(folder)
    return tmp_path / "copy"


def test_one_command_trains_picks_distils_and_compares(chain: Path) -> None:
    summary = json.loads((chain / "c" / "summary.json").read_text())
    assert set(summary["arms"]) == {"solo", "parts", "tips", "tips_solo", "tips_ensemble", "tips_oracle"}
    assert all(entry["num_epochs"] == 20 and entry["num_seeds"] == 2 for entry in summary["arms"].values())

    rules = [entry for entry in summary["stop_rules"] if entry["arm"] == "parts"]
    assert {"last epoch", "average of the last 10 %", "lowest bone asymmetry"} <= {entry["rule"] for entry in rules}
    assert [entry["rule"] for entry in rules if entry["oracle"]] == ["best epoch (oracle)"]
    assert all(entry["n"] == 2 and entry["label_free"] != entry["oracle"] for entry in rules)
    assert sum(entry["chosen"] for entry in rules) == 1

    kinds = [(entry["kind"], entry["a"], entry["b"]) for entry in summary["distillation"]]
    assert ("teacher", "tips", "teachers of tips") in kinds
    assert ("gain", "tips", "tips_solo") in kinds
    assert ("student", "tips_ensemble", "tips_oracle") in kinds
    assert all(entry["n"] == 2 for entry in summary["distillation"])

    shares = {arm: entry["outside_share"]["mean"] for arm, entry in summary["codependence"].items()}
    assert shares["parts"] == 0.0
    assert 0.2 < shares["solo"] < 0.8
    assert 0.2 < shares["tips"] < 0.8


def test_cards_say_who_teaches_and_why(chain: Path) -> None:
    cards = {path.stem: json.loads(path.read_text()) for path in (chain / "c" / "teachers").glob("*.json")}
    assert set(cards) == {"tips", "tips_solo", "tips_ensemble", "tips_oracle"}
    assert cards["tips"]["teacher"] == {"arm": "parts", "rule": "average of the last 10 %", "runs": "own"}
    assert [(lesson["run"], lesson["first"], lesson["last"]) for lesson in cards["tips"]["lessons"]] == [
        ("parts-seed0", 19, 20),
        ("parts-seed1", 19, 20),
    ]
    assert set(cards["tips"]["lessons"][0]["checkpoints"]) == {"19", "20"}
    assert cards["tips"]["expected_regret_mm"]["n"] == 2
    assert [cards[name]["oracle"] for name in ("tips", "tips_oracle")] == [False, True]
    for lesson in cards["tips_oracle"]["lessons"]:
        errors = curve(chain, lesson["run"])["p_mpjpe_signed_mm"]
        assert lesson["last"] == int(errors.argmin()) + 1


def test_a_student_comes_close_to_its_teachers(chain: Path) -> None:
    """The distillation loss falls, and what the student lifts is near what the mean of its
    teachers' last weights lifts."""
    losses = curve(chain, "tips-seed0")["loss_distillation"]
    assert losses.iloc[-1] < losses.iloc[0] / 2

    def lifted(run_name: str) -> np.ndarray:
        depths = np.load(chain / "c" / "runs" / run_name / "lifted" / "epoch-00020.npy").astype(float)
        return depths * curve(chain, run_name)["depth_sign"].iloc[-1]

    own, other = (np.abs(lifted("tips-seed0") - lifted(teacher)).mean() for teacher in ("parts-seed0", "parts-seed1"))
    assert own < other


def test_the_same_command_has_nothing_left_to_do(chain: Path, run: Callable) -> None:
    ended = run("tips", chain, *ARMS)
    assert ended.returncode == 0
    assert "Starting Ray" not in ended.stdout


def test_students_that_were_killed_go_on_with_the_same_teachers_and_rows(chain: Path, tmp_path: Path, run: Callable) -> None:
    storage = copy_of(chain, tmp_path, "tips", "tips_ensemble")
    study = subprocess.Popen(
        [sys.executable, *words("distil", storage, "--arms", "tips", "tips_ensemble")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert study.stdout is not None
    for _ in study.stdout:
        if len(list(storage.glob("c/runs/tips-seed*/weights/*.pt"))) >= 3:
            break
    os.killpg(study.pid, signal.SIGKILL)
    study.communicate()
    ended = run("distil", storage, "--arms", "tips", "tips_ensemble")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for name in ("tips-seed0", "tips-seed1", "tips_ensemble-seed0"):
        pd.testing.assert_frame_equal(curve(storage, name), curve(chain, name), check_exact=True)


def test_a_checkpoint_that_is_missing_or_changed_is_named(chain: Path, tmp_path: Path, run: Callable) -> None:
    storage = copy_of(chain, tmp_path)
    shutil.rmtree(storage / "c" / "runs" / "tips-seed1")
    weights = storage / "c" / "runs" / "parts-seed1" / "weights" / "epoch-00019.pt"
    shutil.copy(weights.with_name("epoch-00018.pt"), weights)
    ended = run("distil", storage, "--arms", "tips")
    assert ended.returncode == 2
    assert "weights/epoch-00019.pt of 'parts-seed1', a teacher of 'tips', has changed since it was picked" in ended.stderr
    weights.unlink()
    ended = run("distil", storage, "--arms", "tips")
    assert ended.returncode == 2
    assert "is missing" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Starting Ray" not in ended.stdout


def test_an_arm_that_nobody_can_teach_stops_no_other_and_may_learn_from_others(
    chain: Path, tmp_path: Path, run: Callable
) -> None:
    storage = copy_of(chain, tmp_path, "tips", "tips_solo")
    shutil.rmtree(storage / "c" / "runs" / "solo-seed1")
    ended = run("distil", storage, "--arms", "tips", "tips_solo")
    assert ended.returncode == 1
    assert "tips_solo failed:\n'tips_solo' of seed 1 learns from 'solo' of that seed, which was not trained" in ended.stderr
    assert "Not all epochs were trained (tips_solo)" in ended.stdout
    pd.testing.assert_frame_equal(curve(storage, "tips-seed1"), curve(chain, "tips-seed1"), check_exact=True)
    summary = json.loads((storage / "c" / "summary.json").read_text())
    assert {entry["a"] for entry in summary["distillation"]} == {"tips", "tips_ensemble", "tips_oracle"}
    ended = run("distil", storage, "--arms", "tips_solo", "--teacher.runs", "all")  # as it has no runs yet
    assert ended.returncode == 0, ended.stdout + ended.stderr
    card = json.loads((storage / "c" / "teachers" / "tips_solo.json").read_text())
    assert [lesson["run"] for lesson in card["lessons"]] == ["solo-seed0"]


def test_a_student_that_is_deleted_and_learns_by_another_rule_is_measured_anew(
    chain: Path, tmp_path: Path, run: Callable
) -> None:
    storage = copy_of(chain, tmp_path)
    for folder in (storage / "c" / "runs").glob("tips-seed*"):
        shutil.rmtree(folder)  # but not its card
    ended = run("distil", storage, "--arms", "tips", "--teacher.rule", "last epoch")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    taught, before = (
        pd.read_parquet(folder / "c" / "taught.parquet").sort_values(["arm", "seed"], ignore_index=True)
        for folder in (storage, chain)
    )
    last = [curve(storage, f"parts-seed{seed}")["p_mpjpe_signed_mm"].iloc[-1] for seed in (0, 1)]
    assert taught.loc[taught["arm"] == "tips", "p_mpjpe_signed_mm"].tolist() == pytest.approx(last, rel=1e-6)
    pd.testing.assert_frame_equal(taught[taught["arm"] != "tips"], before[before["arm"] != "tips"])


def test_rules_are_scored_on_other_poses(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", str(chain / "c"), "--data", "synthetic", "--json", "--epoch"]
    assert main([*command, "lowest consistency"]) == 0
    printed = capsys.readouterr()
    assert {row["arm"] for row in json.loads(printed.out)["runs"]} == {"solo", "parts"}
    assert "no run of tips, tips_solo, tips_ensemble, tips_oracle has what 'lowest consistency' needs; left out" in printed.err
    assert main([*command, "average of the last 10 %"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {row["window"] for row in printed["runs"]} == {"19–20"}
    assert set(printed["arms"]["tips"]["by_subject"]) == set(printed["subjects"])
    assert printed["arms"]["tips"]["over_subjects"]["n"] == printed["arms"]["tips"]["mixed_signs"]["n"] == 2
    assert main([*command[:4], "--by-action"]) == 0
    printed_text = capsys.readouterr().out
    assert all(f"by {kind}" in printed_text for kind in ("subject", "action"))
    assert "knows beyond 2D" in printed_text


def test_what_is_damaged_is_said_and_the_rest_is_measured(chain: Path, tmp_path: Path, run: Callable) -> None:
    """Weights that reports need, and the curve of a student, which its run makes anew."""
    storage = copy_of(chain, tmp_path)
    windows = pd.read_parquet(storage / "c" / "windows.parquet")
    (storage / "c" / "windows.parquet").unlink()
    weights = storage / "c" / "runs" / "solo-seed1" / "weights" / "epoch-00020.pt"
    weights.write_bytes(weights.read_bytes()[:-100])
    damaged = storage / "c" / "runs" / "tips-seed0" / "curve.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    ended = run("tips", storage, *ARMS)
    assert ended.returncode == 1
    assert "solo failed:" in ended.stderr
    assert "runs/solo-seed1 cannot be measured" in ended.stderr
    assert "epoch-00020.pt' is damaged" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "curve.parquet was missing or damaged, and was made anew" in ended.stdout + ended.stderr
    pd.testing.assert_frame_equal(curve(storage, "tips-seed0"), curve(chain, "tips-seed0"), check_exact=True)
    keys = ["arm", "seed", "first", "last"]
    found = pd.read_parquet(storage / "c" / "windows.parquet").sort_values(keys, ignore_index=True)
    whole = windows[(windows["arm"] != "solo") | (windows["seed"] != 1)].sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(found, whole)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--arms", "tips"), "'tips' learns from 'parts', and this campaign has no arm that can teach"),
        (("--arms", "parts", "tips", "--teacher.arm", "tips"), "which is not among the arms that can teach (parts)"),
        (("--arms", "parts", "tips", "--teacher.rule", "by eye"), "There is no stop rule 'by eye'; there are 'last epoch'"),
    ],
)
def test_a_student_without_a_teacher_or_a_rule_is_refused_before_anything_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert said in refusal(capsys, "stability", *OPTIONS, "--storage", str(tmp_path), "--campaign", "c", *options)
    assert not (tmp_path / "c").exists()
