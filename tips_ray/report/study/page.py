"""A campaign's report: one HTML file that opens offline."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tips_ray.columns import BY_NAME, HEADLINE_METRIC, SIGNALS, in_group
from tips_ray.lift.lifter import Lifter
from tips_ray.report.base import LONG_TABLE, PAGES, filled, literal
from tips_ray.report.study import (
    benchmark_tables,
    figures,
    headline,
    ingredient_tables,
    run_tables,
    screening_tables,
    stop_tables,
    tables,
)
from tips_ray.report.study.answers import answer_sentences, early_sentences
from tips_ray.report.study.predictions import describe_predictions, prediction_content
from tips_ray.report.style import arm_colours
from tips_ray.report.text import beyond_2d, described, execution_rows, ordered
from tips_ray.stability.distillation import Kind
from tips_ray.stability.predictions import NO_PREDICTIONS, Predictions
from tips_ray.stability.settings import beside_paper
from tips_ray.stability.summary import Summary

STATISTIC_LABELS = {"best": "best epoch (oracle)", "last_half": "last half", "last": "last epoch"}

COMPARISONS: dict[Kind, str] = {
    "teacher": "Does a student beat its own teachers? Its error at the last epoch minus that of its teachers, paired by seed.",
    "gain": "Does a solo teacher gain as much? What distillation changes in one arm minus what it changes in the other.",
    "arm": "Does it help to distil at all? A student's error at its last epoch minus that of an arm at its own, paired by seed.",
    "student": "Which student? Error at the last epoch that both have, paired by seed.",
}
SCRIPTS = ("skeleton.js", "network.js", "study/predictions.js")
IN_TABLES = ("config", "executions")
"""Keys of the provenance that the page shows as tables."""


def render(
    curves: pd.DataFrame, summary: Summary, predicted: Predictions = NO_PREDICTIONS, lifters: Mapping[str, Lifter] | None = None
) -> str:
    """The report as the text of an HTML page: no request leaves it, plotly.js is inside. `lifters`
    are networks that the page may run, by arm."""
    runs = run_tables.run_rows(curves, summary)
    curves, colours = shown_curves(curves, summary), colours_of(summary)
    panels = panel_tables(curves)
    drawn = figures.draw_all(curves, summary, panels, colours)
    actions, subjects = tables.action_intervals(curves), tables.subject_intervals(summary)
    shown = prediction_content(predicted, lifters or {}) if predicted.poses else None
    return filled(
        "study/page.html.j2",
        drawn,
        title="Stability study",
        campaign=summary.campaign or "no runs yet",
        summary=summary,
        synthetic=bool(summary.data.get("synthetic")),
        answers=[*answer_sentences(summary.answers), *early_sentences(summary.early_stops)],
        finding=headline.finding(summary),
        cautions=headline.cautions(summary),
        scripts=[(PAGES / file).read_text(encoding="utf-8") for file in ("study/stops.js", *(SCRIPTS if shown else ()))],
        content={"predictions": shown, "stops": stop_content(curves, summary, [*drawn])},
        predictions=describe_predictions(predicted, shown) if shown else None,
        runs=runs,
        run_titles=list(runs[0].cells) if runs else [],
        runs_are_cut=any(row.is_cut for row in runs),
        own_halves=headline.own_halves(summary),
        most_runs=run_tables.MOST_RUNS,
        settings=beside_paper(summary.provenance.get("config", {})),
        executions=execution_rows(summary.provenance),
        rows=headline.headline_rows(summary),
        paper=headline.PAPER,
        metrics=(HEADLINE_METRIC, headline.REFLECTED_METRIC),
        statistics=("best", "last_half", "last"),
        statistic_labels=STATISTIC_LABELS,
        pairs=headline.pairs(summary),
        colours=colours,
        known={arm: beyond_2d(entry.knowledge) for arm, entry in {**summary.arms, **summary.supervised}.items()},
        **trust(summary),
        benchmarks=benchmark_tables.benchmark_entries(summary.benchmark),
        ingredients=ingredient_tables.ingredient_rows(summary),
        screening=screening_tables.screening_rows(summary),
        screening_findings=screening_tables.screening_findings(summary),
        response_labels=list(screening_tables.RESPONSE_LABELS.values()),
        ingredient_findings=ingredient_tables.ingredient_findings(summary),
        panels=tables.described_panels(panels),
        actions=actions,
        largest=tables.largest_mean(actions),
        subjects=subjects,
        largest_of_subjects=tables.largest_mean(subjects),
        costs=tables.cost_table(curves).astype(object).where(lambda table: table.notna(), None).to_dict("records"),
        long_table=LONG_TABLE,
        data=described(summary.data),
        provenance=described(ordered(summary.provenance, without=IN_TABLES)),
    )


def stop_content(curves: pd.DataFrame, summary: Summary, figures_by_epoch: Sequence[str]) -> dict[str, Any]:
    """What the slider of the stop epoch needs besides the figures: by arm, as the figures name it,
    the share of runs near their best at each epoch."""
    shares = tables.shares_within(curves) if len(curves) else {}
    return {
        "arms": [{"name": arm, "key": literal(arm), "within": shares[arm]} for arm in shares if arm not in summary.supervised],
        "figures": [name for name in figures_by_epoch if name in ("errors", "regret") or name in BY_NAME],
    }


def study_figures(curves: pd.DataFrame, summary: Summary) -> dict[str, go.Figure]:
    """The figures of the report, by name."""
    curves = shown_curves(curves, summary)
    return figures.draw_all(curves, summary, panel_tables(curves), colours_of(summary))


def shown_curves(curves: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """The curves of the arms that figures draw, in the order of tables."""
    order = {arm: place for place, arm in enumerate([*summary.shown, *summary.supervised])}
    shown = curves[curves["arm"].isin(list(order))] if len(curves) else curves
    return shown.sort_values("arm", key=lambda arms: arms.map(order), kind="stable") if len(shown) else shown


def panel_tables(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`tables.term_table` of each group of panels."""
    return {
        "losses": tables.term_table(curves, in_group("loss")),
        "adversary": tables.term_table(curves, in_group("adversary")),
        "signs": tables.term_table(curves, in_group("sign")),
        "signals": tables.term_table(curves, SIGNALS),
    }


def colours_of(summary: Summary) -> dict[str, str]:
    """The colour of each arm; a hidden one has its base's."""
    colours = arm_colours([*summary.shown, *summary.references, *summary.supervised])
    return colours | {arm: colours.get(base, "#7F7F7F") for arm, base in summary.hidden.items()}


def trust(summary: Summary) -> dict[str, Any]:
    """What the sections on stopping, budgets, distillation and codependence show."""
    return {
        "rules": stop_tables.rules_by_arm(summary),
        "rule_findings": stop_tables.rule_findings(summary),
        "signals": stop_tables.signal_rows(summary),
        "too_short_for_signals": stop_tables.too_short_for_signals(summary),
        "steadiness": stop_tables.steadiness_rows(summary),
        "steadiness_labels": list(stop_tables.STEADINESS.values()),
        "ranking": stop_tables.ranking_sentence(summary),
        "budgets": stop_tables.budget_rows(summary),
        "cards": stop_tables.card_rows(summary),
        "comparisons": {title: stop_tables.comparison_rows(summary, kind) for kind, title in COMPARISONS.items()},
        "codependence": stop_tables.codependence_rows(summary),
    }
