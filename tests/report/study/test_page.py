"""The report as a browser sees it: from a file, with no network."""

import csv
import json
import re
from pathlib import Path
from statistics import median

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from helpers import run_python, wait_until
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.report.base import CARTESIAN, escaped, with_library_beside
from tips_ray.report.study.page import render
from tips_ray.stability.statistics import errors_of, regret

INK = "document.getElementById('plot-regret')._fullLayout.font.color"


@pytest.fixture(scope="module")
def html(curves_with_divergence, summary) -> str:
    """The report of three arms over three seeds, one run of which diverged, as text."""
    return render(curves_with_divergence, summary)


@pytest.fixture(scope="module")
def report(tmp_path_factory, html) -> Path:
    """The same, as a file."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html)
    return path


@pytest.fixture(scope="module")
def short(make_curves, make_summary) -> str:
    """The report of one run of a few epochs, on many actions of real poses, as text."""
    curves = make_curves(("solo",), num_seeds=1, num_epochs=4, actions=tuple(f"action {place}" for place in range(16)))
    return render(curves, make_summary(curves, data={"synthetic": False}))


@pytest.fixture(scope="module")
def opened(opening, report):
    """The report, drawn once, as a page that fails its last test on any error or request."""
    with opening(report) as page:
        yield page


def test_figures_are_drawn_offline_without_errors(opened, barriers):
    plots = opened.evaluate("[...document.querySelectorAll('.plot')].map(plot => plot.querySelectorAll('.main-svg').length)")
    assert len(plots) == 3 + 5 + 4 + 2 + 3  # with the profile, the rules, and two signals
    assert min(plots) > 0
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert barriers(opened) == []


def test_the_dropdown_changes_the_curve_and_keeps_hidden_arms_hidden(opened):
    def shown() -> list:
        return opened.evaluate(
            "(() => { const plot = document.getElementById('plot-errors');"
            " const trace = plot.data.find(trace => (trace.name || '').startsWith('parts'));"
            " return [trace.y.at(-1), plot.layout.yaxis.title.text, trace.visible]; })()"
        )

    opened.evaluate(
        "(() => { const plot = document.getElementById('plot-errors');"
        " const arm = plot.data.findIndex(trace => (trace.name || '').startsWith('parts'));"
        " return Plotly.restyle(plot, {visible: 'legendonly'}, [arm]); })()"
    )
    before, title, _ = shown()
    opened.locator("#curves select").first.select_option(label="N-MPJPE")
    wait_until(opened, "document.getElementById('plot-errors').layout.yaxis.title.text.startsWith('N-MPJPE')")
    after, _, visible = shown()
    assert title.startswith("P-MPJPE, one depth sign")
    assert after == pytest.approx(1.4 * before, abs=0.2)
    assert visible == "legendonly"
    opened.locator("#curves select").first.select_option(index=0)
    wait_until(opened, "document.getElementById('plot-errors').layout.yaxis.title.text.startsWith('P-MPJPE, one')")
    assert shown()[0] == before


def test_a_button_saves_a_table_as_csv_with_each_number_in_a_column_of_its_own(opened, summary):
    with opened.expect_download() as saved:
        opened.locator("#numbers .saves button").first.click()
    assert saved.value.suggested_filename == "made-up-headline-numbers.csv"
    rows = list(csv.reader(saved.value.path().read_text(encoding="utf-8").splitlines()))
    assert len({len(row) for row in rows}) == 1
    parts = next(dict(zip(rows[0], row, strict=True)) for row in rows if row[0] == "parts")
    expected, last_half = summary.arms["parts"].last_half[HEADLINE_METRIC], "P-MPJPE, one depth sign a run last half"
    values = [float(parts[f"{last_half}{kind}"]) for kind in ("", " SD", " low", " high")]
    assert values == pytest.approx([expected.mean, expected.std, expected.low, expected.high], abs=0.051)
    assert float(parts[f"{last_half} median"]) == pytest.approx(
        median(run.last_half for run in summary.arms["parts"].runs), abs=0.051
    )


def test_tables_are_saved_under_names_of_their_own(opened):
    names = opened.evaluate("""() => {
      const names = [], click = HTMLAnchorElement.prototype.click;
      HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
      document.querySelectorAll(".saves button").forEach((button) => button.click());
      HTMLAnchorElement.prototype.click = click;
      return names;
    }""")
    assert len(set(names)) == len(names) > 10
    assert not [name for name in names if not re.fullmatch(r"[\w.-]+", name)]


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_no_control_lies_on_another(opening, report, width):
    with opening(report, width) as page:
        boxes = [
            box for each in page.locator("button:visible, input:visible, select:visible").all() if (box := each.bounding_box())
        ]
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            across, down = (
                min(one[at] + one[size], other[at] + other[size]) - max(one[at], other[at])
                for at, size in (("x", "width"), ("y", "height"))
            )
            assert min(across, down) <= 1, (one, other)


def test_a_button_saves_a_table_as_latex(opened):
    with opened.expect_download() as saved:
        opened.locator("#numbers .saves button").nth(1).click()
    assert saved.value.suggested_filename.endswith("-headline-numbers.tex")
    lines = saved.value.path().read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.endswith(r"\\")]
    columns = len(re.search(r"tabular}{(\w+)}", "\n".join(lines))[1])
    widths = [line.count("&") + 1 + sum(int(n) - 1 for n in re.findall(r"multicolumn{(\d+)}", line)) for line in rows]
    assert set(widths) == {columns}
    assert r"$\pm$" in "\n".join(rows)
    assert "±" not in "\n".join(rows)


def test_the_slider_says_what_stopping_costs(opened, curves_with_divergence):
    opened.locator("#stop-epoch").fill("12")
    wait_until(opened, "document.getElementById('stop-epoch-number').textContent === '12'")
    cells = opened.locator("#stops tr[data-arm=parts] td").all_inner_texts()
    errors = errors_of(curves_with_divergence, "parts")
    regrets = regret(errors)
    costs = [f"{errors.loc[12].mean():.1f}", f"{regrets.loc[12].mean():.1f}", f"{(regrets.loc[12] <= 2).mean():.0%}"]
    assert cells == costs  # without intervals: those of the tables are BCa, and those of bands percentiles
    lines = "['regret', 'errors', 'loss_adversarial'].map((name) => document.getElementById(`plot-${name}`))"
    opened.locator("#plot-loss_adversarial").scroll_into_view_if_needed()
    wait_until(opened, f"{lines}.at(-1).layout.shapes?.[0].x0 === 12")
    opened.locator("#plot-errors").scroll_into_view_if_needed()
    wait_until(opened, f"{lines}[1].layout.shapes?.[0].x0 === 12")


def test_runs_are_sorted_and_filtered(opened):
    rows = opened.locator("#runs tbody tr:not([hidden])")
    assert rows.count() == 9
    opened.locator("#runs input").fill("solo seed 1")
    assert rows.count() == 1
    assert "diverged" in rows.first.inner_text()
    opened.locator("#runs input").fill("")
    head = opened.locator("#runs th", has_text="last, mm")
    head.locator("button").click()
    values = [float(text) for text in opened.locator("#runs tbody tr td:nth-child(7)").all_inner_texts()[:-1]]
    assert values == sorted(values)
    assert head.get_attribute("aria-sort") == "ascending"
    assert opened.locator("#runs tbody tr").last.inner_text().startswith("solo")  # which has no last error


def test_a_finger_scrolls_the_page(browser, report):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
    plot = "document.getElementById('plot-regret')"
    wait_until(page, f"Boolean({plot}._fullLayout)")
    assert page.evaluate(f"[{plot}._fullLayout.dragmode, {plot}._fullLayout.xaxis.fixedrange]") == [False, True]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_figure_is_saved_on_white(opened):
    opened.locator("#plot-errors").hover()
    with opened.expect_download() as saved:
        opened.locator("#plot-errors .modebar-btn[data-title='Save as SVG']").click()
    assert saved.value.suggested_filename.endswith("-errors.svg")
    assert "rgb(255, 255, 255)" in saved.value.path().read_text()


def test_dark_mode_follows_the_button_and_the_system(opened):
    def colours() -> tuple:
        return tuple(opened.evaluate(f"[getComputedStyle(document.documentElement).backgroundColor, {INK}]"))

    light = colours()
    opened.locator("#theme").click()
    wait_until(opened, f"{INK} !== '{light[1]}'")
    dark = colours()
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] != light[0]
    opened.locator("#theme").click()
    wait_until(opened, f"{INK} === '{light[1]}'")
    opened.emulate_media(color_scheme="dark")
    wait_until(opened, "document.documentElement.dataset.theme === 'dark'")


def test_narrow_screens_scroll_tables_not_the_page(browser, report):
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()


def test_hostile_names_stay_text(browser, tmp_path, make_curves, make_summary):
    name = "</script><script>window.owned = 1</script><b>arm</b>"
    curves = make_curves(arms=("solo", name), num_seeds=1, num_epochs=4, actions=(name,))
    arms = {arm: {"objective": "adversarial", "data": {"test_subjects": [name]}} for arm in ("solo", name)}
    path = tmp_path / "report.html"
    path.write_text(render(curves, make_summary(curves, arms=arms, executions=[{"command": name, "seconds": 1.0}])))
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
    assert page.evaluate("window.owned") is None
    assert name in (page.locator("#actions tbody th").first.text_content() or "")
    page.close()


def test_pages_can_share_one_library(html):
    page = with_library_beside(html, "../plotly.js")
    assert '<script id="plotly" src="../plotly.js"></script>' in page
    assert "script-src 'self' " in page
    assert len(page) < len(html) - 500_000
    assert with_library_beside("<p>no figure</p>", "../plotly.js") == "<p>no figure</p>"


def text_of(html: str) -> str:
    """The visible part of a page, without tags and scripts."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html[: html.index('<script type="application/json"')], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_says_what_was_found_beside_the_papers_numbers(html):
    text = text_of(html)
    assert "parts errs by" in text
    assert "The poses are synthetic" in text
    for number in ("52.6", "43.8", "43.2", "45.4 ± 1.1", "64.3 ± 6.2", "45.2", "70.2"):
        assert number in text
    assert "another dataset and protocol" in text
    assert "python studies/stability.py" in text
    assert "8.5 min" in text


