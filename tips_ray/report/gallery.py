"""Keep a finished study's or search's result in the gallery: its summary, pictures from its report,
and how it was made.

    python studies/gallery.py reports/CAMPAIGN reports/gallery/NAME --note "..."

Needs playwright, and a chromium on the path, which draws the pictures from the report itself.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any

import tyro

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.errors import UserError, user_errors
from tips_ray.report.base import environment, with_library_beside
from tips_ray.report.publish import is_search, publish, publish_search
from tips_ray.report.search.headline import agreement
from tips_ray.report.search.headline import finding as search_finding
from tips_ray.report.search.page import gain_rows
from tips_ray.report.search.scores import score, title_of
from tips_ray.report.search.tables import best_and_starts
from tips_ray.report.study import label_free, stop_tables
from tips_ray.report.study.answers import answer_sentences, early_sentences
from tips_ray.report.study.headline import finding, pairs
from tips_ray.report.study.ingredient_tables import effects_by_base, ingredient_findings, ingredient_rows
from tips_ray.report.study.page import COMPARISONS
from tips_ray.report.study.screening_tables import effects_of_bases, screening_findings
from tips_ray.report.text import as_text, beyond_2d, ends, mm, of_n
from tips_ray.search.objectives import SPREADS
from tips_ray.search.summary import SearchSummary
from tips_ray.stability.label_free import LabelFreeSummary
from tips_ray.stability.statistics import Interval
from tips_ray.stability.summary import Summary
from tips_ray.store.storage import Storage

CAPTIONS = {
    "gains": "Gain in the search, and confirmed",
    "history": "Score by trial",
    "surface": "Score by trial and stop epoch",
}
PARTS_OF_PAGE = {"bodies": "div.bodies", "signals": "#signals figure"}
"""Pictures of more than one figure, by name: where they are in the report, which may lack them."""
MANY_ARMS = 4
"""With so many, the page lists paired differences of the last half alone; heat maps of more are not
drawn."""
BROWSER_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

LIBRARY = "../plotly.js"
"""The library that all reports of the gallery share; the documentation puts it there."""
PAGE_SECONDS = 180.0
"""For a report to be drawn, on a machine that trains beside it."""


def keep(
    campaign: Annotated[Path, tyro.conf.Positional], out: Annotated[Path, tyro.conf.Positional], note: str = "", credit: str = ""
) -> None:
    """Write OUT/summary.json, OUT/README.md with its pictures, and OUT/report.html.

    Args:
        campaign: Folder of the campaign, as the study printed it.
        out: Folder of the gallery to write.
        note: What a reader should know of the data or the setting.
        credit: Words that the owners of the data ask for.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise UserError("No chromium is on the path to draw the pictures with; install it (Debian: apt-get install chromium).")
    folder = Storage(str(campaign))
    summary = publish_search(folder) if is_search(folder) else publish(folder)
    out.mkdir(parents=True, exist_ok=True)
    pictures = draw(campaign / "report.html", pictures_of(summary), out, chromium)
    (out / "summary.json").write_text(compact(summary.to_json()), encoding="utf-8")
    page = titled((campaign / "report.html").read_text(encoding="utf-8"), out.name)
    (out / "report.html").write_text(with_library_beside(page, LIBRARY), encoding="utf-8")
    (out / "README.md").write_text(describe(out.name, summary, pictures, note, credit), encoding="utf-8")
    print(out)


def titled(page: str, name: str) -> str:
    """A report under another name: that of its folder in the gallery, not the campaign's."""
    for before, after in ((r"(<title>[^<·]*· )", "</title>"), ("(<h1>)", "</h1>")):
        page = re.sub(f"{before}[^<]*{after}", lambda found, end=after: f"{found[1]}{escape(name)}{end}", page, count=1)
    return page


def pictures_of(summary: Summary | LabelFreeSummary | SearchSummary) -> list[str]:
    """Names of the report's figures, and of PARTS_OF_PAGE, that the gallery shows."""
    if isinstance(summary, LabelFreeSummary):
        return ["bodies", "signals"]
    if isinstance(summary, SearchSummary):
        confirmed = summary.confirmation and summary.confirmation.gains
        return [*(["gains"] if confirmed else []), f"history-{summary.objective_columns[0]}", "surface"]
    heats = [f"codependence-{place}" for place in range(1, 1 + min(MANY_ARMS, len(stop_tables.codependence_to_show(summary))))]
    ingredients = [f"ingredients-{place}" for place, _ in enumerate(effects_by_base(summary), start=1)]
    choices = [f"screening-{place}" for place, _ in enumerate(effects_of_bases(summary), start=1)]
    return ["errors", "bodies", *ingredients, *choices, *(["rules"] if summary.stop_rules else []), *heats]


