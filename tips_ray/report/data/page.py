"""The page of `tips-ray data info`: what a set of poses or keypoints holds, and a few of its
skeletons, in one file that opens offline."""

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.poseset import PoseSet
from tips_ray.data.summary import BONE_SPREAD, MAX_BONE_SPREAD, Summary, cells
from tips_ray.report.base import filled
from tips_ray.report.image_plane import image_plane_figure
from tips_ray.report.text import SYNTHETIC
from tips_ray.report.viewer import COLOURS, facing_viewer, in_a_row, skeleton_figure
from tips_ray.store.atomic import replace_file

MAX_SKELETONS = 8
"""Each is a WebGL scene; browsers keep 16 alive at most, some telephones 8."""


def write_data_page(poses: PoseSet | KeypointSet, summary: Summary, path: str | Path) -> None:
    """Write the page; raises OSError if the place cannot be written, and leaves nothing
    half-written."""
    replace_file(Path(path), render_data(poses, summary).encode())


def render_data(poses: PoseSet | KeypointSet, summary: Summary) -> str:
    """The page as HTML text."""
    frames = examples(poses)
    names = [f"skeleton-{place}" for place in range(len(frames))]
    origins = [f"subject {poses.subject[frame]}, clip {poses.clip[frame]}" for frame in frames]
    cards = [{"action": str(poses.action[frame]), "origin": origin} for frame, origin in zip(frames, origins, strict=True)]
    planar = isinstance(poses, KeypointSet)
    counts = [f"{summary.overview[what]} {what.lower()}" for what in ("Frames" if planar else "Poses", "Subjects", "Actions")]
    return filled(
        "data/page.html.j2",
        dict(zip(names, skeletons(poses, frames), strict=True)),
        title="Keypoints" if planar else "Poses",
        planar=planar,
        campaign=summary.name + (" (synthetic)" if summary.synthetic else ""),
        finding=f"{', '.join(counts)}.",
        cautions=cautions(summary),
        summary=summary,
        synthetic=summary.synthetic,
        cards=dict(zip(names, cards, strict=True)),
        tables={"Subjects": table(summary.subjects), "Actions": table(summary.actions)},
        colours=COLOURS,
    )


def cautions(summary: Summary) -> list[str]:
    """What a reader must know of the poses; one sentence or two each."""
    flagged = [SYNTHETIC] if summary.synthetic else []
    if BONE_SPREAD in summary.subjects and summary.subjects[BONE_SPREAD].max() > MAX_BONE_SPREAD:
        flagged.append(f"Bone lengths {summary.overview['Bone lengths']}")
    return flagged


def skeletons(poses: PoseSet | KeypointSet, frames: list[int]) -> list[go.Figure]:
    """A figure of each of some frames: poses all to one scale, keypoints on their image plane."""
    if isinstance(poses, KeypointSet):
        sizes = [(int(width), int(height)) if width else None for width, height in poses.image_size[frames]]
        return [image_plane_figure(poses.keypoints[at], poses.missing[at], size) for at, size in zip(frames, sizes, strict=True)]
    upright = facing_viewer(poses.positions[frames].astype(float))
    upright[..., 1] -= upright[..., 1].min(axis=1, keepdims=True)
    reach, height = in_a_row(upright)[2], float(upright[..., 1].max())
    figures = [skeleton_figure(pose, heights=(0.0, height), reach=reach) for pose in upright]
    return [figure.update_layout(showlegend=False) for figure in figures]


def examples(poses: PoseSet | KeypointSet) -> list[int]:
    """Frames to show: the middle of the longest clip of each of the most frequent actions, or of
    the longest clips if all poses have one action.
    """
    groups = poses.action if len(poses.actions) > 1 else poses.clip
    names, counts = np.unique(groups, return_counts=True)
    frames = []
    for name in names[np.argsort(-counts, kind="stable")][:MAX_SKELETONS]:
        clips, sizes = np.unique(poses.clip[groups == name], return_counts=True)
        longest = np.flatnonzero((groups == name) & (poses.clip == clips[sizes.argmax()]))
        frames.append(int(longest[len(longest) // 2]))
    return frames


def table(frame) -> dict[str, Any]:
    """Columns, and rows as text."""
    return {"columns": list(frame.columns), "rows": cells(frame)}
