"""The report of a table of curves: one HTML file that opens offline."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tips_ray.report.base import LONG_TABLE, filled
from tips_ray.report.study import tables
from tips_ray.report.study.answers import Unit, answer_cautions, answer_sentences, unit_of
from tips_ray.report.study.figures import AT_EPOCH, band_traces, cross_traces, run_traces
from tips_ray.report.study.stop_figures import draw_rules
from tips_ray.report.style import arm_colours, finish
from tips_ray.report.text import ENOUGH_SEEDS, few_seeds
from tips_ray.stability.statistics import Interval, PairedDifference
from tips_ray.stability.table_summary import TableSummary
from tips_ray.stability.tables import TableCurves


def render_table(table: TableCurves, summary: TableSummary, title: str, unit_name: str = "") -> str:
    """The report as the text of an HTML page: no request leaves it, plotly.js is inside."""
    unit, colours = unit_for(summary, unit_name), arm_colours(list(summary.arms))
    drawn = {
        "errors": draw_curves(
            table, tables.seed_band(table.curves), tables.seed_lines(table.curves), colours, summary.columns.error
        ),
        "regret": draw_curves(
            table,
            tables.regret_table(table.curves),
            tables.regret_lines(table.curves),
            colours,
            f"{summary.columns.error} above the best",
        ),
        "rules": draw_rules(summary.stop_rules, colours, synthetic=False, unit=unit.name, least=10.0 ** (1 - unit.digits)),
    }
    return filled(
        "study/table.html.j2",
        drawn,
        title="When to stop",
        campaign=title,
        synthetic=False,
        finding=" ".join(comparison(summary, unit)),
        answers=answer_sentences(summary.answers, unit),
        cautions=table_cautions(summary, unit),
        summary=summary,
        rules={arm: [score for score in summary.stop_rules if score.arm == arm] for arm in summary.arms},
        stops=summary.stops,
        unit=unit,
        spans={arm: {name: span_of(getattr(entry, name), unit) for name in STATISTICS} for arm, entry in summary.arms.items()},
        statistics=STATISTICS,
        colours=colours,
        long_table=LONG_TABLE,
        known={},
        costs=[],
    )


STATISTICS = {"best": "best epoch (oracle)", "last_half": "last half", "last": "last epoch"}


def unit_for(summary: TableSummary, name: str) -> Unit:
    """How the errors of a table are written; those whose name ends with _mm are millimetres."""
    errors = [abs(entry.last.mean) for entry in summary.arms.values() if entry.last.mean]
    return unit_of(name or ("mm" if summary.columns.error.endswith("_mm") else ""), min(errors, default=0.0))


def span_of(over: Interval, unit: Unit) -> str:
    """The ends of an interval, or why it has none."""
    if over.n == 0:
        return "no finished run"
    return "n = 1 run, no interval" if over.low is None else f"{unit.number(over.low)} to {unit.number(over.high)}"


def comparison(summary: TableSummary, unit: Unit) -> list[str]:
    """How the two arms with the lowest error over the last half compare, in a sentence."""
    means = {arm: entry.last_half.mean for arm, entry in summary.arms.items() if entry.last_half.mean is not None}
    first = sorted(means, key=means.__getitem__)[:2]
    if len(first) < 2:
        return []
    pair = next(pair for pair in summary.paired if {pair.a, pair.b} == set(first))
    if pair.difference is None:
        return [f"The lowest errors over the last half are those of {first[0]} and {first[1]}, which share no run of one name."]
    return [f"Over the last half of the {pair.epochs} epochs that both have, {paired_text(pair, unit)}."]


def paired_text(pair: PairedDifference, unit: Unit) -> str:
    """A paired difference and what it bears."""
    size = f"{pair.a} − {pair.b} is {unit.size(pair.difference, sign=True)}"
    if pair.low is None or pair.high is None:
        return f"{size}, n = 1 shared run, no interval, so this may be luck"
    ends = f"95% interval {unit.number(pair.low, sign=True)} to {unit.number(pair.high, sign=True)}, n = {pair.n} runs"
    return f"{size} ({ends}){', so they cannot be told apart' if pair.low <= 0 <= pair.high else ''}"


def table_cautions(summary: TableSummary, unit: Unit) -> list[str]:
    """What limits the answer, and how the table was read; a sentence or two each."""
    counts = [entry.last.n for entry in summary.arms.values()]
    few = min((n for n in counts if n > 1), default=ENOUGH_SEEDS)
    best = {arm: run_best_epoch(summary, arm) for arm in summary.arms}
    epochs = {arm: (best[arm], len(entry.epochs)) for arm, entry in summary.arms.items()}
    diverged = [
        f"{arm}: {len(entry.diverged)} of {entry.num_runs} diverged ({', '.join(entry.diverged)}) and"
        f" {'is' if len(entry.diverged) == 1 else 'are'} left out of all numbers."
        for arm, entry in summary.arms.items()
        if entry.diverged
    ]
    return [
        *answer_cautions(summary.answers, epochs, unit, summary.seeds),
        *diverged,
        *([few_seeds(few)] if few < ENOUGH_SEEDS else []),
        *summary.notes,
        left_out(summary),
    ]


def run_best_epoch(summary: TableSummary, arm: str) -> float | None:
    """The mean over runs of the number of the best epoch."""
    epochs = summary.arms[arm].epochs
    best = [epochs.index(epoch) + 1 for epoch in summary.stops[arm]["best epoch (oracle)"].values()]
    return sum(best) / len(best) if best else None


def left_out(summary: TableSummary) -> str:
    """Which rules a table cannot score."""
    text = (
        f"{len(summary.left_out_rules)} rules that average weights, such as “{summary.left_out_rules[0]}”, are left out: a table"
        " of errors has no weights."
    )
    if not summary.columns.signals:
        text += " No signal is named, so rules see the number of the epoch alone; name label-free columns with --signals."
    return text


def draw_curves(table: TableCurves, bands: pd.DataFrame, lines: pd.DataFrame, colours: dict[str, str], label: str) -> go.Figure:
    """A value by epoch, as the table has it, with bands over runs above lines of single runs."""
    traces: list[Any] = []
    for arm in bands["arm"].unique():
        runs = with_epochs(lines[lines["arm"] == arm], table.epochs[arm])
        traces += run_traces(runs, arm, colours[arm])
        of_arm = with_epochs(bands[bands["arm"] == arm], table.epochs[arm])
        traces += [*band_traces(of_arm, arm, colours[arm], "", AT_EPOCH), *cross_traces(runs, arm, colours[arm])]
    figure = finish(go.Figure(traces), synthetic=False, height=420).update_layout(hovermode="closest")
    return figure.update_xaxes(title_text=table.columns.epoch).update_yaxes(title_text=label)


def with_epochs(rows: pd.DataFrame, epochs: Sequence[Any]) -> pd.DataFrame:
    """The rows with the epochs that the table has for their numbers."""
    return rows.assign(epoch=[epochs[number - 1] for number in rows["epoch"]])
