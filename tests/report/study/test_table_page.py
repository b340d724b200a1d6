"""The command and the page of a table of anyone's curves."""

import json
from pathlib import Path

import pytest

from tests.helpers import ROOT, refusal
from tips_ray.cli import main
from tips_ray.report.study.answers import MILLIMETRES, Unit, against_best, unit_of
from tips_ray.stability.regret import MedianRegret

LIFTERS = str(ROOT / "docs" / "howto" / "public_lifters.csv")
COMMAND = ["stop", LIFTERS, "--error", "mpjpe", "--run", "lifter", "--signals", "train_mpjpe", "--unit", "mm"]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    page = tmp_path_factory.mktemp("stop") / "a folder" / "stop.html"
    assert main([*COMMAND, "--out", str(page)]) == 0
    return page


def test_the_first_sentence_says_what_to_take_and_what_it_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*COMMAND, "--out", str(tmp_path / "page.html")])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(
        "For all runs, take the last epoch: 0.2 mm (0.1 to 0.5) above the best epoch, at worst 0.5 (n = 3 runs)"
    )
    assert (
        "This choice used the errors “mpjpe”. A rule that is chosen for each run by the other runs alone costs 0.4 mm"
        in printed[0]
    )
    assert any("are left out: a table of errors has no weights" in line for line in printed)
    assert printed[-1] == f"Page: {tmp_path / 'page.html'}"


def test_the_howto_shows_what_the_command_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main([*COMMAND, "--out", str(tmp_path / "page.html")])
    first = capsys.readouterr().out.splitlines()[0]
    howto = (ROOT / "docs" / "howto" / "stop_your_lifter.md").read_text(encoding="utf-8")
    assert first in " ".join(howto.replace("\n> ", " ").split())


def test_the_page_opens_and_shows_answer_and_rules(opening, barriers, page: Path) -> None:
    with opening(page) as opened:
        assert opened.locator(".answers li").first.inner_text().startswith("For all runs, take the last epoch")
        text = opened.locator("main").inner_text()
        plots = opened.evaluate("[...document.querySelectorAll('.plot')].map(plot => plot.id)")
        assert plots == ["plot-rules", "plot-errors", "plot-regret"]
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert barriers(opened) == []
    assert "lowest train_mpjpe" in text
    assert "P-STMO: 12" in text


def test_json_is_strict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main([*COMMAND, "--json", "--out", str(tmp_path / "page.html")])
    content = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert content["answers"]["all runs"]["rule"] == "last epoch"


def test_a_missing_column_is_refused_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refusal(capsys, "stop", LIFTERS, "--error", "pa_mpjpe")
    assert "no column 'pa_mpjpe'. Did you mean 'mpjpe'? It has lifter, epoch, train_mpjpe, mpjpe" in said
    assert "Cannot use 'none.csv'" in refusal(capsys, "stop", "none.csv", "--error", "x")
    assert list(tmp_path.iterdir()) == []


def test_errors_are_written_in_their_unit_with_three_digits() -> None:
    assert unit_of("mm", 45.0) == MILLIMETRES
    assert [unit_of("", size).size(size) for size in (0.0453, 4.05, 1234.5)] == ["0.0453", "4.05", "1234"]
    assert against_best(MedianRegret(-0.3, None, None, -0.5, 0.1), Unit()) == "0.3 mm (−0.1 to 0.5) below the best epoch"
    assert against_best(MedianRegret(-0.04, None, None, None, None), Unit()) == "0.0 mm above the best epoch"
