"""`tips-ray lift` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers import refusal
from tips_ray.cli import main
from tips_ray.poses.skeleton import JOINTS


@pytest.fixture
def model(lifter, tmp_path: Path) -> str:
    """A folder of a lifter."""
    lifter.save(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def file(pixels, tmp_path: Path) -> Path:
    """Keypoints that lack a wrist in a frame, and nearly all joints in another."""
    pixels[3, JOINTS.index("l_wrist")] = np.nan
    pixels[5, 4:] = np.nan
    np.savez(tmp_path / "mine.npz", keypoints=pixels[:30], joint_names=np.array(JOINTS))
    return tmp_path / "mine.npz"


def test_keypoints_become_poses_in_all_kinds_of_files(model, file, tmp_path, capsys):
    options = ["--model", model, "--out", str(tmp_path / "out"), "--smooth", "5", "--constant-bones", "--max-gap", "0"]
    assert main(["lift", str(file), *options]) == 0
    printed = capsys.readouterr()
    assert "1 of 30 frames left out" in printed.err
    assert "not smoothed" not in printed.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["poses.bvh", "poses.csv", "poses.html", "poses.npz"]
    lifted = np.load(tmp_path / "out" / "poses.npz")
    assert lifted["positions"].shape == (29, 17, 3)
    assert lifted["missing"][3, JOINTS.index("l_wrist")]
    assert str(tmp_path / "out" / "poses.html") in printed.out


def test_clips_that_are_too_short_to_be_smoothed_are_counted(model, file, tmp_path, capsys):
    assert main(["lift", str(file), "--model", model, "--out", str(tmp_path / "out"), "--smooth", "31"]) == 0
    assert "caution: not smoothed, without 31 frames in a row: 1 of 1 clips." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "mine"),
        ({"keypoints": np.zeros((0, 17, 2)), "joint_names": np.array(JOINTS)}, "at least one frame"),
        ({"keypoints": np.full((4, 17, 2), np.nan), "joint_names": np.array(JOINTS)}, "without any joint"),
        (
            {"keypoints": np.ones((4, 3, 2)), "joint_names": np.array(["l_hip", "r_hip", "head"])},
            "missing",
        ),
        ({"positions": np.random.default_rng(0).random((4, 17, 3)), "joint_names": np.array(JOINTS)}, "3D poses without 2D"),
    ],
)
def test_files_without_keypoints_are_refused(content, said, model, tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", **content)
    assert said in refusal(capsys, "lift", str(tmp_path / "mine.npz"), "--model", model, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_empty_file_is_refused(model, tmp_path, capsys):
    (tmp_path / "empty.json").write_bytes(b"")
    assert "empty.json" in refusal(capsys, "lift", str(tmp_path / "empty.json"), "--model", model)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--smooth", "4"], "odd"),
        (["--fps", "0"], "--fps is 0"),
        (["--up", "z"], "--up"),
        (["--model", "nowhere"], "no lifter and no campaign"),
        (["--arm", "parts"], "leave out the arm"),
    ],
)
def test_wrong_options_are_refused(options, said, model, file, capsys):
    given = options if "--model" in options else ["--model", model, *options]
    assert said in refusal(capsys, "lift", str(file), *given)


def test_an_older_card_is_named(model, file, capsys):
    card = Path(model) / "lifter.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"version": 0}))
    assert "version 0" in refusal(capsys, "lift", str(file), "--model", model)
