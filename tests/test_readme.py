"""The Python examples of the README and of its first page run as they stand."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import ROOT, store_campaign
from tips_ray.columns import METRICS, TRAIN_METRIC
from tips_ray.config import Config
from tips_ray.store.storage import Storage


def test_the_examples_train_a_run_open_a_campaign_and_name_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = [
        re.findall(r"```python\n(from .*?)```", (ROOT / page).read_text(), flags=re.DOTALL)[0]
        for page in ("docs/start.md", "README.md")
    ]
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"arm": "parts", "seed": np.repeat([0, 1], 30), "epoch": [*range(1, 31)] * 2, "status": "ok"})
    rows["run"] = "parts-seed" + rows["seed"].astype(str)
    rows = rows.assign(**{column: rng.uniform(50, 60, 60) for column in (*METRICS, TRAIN_METRIC, "bone_asymmetry")})
    store_campaign(Storage(str(tmp_path / "reports")) / "stability-quick-synthetic", rows, {"parts": Config()})
    monkeypatch.chdir(tmp_path)
    names: dict[str, pd.DataFrame] = {}
    for example in examples:
        exec(example.replace("24", "2"), names)  # two epochs are enough to see that it trains
    printed = capsys.readouterr().out
    assert "last epoch" in printed
    assert len(names["curves"]) == 60
