"""Campaigns of few arms, seeds and epochs, some of whose runs diverged or were never trained, are
published without an exception, and their sentences agree with their numbers."""

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from helpers import store_campaign
from tips_ray.columns import HEADLINE_METRIC, METRICS, TRAIN_METRIC
from tips_ray.config import Config, Teacher
from tips_ray.report.publish import print_headline, publish
from tips_ray.report.study.headline import cautions
from tips_ray.stability.campaign import open_campaign
from tips_ray.stability.summary import summarise
from tips_ray.store.curves import FIRST_COLUMNS, run_name
from tips_ray.store.storage import Storage

CONFIGS = {
    "solo": Config(),
    "parts": Config(),
    "labelled": Config(objective="supervised"),
    "tips": Config(objective="distilled", teacher=Teacher(arm="parts")),
}
SIGNALS = ("loss_adversarial", "bone_asymmetry", "churn_mm")
Runs = list[tuple[int, int | None]]
"""Epochs of each run of an arm, by seed, and the one in which it diverged."""


def curves_of(runs: dict[str, Runs]) -> pd.DataFrame:
    """Random curves; a row of a diverged run has no errors, as where a loss was not finite."""
    rng, frames = np.random.default_rng(0), [pd.DataFrame(columns=FIRST_COLUMNS[1:])]
    for arm, lengths in runs.items():
        for seed, (num_epochs, diverged) in enumerate(lengths):
            end = min(num_epochs, diverged or num_epochs)
            if not end:
                continue
            frame = pd.DataFrame({"arm": arm, "run": run_name(arm, seed), "seed": seed, "epoch": np.arange(1, end + 1)})
            frame["status"] = "ok"
            if diverged and diverged <= num_epochs:
                frame.loc[end - 1, "status"] = "diverged"
            if end > 1 or frame["status"].iloc[0] == "ok":
                columns = [*METRICS, TRAIN_METRIC, "depth_sign", f"{HEADLINE_METRIC}/walking", *SIGNALS]
                frame[columns] = rng.lognormal(4, 0.1, (end, len(columns)))
                frame.loc[frame["status"] == "diverged", columns] = np.nan
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not strict JSON")


def published(runs: dict[str, Runs]) -> tuple[dict, str, str]:
    """The summary, the page and what the terminal prints of a campaign made of these runs."""
    with tempfile.TemporaryDirectory() as folder:
        storage, terminal = Storage(folder), io.StringIO()
        store_campaign(storage, curves_of(runs), {arm: CONFIGS[arm] for arm in runs})
        print_headline(publish(storage), Console(file=terminal, width=400))
        summary = json.loads((Path(folder) / "summary.json").read_text(), parse_constant=refuse)
        return summary, (Path(folder) / "report.html").read_text(), terminal.getvalue()


run = st.tuples(st.sampled_from([0, 1, 2, 13]), st.sampled_from([None, None, 1, 2]))
campaigns = st.dictionaries(st.sampled_from(sorted(CONFIGS)), st.lists(run, min_size=1, max_size=2), min_size=1)


@settings(max_examples=2)
@given(campaigns)
@example({"solo": [(1, None)]})
@example({"labelled": [(2, None)]})
@example({"solo": [(2, 1)], "labelled": [(2, 1)]})
@example({"solo": [(0, None)]})
@example({"tips": [(2, None), (2, None)]})
def test_every_small_campaign_is_published_and_its_sentences_agree_with_its_numbers(runs: dict[str, Runs]) -> None:
    summary, page, terminal = published(runs)
    body = page[page.index("<section") : page.index('id="provenance"')]
    finding = terminal.strip().splitlines()[-1]
    assert finding.split(".")[0] in page
    for text in (body, terminal):
        assert not any(word in text.lower().split() for word in ("nan", "none", "inf"))
    finished = {arm: entry["last_half"][HEADLINE_METRIC]["n"] for arm, entry in summary["arms"].items()}
    finished |= {name: entry["last_half"][HEADLINE_METRIC]["n"] for name, entry in summary["references"].items()}
    ended = [ends for lengths in runs.values() for ends in lengths if ends[0]]
    assert ("No run has finished an epoch yet" in finding) == (
        not any(finished.values()) and not (ended and all(lost and lost <= length for length, lost in ended))
    )
    assert ("diverged" in finding) == (bool(ended) and all(lost and lost <= length for length, lost in ended))
    if any(finished.values()):
        assert any(arm in finding for arm, n in finished.items() if n)
    assert ("saw labels</small>" in body) == bool(summary["references"])


@pytest.mark.parametrize(("num_epochs", "said"), [(2, False), (20, True)])
def test_a_training_that_ended_while_the_error_fell_is_said_to_be_too_short(tmp_path: Path, num_epochs: int, said: bool) -> None:
    runs = curves_of({"solo": [(num_epochs, None)] * 2})
    falling = runs.assign(**{HEADLINE_METRIC: 90.0 - runs["epoch"] if said else 90.0 + runs["epoch"]})
    store_campaign(Storage(str(tmp_path)), falling, {"solo": Config()})
    assert ("Training ended too early" in " ".join(cautions(summarise(open_campaign(str(tmp_path)))))) == said
