"""The tutorials that train nothing, as they stand."""

import shlex
import shutil
from pathlib import Path

import pytest

from docs.documents import cells_of, code_blocks, commands_in
from helpers import ROOT
from tips_ray.cli import main

TUTORIALS = ROOT / "docs" / "tutorial"


def test_when_do_i_stop_my_lifter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(TUTORIALS)
    names: dict[str, object] = {}
    for cell in cells_of(TUTORIALS / "stop_my_lifter.ipynb", "code"):
        exec(cell, names)
    assert "lowest asymmetry" in capsys.readouterr().out


def test_lift_my_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From the keypoints on, which a detector has found."""
    monkeypatch.chdir(tmp_path)
    keypoints = tmp_path / "lifted" / "clip" / "keypoints.json"
    keypoints.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "lift" / "video_keypoints.json", keypoints)
    page = (TUTORIALS / "video.md").read_text()
    for command in commands_in(page):
        if ".mp4" not in command:
            assert main(shlex.split(command)) == 0
    capsys.readouterr()
    for block in code_blocks(page, "python"):
        exec(block, {})
    assert capsys.readouterr().out == "(22, 17, 3)\n"
