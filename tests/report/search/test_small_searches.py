"""Whatever few trials a search has stored, its page and its table on the terminal can be made."""

import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rich.console import Console

from stored_search import search_manifest, store_run
from tips_ray.columns import CONSISTENCY
from tips_ray.config import Config
from tips_ray.report.publish import print_search, publish_search
from tips_ray.store.records import SEARCH, Record, trial_name, write_record
from tips_ray.store.storage import Storage

PATHS = ("weights.legs", "weights.reprojection", "weights.ninety_degree", "weights.torso", "optimiser.learning_rate")
HOSTILE = "[/]<b>x</b>\x1b"


def published(folder: Storage, objective: str, ends: list[str], num_epochs: int, labels: bool, choice: str = "layer") -> str:
    """The text of the page and the terminal of a search whose trials ended as given."""
    space = {path: {"kind": "log", "low": 0.01, "high": 1.0} for path in PATHS}
    space |= {"network.generator_norm": {"kind": "choice", "choices": ["batch", choice]}}
    start = dict.fromkeys(PATHS, 0.05) | {"network.generator_norm": "batch"}
    config = {"config": asdict(Config()), "space": space, "baseline": start}
    manifest = search_manifest(objective=objective, num_epochs=num_epochs, **config)
    folder.write(SEARCH, json.dumps(manifest).encode())
    terms = {} if labels else dict.fromkeys(CONSISTENCY, 0.5)
    for number, end in enumerate(ends):
        cut = max(1, num_epochs // 2)
        pruned_at, error = cut if end == "pruned" else None, "no memory" if end == "failed" else None
        write_record(folder, Record(number, start | {"weights.legs": 0.05 * (number + 1)}, pruned_at, error))
        epochs = {"complete": num_epochs, "failed": 0}.get(end, cut)
        for seed in range(2 if epochs else 0):
            errors = [60.0 - number + seed + 6.0 / epoch for epoch in range(1, epochs + 1)]
            store_run(folder, trial_name(number), seed, errors, end == "diverged", **terms)
    console = Console(file=io.StringIO(), width=80)
    print_search(publish_search(folder), console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("objective", "ends", "num_epochs", "labels"),
    [
        ("error", [], 1, False),
        ("instability", ["complete"], 1, True),
        ("label_free", ["pruned", "diverged", "failed", "unfinished"], 3, False),
        ("label_free", ["complete", "complete"], 2, True),
        ("pareto", ["complete", "complete", "pruned", "complete"], 4, False),
    ],
)
def test_pages_of_few_trials_say_nothing_wrong(objective, ends, num_epochs, labels):
    """No trial, one trial, no complete one; one epoch; a base that trains with labels and so has no
    consistency terms."""
    with TemporaryDirectory() as place:
        terminal = published(Storage(place), objective, ends, num_epochs, labels)
        page = (Path(place) / "report.html").read_text()
    visible = page[: page.index('<script type="application/json"')]
    for text in (visible[visible.index("<body>") :], terminal):
        words = re.sub(r"<[^>]+>", " ", text)
        assert not re.search(
            r"\bnan\b|\binf\b|\bNone\b(?!:)|epochs (\d+) to \1\b|\b0\.0 hours|\b1 (trials|seeds|epochs)\b", words
        )
    table = terminal[: terminal.index("Of ")] if "Of " in terminal else terminal
    assert "…" not in table


def test_the_table_on_the_terminal_is_in_order_of_rank_and_80_columns_wide(tmp_path):
    terminal = published(Storage(str(tmp_path)), "error", ["complete"] * 9, 4, False)
    lines = terminal.splitlines()
    header = next(line for line in lines if line.startswith("trial"))
    assert header.split() == ["trial", "8", "7", "6", "5", "4", "0", "(start)"]
    assert all(len(line) <= 80 for line in lines[lines.index(header) : lines.index(header) + 9])
    assert "learning_rate" in terminal


def test_names_are_text_on_the_page_and_on_the_terminal(tmp_path, opening):
    terminal = published(Storage(str(tmp_path)), "error", ["complete"] * 3, 4, False, HOSTILE)
    assert "\x1b" not in terminal
    with opening(tmp_path / "report.html") as drawn:
        ticks = drawn.locator("#plot-field-5 .xtick text").all_text_contents()
    assert "<b>x</b>" in "".join(ticks)
