"""Tables of what a search varies in, Plotly figures out: a score against each field, all fields
at once, and their importance."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tips_ray.report.search.figures import BASELINE, BEST, QUIET, TRIAL, finished, marks, points
from tips_ray.report.search.scores import title_of
from tips_ray.report.search.tables import is_log, positions, short_names, shortened
from tips_ray.report.style import faded, finish, rounded
from tips_ray.report.text import as_text

SCORE_COLOURS = {"error_mm": TRIAL, "instability_mm": "#E69F00", "label_free": "#CC79A7", "signals": "#009E73"}
MAX_LINES = 300
"""Trials in the figure of parallel axes."""


def draw_field(complete: pd.DataFrame, path: str, entry: Mapping[str, Any], column: str, synthetic: bool) -> go.Figure:
    """One panel of small multiples: a score against one searched field, on a log axis where that
    was searched.

    The traces are those of `groups`, so that all panels can be given other values alike; `complete`
    is in order, the best first.
    """
    start = complete["baseline"].to_numpy(bool)
    figure = go.Figure()
    layout: dict[str, Any] = {"title": {"text": ""}}
    if entry["kind"] == "choice":
        choices = list(entry["choices"])
        places = pd.Series([choices.index(value) if value in choices else np.nan for value in complete[path]], dtype=float)
        jitter = 0.3 * (2 * ((np.arange(len(start)) * 0.618034) % 1) - 1)  # golden steps: even, and the same in each report
        places += np.where(start, 0.0, jitter)
        ticks = [shortened(str(choice), 16) for choice in choices]
        layout |= {"tickmode": "array", "tickvals": list(range(len(choices))), "ticktext": ticks}
        layout |= {"range": [-0.6, len(choices) - 0.4]}
    else:
        places = pd.to_numeric(complete[path])
    if is_log(entry):
        span = (math.log10(entry["low"]), math.log10(entry["high"]))
        pad = 0.03 * (span[1] - span[0])
        layout |= {"type": "log", "range": [span[0] - pad, span[1] + pad]} | log_ticks(entry["low"], entry["high"])
    elif entry["kind"] != "choice":
        pad = 0.03 * (entry["high"] - entry["low"])
        layout |= {"range": [entry["low"] - pad, entry["high"] + pad]}
    x, y = np.array(rounded(places), object), np.array(rounded(complete[column]), object)
    labels = np.array(
        [f"{label}, {as_text(value)}" for label, value in zip(complete["trial"], complete[path], strict=True)], object
    )
    rest, first, best = groups(complete)
    figure.add_trace(points(x[rest], y[rest], labels[rest], "trials"))
    figure.add_trace(marks(x[first], y[first], labels[first], "start", BASELINE, "diamond"))
    figure.add_trace(marks(x[best], y[best], labels[best], "best", BEST, "star"))
    figure = finish(figure, synthetic, 260).update_layout(showlegend=False, margin_t=38, hovermode="closest")
    figure.update_layout(title={"text": shortened(path), "font": {"size": 14}, "x": 0, "y": 0.97, "yanchor": "top"})
    return figure.update_xaxes(layout).update_yaxes(title_text=title_of(column))


def groups(complete: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which trials are drawn as points, as starts, and as the best by the objective (unless it
    started the search)."""
    first = complete["baseline"].to_numpy(bool)
    best = (np.arange(len(complete)) == 0) & ~first
    return ~first & ~best, first, best


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at 1 and 3 of each decade, of wider ranges at 1 alone: Plotly's own are bare digits."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wide = math.log10(high / low) > 2.5
    values = [digit * 10.0**power for power in decades for digit in ((1,) if wide else (1, 3))]
    values = [value for value in values if low * 0.999 <= value <= high * 1.001]
    if len(values) < 2:
        return {}
    return {"tickmode": "array", "tickvals": values, "ticktext": [f"{value:.4g}" for value in values]}


