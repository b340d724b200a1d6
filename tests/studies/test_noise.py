"""`tips-ray noise`: a campaign for each condition, and their comparison."""

import json
from pathlib import Path

import pandas as pd
import pytest

from helpers import TINY, refusal, run_python, store_campaign
from tips_ray.columns import METRICS
from tips_ray.config import Config
from tips_ray.presets import laptop
from tips_ray.store.storage import Storage
from tips_ray.studies.noise import Noise, compare, observation


def test_a_condition_names_what_is_on() -> None:
    assert observation("exact") == {}
    assert observation("noise=5") == {"noise_mm": 5.0}
    assert observation("missing=0.1+distance=4.5") == {"missing": 0.1, "distance_m": 4.5}


@pytest.mark.parametrize(
    "options", [["noisy"], ["noise"], ["noise=much"], ["noise=5,missing=1"], ["missing=2"], ["distance=0.5"]]
)
def test_a_condition_that_is_none_is_refused(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "noise", "--conditions", *options, "--storage", str(tmp_path))
    assert "--conditions" in said or "--data.observation" in said
    assert not list(tmp_path.iterdir())


def test_a_comparison_is_paired_by_seed_and_lists_every_condition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = laptop()
    options = {name: getattr(preset, name) for name in ("num_seeds", "num_epochs", "placement", "keep_weights", "config")}
    conditions = {"exact": 0.0, "noise=5": 7.0}
    study = Noise("laptop", **options, arms=("parts",), conditions=tuple(conditions), storage=str(tmp_path), campaign="c")
    campaigns = {name: f"c-{place}" for place, name in enumerate(conditions)}
    for name, more in conditions.items():
        runs = [
            pd.DataFrame({"arm": "parts", "run": f"parts-seed{seed}", "seed": seed, "epoch": [1, 2], "status": "ok"}).assign(
                **dict.fromkeys(METRICS, 50.0 + 10 * seed + more)
            )
            for seed in range(3)
        ]
        store_campaign(Storage(str(tmp_path)) / campaigns[name], pd.concat(runs), {"parts": Config()})
    compare(study, campaigns)
    exact, noisy = json.loads((tmp_path / "c.json").read_text())
    assert (exact["error_mm"]["mean"], noisy["error_mm"]["mean"]) == (60.0, 67.0)
    assert [noisy["difference_mm"][name] for name in ("difference", "low", "high", "n")] == [7.0, 7.0, 7.0, 3]
    assert "noise=5" in capsys.readouterr().out


def test_each_condition_is_a_campaign_and_all_are_compared(tmp_path: Path) -> None:
    study = [*TINY, "--arms", "parts", "--conditions", "exact", "noise=50", "--seeds", "2", "--epochs", "2", "--campaign", "c"]
    ended = run_python("studies/noise.py", *study, "--storage", str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    exact, noisy = json.loads((tmp_path / "c.json").read_text())
    assert (exact["condition"], noisy["condition"], noisy["difference_mm"]["n"]) == ("exact", "noise=50", 2)
    assert noisy["difference_mm"]["difference"] > 5
    record = json.loads((tmp_path / "c-noise-50" / "summary.json").read_text())
    assert record["data"]["observation"] == {"noise_mm": 50.0}
    assert "noise_mm 50" in (tmp_path / "c-noise-50" / "report.html").read_text()
