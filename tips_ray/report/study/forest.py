"""Forest plots: effects with their intervals, one below the other."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from tips_ray.report.style import faded, finish, in_lines, rounded
from tips_ray.report.text import ends, mm
from tips_ray.stability.statistics import Difference

ROW_HEIGHT, LINE_HEIGHT = 30, 14
FAR = 6.0
"""An effect that is so many times the median one is drawn at the edge of the plot."""
UNKNOWN = Difference(None, None, None, 0)


def draw_forest(
    labels: Sequence[str], effects: Mapping[str, Sequence[Difference]], title: str, axis: str, colour: str, synthetic: bool
) -> go.Figure:
    """Effects in mm by label, from the top down, for each of some series; the last series is the
    one that counts, and is drawn full. A line marks no effect."""
    lines = [in_lines(label) for label in labels]
    limit = axis_limit([effect for series in effects.values() for effect in series])
    figure = go.Figure()
    for place, (name, series) in enumerate(effects.items()):
        counts = place == len(effects) - 1
        shade = colour if counts else faded(colour, 0.7)
        heights = [row + 0.16 * (2 * place - len(effects) + 1) for row in range(len(labels))]
        near = [effect if abs(effect.difference or 0.0) <= limit else UNKNOWN for effect in series]
        hover = {
            "customdata": [[label, _in_words(effect)] for label, effect in zip(labels, series, strict=True)],
            "hovertemplate": f"%{{customdata[0]}}, {name}: %{{customdata[1]}}<extra></extra>",
        }
        figure.add_scatter(
            x=rounded([effect.difference for effect in near]),
            y=heights,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rounded([_reach(effect.high, effect.difference) for effect in near]),
                "arrayminus": rounded([_reach(effect.difference, effect.low) for effect in near]),
                "thickness": 2 if counts else 1.2,
                "width": 0,
                "color": shade,
            },
            mode="markers",
            marker={"color": shade, "size": 8, "symbol": "circle" if counts else "circle-open"},
            name=name,
            **hover,
        )
        far = [0.0 if effect in near else effect.difference or 0.0 for effect in series]
        figure.add_scatter(
            x=[math.copysign(limit, value) if value else None for value in far],
            y=heights,
            mode="markers+text",
            marker={"color": shade, "size": 8, "symbol": ["triangle-right" if value > 0 else "triangle-left" for value in far]},
            text=[mm(value, sign=True) if value and counts else "" for value in far],
            textposition=["middle left" if value > 0 else "middle right" for value in far],
            textfont_size=11,
            cliponaxis=False,
            showlegend=False,
            **hover,
        )
    tallest = max((line.count("<br>") for line in lines), default=0)
    finish(figure, synthetic, 140 + (ROW_HEIGHT + LINE_HEIGHT * max(0, tallest - 1)) * len(labels))
    figure.add_vline(x=0, line={"width": 1.5, "dash": "dot", "color": "#7F7F7F"})
    figure.update_layout(hovermode="closest", margin_t=64, margin_r=24, legend={"y": 1, "yref": "paper", "yanchor": "bottom"})
    figure.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0, "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8}}
    )
    figure.update_yaxes(
        tickvals=list(range(len(labels))), ticktext=lines, range=[len(labels) - 0.5, -0.5], tickfont_size=12, showgrid=False
    )
    return figure.update_xaxes(title_text=axis, range=[-limit, limit])


def axis_limit(effects: Sequence[Difference]) -> float:
    """How far from 0 the axis goes: as far as all effects and intervals, but for effects that are
    many times as large as most, beside which nothing else could be told apart."""
    present = [effect for effect in effects if effect.difference is not None]
    sizes = sorted(abs(effect.difference or 0.0) for effect in present)
    most = FAR * sizes[len(sizes) // 2] if sizes else 0.0
    ends = [abs(end) for effect in present if abs(effect.difference or 0.0) <= most for end in (effect.low, effect.high) if end]
    return 1.08 * max([1.0, *ends, *(size for size in sizes if size <= most)])


def _in_words(effect: Difference) -> str:
    if effect.difference is None:
        return "no shared seed"
    return f"{mm(effect.difference, sign=True)} mm ({ends(effect, sign=True)}, n = {effect.n})"


def _reach(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else high - low
