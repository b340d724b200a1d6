"""`tips-ray compare` on campaigns as studies leave them."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from helpers import refusal, store_campaign
from stored_search import search_in
from tips_ray.cli import main
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Config, override
from tips_ray.report.study.comparison_page import cautions
from tips_ray.stability.campaign import open_campaign
from tips_ray.stability.comparison import ALL_ARMS, compare
from tips_ray.stability.statistics import paired
from tips_ray.store.storage import Storage
from tips_ray.studies.compare import names_of

HOSTILE = '<script>"wide"<b>'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_curves: Callable[..., pd.DataFrame]) -> Path:
    """Two studies that share arms and seeds, one with another arm, and one without labels."""
    root = tmp_path_factory.mktemp("compare")
    wide = override(Config(), {"weights": {"symmetry": 5.0}})

    def store(name: str, arms: dict[str, Config], data: dict, **options) -> None:
        curves = make_curves(arms=tuple(arms), num_epochs=6, **options).drop(columns="campaign")
        store_campaign(Storage(str(root / name)), curves, arms, name=name, data={"fingerprint": "abc", **data})

    store("old", {"solo": Config(), "parts": Config()}, {}, num_seeds=4, diverged={("solo", 1): 3})
    store("new", {"solo": wide, "parts": wide}, {}, num_seeds=3, seed=1)
    store("other", {HOSTILE: Config()}, {"fingerprint": "def", "synthetic": True}, num_seeds=2)
    store("wild", {"solo": Config()}, {"labelled": False}, num_seeds=1)
    return root


def test_studies_are_paired_by_the_seeds_that_both_finished(folder: Path) -> None:
    campaigns = {name: open_campaign(str(folder / name)) for name in ("old", "new")}
    comparison = compare(campaigns)
    of_solo = next(
        pair for pair in comparison.paired if (pair.a, pair.metric, pair.statistic) == ("solo", HEADLINE_METRIC, "last")
    )
    assert (of_solo.study_a, of_solo.study_b, of_solo.n) == ("old", "new", 2)  # seeds 0 and 2; 1 diverged
    both = pd.concat([campaign.curves.query("arm == 'solo'").assign(arm=name) for name, campaign in campaigns.items()])
    expected = next(pair for pair in paired(both, "old", "new") if pair.statistic == "last")
    assert (of_solo.difference, of_solo.low, of_solo.high) == (expected.difference, expected.low, expected.high)
    fields = [(entry.arms, entry.setting.name, entry.setting.values) for entry in comparison.configs]
    assert fields == [(ALL_ARMS, "weights.symmetry", {"old": "0", "new": "5"})]
    assert {row.name: row.values for row in comparison.made} == {"seeds": {"old": "0, 1, 2, 3", "new": "0, 1, 2"}}


def test_the_page_says_first_what_differs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c"
    assert main(["compare", str(folder / "old"), str(folder / "new"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "weights.symmetry" in printed
    assert "n = 3 shared seeds" in printed
    content = json.loads((out / "comparison.json").read_text())
    table = pd.read_csv(out / "comparison.csv")
    assert len(table) == len(content["paired"]) == 2 * 5 * 3
    page = (out / "report.html").read_text()
    assert page.index('id="differences"') < page.index('id="paired"') < page.index('id="numbers"')
    assert "1 of 4 runs of solo (old) diverged" in page


def test_epochs_differ_only_where_those_of_compared_arms_do(tmp_path: Path, make_curves: Callable[..., pd.DataFrame]) -> None:
    both = make_curves(arms=("solo", "parts"), num_seeds=2, num_epochs=6).drop(columns="campaign")
    is_solo, early = both["arm"] == "solo", both["epoch"] <= 4
    of_solo, of_short_parts, of_short_solo = both[is_solo], both[is_solo | early], both[~is_solo | early]

    def said(one: pd.DataFrame, other: pd.DataFrame) -> str:
        for name, curves in (("one", one), ("other", other)):
            arms = {arm: Config() for arm in curves["arm"].unique()}
            store_campaign(Storage(str(tmp_path / name)), curves, arms, name=name, data={"fingerprint": "abc"})
        return " ".join(cautions(compare({name: open_campaign(str(tmp_path / name)) for name in ("one", "other")})))

    assert "different numbers of epochs" not in said(of_solo, of_short_parts)
    assert "different numbers of epochs" in said(of_solo, of_short_solo)


def test_studies_that_share_no_arm_are_compared_arm_by_arm(folder: Path, tmp_path: Path, opening, barriers) -> None:
    out = tmp_path / "c"
    assert main(["compare", str(folder / "new"), str(folder / "other"), "--out", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert "not trained and tested on the same poses" in page
    assert "Some of the poses are synthetic" in page
    with opening(out / "report.html") as shown:
        assert HOSTILE in shown.locator("#numbers").inner_text()
        assert HOSTILE in shown.locator("#plot-errors").text_content()
        assert barriers(shown) == []


def test_what_cannot_be_compared_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, out = str(folder / "old"), ["--out", str(tmp_path / "c")]
    assert "No study is given" in refusal(capsys, "compare", *out)
    assert "1 study is given" in refusal(capsys, "compare", old, *out)
    assert "given twice" in refusal(capsys, "compare", old, f"{old}/", *out)
    assert "without labels" in refusal(capsys, "compare", old, str(folder / "wild"), *out)
    assert "no campaign.json" in refusal(capsys, "compare", old, str(tmp_path), *out)
    search_in(tmp_path / "s")
    assert "is a search" in refusal(capsys, "compare", old, str(tmp_path / "s"), *out)
    assert not (tmp_path / "c").exists()


def test_studies_of_one_name_are_told_apart_by_their_folders() -> None:
    assert names_of(("a/x", "b/x/", "c/y")) == ["a/x", "b/x", "c/y"]
    assert names_of(("s3://bucket/one", "two")) == ["one", "two"]
