"""`tips-ray figure`: figures of reports as files, drawn by a real browser."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from helpers import refusal, store_campaign
from stored_search import search_in
from tips_ray.cli import main
from tips_ray.config import Config
from tips_ray.store.storage import Storage

NAME = '<b>"solo"<b>'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, make_curves: Callable[..., pd.DataFrame]) -> str:
    """The folder of a study of one arm, whose name looks like markup."""
    folder = tmp_path_factory.mktemp("figures") / "study"
    curves = make_curves(arms=(NAME,), num_seeds=2, num_epochs=4).drop(columns="campaign")
    store_campaign(Storage(str(folder)), curves, {NAME: Config()})
    return str(folder)


@pytest.mark.parametrize(("kind", "start"), [("pdf", b"%PDF"), ("svg", b"<svg"), ("png", b"\x89PNG")])
def test_a_figure_is_drawn_on_white(study: str, kind: str, start: bytes, tmp_path: Path, chromium: str) -> None:
    out = tmp_path / f"a.{kind}"
    assert main(["figure", study, "errors", "--out", str(out), "--metric", "n_mpjpe_mm", "--width", "500"]) == 0
    content = out.read_bytes()
    assert content.startswith(start)
    if kind == "svg":
        text = content.decode()
        assert "rgb(255, 255, 255)" in text
        assert "N-MPJPE (mm)" in text
        assert NAME in html.unescape(text)
        assert 'width="500"' in text


def test_names_are_listed(study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figure", study, "list"]) == 0
    names = capsys.readouterr().out.split()
    assert {"errors", "regret", "loss_adversarial"} <= set(names)
    search_in(tmp_path / "s")
    assert main(["figure", str(tmp_path / "s"), "list"]) == 0
    assert "history-error_mm" in capsys.readouterr().out.split()


def test_what_cannot_be_drawn_is_refused(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, chromium: str
) -> None:
    out = str(tmp_path / "a.pdf")
    assert re.search("no figure 'erors'.*it has .*errors", refusal(capsys, "figure", study, "erors", "--out", out))
    assert ".pdf, .svg or .png" in refusal(capsys, "figure", study, "errors", "--out", str(tmp_path / "a.jpg"))
    assert "has one metric only" in refusal(capsys, "figure", study, "rules", "--metric", "mpjpe_mm", "--out", out)
    assert "no campaign.json" in refusal(capsys, "figure", str(tmp_path), "errors", "--out", out)
    assert "--width is 5" in refusal(capsys, "figure", study, "errors", "--width", "5")
    monkeypatch.setenv("PATH", "")
    assert "install one" in refusal(capsys, "figure", study, "errors", "--out", out)
    assert not list(tmp_path.glob("a.*"))
