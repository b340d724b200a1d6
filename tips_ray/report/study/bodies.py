"""Figures of the bodies that arms lift, beside the 2D poses that they are lifted from."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from tips_ray.report.image_plane import image_plane_figure
from tips_ray.report.viewer import COLOURS, skeleton_figure
from tips_ray.stability.bodies import LiftedView, LiftedViews
from tips_ray.stability.stopping import Window

MAX_BODIES = 4
"""Side by side in one scene."""
LONGEST_TITLE = 14
ROOM_FOR_TITLES = 0.88
"""Of a scene that fills a tall figure: titles stand at its upper edge."""


def draw_bodies(lifted: LiftedViews) -> dict[str, go.Figure]:
    """A flat figure and a scene of each pose."""
    figures = {}
    for place, view in enumerate(lifted.views):
        keypoints = next(iter(view.bodies.values()))[:, :2]
        figures[f"seen-{place}"] = image_plane_figure(keypoints, view.missing, with_places=False)
        bodies = shown(view)
        titles = [title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…" for title in bodies]
        scene = skeleton_figure(np.stack(list(bodies.values())), titles, face_viewer=False)
        smaller = {
            side: ROOM_FOR_TITLES * length for side, length in scene.layout["scene"]["aspectratio"].to_plotly_json().items()
        }
        figures[f"body-{place}"] = scene.update_layout(showlegend=False, scene_aspectratio=smaller)
    return figures


def shown(view: LiftedView) -> dict[str, np.ndarray]:
    """The bodies of the first arms."""
    return dict(list(view.bodies.items())[:MAX_BODIES])


def describe_bodies(lifted: LiftedViews) -> dict[str, Any]:
    """What the section on lifted bodies says beside its figures."""
    bodies = shown(lifted.views[0]) if lifted.views else {}
    return {
        "cards": [{"title": f"{view.action}, clip {view.clip}", "agreement": agreement(view)} for view in lifted.views],
        "weights": [f"{arm}: {entry.run}, {epochs(entry.window)}" for arm, entry in lifted.choices.items() if arm in bodies],
        "left_out": [arm for arm in lifted.choices if arm not in bodies],
        "num_compared": lifted.num_compared,
        "has_seeds": any(view.share is not None for view in lifted.views),
        "sides": COLOURS,
    }


def epochs(window: Window) -> str:
    """The epochs whose weights lift, in words."""
    return f"epoch {window.last}" if window.single else f"average of epochs {window.first} to {window.last}"


def agreement(view: LiftedView) -> str:
    """How well seeds agree on a pose."""
    if view.share is None or view.distance_mm is None:
        return ""
    ends = {0.0: "best agreement", 1.0: "worst agreement", 0.5: "median agreement"}
    rank = ends.get(round(view.share, 2), f"worse than {view.share:.0%} of the poses")
    return f"seeds differ by {view.distance_mm:.0f} mm: {rank}"
