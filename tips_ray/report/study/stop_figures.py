"""Figures of stop rules and of codependence."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from tips_ray.poses.skeleton import LEGS, LIFTED
from tips_ray.report.study.stop_tables import in_order
from tips_ray.report.style import finish, rounded
from tips_ray.stability.regret import RuleScore

ROW_HEIGHT = 21
PART_BORDER = len(LEGS) - 0.5
"""Between the legs and the torso in the order of `LIFTED`."""


def draw_rules(
    scores: Sequence[RuleScore], colours: Mapping[str, str], synthetic: bool, unit: str = "mm", least: float = 1.0
) -> go.Figure:
    """Median regret of each stop rule with its 95% interval, by arm; the best rule over all arms at
    the top. The axis reaches from half a `least` below 0 to two above, or further."""
    order = in_order(scores)
    figure = go.Figure()
    for arm in dict.fromkeys(score.arm for score in scores):
        of_arm = [score for score in scores if score.arm == arm]
        regrets = [score.regret_mm for score in of_arm]
        figure.add_scatter(
            x=rounded([regret.median for regret in regrets]),
            y=[score.rule for score in of_arm],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rounded([_over(regret.high, regret.median) for regret in regrets]),
                "arrayminus": rounded([_over(regret.median, regret.low) for regret in regrets]),
                "thickness": 1.2,
                "width": 0,
            },
            mode="markers",
            marker={"color": colours[arm], "size": 8, "symbol": ["diamond" if score.chosen else "circle" for score in of_arm]},
            name=arm,
            hovertemplate=f"{arm}: %{{x:.3g}} {unit}<extra></extra>",
        )
    finish(figure, synthetic, 130 + ROW_HEIGHT * len(order))
    figure.update_layout(hovermode="y unified", legend_traceorder="normal")
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], tickmode="linear", dtick=1, tickfont_size=11)
    present = sorted(score.regret_mm.median for score in scores if score.regret_mm.median is not None)
    lowest, far = (present[0], present[int(0.9 * (len(present) - 1))]) if present else (0.0, 0.0)
    span = [min(0.0, lowest) - 0.5 * least, max(2 * least, 1.3 * far)]  # the worst rules would hide the good ones
    return figure.update_xaxes(title_text=f"median regret{f' ({unit})' if unit else ''}; drag to see more", range=span)


def draw_codependence(arm: str, sensitivity: Sequence[Sequence[float]], top: float, synthetic: bool) -> go.Figure:
    """How far each depth (row) moves with each keypoint (column), as a heat map; `top` ends the
    colour scale of all arms.

    `sensitivity` is that of `Codependence`. Lines part legs and torso.
    """
    names = [joint.replace("_", " ") for joint in LIFTED]
    heat = go.Heatmap(
        z=[rounded(row) for row in sensitivity],
        x=names,
        y=names,
        zmin=0,
        zmax=top,
        colorscale="Cividis",
        colorbar={"thickness": 10, "len": 0.9},
        hovertemplate="depth of %{y} by %{x}: %{z:.3g}<extra></extra>",
    )
    figure = finish(go.Figure(heat), synthetic, 430).update_layout(
        hovermode="closest", margin={"l": 80, "r": 8, "t": 38, "b": 84}
    )
    figure.update_layout(title={"text": arm, "font": {"size": 14}, "x": 0, "y": 0.98, "yanchor": "top"})
    border: Any = {"color": "#ffffff", "width": 1.5}
    figure.add_vline(x=PART_BORDER, line=border).add_hline(y=PART_BORDER, line=border)
    figure.update_yaxes(autorange="reversed", tickfont={"size": 10}, showgrid=False)
    return figure.update_xaxes(tickangle=-60, tickfont={"size": 10}, showgrid=False)


def _over(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else high - low