def test_real_poses_are_not_called_synthetic(short):
    assert "ynthetic data" not in text_of(short)


def test_long_tables_scroll(html, short):
    scrolling = 'class="scroll tall" role="group" aria-label="Error by action"'
    assert scrolling in short
    assert scrolling not in html


def test_lists_divergences(html, short):
    assert "solo-seed1: epoch 20" in text_of(html)
    assert "No run diverged." in text_of(short)


def test_one_seed_gets_no_interval(short):
    assert "n = 1 seed, no interval" in text_of(short)


def test_sections_that_would_be_empty_are_left_out(short):
    assert not re.search("h-distillation|h-codependence|h-budgets", short)  # four epochs are no three budgets


def test_campaigns_that_have_not_started_or_lack_an_arm(make_curves, make_summary):
    empty = pd.DataFrame()
    assert "nothing to compare" in text_of(render(empty, make_summary(empty)))
    solo = make_curves(arms=("solo",), num_seeds=1, num_epochs=4)
    assert "no finished run" in text_of(
        render(solo, make_summary(solo, arms={arm: {"objective": "adversarial"} for arm in ("solo", "parts")}))
    )


def test_is_accessible_and_whole(html):
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert html.count("<table") == html.count("<caption>")
    assert html.count("<h1>") == 1
    assert "cdn.plot.ly" not in text_of(html)
    found = json.loads(re.search(r'id="content">(.*?)</script>', html, re.DOTALL)[1])
    assert set(found["themes"]) == {"light", "dark"}


def test_escaped_json_ends_no_script_and_means_the_same():
    given = {"a": "</script><!-- <script>"}
    assert "</" not in escaped(given)
    assert "<!--" not in escaped(given)
    assert json.loads(escaped(given)) == given
    with pytest.raises(ValueError, match="Out of range"):
        escaped(float("nan"))


def test_loads_without_torch_and_ray():
    heavy = "print([name for name in ('torch', 'ray', 'scipy.stats') if name in sys.modules])"
    assert run_python("-c", f"import sys, tips_ray.report.study.page; {heavy}").stdout.strip() == "[]"


def test_the_part_of_plotly_is_of_the_installed_version():
    part, whole = (re.search(r"v(\d+)\.\d+\.\d+", text[:300])[1] for text in (CARTESIAN.read_text(), get_plotlyjs()))
    assert part == whole
