"""The report of a search as a browser sees it, and what it says."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import wait_until
from tips_ray.report.search.headline import agreement, cautions, finding
from tips_ray.report.search.page import render_search
from tips_ray.search.confirmation import Confirmation
from tips_ray.search.summary import SearchSummary


@pytest.fixture(scope="module")
def report(tmp_path_factory, make_search, make_search_summary) -> Path:
    """A confirmed search with trials of every state and fields of every kind."""
    trials, surface = make_search(80, fields=("weights.legs", "weights.torso", "network.generator_norm", "network.width"))
    path = tmp_path_factory.mktemp("search") / "report.html"
    path.write_text(render_search(make_search_summary(trials, confirmed=(2.1, 0.9, 3.4)), surface))
    return path


def text_of(html: str) -> str:
    """The visible part of a page, without tags and scripts."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html[: html.index('<script type="application/json"')], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&#39;", "'").split())


def confirmation_of(summary: SearchSummary) -> Confirmation:
    assert summary.confirmation
    return summary.confirmation


def test_all_figures_are_drawn_offline_without_errors(opening, report, barriers):
    with opening(report) as page:
        plots = page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('.plot')].map("
            "plot => [plot.id, plot.querySelectorAll('.main-svg').length]))"
        )
        assert set(plots) == {f"plot-field-{place}" for place in range(4)} | {
            f"plot-{name}" for name in ("gains", "history-error_mm", "parallel", "importances", "front", "surface")
        }
        assert min(plots.values()) > 0
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert barriers(page) == []
        assert page.locator("text=synthetic data").count() >= len(plots)
        assert page.evaluate("document.getElementById('plot-field-0').layout.xaxis.type") == "log"
        assert page.evaluate("document.getElementById('plot-field-3').layout.xaxis.type") != "log"


def test_one_dropdown_moves_all_panels_to_another_stop_epoch(opening, report, make_search):
    _, surface = make_search(80, fields=("weights.legs", "weights.torso", "network.generator_norm", "network.width"))
    first = surface[(surface["epoch"] == 15) & (surface["number"] == 0)]["error_mm"].iloc[0]

    with opening(report) as page:
        ys = "[0, 1, 2, 3].map(place => document.getElementById(`plot-field-${place}`).data.map(trace => [...trace.y]))"
        before = page.evaluate(ys)
        assert len({str(panel) for panel in before}) == 1
        page.locator("#fields select").select_option(label="epoch 15 (a quarter)")
        wait_until(page, f"({ys})[3][0][0] !== {before[3][0][0]}")
        after = page.evaluate(ys)
    assert len({str(panel) for panel in after}) == 1
    assert after[0][1] == [pytest.approx(first, abs=0.01)]  # the trial that started the search
    assert [len(trace) for trace in after[0]] == [len(trace) for trace in before[0]]


def test_the_table_of_trials_fits_beside_the_text(opening, report):
    with opening(report, width=1400) as page:
        table = page.locator("#trials .scroll")
        left, right = table.evaluate("each => [each.getBoundingClientRect().left, each.getBoundingClientRect().right]")
        assert table.evaluate("each => each.scrollWidth - each.clientWidth") <= 1
        assert (left, right) == tuple(
            page.locator("#trials h2").evaluate("each => [each.offsetLeft, each.offsetLeft + each.offsetWidth]")
        )


def test_dark_mode_and_narrow_screens(opening, report):
    with opening(report, width=360) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        ink = "document.getElementById('plot-front')._fullLayout.font.color"
        light = page.evaluate(ink)
        page.locator("#theme").click()
        page.locator("#plot-front").scroll_into_view_if_needed()
        wait_until(page, f"{ink} !== '{light}'")


def test_hostile_and_long_names_stay_text(opening, tmp_path, make_search, make_search_summary):
    path = f"network.{'a_field_with_a_very_long_name_' * 4}"
    choices = ["</script><script>window.owned = 1</script>", "<b>bold</b>", "x" * 90]
    trials, surface = make_search(30, name="<script>window.owned = 1</script>")
    trials = pd.concat([trials, trials.assign(search="y" * 80)], ignore_index=True)
    surface = pd.concat([surface, surface.assign(search="y" * 80)], ignore_index=True)
    trials[path] = np.array(choices, object)[np.arange(len(trials)) % 3]
    summary = make_search_summary(trials)
    summary.space[path] = {"kind": "choice", "choices": choices}
    summary.baseline[path] = choices[0]
    file = tmp_path / "report.html"
    file.write_text(render_search(summary, surface))
    with opening(file, width=700) as page:
        assert page.evaluate("window.owned") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        assert path in page.locator("#provenance").inner_text().replace("\u200b", "")


