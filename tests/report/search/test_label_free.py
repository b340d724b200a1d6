"""A search on keypoints alone: its page, its summary and its terminal say of no number that it is
an error."""

import io
import json
import re
from dataclasses import asdict, replace
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from stored_search import NUM_EPOCHS, search_manifest
from tips_ray.columns import CONSISTENCY, FLAT_SIGNALS
from tips_ray.config import Config
from tips_ray.report.gallery import describe
from tips_ray.report.publish import print_search, publish_search
from tips_ray.report.search.headline import cautions
from tips_ray.search.confirmation import BASELINE, CONFIRMATION
from tips_ray.search.summary import SearchSummary
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.records import MANIFEST, SEARCH, Record, trial_name, write_record
from tips_ray.store.storage import Storage

DATA = {"fingerprint": "abc", "labelled": False, "spec": "wild.json", "name": "wild.json", "synthetic": False}
DATA |= {"train_subjects": ["a", "b"], "test_subjects": [], "left_out_subjects": [], "num_train_poses": 3000}
MADE: dict[str, Any] = {"command": "tips-ray search", "seconds": 60.0, "commit": "abc", "machine": {"cores": 2, "cpu": "a CPU"}}
MADE["versions"] = {"python": "3.11", "torch": "2.13", "ray": "2.60"}
ENTRIES = {"data": DATA, "references": {}, "executions": [MADE]}


def store_signals(folder: Storage, arm: str, seed: int, level: float) -> None:
    """The curve of a run without labels, whose mean of signals ends near `level`."""
    rows = [
        {"arm": arm, "seed": seed, "epoch": epoch, "status": "ok"}
        | {name: (level + 0.1 / epoch + 0.01 * (seed % 2)) * flat for name, flat in FLAT_SIGNALS.items()}
        | dict.fromkeys(CONSISTENCY, 0.5)
        for epoch in range(1, NUM_EPOCHS + 1)
    ]
    folder.write_table(f"{RUNS}/{run_name(arm, seed)}/{CURVE}", pd.DataFrame(rows).assign(run=run_name(arm, seed)))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SearchSummary, str]:
    """A confirmed search of three trials: its folder, its summary, and what the terminal shows."""
    place = tmp_path_factory.mktemp("search")
    folder, config = Storage(str(place)), asdict(Config())
    plan = {"arms": [BASELINE, trial_name(1)], "seeds": [1000, 1001], "num_epochs": NUM_EPOCHS, "num_trials": 3}
    changes = {"objective": "signals", "config": config, "confirmed_at": {**plan, "start_led": False}}
    folder.write(SEARCH, json.dumps(search_manifest(**changes) | ENTRIES).encode())
    for number, level in enumerate((0.8, 0.6, 0.7)):
        write_record(folder, Record(number, {"weights.legs": 0.05 * (number + 1)}))
        for seed in range(2):
            store_signals(folder, trial_name(number), seed, level)
    arms = dict.fromkeys(plan["arms"], config)
    (folder / CONFIRMATION).write(MANIFEST, json.dumps({"version": 0, "name": CONFIRMATION, "arms": arms} | ENTRIES).encode())
    for arm, level in ((BASELINE, 0.8), (trial_name(1), 0.65)):
        for seed in plan["seeds"]:
            store_signals(folder / CONFIRMATION, arm, seed, level)
    console = Console(file=io.StringIO(), width=80)
    summary = publish_search(folder)
    print_search(summary, console)
    return place, summary, console.file.getvalue()  # type: ignore[attr-defined]


def test_trials_are_ranked_by_signals_and_confirmed_on_fresh_seeds(published):
    place, summary, _ = published
    assert (summary.labelled, summary.oracle, summary.metric, summary.score) == (False, False, None, "signals")
    assert summary.ranked == [trial_name(1), trial_name(2), trial_name(0)]
    (gain,) = summary.confirmation.gains
    assert gain.search_gain.mean == pytest.approx(0.2)
    assert gain.confirmed_gain.mean == pytest.approx(0.15)
    assert gain.instability_mm is None
    kept = json.loads((place / "summary.json").read_text())
    assert kept["labelled"] is False
    assert not [name for name in kept["trials"][0] if name.endswith("_mm")]
    assert "error_mm" not in pd.read_parquet(place / "surface.parquet")


def test_a_best_that_is_no_better_than_the_flat_pose_is_said_to_be_so(published):
    _, summary, _ = published
    poor = replace(summary, trials=summary.trials.assign(signals=summary.trials["signals"] + 1))
    assert "no lower than the flat pose's" in " ".join(cautions(poor))
    assert "flat pose's" not in " ".join(cautions(summary))


def test_the_page_the_terminal_and_the_gallery_name_no_error(published, opening):
    place, summary, terminal = published
    html = (place / "report.html").read_text()
    body = html[html.index("<body>") : html.index('<script type="application/json"')]
    page = unescape(re.sub(r"<[^>]+>", " ", body))
    finding = (
        "There are no labels here, so nothing below is an error. Of 3 complete trials over legs, the search chose trial-00001"
    )
    confirmed = "Confirmed: on fresh seeds, the mean of signals of trial-00001 is 0.15 below that of the paper's weights"
    for text in (page, terminal, describe("kept", summary, ["history-signals"])):
        words = " ".join(text.split())
        assert finding in words
        assert confirmed in words
        words = words.replace("is an error", "").replace("cannot see the error", "")
        assert not re.search(r"\berrors?\b|mpjpe|\bmm\b|oracle|\bnan\b|instability", words)
    with opening(place / "report.html") as drawn:
        plots = drawn.evaluate("[...document.querySelectorAll('.plot')].map(plot => plot.id)")
    assert {"plot-gains", "plot-history-signals", "plot-field-0", "plot-surface"} <= set(plots)
    assert "plot-front" not in plots
