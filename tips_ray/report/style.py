"""What all figures share: colours, the Plotly theme, and numbers short enough for a page."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

FIXED_COLOURS = {"solo": "#D55E00", "parts": "#0072B2", "supervised": "#7F7F7F", "flat": "#7F7F7F"}
OTHER_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
"""Okabe and Ito's palette, told apart by colour-blind readers, without black and yellow, which
vanish on one of the two backgrounds; then two more, for many arms."""
LABEL_WIDTH = 24
"""Longer labels of an axis take several lines, so that a phone has room for the plot."""


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """One colour an arm, the same in every figure; past eight arms the palette starts again."""
    free = [arm for arm in arms if arm not in FIXED_COLOURS]
    return FIXED_COLOURS | {arm: OTHER_COLOURS[place % len(OTHER_COLOURS)] for place, arm in enumerate(free)}


def theme(dark: bool = False) -> dict[str, Any]:
    """A Plotly template, as plain JSON, for a light or dark page; the background is the page's."""
    ink, soft, rule, paper = (
        ("#d6dade", "#9aa3ab", "#343a40", "#181b1f") if dark else ("#24292e", "#5c6670", "#e3e6e9", "#ffffff")
    )
    axis = {
        "gridcolor": rule,
        "linecolor": rule,
        "zeroline": False,
        "automargin": True,
        "title": {"font": {"color": soft, "size": 13}},
    }
    return {
        "layout": {
            "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis | {"showspikes": False},
            "yaxis": axis,
            "hoverlabel": {"bgcolor": paper, "bordercolor": rule, "font": {"color": ink}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": soft, "activecolor": ink},
        }
    }


def rounded(values: Iterable[Any], coarse: bool = False) -> list[float | None]:
    """Four significant digits or hundredths: the page holds tens of thousands of these. Coarse:
    three digits below 100, four above."""
    if coarse:
        return [None if pd.isna(value) else float(f"{value:.{3 if abs(value) < 100 else 4}g}") for value in values]
    return [None if pd.isna(value) else float(f"{value:.4g}") if abs(value) < 100 else round(float(value), 2) for value in values]


def faded(colour: str, opacity: float) -> str:
    """A colour such as "#0072B2", made transparent."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def in_lines(label: str) -> str:
    """A label of an axis in lines of at most `LABEL_WIDTH` letters."""
    return "<br>".join(textwrap.wrap(label, LABEL_WIDTH))


def finish(figure: go.Figure, synthetic: bool, height: int) -> go.Figure:
    """Give a figure the layout that all share, and name synthetic data on it, beneath the title of
    the axis, which may be long; that takes further pixels."""
    room = 16 if synthetic else 0
    figure.update_layout(
        height=height + room,
        margin={"l": 60, "r": 16, "t": 44, "b": 52 + room},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "traceorder": "grouped"},
    )
    return name_synthetic(figure) if synthetic else figure


def name_synthetic(figure: go.Figure) -> go.Figure:
    """Say on a figure that its data are synthetic."""
    figure.add_annotation(text="synthetic data", name="synthetic", showarrow=False, xref="paper", yref="paper", x=1, y=0)
    return figure.update_annotations(selector={"name": "synthetic"}, xanchor="right", yanchor="top", yshift=-50, font_size=12)
