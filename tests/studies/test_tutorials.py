"""The tutorials that train, as they stand, but for a tiny size."""

import json
import shlex
from pathlib import Path

import pytest

from docs.documents import cells_of, commands_in, text_of
from helpers import ROOT, TINY, run_python
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.synthetic import synthesise

pytestmark = pytest.mark.slow

TUTORIALS = ROOT / "docs" / "tutorial"
SIZE = [*TINY, "--num-seeds", "2", "--num-epochs", "4"]
TRAIN = {"stability", "search", "tips", "distil"}


def run_commands(page: str, folder: Path, environment: dict[str, str]) -> None:
    """Run the commands of a tutorial in a folder; those that train at a tiny size."""
    for command in map(shlex.split, commands_in(text_of(TUTORIALS / page))):
        if command[:2] == ["data", "cmu"]:
            continue  # tested where the reader is, with the files of the archive
        size = [*SIZE, *(["--confirm-seeds", "2"] if command[0] == "search" else [])] if command[0] in TRAIN else []
        ended = run_python("-m", "tips_ray", *command, *size, cwd=folder, **environment)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"


def test_cmu(tmp_path: Path, shared_ray: dict[str, str]) -> None:
    write_npz(synthesise(num_poses=600), tmp_path / "cmu17.npz")
    run_commands("cmu.md", tmp_path, shared_ray)
    assert set(json.loads((tmp_path / "reports" / "cmu" / "summary.json").read_text())["arms"]) == {"solo", "parts", "single"}


def test_train_on_2d_alone(
    tmp_path: Path, shared_ray: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in cells_of(TUTORIALS / "keypoints_only.ipynb", "code"):
        exec(cell, names)
    assert "3D poses: None" in capsys.readouterr().out
    run_commands("keypoints_only.ipynb", tmp_path, shared_ray)
    assert (tmp_path / "lifted" / "keypoints" / "poses.html").exists()


def test_search(tmp_path: Path, shared_ray: dict[str, str]) -> None:
    run_commands("search.md", tmp_path, shared_ray)
    assert json.loads((tmp_path / "reports" / "weights" / "summary.json").read_text())["confirmation"]["complete"]


def test_distil(tmp_path: Path, shared_ray: dict[str, str]) -> None:
    run_commands("distil.md", tmp_path, shared_ray)
    assert (tmp_path / "reports" / "chain" / "teachers" / "tips.json").exists()
    assert "tips_last" in json.loads((tmp_path / "reports" / "chain" / "summary.json").read_text())["arms"]
