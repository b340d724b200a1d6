"""`tips-ray screen`: what it trains, and that its report says what each choice does."""

import json
from pathlib import Path

import pytest

from helpers import TINY, refusal, run_python
from tips_ray.design import FACTORS, NUM_ROWS
from tips_ray.presets import laptop
from tips_ray.studies.screen import Screen


def test_each_base_is_trained_as_it_is_and_in_every_row() -> None:
    preset = laptop()
    options = {name: getattr(preset, name) for name in ("num_seeds", "num_epochs", "placement", "keep_weights", "config")}
    arms = list(Screen("laptop", **options, bases=("parts", "solo"), arms=("single",)).configs())
    assert len(arms) == 2 * (1 + NUM_ROWS) + 1
    assert [arms[0], arms[2], arms[-2], arms[-1]] == ["parts", "parts_row_01", "solo_row_12", "single"]


def test_a_base_that_is_unknown_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Unknown arm 'duo'" in refusal(capsys, "screen", "--bases", "duo", "--storage", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_study_ends_with_the_effect_of_each_choice(tmp_path: Path) -> None:
    options = [*TINY, "--bases", "solo", "--seeds", "2", "--epochs", "4", "--storage", str(tmp_path), "--campaign", "c"]
    ended = run_python("studies/screen.py", *options)
    assert ended.returncode == 0, ended.stderr
    effects = json.loads((tmp_path / "c" / "summary.json").read_text())["screening"]
    assert len(effects) == 4 * len(FACTORS)
    assert all(effect["n"] == 2 and effect["difference"] != 0 for effect in effects if effect["statistic"] == "last")
    assert "Which choices matter?" in (tmp_path / "c" / "report.html").read_text()
