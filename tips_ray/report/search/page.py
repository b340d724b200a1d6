"""The report of a search: one HTML file that opens offline."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tips_ray.columns import label_of
from tips_ray.report.base import LONG_TABLE, filled
from tips_ray.report.search import field_figures, figures, tables
from tips_ray.report.search import headline as words
from tips_ray.report.search.importances import MIN_IMPORTANCE_TRIALS, importance_table
from tips_ray.report.search.scores import SCORE_LABELS, score, score_label, span
from tips_ray.report.style import rounded
from tips_ray.report.text import as_text, described, duration, epochs_text, execution_rows, ordered
from tips_ray.search.confirmation import Gain
from tips_ray.search.objectives import SPREADS
from tips_ray.search.summary import SearchSummary
from tips_ray.stability.settings import beside_paper

TOP_ROWS = 25
"""Trials in the table, besides those that started a search."""
MOST_LISTED = 60
"""Pruned, diverged, failed or unfinished trials that are listed, of each."""
STATES = ("complete", "pruned", "diverged", "failed", "unfinished")


def render_search(summary: SearchSummary, surface: pd.DataFrame) -> str:
    """The report of one search, or of several with the same space and objective, as the text of an
    HTML page.

    `surface` has the summary's score, mean over seeds, by search, number and epoch.
    """
    trials, columns = summary.trials, summary.objective_columns
    complete = tables.complete_trials(trials, columns)
    importances = importance_table(trials, summary.space, score_columns(trials))
    cells = tables.heat_map(complete, surface, summary.score)
    drawn, choices = draw_all(summary, complete, surface, importances, cells)
    fields = tables.fields_of(trials, summary.space)
    return filled(
        "search/page.html.j2",
        drawn,
        choices,
        title="Weight search",
        campaign=summary.campaign,
        summary=summary,
        synthetic=bool(summary.data.get("synthetic")),
        finding=words.finding(summary),
        cautions=words.cautions(summary),
        labels={column: score_label(column, summary) for column in score_columns(trials)},
        score=SCORE_LABELS[summary.score],
        metric=label_of(summary.metric) if summary.metric else "",
        start=words.start_name(summary),
        objective=[score_label(column, summary) for column in columns],
        states=state_rows(trials),
        time=duration(3600 * trials["hours"].sum()),
        window=epochs_text(*summary.window),
        searches=int(trials["search"].nunique()),
        fields=tables.short_names(fields),
        colours={"trial": figures.TRIAL, "start": figures.BASELINE, "best": figures.BEST},
        rows=trial_rows(complete, fields, summary),
        num_complete=len(complete),
        agreement=words.agreement(summary),
        stops=stop_rows(complete, surface, summary),
        panels=[f"field-{place}" for place in range(len(fields))],
        histories=[f"history-{column}" for column in columns],
        importance_counts=importances.drop_duplicates("column")[["column", "n"]].to_dict("records"),
        points=min(len(complete), figures.MAX_POINTS),
        lines=min(len(complete), field_figures.MAX_LINES),
        cells=cells,
        least=MIN_IMPORTANCE_TRIALS,
        confirmation=summary.confirmation,
        gains=gain_rows(summary),
        lost=lost_rows(trials),
        most_listed=MOST_LISTED,
        long_table=LONG_TABLE,
        space=space_rows(summary),
        data=described({key.replace("test_", "validation_"): value for key, value in summary.data.items()}),
        provenance=described(ordered(summary.provenance, without=("config", "executions"))),
        executions=execution_rows(summary.provenance),
        settings=beside_paper({"the search's start": summary.provenance.get("config", {})}),
    )


def search_figures(summary: SearchSummary, surface: pd.DataFrame) -> dict[str, go.Figure]:
    """The figures of the report, by name."""
    complete = tables.complete_trials(summary.trials, summary.objective_columns)
    importances = importance_table(summary.trials, summary.space, score_columns(summary.trials))
    cells = tables.heat_map(complete, surface, summary.score)
    return draw_all(summary, complete, surface, importances, cells)[0]


def draw_all(
    summary: SearchSummary,
    complete: pd.DataFrame,
    surface: pd.DataFrame,
    importances: pd.DataFrame,
    cells: tables.HeatMap | None,
) -> tuple[dict[str, go.Figure], list[dict[str, Any]]]:
    """The figures by name, and what their shared dropdown offers; a figure for which there is
    nothing to draw is left out."""
    synthetic, space, trials = bool(summary.data.get("synthetic")), summary.space, summary.trials
    labels = {column: score_label(column, summary) for column in score_columns(trials)}
    names = {column: score_label(column, summary, unit=False) for column in score_columns(trials)}
    fields, start = tables.fields_of(trials, space), words.start_name(summary)
    drawn: dict[str, go.Figure] = {}
    choices: list[dict[str, Any]] = []
    if summary.confirmation and summary.confirmation.gains:
        drawn["gains"] = figures.draw_gains(summary.confirmation.gains, summary.score, synthetic)
    if complete.empty:
        return drawn, choices
    others = trials[trials["state"] != "complete"]
    for column in summary.objective_columns:
        history = tables.best_so_far(trials, column)
        drawn[f"history-{column}"] = figures.draw_history(history, others, labels[column], start, synthetic)
    few = tables.thinned(complete, figures.MAX_POINTS)
    for place, path in enumerate(fields):
        drawn[f"field-{place}"] = field_figures.draw_field(few, path, space[path], summary.score, synthetic)
    if fields:
        choices.append(stop_choice(few, surface, len(fields), summary))
        lines = tables.thinned(complete, field_figures.MAX_LINES)
        drawn["parallel"] = field_figures.draw_parallel(lines, {path: space[path] for path in fields}, start, synthetic)
    if len(importances):
        drawn["importances"] = field_figures.draw_importances(importances, names, synthetic)
    points = tables.front(trials) if summary.labelled else pd.DataFrame()
    if len(points):
        drawn["front"] = figures.draw_front(thin_front(points), labels, start, synthetic)
    if cells:
        drawn["surface"] = figures.draw_heat_map(cells, summary.score, synthetic)
    return drawn, choices


def thin_front(points: pd.DataFrame) -> pd.DataFrame:
    """All of the front, and not too many of the others."""
    rest = points[~points["on_front"]]
    return pd.concat([points[points["on_front"]], tables.thinned(rest, figures.MAX_POINTS)], ignore_index=True)


def stop_choice(few: pd.DataFrame, surface: pd.DataFrame, num_panels: int, summary: SearchSummary) -> dict[str, Any]:
    """The dropdown of the panels: the score over the stop window, or at one stop epoch."""
    first, last = summary.window
    views = {f"mean of the stop window, {epochs_text(first, last)}": few[summary.score]}
    for name, epoch in tables.budgets(summary.num_epochs).items():
        views[f"epoch {epoch} ({name})"] = tables.scores_at(few, surface, summary.score, epoch)
    drawn = field_figures.groups(few)
    return {
        "label": f"{SCORE_LABELS[summary.score].capitalize()} at",
        "plots": [f"field-{place}" for place in range(num_panels)],
        "traces": list(range(len(drawn))),
        "options": [{"label": label, "y": [rounded(values[group]) for group in drawn]} for label, values in views.items()],
    }


def trial_rows(complete: pd.DataFrame, fields: list[str], summary: SearchSummary) -> list[dict[str, Any]]:
    """The best trials and those that started a search, as text, with their ranks."""
    table = complete.assign(rank=range(1, len(complete) + 1))
    table = table[(table["rank"] <= TOP_ROWS) | table["baseline"]]
    column, spread = summary.score, SPREADS[summary.score]
    starts = complete[complete["baseline"]].set_index("search")[column]
    rows = []
    for row in table.to_dict("records"):
        gain = starts.get(row["search"], float("nan")) - row[column]
        rows.append(
            {
                "rank": f"{row['rank']:,}",
                "label": row["trial"],
                "baseline": bool(row["baseline"]),
                "front": len(summary.objective_columns) > 1 and not row["behind"],
                "score": score(row[column], column),
                "spread": "" if pd.isna(row[spread]) else f" ± {score(row[spread], column)}",
                "gain": "–" if row["baseline"] else score(gain, column, sign=True),
                "instability": as_text(row.get("instability_mm"), ".2f"),
                "others": [score(row[other], other) for other in ("label_free", "signals") if other != column],
                "best_epoch": as_text(row.get("best_epoch"), ".0f"),
                "best_error": score(row.get("best_error_mm"), "error_mm"),
                "time": duration(3600 * row["hours"]),
                "values": [as_text(row[path]) for path in fields],
            }
        )
    return rows


def gain_rows(summary: SearchSummary) -> list[dict[str, Any]]:
    """The trials that were confirmed, and last the start, as text."""
    confirmation = summary.confirmation
    if confirmation is None or confirmation.baseline is None:
        return []
    rows = []
    for entry in (*confirmation.gains, confirmation.baseline):
        gains = (entry.search_gain, entry.confirmed_gain) if isinstance(entry, Gain) else ()
        rows.append(
            {
                "trial": entry.trial if isinstance(entry, Gain) else None,
                "look": ("first choice" if entry.primary else "a further look") if isinstance(entry, Gain) else "",
                "gains": [(score(gain.mean, summary.score, sign=True), span(gain, summary.score, sign=True)) for gain in gains],
                "seeds": entry.confirmed_gain.n if isinstance(entry, Gain) else entry.score.n,
                "diverged": entry.num_diverged,
                "score": score(entry.score.mean, summary.score),
                "span": span(entry.score, summary.score),
                "instability": as_text(entry.instability_mm, ".2f"),
            }
        )
    return rows


def score_columns(trials: pd.DataFrame) -> list[str]:
    """The scores that the trials have."""
    return [column for column in tables.SCORE_COLUMNS if column in trials]


def stop_rows(complete: pd.DataFrame, surface: pd.DataFrame, summary: SearchSummary) -> list[dict[str, str]]:
    """What would have been chosen at other stop epochs, as text."""
    if complete.empty:
        return []
    table = tables.stop_table(complete, surface, summary.score, summary.num_epochs, summary.objective_columns[0])
    return [
        {
            "name": row["name"],
            "epoch": str(row["epoch"]),
            "label": row["trial"],
            "lowest": score(row["lowest"], summary.score),
            "baseline": score(row["baseline"], summary.score),
            "agreement": "–" if pd.isna(row["agreement"]) else f"{row['agreement']:.2f}".replace("-", "−"),
        }
        for row in table.to_dict("records")
    ]


def state_rows(trials: pd.DataFrame) -> list[tuple[str, int]]:
    """How many trials are in each state that occurs."""
    counts = trials["state"].value_counts()
    return [(state, int(counts[state])) for state in STATES if state in counts]


def lost_rows(trials: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The trials that were not completed, by state: how many, and the first of them with the epochs
    they reached."""
    by_state = {}
    for state in STATES[1:]:
        rows = trials[trials["state"] == state]
        if len(rows):
            shown = rows.head(MOST_LISTED)
            by_state[state] = {"count": len(rows), "trials": list(zip(shown["trial"], shown["epochs"].astype(int), strict=True))}
    return by_state


def space_rows(summary: SearchSummary) -> list[dict[str, str]]:
    """What was searched, as text: path, values, scale, and the value that the search started
    from."""
    rows = []
    for path, entry in summary.space.items():
        choice = entry["kind"] == "choice"
        values = ", ".join(map(str, entry["choices"])) if choice else f"{entry['low']:g} to {entry['high']:g}"
        scale = "choice" if choice else "logarithmic" if tables.is_log(entry) else "linear"
        scale += ", whole numbers" if entry["kind"] == "integer" else ""
        rows.append({"path": path, "values": values, "scale": scale, "start": as_text(summary.baseline.get(path))})
    return rows
