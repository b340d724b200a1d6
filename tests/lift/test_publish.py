"""A folder for a model hub: its card says what the lifter's does, and its examples run."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers import refusal, run_python
from tips_ray import Lifter
from tips_ray.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Of the lifter that comes along."""
    out = tmp_path_factory.mktemp("published") / "model"
    assert main(["publish", "cmu-tips", "--out", str(out)]) == 0
    return out


def test_the_folder_has_all_that_a_hub_wants(folder):
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "lifter.json", "lifter.safetensors", "lifter.onnx", "example_keypoints.npz")
    }
    shipped, published = Lifter.open(), Lifter.open(folder)
    assert published.card == shipped.card
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(header)
    assert (front["license"], front["library_name"]) == ("apache-2.0", "tips-ray")
    (result,) = front["model-index"][0]["results"]
    (errors,) = shipped.card.errors.values()
    assert result["metrics"][0]["value"] == round(errors["mean"], 1)
    assert shipped.card.credit in text
    assert "{{" not in text


def test_the_examples_of_the_card_run_and_agree(folder):
    with_package, alone = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    ran = run_python("-c", f"{with_package}\nfirst = poses\n{alone}\nprint(abs(first - poses).max() < 0.05)", cwd=folder)
    assert ran.stdout.splitlines()[-1] == "True", ran.stderr
    assert np.load(folder / "example_keypoints.npz")["keypoints"].shape == (60, 17, 2)


def test_a_lifter_without_errors_says_so(lifter, tmp_path, capsys):
    lifter.save(tmp_path / "mine")
    assert main(["publish", str(tmp_path / "mine"), "--out", str(tmp_path / "out")]) == 0
    assert "no errors" in capsys.readouterr().err
    card = (tmp_path / "out" / "README.md").read_text()
    assert "were not measured" in card
    assert "model-index" not in card
    assert "is no empty folder" in refusal(capsys, "publish", str(tmp_path / "mine"), "--out", str(tmp_path / "out"))
    assert "no lifter" in refusal(capsys, "publish", "nowhere", "--out", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
