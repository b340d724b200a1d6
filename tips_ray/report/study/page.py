"""A campaign's report: one HTML file that opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, SIGNALS, in_group
from tips_ray.report.base import LONG_TABLE, filled
from tips_ray.report.study import figures, headline, stop_tables, tables
from tips_ray.report.style import arm_colours
from tips_ray.report.text import described, ordered
from tips_ray.store.atomic import replace_file

STATISTIC_LABELS = {"best": "best epoch (oracle)", "last_half": "last half", "last": "last epoch"}


COMPARISONS = {
    "teacher": "Does a student beat its own teachers? Its error at the last epoch minus that of its teachers, paired by seed.",
    "gain": "Does a solo teacher gain as much? What distillation changes in one arm minus what it changes in the other.",
    "arm": "Does it help to distil at all? A student's error at its last epoch minus that of an arm at its own, paired by seed.",
    "student": "Which student? Error at the last epoch that both have, paired by seed.",
}


def write_report(curves: pd.DataFrame, summary: Mapping[str, Any], path: Path) -> None:
    """Write the report of a campaign to `path`, whole or not at all.

    `curves` is the tidy table with one row a run and epoch, `summary` what `summarise` made of it.
    Raises OSError if the place cannot be written.
    """
    html = render(curves, summary)
    replace_file(Path(path), html.encode())


def render(curves: pd.DataFrame, summary: Mapping[str, Any]) -> str:
    """The report as the text of an HTML page: no request leaves it, plotly.js is inside."""
    panels = {
        "losses": tables.term_table(curves, in_group("loss")),
        "adversary": tables.term_table(curves, in_group("adversary")),
        "signs": tables.term_table(curves, in_group("sign")),
        "signals": tables.term_table(curves, SIGNALS),
    }
    colours = arm_colours([*summary["arms"], *summary["references"]])
    drawn = figures.draw_all(curves, summary, panels, colours)
    return filled(
        "study/page.html.j2",
        drawn,
        title="Stability study",
        campaign=summary["campaign"] or "no runs yet",
        summary=summary,
        synthetic=bool(summary["data"].get("synthetic")),
        finding=headline.finding(summary),
        cautions=headline.cautions(summary),
        rows=headline.headline_rows(summary),
        paper=headline.PAPER,
        metrics=(HEADLINE_METRIC, headline.REFLECTED_METRIC),
        statistics=("best", "last_half", "last"),
        statistic_labels=STATISTIC_LABELS,
        pairs=headline.pairs(summary),
        colours=colours,
        **trust(summary),
        panels={
            group: {"terms": list(table["term"].unique()), "arms": list(table["arm"].unique())} for group, table in panels.items()
        },
        actions=action_rows(curves),
        costs=tables.cost_table(curves).astype(object).where(lambda table: table.notna(), None).to_dict("records"),
        long_table=LONG_TABLE,
        data=described(summary["data"]),
        provenance=described(ordered(summary["provenance"])),
    )


def trust(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the sections on stopping, budgets, distillation and codependence show."""
    return {
        "rules": stop_tables.rules_by_arm(summary),
        "rule_findings": stop_tables.rule_findings(summary),
        "signals": stop_tables.signal_rows(summary),
        "steadiness": stop_tables.steadiness_rows(summary),
        "steadiness_labels": list(stop_tables.STEADINESS.values()),
        "ranking": stop_tables.ranking_sentence(summary),
        "budgets": stop_tables.budget_rows(summary),
        "cards": stop_tables.card_rows(summary),
        "comparisons": {title: stop_tables.comparison_rows(summary, kind) for kind, title in COMPARISONS.items()},
        "codependence": stop_tables.codependence_rows(summary),
    }


def action_rows(curves: pd.DataFrame) -> list[dict[str, Any]]:
    """One row an action, the hardest first: its name and, by arm, the last-half error, its
    interval, its share of the largest."""
    table = tables.action_table(curves)
    table = table.astype(object).where(table.notna(), None)
    largest = max((value for value in table["mean"] if value is not None), default=1.0)
    return [
        {
            "action": action,
            "arms": {entry["arm"]: entry | {"share": (entry["mean"] or 0) / largest} for entry in group.to_dict("records")},
        }
        for action, group in table.groupby("action", sort=False)
    ]
