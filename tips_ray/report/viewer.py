"""3D skeletons as Plotly figures, readable on light and dark pages."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from tips_ray.errors import UserError
from tips_ray.poses.skeleton import BONES, JOINTS, LEFT, RIGHT

SIDES = {"left": LEFT, "right": RIGHT, "middle": tuple(name for name in JOINTS if name not in LEFT + RIGHT)}
COLOURS = {"left": "#2f8fd8", "right": "#e8702a", "middle": "#8b929c"}
"""Blue and orange differ for colour-blind readers too, and both stand out on white and on
near-black."""

TEXT = "#7d848e"
GROUND = "#9aa1ab"
SCENE_SIZE = 1.85
"""Longest side of a scene, in Plotly's units; about as much as its default view shows."""

GAP_MM = 300.0
"""Between neighbours that stand in a row."""


def skeleton_figure(
    positions: np.ndarray,
    titles: Sequence[str] = (),
    face_viewer: bool = True,
    heights: tuple[float, float] | None = None,
    reach: float | None = None,
) -> go.Figure:
    """Skeletons side by side in one scene that can be turned: left and right coloured apart, true
    to scale, y up.

    positions: (poses, 17, 3) or (17, 3), mm, y up. Each pose is centred over its spot, with its
    height above the ground as given; the ground is drawn under the lowest joint of all. titles: one
    a pose, or none. face_viewer: turn each pose about the vertical so that its hips face the
    viewer; if False, the viewer looks along -z. heights: lowest and highest y, and reach: farthest
    from the spot it stands on, in mm, that the scene has room for; by default what the poses need.
    Figures with the same heights and reach are drawn to one scale.

    Raises ValueError for another shape, and for titles that are not one a pose.
    """
    poses = np.asarray(positions, dtype=float)
    poses = poses[None] if poses.ndim == 2 else poses
    if poses.ndim != 3 or poses.shape[1:] != (len(JOINTS), 3) or not len(poses):
        raise UserError(f"Poses to draw have shape {np.shape(positions)}; give (poses, {len(JOINTS)}, 3).")
    if titles and len(titles) != len(poses):
        raise UserError(f"There are {len(titles)} titles for {len(poses)} poses; give one a pose, or none.")
    poses = facing_viewer(poses) if face_viewer else poses
    placed, centres, reach = in_a_row(poses, reach)
    low, high = heights or (float(placed[..., 1].min()), float(placed[..., 1].max()))
    figure = go.Figure([bone_trace(placed, poses, side) for side in SIDES])
    for centre in centres:
        figure.add_trace(ground_trace(centre, low, reach))
    if titles:
        figure.add_trace(title_trace(titles, centres, high))
    return figure.update_layout(
        scene=scene(centres, reach, low - 40, high + (260 if titles else 80)),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"color": TEXT},
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": 0.02, "bgcolor": "rgba(0,0,0,0)"},
        showlegend=True,
    )


def facing_viewer(poses: np.ndarray) -> np.ndarray:
    """Poses (..., 17, 3) turned about the vertical to face +z; hips face along (left hip - right
    hip) × up."""
    across = poses[..., JOINTS.index("l_hip"), :] - poses[..., JOINTS.index("r_hip"), :]
    turn = np.arctan2(-across[..., 2], across[..., 0])[..., None]
    x, y, z = np.moveaxis(poses, -1, 0)
    return np.stack((x * np.cos(turn) - z * np.sin(turn), y, x * np.sin(turn) + z * np.cos(turn)), axis=-1)


def in_a_row(poses: np.ndarray, reach: float | None = None) -> tuple[np.ndarray, np.ndarray, float]:
    """Poses moved side by side along x, the spots (poses,) they stand on, and how far from its spot
    any joint reaches (mm)."""
    middle = (poses.min(axis=1, keepdims=True) + poses.max(axis=1, keepdims=True)) / 2 * (1, 0, 1)
    placed = poses - middle
    if reach is None:
        reach = float(np.linalg.norm(placed[..., [0, 2]], axis=-1).max())
    centres = (np.arange(len(poses)) - (len(poses) - 1) / 2) * (2 * reach + GAP_MM)
    placed[..., 0] += centres[:, None]
    return placed, centres, reach


def bone_trace(placed: np.ndarray, poses: np.ndarray, side: str) -> go.Scatter3d:
    """All bones of one side as one broken line; hovering names the joint and its height."""
    x, y, z, text = [], [], [], []
    for where, pose in zip(placed, poses, strict=True):
        for bone in BONES:
            if JOINTS[bone[1]] not in SIDES[side]:
                continue
            for joint in bone:
                x.append(float(where[joint, 0]))
                y.append(float(where[joint, 1]))
                z.append(float(where[joint, 2]))
                text.append(f"{JOINTS[joint].replace('_', ' ')}<br>{pose[joint, 1]:.0f} mm up")
            for values in (x, y, z, text):
                values.append(None)
    return go.Scatter3d(
        **plot_axes(x, y, z),
        mode="lines+markers",
        name=side,
        text=text,
        hovertemplate="%{text}<extra></extra>",
        line={"color": COLOURS[side], "width": 9},
        marker={"color": COLOURS[side], "size": 3.5},
    )


def ground_trace(centre: float, height: float, radius: float) -> go.Scatter3d:
    """A ring on the ground under a skeleton, which shows where down is when the scene is turned."""
    angle = np.linspace(0, 2 * np.pi, 49)
    x, z = centre + radius * np.cos(angle), radius * np.sin(angle)
    return go.Scatter3d(
        **plot_axes(x.tolist(), [height] * len(angle), z.tolist()),
        mode="lines",
        line={"color": GROUND, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def title_trace(titles: Sequence[str], centres: np.ndarray, height: float) -> go.Scatter3d:
    """A title above each skeleton."""
    return go.Scatter3d(
        **plot_axes(centres.tolist(), [height + 160] * len(centres), [0.0] * len(centres)),
        mode="text",
        text=list(titles),
        textfont={"color": TEXT, "size": 13},
        hoverinfo="skip",
        showlegend=False,
    )


def scene(centres: np.ndarray, reach: float, low: float, high: float) -> dict:
    """A scene with blank axes, true to scale, seen from the front and a little from the side and
    above.

    Plotly fits hidden axes (`visible=False`) to the data whatever their range, so these are shown,
    but blank. It scales "data" aspects by the scene's volume, so that a wide scene overflows; here
    the longest side has a fixed size instead.
    """
    blank = dict.fromkeys(("showbackground", "showgrid", "showline", "showspikes", "showticklabels", "zeroline"), False)
    blank |= {"title": {"text": ""}}
    width = float(centres[-1]) + reach
    sides = {"x": 2 * reach, "y": 2 * width, "z": high - low}
    return {
        "xaxis": {**blank, "range": [-reach, reach]},
        "yaxis": {**blank, "range": [-width, width]},
        "zaxis": {**blank, "range": [low, high]},
        "aspectmode": "manual",
        "aspectratio": {side: SCENE_SIZE * length / max(sides.values()) for side, length in sides.items()},
        "camera": {
            "eye": {"x": 1.2, "y": 0.42, "z": 0.27},
            "up": {"x": 0, "y": 0, "z": 1},
            "projection": {"type": "orthographic"},
        },
        "dragmode": "turntable",
    }


def plot_axes(x: list, y: list, z: list) -> dict[str, list]:
    """Body axes on Plotly's, which turns about its z: so up goes there, and the other two follow
    unmirrored."""
    return {"x": z, "y": x, "z": y}