def test_says_how_much_of_the_gain_was_confirmed(make_search, make_search_summary):
    trials, _ = make_search()
    best = trials[trials["state"] == "complete"].sort_values("error_mm")["trial"].iloc[0]

    def said(*confirmed: float) -> str:
        return finding(make_search_summary(trials, confirmed=confirmed))

    won = said(2.1, 0.9, 3.4)
    assert f"chose {best}. Confirmed: on fresh seeds and subjects that it never saw, {best} errs by 2.1 mm less" in won
    assert "95% interval +0.9 to +3.4 mm, n = 5 seeds" in won
    assert re.search(r"\d+% of its gain in the search", won)
    even = said(0.4, -0.8, 1.6)
    assert "No weighting was shown to beat the paper's" in even
    assert "95% interval −0.8 to +1.6 mm, n = 5 seeds" in even
    assert "errs by 1.5 mm more than the paper's weights" in said(-1.5, -2.5, -0.5)


def test_a_confirmation_says_no_more_than_it_knows(make_search, make_search_summary):
    trials, surface = make_search()

    def said(objective: str = "error", **changes) -> tuple[str, str]:
        summary = make_search_summary(trials, objective, confirmed=(2.1, 0.9, 3.4))
        summary = replace(summary, confirmation=replace(confirmation_of(summary), **changes))
        return finding(summary), " ".join(cautions(summary))

    begun = replace(
        confirmation_of(make_search_summary(trials, confirmed=(2.1, 0.9, 3.4))), complete=False, gains=[], baseline=None
    )
    page = text_of(render_search(make_search_summary(trials, confirmation=begun), surface))
    assert "Its confirmation has not ended, so nothing is confirmed yet." in page
    assert "Nothing is compared before all of these runs have ended" in page
    first, warnings = said(start_led=True)
    assert "none had a lower error (oracle) than the paper's weights" in first
    assert "was the best of the others. Confirmed:" in first
    assert "The search went on after its confirmation" not in warnings
    assert "errs by 2.1 mm less than the paper's weights (95% interval" in said("instability")[0]
    assert "onfirmed:" not in said("instability")[0]

    gains = confirmation_of(make_search_summary(trials, confirmed=(2.1, 0.9, 3.4))).gains
    lost, warnings = said(gains=[replace(gains[0], num_diverged=2), *gains[1:]])
    assert "Not confirmed: on fresh seeds" in lost
    assert "but more of its seeds diverged" in lost
    assert "Fresh seeds that diverged, and are in no gain or error: 2 of trial-" in warnings


def test_an_unconfirmed_best_is_called_optimistic(make_search, make_search_summary):
    trials, surface = make_search()
    text = text_of(render_search(make_search_summary(trials), surface))
    complete = int((trials["state"] == "complete").sum())
    assert f"Not confirmed yet: the best of {complete} noisy trials looks better than it is." in text
    assert "this search is an oracle" in text
    assert "error, mm (oracle)" in text
    assert "The poses are synthetic" in text
    assert "validation subjects S7, S8" in text
    assert "Subjects S9, S11 were kept from it" in text
    pruned = int((trials["state"] == "pruned").sum())
    assert f"Stopped early by a pruner: {pruned} trials" in text
    for trial in trials.loc[trials["state"] == "diverged", "trial"]:
        assert trial in text[text.index("Trials without a comparable score Pruned") :]


def test_real_poses_and_label_free_objectives_are_not_called_otherwise(make_search, make_search_summary):
    trials, surface = make_search(9)
    text = text_of(render_search(make_search_summary(trials, "label_free", synthetic=False), surface))
    assert "ynthetic data" not in text
    assert "this search is an oracle" not in text
    assert "Minimised: sum of consistency terms. " in text
    assert "has the lowest sum of consistency terms" in text
    assert "its error is" in text


