"""Errors by joint on a drawn body, one for each arm."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from tips_ray.poses.skeleton import BONES, JOINTS, LIFTED
from tips_ray.report.style import finish
from tips_ray.report.text import mm
from tips_ray.stability.predictions import Predictions

WIDTH, HEIGHT = 200, 225
PLACES = {
    "pelvis": (100, 112),
    "r_hip": (84, 114),
    "r_knee": (78, 160),
    "r_ankle": (74, 206),
    "l_hip": (116, 114),
    "l_knee": (122, 160),
    "l_ankle": (126, 206),
    "spine": (100, 84),
    "thorax": (100, 52),
    "neck": (100, 36),
    "head": (100, 14),
    "l_shoulder": (136, 66),
    "l_elbow": (150, 96),
    "l_wrist": (158, 136),
    "r_shoulder": (64, 66),
    "r_elbow": (50, 96),
    "r_wrist": (42, 136),
}
"""Of the joints of a body that faces the reader, in a drawing of this size."""
SMALLEST, LARGEST = 4.0, 10.0
"""Radius of a joint without an error, and of the one that errs most over all arms."""

BEST, WORST, BONE = "#9fd4c4", "#a3182c", "#8b929c"
"""Colours of a joint without an error, of the one that errs most, and of bones, on white."""
IN_A_ROW = 3
GAP = 24
"""Between the bodies of a figure, in units of the drawing."""


@dataclass(frozen=True)
class DrawnJoint:
    """A joint in a drawing."""

    name: str
    x: float
    y: float
    radius: float
    share: float
    """Of the error of the joint that errs most over all arms, from 0 to 1: its colour."""
    error: float
    """mm."""


@dataclass(frozen=True)
class DrawnBody:
    """The body of an arm."""

    arm: str
    result: str
    joints: list[DrawnJoint]
    bones: list[tuple[int, int, int, int]]


def joint_bodies(predicted: Predictions) -> list[DrawnBody]:
    """A body for each arm, and for the flat prediction."""
    top = max((float(errors.max()) for errors in predicted.by_joint.values()), default=1.0) or 1.0
    return [drawn_body(arm, errors, top) for arm, errors in predicted.by_joint.items()]


def drawn_body(arm: str, errors: Any, top: float) -> DrawnBody:
    """The body of one arm."""
    by_joint = dict(zip(LIFTED, map(float, errors), strict=True))
    joints = [
        DrawnJoint(
            joint.replace("_", " "),
            *PLACES[joint],
            round(SMALLEST + (LARGEST - SMALLEST) * error / top, 1),
            round(error / top, 2),
            error,
        )
        for joint, error in by_joint.items()
    ]
    worst, best = max(by_joint, key=by_joint.__getitem__), min(by_joint, key=by_joint.__getitem__)
    said = [f"{joint.replace('_', ' ')} {mm(by_joint[joint])} mm" for joint in (worst, best)]
    bones = [(*PLACES[JOINTS[parent]], *PLACES[JOINTS[child]]) for parent, child in BONES]
    return DrawnBody(arm, f"{arm}: the joint that errs most is {said[0]}, least {said[1]}", joints, bones)


def draw_joints(bodies: list[DrawnBody], synthetic: bool) -> go.Figure:
    """The bodies as one figure: mm at each joint."""
    figure, num_rows = go.Figure(), -(-len(bodies) // IN_A_ROW)
    for place, body in enumerate(bodies):
        left, top = (place % IN_A_ROW) * (WIDTH + GAP), (place // IN_A_ROW) * (HEIGHT + 2 * GAP)
        figure.add_scatter(
            x=[x and left + x for x1, _, x2, _ in body.bones for x in (x1, x2, None)],
            y=[y and top + y for _, y1, _, y2 in body.bones for y in (y1, y2, None)],
            mode="lines",
            line={"color": BONE, "width": 2},
        )
        figure.add_scatter(
            x=[left + joint.x for joint in body.joints],
            y=[top + joint.y for joint in body.joints],
            mode="markers+text",
            text=[f"{joint.error:.0f}" for joint in body.joints],
            textposition=["middle right" if joint.x >= WIDTH / 2 else "middle left" for joint in body.joints],
            textfont={"size": 10},
            marker={
                "size": [2 * joint.radius for joint in body.joints],
                "color": [joint.share for joint in body.joints],
                "colorscale": [[0, BEST], [1, WORST]],
                "cmin": 0,
                "cmax": 1,
                "opacity": 1,
            },
        )
        figure.add_annotation(text=body.arm, x=left + WIDTH / 2, y=top - GAP / 2, showarrow=False)
    widest = min(len(bodies), IN_A_ROW) * (WIDTH + GAP)
    figure.update_xaxes(visible=False, range=[-GAP, widest])
    figure.update_yaxes(visible=False, range=[num_rows * (HEIGHT + 2 * GAP) - GAP, -GAP], scaleanchor="x")
    finish(figure, synthetic, num_rows * 275 + 52)
    return figure.update_layout(showlegend=False, hovermode=False, margin={"l": 0, "r": 0, "t": 0})
