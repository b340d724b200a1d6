"""Benchmarks run, on tiny sizes, and what they hold against each other does the same."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def output_of(tmp_path: Path, script: str, *options: str) -> list[str]:
    command = [sys.executable, *script.split(), *options]
    environment = {**os.environ, "TIPS_RAY_RESULTS": str(tmp_path)}
    return subprocess.run(
        command, cwd=BENCHMARKS, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.mark.parametrize("arm", ["parts", "solo", "five"])
def test_a_step_is_its_plain_transcription(tmp_path, arm):
    program = f"""
from step import *
config = override(arm_config(laptop().config, "{arm}"), {{"network": {{"width": 16}}, "optimiser": {{"batch_size": 64}}}})
print(disagreement(config, prepare(synthesise(num_poses=600), config.data)))
"""
    (differ,) = output_of(tmp_path, "-c", program)
    assert float(differ) < 1e-11


@pytest.mark.parametrize(
    ("script", "options", "name"),
    [
        ("evaluation.py", ["--poses", "3000", "--rounds", "1"], "evaluation"),
        ("gemm.py", ["--width", "16", "--batch", "64", "--rounds", "2"], "gemm"),
        ("scaling.py", ["--poses", "1000", "2000", "--seeds", "1", "2"], "scaling"),
        ("codependence.py", ["--poses", "200", "--paper-poses", "2", "--few", "2", "--rounds", "1"], "codependence"),
        ("stop_rules.py", ["--arms", "2", "--seeds", "2", "--epochs", "40", "--rounds", "1"], "stop_rules"),
        ("epoch.py", ["--num-epochs", "2"], "epoch"),
        ("lift.py", ["--rounds", "1"], "lift"),
    ],
)
def test_a_benchmark_ends_with_its_result_and_keeps_it(tmp_path, script, options, name):
    result = json.loads(output_of(tmp_path, script, *options)[-1])
    kept = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["name"] == name
    assert result["ratio"] > 0
    assert result["target"] > 0
    assert result.items() <= kept.items()
    assert kept["provenance"]["machine"]["cores"] == os.cpu_count()


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("script", "options", "names"),
    [
        ("overhead.py", ["--trials", "3"], ["overhead"]),
        ("search_share.py", ["--tiny", "--trials", "3", "--epochs", "2"], ["search_share"]),
        ("scale_out.py", ["--tiny", "--trials", "2", "--epochs", "1"], ["scale_out"]),
        (
            "ten_thousand.py",
            ["--trials", "30", "--epochs", "3", "--tune-trials", "12"],
            ["ten_thousand_resume", "ten_thousand_memory"],
        ),
    ],
)
def test_a_benchmark_of_campaigns_ends_all_trials_and_says_what_they_cost(tmp_path, script, options, names):
    lines = output_of(tmp_path, script, *options)
    results = [json.loads(line) for line in lines if line.startswith('{"name"')]
    assert [result["name"] for result in results] == names
    assert all(result["ratio"] > 0 for result in results if result["name"] != "search_share")
    assert all((tmp_path / f"{name}.json").exists() for name in names)
    if script == "search_share.py":
        assert 0 < results[0]["ratio"] < 1  # trials train, but not all the time
    if script == "ten_thousand.py":
        steps = results[0]["steps"]
        assert steps["tune"]["trials"] == 12
        assert steps["fill"]["trials"] == 18
        assert steps["report"]["megabytes"] > 1


def test_the_benchmark_of_a_gpu_is_rehearsed_on_a_cpu(tmp_path):
    *_, last = output_of(tmp_path, "gpu.py", "--rehearse")
    result = json.loads(last)
    assert result["equal"]
    assert len(result["equalities"]) == 25
    assert all(row["ms"] > 0 for row in result["rows"])
    assert {row["way"] for row in result["rows"]} == {"eager", "graph", "batched"}
    assert set(result["study"]) == {"solo", "parts"}
    assert not list(tmp_path.iterdir())  # a rehearsal is no result


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_do():
    command = [sys.executable, "gpu.py"]
    refused = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr == "PyTorch sees no CUDA GPU here; run this on a machine that has one, or add --rehearse.\n"


def test_what_differs_or_fails_is_no_equality(tmp_path):
    program = """
import json
import torch
from equalities import Equality, Trace
one = Trace({"loss": torch.ones(2, 1)}, torch.ones(1, 3))
others = [Trace({"loss": torch.full((2, 1), value)}, torch.ones(1, 3)) for value in (1.0, 1.1, float("nan"))]
checks = [Equality("", one.distance(other, True), 1e-3) for other in others]
print(json.dumps([check.holds for check in (*checks, Equality("", 0.0, 1.0, "it failed"))]))
"""
    assert json.loads(output_of(tmp_path, "-c", program)[-1]) == [True, False, False, False]


def test_pieces_of_the_long_study_add_up(tmp_path):
    """Trained at once; killed and continued; and some seeds elsewhere, whose runs are copied."""

    def piece(folder: str, *options: str) -> dict:
        where = ("--tiny", "--storage", str(tmp_path / folder))
        return json.loads(output_of(tmp_path, "gpu_study.py", *where, *options)[-1])

    whole = piece("whole", "--arms", "solo", "parts")
    assert [whole["arms"][arm]["epochs"] for arm in ("solo", "parts", "single")] == [[2, 2], [2, 2], [0, 0]]

    command = [sys.executable, "gpu_study.py", "--tiny", "--storage", str(tmp_path / "killed"), "--arms", "solo", "parts"]
    with subprocess.Popen(command, cwd=BENCHMARKS, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("parts: epoch 1"):
                process.kill()
                break
    ended = piece("killed", "--arms", "solo", "parts")
    assert (ended["arms"], ended["steps_left"]) == (whole["arms"], whole["steps_left"])

    first = piece("first", "--seeds", "0", "--arms", "solo")
    assert first["arms"]["solo"]["epochs"] == [2, 0]
    shutil.copytree(tmp_path / "killed/long/runs/solo-seed1", tmp_path / "first/long/runs/solo-seed1")
    joined = piece("first", "--arms", "solo")
    assert joined["steps_left"] == whole["steps_left"] * 12 // 8
    errors = [study["arms"]["solo"]["last_mm"] for study in (joined, whole)]
    assert errors[0] == pytest.approx(errors[1], abs=0.5)  # seed 0 trained by itself here, as one of two there