def test_says_whether_the_label_free_score_orders_trials_as_the_error_does(make_search, make_search_summary):
    trials, _ = make_search(40)
    for label_free, said in (
        (
            trials["error_mm"],
            "rank correlation of +1.00 (Spearman; 95% interval +1.00 to +1.00): trials with a lower score tend to",
        ),
        (-trials["error_mm"], "−1.00 to −1.00): trials with a lower score tend to err more: it would choose the wrong ones"),
        (trials["number"] * 7 % 11, "it cannot be told whether choosing by it, without labels, would help or harm"),
    ):
        for column, name in (("label_free", "the sum of consistency terms"), ("signals", "the mean of signals")):
            table = trials.assign(**{"label_free": np.nan, "signals": np.nan, column: label_free.astype(float)})
            sentences = agreement(make_search_summary(table))
            assert said in sentences
            assert name in sentences
    assert not agreement(make_search_summary(trials[:5]))


def test_two_objectives_rank_the_front_first(make_search, make_search_summary):
    trials, surface = make_search(40)
    summary = make_search_summary(trials, "pareto", confirmed=(2.0, 1.0, 3.0))
    html = render_search(summary, surface)
    assert "on the front" in text_of(html)
    assert 'id="plot-history-instability_mm"' in html
    assert "Its instability there is 1.40 mm, against 1.90 mm (no interval)." in finding(summary)


def test_a_start_that_nothing_beats_or_that_is_missing(make_search, make_search_summary):
    trials, _ = make_search(20, pruned=0.0)
    first = trials["number"] == 0
    best = trials.assign(error_mm=trials["error_mm"].where(~first, 1.0))
    assert "none has a lower error (oracle) than the paper's weights" in finding(make_search_summary(best))
    lost = trials.assign(state=trials["state"].where(~first, "diverged"), error_mm=trials["error_mm"].where(~first))
    assert "the trial with the paper's weights is not complete" in finding(make_search_summary(lost))
    other = make_search_summary(trials)
    other.baseline["weights.legs"] = 0.4
    assert "the starting config" in finding(other)
    fixed = make_search_summary(trials)  # a weight that is not searched, and not the paper's
    del fixed.baseline["weights.legs"]
    fixed.provenance["config"]["weights"]["legs"] = 0.9
    assert "the starting config" in finding(fixed)


def test_searches_that_have_hardly_begun(opening, tmp_path, make_search, make_search_summary):
    trials, surface = make_search(3)
    unfinished = trials.assign(state="unfinished")
    said = finding(make_search_summary(unfinished))
    assert said == "No trial is complete yet (3 unfinished), so there is nothing to rank."
    nothing, no_surface = (pd.DataFrame(columns=table.columns) for table in (trials, surface))  # without types, as of no rows
    empty = render_search(make_search_summary(nothing.astype({"baseline": bool})), no_surface)
    assert "nothing to rank" in text_of(empty)
    assert "There is no trial yet." in text_of(empty)
    one = render_search(make_search_summary(trials.iloc[:1]), surface[surface["number"] == 0])
    assert "One trial has finished so far, the paper's weights" in text_of(one)
    assert "Importances need 10 complete trials" in text_of(one)
    for html in (empty, one):
        file = tmp_path / "report.html"
        file.write_text(html)
        with opening(file):
            pass


def test_merged_searches_keep_their_own_starts(make_search, make_search_summary):
    (left, below), (right, above) = make_search(20, name="laptop"), make_search(25, name="cluster", seed=3)
    trials, surface = pd.concat([left, right], ignore_index=True), pd.concat([below, above], ignore_index=True)
    trials["trial"] = trials["search"] + "/" + trials["trial"]  # as `merge` calls them
    text = text_of(render_search(make_search_summary(trials), surface))
    assert "of 2 searches" in text
    assert "laptop/trial-00000" in text
    assert "cluster/trial-00000" in text


@pytest.mark.nightly
def test_ten_thousand_trials_open(opening, tmp_path, make_search, make_search_summary):
    trials, surface = make_search(10_000, num_epochs=100, pruned=0.3)
    file = tmp_path / "report.html"
    file.write_text(render_search(make_search_summary(trials, num_epochs=100), surface))
    assert file.stat().st_size < 15e6
    with opening(file) as page:
        text = page.locator("main").inner_text()
    assert re.search(r"Drawn are 1,500 of [\d,]+ complete trials", text)
    assert re.search(r"2,000 of [\d,]+", text)
    assert re.search(r"Each row is the mean of up to \d+ trials", text)


def test_loads_without_torch_ray_and_optuna():
    code = "import sys, tips_ray.report.search.page; print([name for name in ('torch', 'ray', 'optuna') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
