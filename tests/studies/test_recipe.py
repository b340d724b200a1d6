"""`tips-ray recipe`: what it trains, and that its report says what each ingredient is worth."""

import json
from pathlib import Path

import pytest

from helpers import TINY, refusal, run_python
from tips_ray.presets import laptop
from tips_ray.studies.recipe import Recipe


def test_each_base_is_trained_as_it_is_and_with_each_ingredient_out_or_in() -> None:
    preset = laptop()
    options = {name: getattr(preset, name) for name in ("num_seeds", "num_epochs", "placement", "keep_weights", "config")}
    study = Recipe("laptop", **options, bases=("single", "solo"), ingredients=("start", "adversary", "cosine"), arms=("tips",))
    configs = study.configs()
    assert list(configs) == [
        *("single", "single_without_start", "single_without_adversary", "single_with_cosine"),
        *("solo", "solo_with_start", "solo_without_adversary", "solo_with_cosine", "tips"),
    ]
    assert configs["solo_with_cosine"].optimiser.cosine_epochs == preset.num_epochs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ingredients", "magic"], "Unknown ingredient 'magic'"),
        (["--bases", "duo"], "Unknown arm 'duo'"),
        (["--bases"], "--bases names no arm"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(capsys, "recipe", *options, "--storage", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_study_ends_with_the_worth_of_each_ingredient(tmp_path: Path) -> None:
    options = [*TINY, "--bases", "single", "--ingredients", "bones", "r1", "--seeds", "2", "--epochs", "4"]
    ended = run_python("studies/recipe.py", *options, "--storage", str(tmp_path), "--campaign", "c")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((tmp_path / "c" / "summary.json").read_text())
    effects = {effect["arm"]: effect for effect in summary["ingredients"]}
    assert list(effects) == ["single_without_bones", "single_with_r1"]
    for effect in effects.values():
        assert (effect["half"]["epochs"], effect["whole"]["epochs"], effect["whole"]["n"]) == (2, 4, 2)
        assert effect["whole"]["difference"] != 0
    assert "What is each ingredient worth?" in (tmp_path / "c" / "report.html").read_text()
