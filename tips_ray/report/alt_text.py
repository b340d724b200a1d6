"""What a figure shows, in a sentence with its numbers, for readers who do not see it."""

import math
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

MOST_ARMS = 6
"""Of whose lines the last values are said."""
CODE = "customdata"


def result_of(figure: Mapping[str, Any]) -> str:
    """The result of a figure, given as Plotly's JSON values; empty where nothing is known to say.

    A figure may say its own, as `result` of its layout's `meta`. Of lines, the last value of each,
    with the interval that is drawn around it; of effects the first row of each series, which are
    sorted; of a heat map its largest value; of points the lowest.
    """
    layout = figure["layout"]
    own = (layout.get("meta") or {}).get("result")
    if own:
        return unescape(own)
    title = text_of(layout.get("title"))
    kinds: tuple[Callable[[Mapping[str, Any]], str], ...] = (heat_result, row_result, line_result, point_result)
    said = next(filter(None, (kind(figure) for kind in kinds)), "")
    return unescape(": ".join(filter(None, (title, said))))  # names are literal in figures


def heat_result(figure: Mapping[str, Any]) -> str:
    """The largest value of a heat map, and where it is."""
    heats = [trace for trace in figure["data"] if trace["type"] == "heatmap"]
    cells = [
        (value, trace["x"][column], trace["y"][row])
        for trace in heats
        for row, values in enumerate(trace["z"])
        for column, value in enumerate(values)
        if is_number(value)
    ]
    if not cells:
        return ""
    value, x, y = max(cells, key=lambda cell: cell[0])
    return f"the largest of {len(cells)} values is {value:.3g}, at {y} by {x}."


def row_result(figure: Mapping[str, Any]) -> str:
    """The uppermost row of each series of a figure whose points carry their own words."""
    parts = []
    for trace in figure["data"]:
        rows = trace.get(CODE) or []
        if not trace.get("error_x") or not rows or not all(isinstance(row, list) and len(row) > 1 for row in rows):
            continue
        places = [place for place, x in enumerate(trace["x"]) if x is not None and isinstance(rows[place][1], str)]
        if places:
            top = rows[min(places, key=lambda place: trace["y"][place])]
            parts.append(f"{trace['name']}, {top[0]}: {top[1]}")
    return f"in the first row, {'; '.join(parts)}." if parts else ""


def line_result(figure: Mapping[str, Any]) -> str:
    """The last value of each named line, and where it is."""
    lines = [
        trace for trace in figure["data"] if trace["type"] == "scatter" and trace.get("mode") == "lines" and trace.get("name")
    ]
    ends = []
    for trace in lines:
        places = [place for place, value in enumerate(trace["y"]) if is_number(value)]
        if places:
            at = places[-1]
            span = (trace.get(CODE) or [None] * (at + 1))[at]
            ends.append((trace["name"].partition(" (n =")[0], trace["x"][at], trace["y"][at], span))
    if not ends:
        return ""
    axis = figure["layout"].get("xaxis", {})
    what = text_of(figure["layout"].get("yaxis", {}).get("title"))
    at = ends[0][1]
    parts = [f"{name} {number(value)}{span_text(span)}" for name, _, value, span in ends[:MOST_ARMS]]
    more = f", and {len(ends) - MOST_ARMS} more" if len(ends) > MOST_ARMS else ""
    return f"{what} at {text_of(axis.get('title')) or 'x'} {number(at)}: {', '.join(parts)}{more}.".strip()


def point_result(figure: Mapping[str, Any]) -> str:
    """The lowest point of each series, and how many points there are."""
    axes = figure["layout"]
    if "scene" in axes or any(trace["type"] != "scatter" for trace in figure["data"]):
        return ""
    points = [
        (y, x)
        for trace in figure["data"]
        if "markers" in trace.get("mode", "")
        for x, y in zip(trace.get("x") or [], trace.get("y") or [], strict=False)
        if is_number(y) and is_number(x)
    ]
    names = [text_of(axes.get(axis, {}).get("title")) for axis in ("xaxis", "yaxis")]
    if not points or not all(names):
        return ""
    y, x = min(points)
    return f"the lowest of {len(points)} points by {names[1]} has {number(y)}, at {names[0]} {number(x)}."


def text_of(title: Any) -> str:
    """The text of a title."""
    return str((title or {}).get("text") or "").replace("<br>", " ") if isinstance(title, Mapping) else ""


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def number(value: Any) -> str:
    """A value with four digits."""
    return f"{value:.4g}".replace("-", "−") if is_number(value) else str(value)


def span_text(span: Any) -> str:
    """The ends of an interval in brackets, if there is one."""
    is_span = isinstance(span, list) and len(span) == 2 and all(map(is_number, span))
    return f" ({number(span[0])} to {number(span[1])})" if is_span else ""
