"""Tables of a search in, Plotly figures out. `search_tables` builds what is drawn here."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tips_ray.report.figures import faded, finish, rounded
from tips_ray.report.search_tables import HeatMap, is_log, positions, short_names, shortened, thinned

TRIAL, BASELINE, BEST, QUIET = "#2B8CC4", "#D55E00", "#009E73", "#7F7F7F"
"""A lighter blue than the arms', as many points are drawn one above the other, on both backgrounds."""
SCORE_COLOURS = {"error_mm": TRIAL, "instability_mm": "#E69F00", "label_free": "#CC79A7"}
STATE_MARKS = {"pruned": "line-ns", "diverged": "x", "failed": "circle-x-open", "unfinished": "circle-open"}
"""How a trial without a comparable score is marked, by its state."""

MAX_POINTS = 1500
"""Trials in a figure of points."""
MAX_LINES = 300
"""Trials in the figure of parallel axes."""


def draw_history(history: pd.DataFrame, others: pd.DataFrame, title: str, start: str, synthetic: bool) -> go.Figure:
    """Score by trial number, the best so far as a step, and above them the trials that have no comparable score.

    history: `search_tables.best_so_far`; others: the trials of other states; of many, an even share is drawn.
    """
    several = history["search"].nunique() > 1
    few = thinned(history, MAX_POINTS)
    figure = go.Figure()
    figure.add_trace(_points(few["number"], few["value"], few["label"], "complete"))
    for place, (search, rows) in enumerate(history.groupby("search", sort=False)):
        name = f"best so far, {search}" if several else "best so far"
        changed = rows[(rows["best"] != rows["best"].shift()) | (rows["number"] == rows["number"].max())]
        line = {"shape": "hv", "color": BEST, "width": 2, "dash": ("solid", "dash", "dot", "dashdot")[place % 4]}
        y = rounded(changed["best"])
        figure.add_trace(
            go.Scatter(x=changed["number"].tolist(), y=y, mode="lines", line=line, name=shortened(name, 48), hoverinfo="skip")
        )
    starts = history[history["baseline"]]
    figure.add_trace(_marks(starts["number"], starts["value"], starts["label"], start, BASELINE, "diamond"))
    present = [state for state in STATE_MARKS if (others["state"] == state).any()]
    for state in present:
        rows = thinned(others[others["state"] == state], MAX_POINTS)
        marker = {"symbol": STATE_MARKS[state], "size": 7, "color": QUIET, "line": {"width": 1.2, "color": QUIET}}
        said = [f"{label}: {state} after {epochs} epochs" for label, epochs in zip(rows["label"], rows["epochs"], strict=True)]
        figure.add_trace(
            go.Scatter(
                x=rows["number"].tolist(),
                y=[state] * len(rows),
                yaxis="y2",
                mode="markers",
                marker=marker,
                text=said,
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
            )
        )
    top = 1 - 0.07 * len(present)
    figure = _finished(figure, synthetic, 380 + 16 * len(present))
    figure.update_layout(yaxis={"title": {"text": title}, "domain": [0, top - 0.03 if present else 1]})
    if present:
        strip = {
            "domain": [top, 1],
            "categoryarray": present[::-1],
            "categoryorder": "array",
            "showgrid": False,
            "fixedrange": True,
        }
        figure.update_layout(yaxis2=strip | {"range": [-0.6, len(present) - 0.4]})
    last = max(history["number"].max(), others["number"].max() if len(others) else 0)
    figure.update_xaxes(title_text="trial number", range=[-0.015 * max(last, 9), 1.015 * max(last, 9)])
    return figure


def draw_field(complete: pd.DataFrame, path: str, entry: Mapping[str, Any], column: str, synthetic: bool) -> go.Figure:
    """One panel of small multiples: a score against one searched field, on a log axis where that was searched.

    The traces are those of `groups`, so that all panels can be given other values alike; `complete` is in order, the best first.
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
        [f"{label}, {shown(value)}" for label, value in zip(complete["label"], complete[path], strict=True)], object
    )
    rest, first, best = groups(complete)
    figure.add_trace(_points(x[rest], y[rest], labels[rest], "trials"))
    figure.add_trace(_marks(x[first], y[first], labels[first], "start", BASELINE, "diamond"))
    figure.add_trace(_marks(x[best], y[best], labels[best], "best", BEST, "star"))
    figure = finish(figure, synthetic, 260).update_layout(showlegend=False, margin_t=38, hovermode="closest")
    figure.update_layout(title={"text": shortened(path), "font": {"size": 14}, "x": 0, "y": 0.97, "yanchor": "top"})
    return figure.update_xaxes(layout)


def groups(complete: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which trials are drawn as points, as starts, and as the best by the objective (unless it started the search)."""
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


def shown(value: Any) -> str:
    """The value of a searched field as text."""
    if isinstance(value, (float, np.floating)):
        return "–" if math.isnan(value) else f"{value:.3g}"
    return str(value)


