"""Figures of stop rules and of codependence."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from tips_ray.poses.skeleton import LEGS, LIFTED
from tips_ray.report.study.stop_tables import in_order
from tips_ray.report.style import finish, in_lines, rounded
from tips_ray.stability.regret import MedianRegret, RuleScore
from tips_ray.stability.rules import Last

ROW_HEIGHT, LINE_HEIGHT, ARM_HEIGHT = 22, 14, 9
"""Of a rule, of each further line of its name, and of each arm in it, in pixels."""
LETTER_WIDTH = 6.5
"""Of a rule's name, in pixels. Plotly draws a figure twice where it must measure its labels."""
NUM_RULES = 10
"""The best over all arms are drawn, with those that were chosen, the last epoch and the oracle; a
table has the others."""
PART_BORDER = len(LEGS) - 0.5
"""Between the legs and the torso in the order of `LIFTED`."""


def draw_rules(
    scores: Sequence[RuleScore], colours: Mapping[str, str], synthetic: bool, unit: str = "mm", least: float = 1.0
) -> go.Figure:
    """Median regret of the best stop rules with its 95% interval, arms beside each other; the best
    rule over all arms at the top. The axis reaches from half a `least` below 0 to two above, or
    further; a triangle with its number stands for what lies beyond, an empty one for an interval
    that does."""
    order = rules_to_draw(scores)
    arms = list(dict.fromkeys(score.arm for score in scores))
    present = sorted(score.regret_mm.median for score in scores if score.rule in order and score.regret_mm.median is not None)
    lowest, far = (present[0], present[int(0.9 * (len(present) - 1))]) if present else (0.0, 0.0)
    low, high = min(0.0, lowest) - 0.5 * least, max(2 * least, 1.3 * far)  # the worst rules would hide the good ones
    figure = go.Figure()
    for place, arm in enumerate(arms):
        of_arm = [score for score in scores if score.arm == arm and score.rule in order and score.regret_mm.median is not None]
        shift = 0.7 * ((place + 0.5) / len(arms) - 0.5)
        regrets = [score.regret_mm for score in of_arm]
        inside = [(regret.median or 0.0) <= high for regret in regrets]
        cut = [score for score, shown in zip(of_arm, inside, strict=True) if shown and (score.regret_mm.high or 0.0) > high]
        figure.add_scatter(
            x=rounded([regret.median if shown else high for regret, shown in zip(regrets, inside, strict=True)]),
            y=[order.index(score.rule) + shift for score in of_arm],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rounded(
                    [_over(regret.high, regret.median) if shown else 0.0 for regret, shown in zip(regrets, inside, strict=True)]
                ),
                "arrayminus": rounded(
                    [_over(regret.median, regret.low) if shown else 0.0 for regret, shown in zip(regrets, inside, strict=True)]
                ),
                "thickness": 1.2,
                "width": 0,
            },
            mode="markers+text",
            marker={
                "color": colours[arm],
                "size": [11 if score.chosen else 8 for score in of_arm],
                "symbol": [_symbol(score, shown) for score, shown in zip(of_arm, inside, strict=True)],
            },
            text=["" if shown else f"{regret.median:.3g} " for regret, shown in zip(regrets, inside, strict=True)],
            textposition="middle left",
            textfont_size=10,
            cliponaxis=False,
            name=arm,
            legendgroup=arm if cut else None,
            customdata=[[score.rule, _in_words(score.regret_mm, unit), score.n] for score in of_arm],
            hovertemplate=f"{arm}, %{{customdata[0]}}: %{{customdata[1]}}, n = %{{customdata[2]}}<extra></extra>",
        )
        if cut:
            figure.add_scatter(
                x=rounded([high] * len(cut)),
                y=[order.index(score.rule) + shift for score in cut],
                mode="markers",
                marker={"color": colours[arm], "size": 7, "symbol": "triangle-right-open"},
                cliponaxis=False,
                showlegend=False,
                legendgroup=arm,
                hoverinfo="skip",
            )
    lines = [in_lines(rule.replace(" %", "\u00a0%")) for rule in order]
    tallest = ROW_HEIGHT + LINE_HEIGHT * max((line.count("<br>") for line in lines), default=0)
    finish(figure, synthetic, 120 + max(tallest, ARM_HEIGHT * len(arms)) * len(order))
    chosen = [f"{score.arm}, {score.rule}: {_in_words(score.regret_mm, unit)}" for score in scores if score.chosen]
    figure.update_layout(
        meta={"result": f"The rule that is chosen, and its median regret: {'; '.join(chosen)}."} if chosen else None
    )
    longest = max((len(part) for line in lines for part in line.split("<br>")), default=0)
    figure.update_layout(
        hovermode="closest", legend_traceorder="normal", legend_tracegroupgap=0, margin_r=28, margin_l=16 + LETTER_WIDTH * longest
    )
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=lines, range=[len(order) - 0.5, -0.5])
    figure.update_yaxes(tickfont_size=11, showgrid=False, automargin=False)
    title = f"median regret{f' ({unit})' if unit else ''}"
    return figure.update_xaxes(title_text=title, range=[low, high], automargin=False)


def rules_to_draw(scores: Sequence[RuleScore]) -> list[str]:
    """The best rules over all arms, and those that a reader looks for, in order."""
    order = in_order([score for score in scores if score.regret_mm.median is not None])
    wanted = {score.rule for score in scores if score.chosen or score.oracle} | {Last().name, *order[:NUM_RULES]}
    return [rule for rule in order if rule in wanted]


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
    figure.update_annotations(selector={"name": "synthetic"}, y=1, yanchor="bottom", yshift=6)  # labels of ticks are below
    border: Any = {"color": "#ffffff", "width": 1.5}
    figure.add_vline(x=PART_BORDER, line=border).add_hline(y=PART_BORDER, line=border)
    figure.update_yaxes(autorange="reversed", tickfont={"size": 10}, showgrid=False)
    return figure.update_xaxes(tickangle=-60, tickfont={"size": 10}, showgrid=False)


def _symbol(score: RuleScore, shown: bool) -> str:
    return "triangle-right" if not shown else "diamond" if score.chosen else "circle"


def _in_words(regret: MedianRegret, unit: str) -> str:
    ends = "" if regret.low is None else f" ({regret.low:.3g} to {regret.high:.3g})"
    return f"{regret.median:.3g} {unit}{ends}, at worst {regret.worst:.3g}"


def _over(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else high - low