def draw(report: Path, pictures: Sequence[str], out: Path, chromium: str) -> list[str]:
    """Photograph figures of the report, each to OUT/PICTURE.png; returns the pictures taken, which
    are all but the PARTS_OF_PAGE that the report lacks."""
    from playwright.sync_api import sync_playwright  # only whoever keeps a gallery needs it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS)
        page = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme="light", device_scale_factor=1.5)
        page.set_default_timeout(PAGE_SECONDS * 1000)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-drawn=yes]")
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        taken = [name for name in pictures if name not in PARTS_OF_PAGE or page.locator(PARTS_OF_PAGE[name]).count()]
        for name in taken:
            part = page.locator(PARTS_OF_PAGE.get(name, f"#plot-{name}"))
            part.scroll_into_view_if_needed()
            part.locator(".main-svg, canvas").first.wait_for()
            part.screenshot(path=out / f"{name}.png")
        browser.close()
    return taken


def compact(summary: Mapping[str, Any]) -> str:
    """Strict JSON with one line for each key of the summary."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in summary.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def describe(
    name: str,
    summary: Summary | LabelFreeSummary | SearchSummary,
    pictures: Sequence[str],
    note: str = "",
    credit: str = "",
) -> str:
    """The page of a result in Markdown: what was found, in tables, on which poses, by which command
    and on which machine."""
    template = environment(autoescape=False)
    template.filters |= {"score": score, "with_ends": with_ends, "as_text": as_text, "beyond_2d": beyond_2d, "of_n": of_n}
    if isinstance(summary, SearchSummary):
        kind, shown = "search", of_search(summary)
    elif isinstance(summary, LabelFreeSummary):
        kind, shown = "label_free", of_label_free(summary)
    else:
        kind, shown = "study", of_study(summary)
    return template.get_template("gallery.md.j2").render(
        name=name,
        summary=summary,
        pictures=pictures,
        data=summary.data,
        made=summary.provenance,
        note=note,
        credit=credit,
        kind=kind,
        **shown,
    )


def of_search(summary: SearchSummary) -> dict[str, Any]:
    """What the page of a search shows."""
    return {
        "finding": search_finding(summary),
        "captions": CAPTIONS,
        "best": best_and_starts(summary),
        "title": title_of(summary.score),
        "spread": SPREADS[summary.score],
        "confirmed": gain_rows(summary),
        "agreement": agreement(summary),
    }


def of_label_free(summary: LabelFreeSummary) -> dict[str, Any]:
    """What the page of a study without labels shows."""
    measured = {
        name: [label_free.cell(arm.signals.get(name)) for arm in summary.arms.values()] for name in label_free.signals_of(summary)
    }
    return {
        "finding": label_free.weights_to_use(summary),
        "cautions": label_free.cautions(summary),
        "advice": label_free.ADVICE,
        "agreement": label_free.agreement(summary),
        "signals": {name: cells for name, cells in measured.items() if any(cell["text"] != "–" for cell in cells)},
        "rules": {
            rule: ["; ".join(arm.stops.get(rule, {}).values()) or "–" for arm in summary.arms.values()]
            for rule in dict.fromkeys(rule for arm in summary.arms.values() for rule in arm.stops)
        },
    }


def of_study(summary: Summary) -> dict[str, Any]:
    """What the page of a study shows."""
    few = len(summary.shown) < MANY_ARMS
    rules, arms = stop_tables.rules_to_show(summary), {**summary.arms, **summary.supervised}
    return {
        "answers": [*answer_sentences(summary.answers), *early_sentences(summary.early_stops)],
        "finding": finding(summary),
        "metric": HEADLINE_METRIC,
        "arms": arms,
        "averaged": any(arm.last_raw.n for arm in arms.values()),
        "divided": any(arm.last_epoch.over_subjects.n for arm in arms.values()),
        "paired": [pair for pair in pairs(summary) if few or pair.statistic == "last_half"],
        "rules": rules,
        "rule_names": stop_tables.in_order(score for scores in rules.values() for score in scores),
        "rule_findings": stop_tables.rule_findings(summary),
        "signals": stop_tables.signal_rows(summary),
        "ingredients": ingredient_rows(summary),
        "ingredient_findings": ingredient_findings(summary),
        "screening_findings": screening_findings(summary),
        "budgets": stop_tables.budget_rows(summary) if rules else [],
        "cards": stop_tables.card_rows(summary),
        "comparisons": {title: stop_tables.comparison_rows(summary, kind) for kind, title in COMPARISONS.items()},
        "codependence": stop_tables.codependence_rows(summary),
        "many_arms": MANY_ARMS,
    }


def with_ends(interval: Interval, sign: bool = False, n: bool = True, std: bool = False) -> str:
    """A mean with its interval, as text."""
    text = mm(interval.mean, sign) + (f" ± {mm(interval.std)}" if std and interval.std is not None else "")
    if interval.low is None:
        return text
    count = f", n = {interval.n}" if n else ""
    return f"{text} ({ends(interval, sign)}{count})"


def main() -> int:
    """Keep a result as the command line says; returns the exit code."""
    with user_errors():
        tyro.cli(keep, description=__doc__)
    return 0
