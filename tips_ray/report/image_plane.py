"""Keypoints drawn on their image plane, as Plotly figures."""

import numpy as np
import plotly.graph_objects as go

from tips_ray.poses.skeleton import BONES, JOINTS
from tips_ray.report.viewer import COLOURS, SIDES, TEXT

MARGIN = 0.1
"""Around a person in an image of unknown size, as a share of the person's size."""


def image_plane_figure(
    keypoints: np.ndarray, missing: np.ndarray, image_size: tuple[int, int] | None = None, with_places: bool = True
) -> go.Figure:
    """The skeleton (17, 2), y up with 0 at the image's top, in the frame of its image; joints that
    are missing (17,) and were filled are hollow. Hovering names a joint and, `with_places`, its
    place, y down, as the file has it."""
    figure = go.Figure()
    for side, names in SIDES.items():
        x, y = [], []
        for parent, child in BONES:
            if JOINTS[child] in names:
                x += [*keypoints[[parent, child], 0].tolist(), None]
                y += [*keypoints[[parent, child], 1].tolist(), None]
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line={"color": COLOURS[side], "width": 3}, hoverinfo="skip"))
        joints = [at for at, name in enumerate(JOINTS) if name in names]
        figure.add_trace(
            go.Scatter(
                x=keypoints[joints, 0].tolist(),
                y=keypoints[joints, 1].tolist(),
                mode="markers",
                text=[
                    JOINTS[at].replace("_", " ") + (f"<br>{keypoints[at, 0]:.4g}, {-keypoints[at, 1]:.4g}" if with_places else "")
                    for at in joints
                ],
                hovertemplate="%{text}<extra></extra>",
                marker={
                    "color": COLOURS[side],
                    "size": 7,
                    "symbol": ["circle-open" if missing[at] else "circle" for at in joints],
                },
            )
        )
    if image_size is not None:
        low, high = np.array([0.0, -image_size[1]]), np.array([image_size[0], 0.0])
    else:
        margin = MARGIN * float(np.ptp(keypoints, axis=0).max())
        low, high = keypoints.min(axis=0) - margin, keypoints.max(axis=0) + margin
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": True, "mirror": True}
    axis["linecolor"] = TEXT
    return figure.update_layout(
        xaxis={**axis, "range": [float(low[0]), float(high[0])], "constrain": "domain"},
        yaxis={**axis, "range": [float(low[1]), float(high[1])], "scaleanchor": "x", "constrain": "domain"},
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
    )
