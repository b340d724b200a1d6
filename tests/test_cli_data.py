"""`tips-ray data` as a user runs it."""

from pathlib import Path

import numpy as np
import pytest

from helpers import ROOT, refusal, run_python
from tests.data.formats import made
from tips_ray.cli import main
from tips_ray.config import FileReading
from tips_ray.data import load_keypoints
from tips_ray.poses.skeleton import JOINTS

CMU = ROOT.parent / "shared/data/cmu_asf_amc"


@pytest.fixture
def plain(tmp_path) -> Path:
    """A folder with poses of two subjects in good.npz."""
    positions = np.random.default_rng(0).uniform(-800, 800, (6, 17, 3))
    arrays = {"joint_names": np.array(JOINTS), "subject": np.array(list("aabbcc")), "action": np.array(["walk", "sit"] * 3)}
    np.savez(tmp_path / "good.npz", positions=positions, **arrays)
    np.savez(tmp_path / "metres.npz", positions=positions / 1000, **arrays)
    np.savez(tmp_path / "pickled.npz", positions=positions, **arrays | {"action": arrays["action"].astype(object)})
    return tmp_path


def test_info_prints_the_tables_and_writes_a_page(plain):
    result = run_python("-m", "tips_ray", "data", "info", "good.npz", "--test-subjects", "b", cwd=plain, COLUMNS="100")
    assert (result.returncode, result.stderr) == (0, "")
    assert "4 train / 2 test (test subjects b)" in result.stdout
    assert "walk" in result.stdout
    assert "reports/data-good.html" in result.stdout
    page = (plain / "reports" / "data-good.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("info", "metres.npz"), "multiply by 1000"),
        (("info", "pickled.npz"), "'action' needs pickle"),
        (("info", "missing.npz"), "does not exist"),
        (("info", "good.npz", "--test-subjects", "z"), "there are a, b, c"),
        (("info", "good.npz", "--out", "good.npz/page.html"), "Cannot use 'good.npz' (File exists)"),
        (("convert", "good.npz", "out.txt"), "ends in .npz"),
        (("convert", "good.npz", "out.npz", "--joint-map", "none.json"), "Cannot use 'none.json'"),
        (("cmu", ".", "out.npz"), "no .amc files"),
        (("cmu", ".", "out.txt"), "ends in .npz"),
    ],
)
def test_mistakes_end_with_one_sentence_and_code_2(plain, monkeypatch, capsys, words, said):
    monkeypatch.chdir(plain)
    before = sorted(path.name for path in plain.rglob("*"))
    error = refusal(capsys, "data", *words)
    assert error.startswith("error: ")
    assert said in error
    assert sorted(path.name for path in plain.rglob("*")) == before


def test_keypoints_are_described_drawn_and_converted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (coco,) = made.coco(tmp_path)
    main(["data", "info", "coco.json", "--max-gap", "1"])
    printed = " ".join(capsys.readouterr().out.split())
    for said in ("COCO keypoints", "Joints of 4 frames are filled", "1000 x 800", "pelvis from l_hip and r_hip"):
        assert said in printed
    page = (tmp_path / "reports" / "data-coco.html").read_text(encoding="utf-8")
    assert "on its image plane" in page
    main(["data", "convert", "coco.json", "out.npz", "--max-gap", "1"])
    assert "out.npz: 48 frames, 4 subjects, 4 clips" in capsys.readouterr().out
    again = load_keypoints("out.npz")
    first = load_keypoints(str(coco), files=FileReading(max_gap=1))
    np.testing.assert_array_equal(again.keypoints, first.keypoints)


@pytest.mark.skipif(not CMU.exists(), reason="CMU's original files are not on this machine")
def test_cmu_files_are_converted(tmp_path):
    result = run_python("-m", "tips_ray", "data", "cmu", str(CMU), "out.npz", "--min-displacement-mm", "30", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "3 subjects, 7 clips" in result.stdout
    with np.load(tmp_path / "out.npz") as file:
        assert 50 < len(file["positions"]) < 499
