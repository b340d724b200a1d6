"""Tables of a search's trials in, Plotly figures out. `search_tables` builds what is drawn;
`field_figures` draws the fields."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tips_ray.report.search.scores import SCORE_LABELS, SCORE_UNITS, title_of, with_unit
from tips_ray.report.search.tables import HeatMap, shortened, thinned
from tips_ray.report.style import faded, finish, rounded
from tips_ray.search.confirmation import Gain

TRIAL, BASELINE, BEST, QUIET = "#2B8CC4", "#D55E00", "#009E73", "#7F7F7F"
"""A lighter blue than the arms', as many points are drawn one above the other, on both
backgrounds."""
STATE_MARKS = {"pruned": "line-ns", "diverged": "x", "failed": "circle-x-open", "unfinished": "circle-open"}
"""How a trial without a comparable score is marked, by its state."""

FEW_TICKS = 10
"""With fewer whole numbers on an axis, each has its tick."""
MAX_POINTS = 1500
"""Trials in a figure of points."""


def draw_history(history: pd.DataFrame, others: pd.DataFrame, title: str, start: str, synthetic: bool) -> go.Figure:
    """Score by trial number, the best so far as a step, and above them the trials that have no
    comparable score.

    history: `search_tables.best_so_far`; others: the trials of other states; of many, an even share
    is drawn.
    """
    several = history["search"].nunique() > 1
    few = thinned(history, MAX_POINTS)
    figure = go.Figure()
    figure.add_trace(points(few["number"], few["value"], few["trial"], "complete"))
    for place, (search, rows) in enumerate(history.groupby("search", sort=False)):
        name = f"best so far, {search}" if several else "best so far"
        changed = rows[(rows["best"] != rows["best"].shift()) | (rows["number"] == rows["number"].max())]
        line = {"shape": "hv", "color": BEST, "width": 2, "dash": ("solid", "dash", "dot", "dashdot")[place % 4]}
        y = rounded(changed["best"])
        figure.add_trace(
            go.Scatter(x=changed["number"].tolist(), y=y, mode="lines", line=line, name=shortened(name, 48), hoverinfo="skip")
        )
    starts = history[history["baseline"]]
    figure.add_trace(marks(starts["number"], starts["value"], starts["trial"], start, BASELINE, "diamond"))
    present = [state for state in STATE_MARKS if (others["state"] == state).any()]
    for state in present:
        rows = thinned(others[others["state"] == state], MAX_POINTS)
        marker = {"symbol": STATE_MARKS[state], "size": 7, "color": QUIET, "line": {"width": 1.2, "color": QUIET}}
        labels = [f"{label}: {state} after {epochs} epochs" for label, epochs in zip(rows["trial"], rows["epochs"], strict=True)]
        figure.add_trace(
            go.Scatter(
                x=rows["number"].tolist(),
                y=[state] * len(rows),
                yaxis="y2",
                mode="markers",
                marker=marker,
                text=labels,
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
            )
        )
    top = 1 - 0.07 * len(present)
    figure = finished(figure, synthetic, 380 + 16 * len(present))
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
    last = max(1, history["number"].max(), others["number"].max() if len(others) else 0)
    figure.update_xaxes(title_text="trial number", range=[-0.03 * last, 1.03 * last])
    return figure.update_xaxes(dtick=1 if last < FEW_TICKS else None)


def draw_front(trials: pd.DataFrame, labels: Mapping[str, str], start: str, synthetic: bool) -> go.Figure:
    """Error against instability of the complete trials, and the line of those that no other beats
    in both."""
    best = trials[trials["on_front"]].sort_values("error_mm")
    figure = go.Figure()
    rest = trials[~trials["on_front"] & ~trials["baseline"].astype(bool)]
    figure.add_trace(points(rounded(rest["error_mm"]), rest["instability_mm"], rest["trial"], "complete"))
    figure.add_trace(
        go.Scatter(
            x=rounded(best["error_mm"]),
            y=rounded(best["instability_mm"]),
            text=best["trial"].tolist(),
            name="Pareto front",
            mode="lines+markers",
            line={"shape": "hv", "color": BEST, "width": 2},
            marker={"size": 8, "color": BEST},
            hovertemplate="%{text}: %{x:.1f} mm, instability %{y:.2f} mm<extra></extra>",
        )
    )
    first = trials[trials["baseline"].astype(bool)]
    figure.add_trace(marks(rounded(first["error_mm"]), first["instability_mm"], first["trial"], start, BASELINE, "diamond"))
    figure = finished(figure, synthetic, 420)
    figure.update_yaxes(title_text=labels["instability_mm"])
    return figure.update_xaxes(title_text=labels["error_mm"])


def draw_heat_map(cells: HeatMap, score: str, synthetic: bool) -> go.Figure:
    """A score by rank (the best on top) and stop epoch, with the lowest of each row marked."""
    middle = [(first + last) / 2 for first, last in cells.epochs]
    rank = [(first + last) / 2 for first, last in cells.ranks]
    labels = [label or f"ranks {first} to {last}" for label, (first, last) in zip(cells.labels, cells.ranks, strict=True)]
    values = cells.values[np.isfinite(cells.values)]
    low, high = float(values.min()), float(np.quantile(values, 0.9))  # the first epochs, far above, would take all colours
    figure = go.Figure()
    figure.add_trace(
        go.Heatmap(
            x=middle,
            y=rank,
            z=[rounded(pd.Series(row)) for row in cells.values],
            zmin=low,
            zmax=max(high, low * (1 + 1e-6) + 1e-12),
            colorscale="Viridis",
            reversescale=True,
            colorbar={"title": {"text": title_of(score), "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0},
            text=[[name] * len(middle) for name in labels],
            hovertemplate=f"%{{text}}, epoch %{{x}}: %{{z:.4g}} {SCORE_UNITS[score]}<extra></extra>",
        )
    )
    has = np.isfinite(cells.values).any(axis=1)
    lowest = [middle[int(np.nanargmin(row))] for row in cells.values[has]]
    name = "best stop epoch (oracle)" if score == "error_mm" else f"lowest {SCORE_LABELS[score]}"
    marker = {"symbol": "circle", "size": 5, "color": "#D55E00", "line": {"width": 0.5, "color": "#ffffff"}}
    figure.add_trace(
        go.Scatter(
            x=lowest,
            y=np.array(rank)[has].tolist(),
            mode="markers",
            marker=marker,
            name=name,
            showlegend=True,
            hovertemplate=f"{name}: %{{x}}<extra></extra>",
        )
    )
    height = int(np.clip(140 + 9 * len(rank), 300, 620))
    figure = finished(figure, synthetic, height)
    row_ticks, epoch_ticks = (1 if count < FEW_TICKS else None for count in (len(rank), cells.epochs[-1][1]))
    figure.update_yaxes(title_text="rank of the trial", range=[cells.ranks[-1][1] + 0.5, 0.5], showgrid=False, dtick=row_ticks)
    return figure.update_xaxes(title_text="stop epoch", showgrid=False, dtick=epoch_ticks)


def draw_gains(gains: Sequence[Gain], score: str, synthetic: bool) -> go.Figure:
    """Gain over the start by trial, in the search and confirmed, with 95% intervals; the search's
    first choice on top."""
    order = sorted(gains, key=lambda gain: not gain.primary)[::-1]
    names = [gain.trial + (" (first choice)" if gain.primary else "") for gain in order]
    figure = go.Figure()
    for intervals, name, colour, symbol, shift in (
        (
            [gain.confirmed_gain for gain in order],
            "fresh seeds and subjects" if score == "error_mm" else "fresh seeds",
            TRIAL,
            "circle",
            -0.14,
        ),
        ([gain.search_gain for gain in order], "in the search", QUIET, "circle-open", 0.14),
    ):
        table = pd.DataFrame([vars(interval) for interval in intervals], dtype=float).dropna(subset="mean")
        bars = {
            "type": "data",
            "symmetric": False,
            "array": (table["high"] - table["mean"]).fillna(0.0).round(6).tolist(),
            "arrayminus": (table["mean"] - table["low"]).fillna(0.0).round(6).tolist(),
            "thickness": 2,
            "width": 5,
        }
        rows = zip(table.index.tolist(), table["mean"], table["n"], strict=True)
        labels = [f"{names[place]}, {name}: {with_unit(mean, score, sign=True)}, n = {n:.0f}" for place, mean, n in rows]
        figure.add_trace(
            go.Scatter(
                x=rounded(table["mean"]),
                y=(table.index + shift).tolist(),
                error_x=bars,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2, "color": colour}},
                name=name,
                text=labels,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_vline(x=0, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    figure = finished(figure, synthetic, 150 + 58 * len(order)).update_layout(legend_traceorder="reversed")
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(names))), ticktext=names, range=[-0.6, len(names) - 0.4])
    return figure.update_xaxes(title_text=f"gain in {title_of(score)}")


def finished(figure: go.Figure, synthetic: bool, height: int) -> go.Figure:
    """A figure of a search with its layout."""
    return finish(figure, synthetic, height).update_layout(hovermode="closest", legend_traceorder="normal")


def points(x: Any, y: Any, labels: Any, name: str) -> go.Scatter:
    """Trials as dots, smaller ones where they are many."""
    marker = {"color": faded(TRIAL, 0.75), "size": 6 if len(x) < 400 else 4}
    return _scatter(x, y, labels, name, marker, "%{text}: %{y:.4g}<extra></extra>")


def marks(x: Any, y: Any, labels: Any, name: str, colour: str, symbol: str) -> go.Scatter:
    """Trials that stand out, such as the first."""
    marker = {"symbol": symbol, "size": 12, "color": colour, "line": {"width": 1.5, "color": "#ffffff"}}
    return _scatter(x, y, labels, name, marker, f"%{{text}} ({name}): %{{y:.4g}}<extra></extra>").update(cliponaxis=False)


def _scatter(x: Any, y: Any, labels: Any, name: str, marker: dict[str, Any], hover: str) -> go.Scatter:
    return go.Scatter(x=list(x), y=_numbers(y), text=list(labels), mode="markers", marker=marker, name=name, hovertemplate=hover)


def _numbers(values: Any) -> list[float | None]:
    return rounded(pd.Series(list(values), dtype=float))
