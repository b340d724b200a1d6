"""The report of a study that was interrupted: its arms, and runs of an arm, stand at different
epochs."""

import pandas as pd
import pytest

from tips_ray.report.study import headline, stop_tables
from tips_ray.report.study.page import render
from tips_ray.report.study.run_tables import run_rows
from tips_ray.stability.statistics import errors_of

ENDS = {("parts", 0): 10, ("parts", 1): 10, ("solo", 0): 3, ("solo", 1): 2}


@pytest.fixture(scope="module")
def interrupted(make_curves) -> pd.DataFrame:
    """Parts for 10 epochs, and solo for 2 and 3."""
    curves = make_curves(arms=("parts", "solo"), num_seeds=2, num_epochs=10)
    ends = [ENDS[arm, seed] for arm, seed in zip(curves["arm"], curves["seed"], strict=True)]
    return curves[curves["epoch"] <= ends].reset_index(drop=True)


def test_each_number_says_of_which_epochs_it_is(interrupted, make_summary):
    summary = make_summary(interrupted)
    said = " ".join(headline.cautions(summary))
    assert "(parts 10, solo 2); a paired difference uses those that both arms have" in said
    assert {pair.epochs for pair in [*summary.paired, *summary.improvements]} == {2}
    rows = {(row.arm, row.cells["seed"].text): row.cells for row in run_rows(interrupted, summary)}
    assert {run: cells["epochs"].text for run, cells in rows.items() if run[0] == "solo"} == {
        ("solo", "0"): "2 of 3",
        ("solo", "1"): "2",
    }
    assert rows["solo", "0"]["last, mm"].value == pytest.approx(errors_of(interrupted, "solo").loc[2, 0])
    page = render(interrupted, summary)
    assert "“2 of 3” epochs" in page
    assert "each is shown over the last half of its own" in page
    assert "Within runs of parts and solo nothing can be said: that takes 8 epochs" in page


def test_drift_is_that_of_the_epochs_that_were_trained(interrupted, make_summary):
    """A straight line that falls by 3 mm an epoch falls by 15 mm over the last five of ten."""
    curves = interrupted.assign(p_mpjpe_signed_mm=90 - 3.0 * interrupted["epoch"])
    rows = {row["arm"]: row["cells"] for row in stop_tables.steadiness_rows(make_summary(curves))}
    place = list(stop_tables.STEADINESS).index("drift_mm_per_100_epochs")
    assert rows["parts"][place]["text"] == "−15.0"
    assert rows["solo"][place] == {"text": "–", "span": "too few epochs"}


def test_the_slider_says_to_which_epoch_an_arm_was_trained(interrupted, make_summary, opening, tmp_path):
    (tmp_path / "report.html").write_text(render(interrupted, make_summary(interrupted)))
    with opening(tmp_path / "report.html", 390) as page:
        assert page.locator("#stops tr[data-arm=solo] td").all_inner_texts() == ["trained to 2", "–", "–"]
        place = page.locator("#stops .scroll").evaluate(
            "each => [each.scrollHeight - each.clientHeight, each.scrollWidth - each.clientWidth]"
        )
        assert max(place) <= 1
        plot = "document.getElementById('plot-rules')._fullLayout"
        width, left, title = page.evaluate(
            f"[{plot}.width, {plot}._size.l, document.querySelector('#plot-rules .xtitle').getBoundingClientRect().toJSON()]"
        )
        assert left < width / 2  # names of rules leave room
        assert title["right"] <= page.evaluate("document.getElementById('plot-rules').getBoundingClientRect().right")
        name = page.evaluate("document.querySelector('#plot-rules .annotation-text').getBoundingClientRect().toJSON()")
        assert name["top"] >= title["bottom"] - 2