def draw_parallel(complete: pd.DataFrame, space: Mapping[str, Any], start: str, synthetic: bool) -> go.Figure:
    """One line a trial over its place in each searched range; the best tenth coloured; `complete`
    is in order, the best first."""
    fields = [path for path in space if path in complete]
    names = short_names(fields)
    places = pd.DataFrame({path: positions(complete[path], space[path]) for path in fields})
    best = np.zeros(len(complete), bool)
    best[: math.ceil(len(complete) / 10)] = True
    first = complete["baseline"].to_numpy(bool)
    figure = go.Figure(
        [
            _lines(places[~best & ~first], complete[~best & ~first], names, "others", faded(QUIET, 0.4), 1),
            _lines(places[best & ~first], complete[best & ~first], names, "best tenth", faded(TRIAL, 0.9), 1.8),
            _lines(places[first], complete[first], names, start, BASELINE, 2.5),
        ]
    )
    figure = finished(figure, synthetic, 400).update_layout(margin_t=64)
    above = {"y": 1, "yanchor": "bottom", "yshift": 2}  # the names of the axes may hang down far
    figure.update_annotations(selector={"name": "synthetic"}, **above)
    for path in fields:
        low, high = ends(space[path])
        for text, y, anchor in ((low, 0, "top"), (high, 1, "bottom")):
            figure.add_annotation(
                text=text, x=names[path], y=y, yanchor=anchor, showarrow=False, font_size=11, yshift=-3 if y == 0 else 3
            )
    figure.update_yaxes(range=[-0.09, 1.09], showticklabels=False, showgrid=False, title_text="place in the searched range")
    return figure.update_xaxes(type="category", showgrid=True, tickson="labels", title_text="")


def ends(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The ends of a searched range, or the first and the last choice."""
    low, high = (entry["choices"][0], entry["choices"][-1]) if entry["kind"] == "choice" else (entry["low"], entry["high"])
    return shortened(as_text(low), 14), shortened(as_text(high), 14)


def _lines(
    places: pd.DataFrame, trials: pd.DataFrame, names: Mapping[str, str], name: str, colour: str, width: float
) -> go.Scatter:
    x, y, labels = [], [], []
    for label, row in zip(trials["trial"], places.to_numpy(float).tolist(), strict=True):
        x += [*(names[str(path)] for path in places), None]
        y += [*(None if math.isnan(place) else round(place, 3) for place in row), None]
        labels += [label] * (len(row) + 1)
    line = {"color": colour, "width": width}
    return go.Scatter(x=x, y=y, text=labels, mode="lines", line=line, name=name, hovertemplate="%{text}<extra></extra>")


def draw_importances(table: pd.DataFrame, labels: Mapping[str, str], synthetic: bool) -> go.Figure:
    """Importance of each field for each score, as bars, the most important on top; pale ones do not
    reach beyond the tick, which is what chance alone reaches."""
    first = table[table["column"] == table["column"].iloc[0]].sort_values("importance")
    fields = first["field"].tolist() + [field for field in table["field"].unique() if field not in set(first["field"])]
    names = {field: shortened(field, 30) for field in fields}
    if len(set(names.values())) < len(fields):
        names = {field: field for field in fields}
    columns = list(table["column"].unique())
    figure = go.Figure()
    for place, column in enumerate(columns):
        shares = table[table["column"] == column].set_index("field").reindex(fields)
        y = [round(row + 0.8 * (0.5 - (place + 0.5) / len(columns)), 4) for row in range(len(fields))]
        texts = [
            f"{labels[column]}, {field}: {share:.2f}, by chance up to {chance:.2f}"
            for field, share, chance in zip(fields, shares["importance"], shares["chance"], strict=True)
        ]
        figure.add_trace(
            go.Bar(
                y=y,
                x=rounded(shares["importance"]),
                orientation="h",
                name=labels[column],
                width=0.7 / len(columns),
                marker={
                    "color": SCORE_COLOURS[column],
                    "opacity": np.where(shares["importance"] > shares["chance"], 1.0, 0.35).tolist(),
                },
                text=texts,
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                y=y,
                x=rounded(shares["chance"].clip(upper=1.0)),
                mode="markers",
                marker={"symbol": "line-ns", "size": 11, "line": {"width": 2.5, "color": QUIET}},
                name="most by chance",
                legendgroup="chance",
                legendrank=2000,
                showlegend=place == 0,
                text=texts,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure = finished(figure, synthetic, 130 + len(fields) * (14 + 15 * len(columns))).update_layout(barmode="overlay")
    ticks = {"tickmode": "array", "tickvals": list(range(len(fields))), "ticktext": [names[field] for field in fields]}
    figure.update_yaxes(**ticks, range=[-0.55, len(fields) - 0.45], showgrid=False)
    return figure.update_xaxes(title_text="share of importance", range=[0, 1.02])