def draw_parallel(complete: pd.DataFrame, space: Mapping[str, Any], start: str, synthetic: bool) -> go.Figure:
    """One line a trial over its place in each searched range; the best tenth coloured; `complete` is in order, the best first."""
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
    figure = _finished(figure, synthetic, 400).update_layout(margin_t=64)
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
    return shortened(shown(low), 14), shortened(shown(high), 14)


def _lines(
    places: pd.DataFrame, trials: pd.DataFrame, names: Mapping[str, str], name: str, colour: str, width: float
) -> go.Scatter:
    x, y, said = [], [], []
    for label, row in zip(trials["label"], places.to_numpy(float).tolist(), strict=True):
        x += [*(names[str(path)] for path in places), None]
        y += [*(None if math.isnan(place) else round(place, 3) for place in row), None]
        said += [label] * (len(row) + 1)
    line = {"color": colour, "width": width}
    return go.Scatter(x=x, y=y, text=said, mode="lines", line=line, name=name, hovertemplate="%{text}<extra></extra>")


def draw_importances(table: pd.DataFrame, labels: Mapping[str, str], synthetic: bool) -> go.Figure:
    """Importance of each field for each score, as bars, the most important on top; pale ones do not reach
    beyond the tick, which is what chance alone reaches."""
    first = table[table["column"] == table["column"].iloc[0]].sort_values("importance")
    fields = first["field"].tolist() + [field for field in table["field"].unique() if field not in set(first["field"])]
    names = {field: shortened(field, 30) for field in fields}
    if len(set(names.values())) < len(fields):
        names = {field: field for field in fields}
    columns = list(table["column"].unique())
    figure = go.Figure()
    for place, column in enumerate(columns):
        own = table[table["column"] == column].set_index("field").reindex(fields)
        y = [round(row + 0.8 * (0.5 - (place + 0.5) / len(columns)), 4) for row in range(len(fields))]
        said = [
            f"{labels[column]}, {field}: {share:.2f}, by chance up to {chance:.2f}"
            for field, share, chance in zip(fields, own["importance"], own["chance"], strict=True)
        ]
        figure.add_trace(
            go.Bar(
                y=y,
                x=rounded(own["importance"]),
                orientation="h",
                name=labels[column],
                width=0.7 / len(columns),
                marker={
                    "color": SCORE_COLOURS[column],
                    "opacity": np.where(own["importance"] > own["chance"], 1.0, 0.35).tolist(),
                },
                text=said,
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                y=y,
                x=rounded(own["chance"].clip(upper=1.0)),
                mode="markers",
                marker={"symbol": "line-ns", "size": 11, "line": {"width": 2.5, "color": QUIET}},
                name="most by chance",
                legendgroup="chance",
                legendrank=2000,
                showlegend=place == 0,
                text=said,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure = _finished(figure, synthetic, 130 + len(fields) * (14 + 15 * len(columns))).update_layout(barmode="overlay")
    ticks = {"tickmode": "array", "tickvals": list(range(len(fields))), "ticktext": [names[field] for field in fields]}
    figure.update_yaxes(**ticks, range=[-0.55, len(fields) - 0.45], showgrid=False)
    return figure.update_xaxes(title_text="share of importance", range=[0, 1.02])


def draw_front(points: pd.DataFrame, labels: Mapping[str, str], start: str, synthetic: bool) -> go.Figure:
    """Error against instability of the complete trials, and the line of those that no other beats in both."""
    best = points[points["on_front"]].sort_values("error_mm")
    figure = go.Figure()
    rest = points[~points["on_front"] & ~points["baseline"].astype(bool)]
    figure.add_trace(_points(rounded(rest["error_mm"]), rest["instability_mm"], rest["label"], "complete"))
    figure.add_trace(
        go.Scatter(
            x=rounded(best["error_mm"]),
            y=rounded(best["instability_mm"]),
            text=best["label"].tolist(),
            name="Pareto front",
            mode="lines+markers",
            line={"shape": "hv", "color": BEST, "width": 2},
            marker={"size": 8, "color": BEST},
            hovertemplate="%{text}: %{x:.1f} mm, instability %{y:.2f} mm<extra></extra>",
        )
    )
    first = points[points["baseline"].astype(bool)]
    figure.add_trace(_marks(rounded(first["error_mm"]), first["instability_mm"], first["label"], start, BASELINE, "diamond"))
    figure = _finished(figure, synthetic, 420)
    figure.update_yaxes(title_text=labels["instability_mm"])
    return figure.update_xaxes(title_text=labels["error_mm"])


def draw_heat_map(cells: HeatMap, synthetic: bool) -> go.Figure:
    """Error by rank (the best on top) and stop epoch, with the lowest of each row marked."""
    middle = [(first + last) / 2 for first, last in cells.epochs]
    rank = [(first + last) / 2 for first, last in cells.ranks]
    said = [label or f"ranks {first} to {last}" for label, (first, last) in zip(cells.labels, cells.ranks, strict=True)]
    known = cells.errors[np.isfinite(cells.errors)]
    low, high = float(known.min()), float(np.quantile(known, 0.9))  # the first epochs, far above, would take all colours
    figure = go.Figure()
    figure.add_trace(
        go.Heatmap(
            x=middle,
            y=rank,
            z=[rounded(pd.Series(row)) for row in cells.errors],
            zmin=low,
            zmax=max(high, low + 1e-6),
            colorscale="Viridis",
            reversescale=True,
            colorbar={"title": {"text": "error, mm", "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0},
            text=[[name] * len(middle) for name in said],
            hovertemplate="%{text}, epoch %{x}: %{z:.1f} mm<extra></extra>",
        )
    )
    has = np.isfinite(cells.errors).any(axis=1)
    lowest = [middle[int(np.nanargmin(row))] for row in cells.errors[has]]
    marker = {"symbol": "circle", "size": 5, "color": "#D55E00", "line": {"width": 0.5, "color": "#ffffff"}}
    figure.add_trace(
        go.Scatter(
            x=lowest,
            y=np.array(rank)[has].tolist(),
            mode="markers",
            marker=marker,
            name="best stop epoch (oracle)",
            showlegend=True,
            hovertemplate="best at epoch %{x} (oracle)<extra></extra>",
        )
    )
    height = int(np.clip(140 + 9 * len(rank), 300, 620))
    figure = _finished(figure, synthetic, height)
    figure.update_yaxes(
        title_text="rank of the trial", range=[cells.ranks[-1][1] + 0.5, 0.5], showgrid=False, dtick=1 if len(rank) < 10 else None
    )
    return figure.update_xaxes(title_text="stop epoch", showgrid=False)


def draw_gains(gains: Sequence[Mapping[str, Any]], synthetic: bool) -> go.Figure:
    """Gain over the start by trial, in the search and confirmed, with 95% intervals; the search's first choice on top."""
    order = sorted(gains, key=lambda entry: not entry["primary"])[::-1]
    names = [entry["trial"] + (" (first choice)" if entry["primary"] else "") for entry in order]
    figure = go.Figure()
    for key, name, colour, symbol, shift in (
        ("confirmed_gain_mm", "fresh seeds and subjects", TRIAL, "circle", -0.14),
        ("search_gain_mm", "in the search", QUIET, "circle-open", 0.14),
    ):
        known = [(place, entry[key]) for place, entry in enumerate(order) if entry[key]["mean"] is not None]
        mean = [entry["mean"] for _, entry in known]
        far = [(entry["low"], entry["high"]) if entry["low"] is not None else (entry["mean"],) * 2 for _, entry in known]
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [round(high - value, 4) for value, (_, high) in zip(mean, far, strict=True)],
            "arrayminus": [round(value - low, 4) for value, (low, _) in zip(mean, far, strict=True)],
            "thickness": 2,
            "width": 5,
        }
        said = [f"{names[place]}, {name}: {entry['mean']:+.2f} mm, n = {entry['n']}" for place, entry in known]
        figure.add_trace(
            go.Scatter(
                x=rounded(pd.Series(mean, dtype=float)),
                y=[place + shift for place, _ in known],
                error_x=bars,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2, "color": colour}},
                name=name,
                text=said,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_vline(x=0, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    figure = _finished(figure, synthetic, 150 + 58 * len(order)).update_layout(legend_traceorder="reversed")
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(names))), ticktext=names, range=[-0.6, len(names) - 0.4])
    return figure.update_xaxes(title_text="gain, mm")


def _finished(figure: go.Figure, synthetic: bool, height: int) -> go.Figure:
    figure = finish(figure, synthetic, height).update_layout(hovermode="closest", legend_traceorder="normal")
    if synthetic:  # beneath the axis title, which is long and would run into it on narrow screens
        figure.update_layout(height=height + 16, margin_b=68).update_annotations(selector={"name": "synthetic"}, yshift=-50)
    return figure


def _points(x: Any, y: Any, labels: Any, name: str) -> go.Scatter:
    marker = {"color": faded(TRIAL, 0.75), "size": 6 if len(x) < 400 else 4}
    return _scatter(x, y, labels, name, marker, "%{text}: %{y:.4g}<extra></extra>")


def _marks(x: Any, y: Any, labels: Any, name: str, colour: str, symbol: str) -> go.Scatter:
    marker = {"symbol": symbol, "size": 12, "color": colour, "line": {"width": 1.5, "color": "#ffffff"}}
    return _scatter(x, y, labels, name, marker, f"%{{text}} ({name}): %{{y:.4g}}<extra></extra>").update(cliponaxis=False)


def _scatter(x: Any, y: Any, labels: Any, name: str, marker: dict[str, Any], hover: str) -> go.Scatter:
    return go.Scatter(x=list(x), y=_numbers(y), text=list(labels), mode="markers", marker=marker, name=name, hovertemplate=hover)


def _numbers(values: Any) -> list[float | None]:
    return rounded(pd.Series(list(values), dtype=float))
