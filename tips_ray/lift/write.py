"""Lifted clips as files: .npz, .csv and .bvh."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tips_ray.lift.bvh import bvh_text
from tips_ray.lift.clips import LiftedClip
from tips_ray.poses.skeleton import JOINTS
from tips_ray.store.atomic import replace_file
from tips_ray.store.names import safe_name


def write_clips(clips: Sequence[LiftedClip], folder: Path, fps: float) -> list[Path]:
    """Write `poses.npz` (`load_poses` reads it), `poses.csv` (one row a frame and joint), and
    `poses.bvh`, or one .bvh file a clip in `bvh/` where there are several; returns their paths."""
    sink = io.BytesIO()
    lengths = [len(clip.frame) for clip in clips]
    np.savez_compressed(
        sink,
        positions=np.concatenate([clip.poses for clip in clips]),
        joint_names=np.array(JOINTS),
        subject=np.repeat([clip.subject for clip in clips], lengths),
        action=np.repeat([clip.action for clip in clips], lengths),
        clip=np.repeat([clip.name for clip in clips], lengths),
        frame=np.concatenate([clip.frame for clip in clips]),
        spread_mm=np.concatenate([clip.spread for clip in clips]).astype(np.float32),
        keypoints_y_up=np.concatenate([clip.keypoints for clip in clips]),
        missing=np.concatenate([clip.missing for clip in clips]),
    )
    written = {folder / "poses.npz": sink.getvalue(), folder / "poses.csv": csv_of(clips).encode()}
    names = bvh_names(clips)
    written |= {folder / file: bvh_text(clip, fps).encode() for file, clip in zip(names, clips, strict=True)}
    for path, content in written.items():
        replace_file(path, content)
    return [*written][:2] + ([folder / "poses.bvh"] if len(clips) == 1 else [folder / "bvh"])


def bvh_names(clips: Sequence[LiftedClip]) -> list[str]:
    """A file for each clip, no two alike."""
    if len(clips) == 1:
        return ["poses.bvh"]
    names = [safe_name(clip.name) for clip in clips]
    return [f"bvh/{name}{f'-{at}' if names.index(name) != at else ''}.bvh" for at, name in enumerate(names)]


def csv_of(clips: Sequence[LiftedClip]) -> str:
    """One row a clip, frame and joint: the pose in mm, the keypoint in its own unit (y up), whether
    it was missing, and how far the joint moves between views."""
    tables = []
    for clip in clips:
        count = len(clip.frame)
        columns = {"clip": clip.name, "frame": np.repeat(clip.frame, len(JOINTS)), "joint": JOINTS * count}
        columns |= {f"{axis}_mm": clip.poses[..., at].ravel().round(1) for at, axis in enumerate("xyz")}
        columns |= {f"{axis}_2d": clip.keypoints[..., at].ravel().round(3) for at, axis in enumerate("xy")}
        columns |= {"missing": clip.missing.ravel(), "spread_mm": clip.spread.ravel().round(1)}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables).to_csv(index=False)
