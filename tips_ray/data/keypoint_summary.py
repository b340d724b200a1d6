"""What is in a set of keypoints, as tables."""

import numpy as np
import pandas as pd

from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.summary import Summary
from tips_ray.natural import natural_key
from tips_ray.poses.skeleton import JOINTS
from tips_ray.wording import listed


def summarise_keypoints(keypoints: KeypointSet) -> Summary:
    """Count and measure a set of keypoints."""
    origin = keypoints.origin
    sizes = np.linalg.norm(np.ptp(keypoints.keypoints, axis=1), axis=-1)
    low, middle, high = np.percentile(sizes, (5, 50, 95))
    overview = {
        "Source": keypoints.name + (" (synthetic: no human was measured)" if keypoints.synthetic else ""),
        "Format": origin.format,
        "Frames": f"{len(keypoints):,}" + (f" of {origin.frames:,}" if origin.left_out else ""),
        "People": f"{origin.people:,}",
        "Subjects": f"{len(keypoints.subjects):,}",
        "Actions": f"{len(keypoints.actions):,}",
        "Clips": f"{len(set(keypoints.clip.tolist())):,}",
        "Image size": image_sizes(keypoints),
        "Size of a person": f"{middle:,.4g} across (90 % between {low:,.4g} and {high:,.4g}), in the unit of the file",
        "Confidence": confidence(keypoints),
        "3D poses": "none: keypoints alone" if keypoints.positions is None else "paired, in the frame of the camera",
        "Fingerprint": keypoints.fingerprint,
    }
    if keypoints.notes:
        overview["Notes"] = " ".join(keypoints.notes)
    tables = {column: table(keypoints, column) for column in ("subject", "action")}
    return Summary(keypoints.name, keypoints.synthetic, overview, tables["subject"], tables["action"])


def image_sizes(keypoints: KeypointSet) -> str:
    """The sizes of the images, the most frequent first."""
    sizes, counts = np.unique(keypoints.image_size, axis=0, return_counts=True)
    named = [
        f"{width} x {height}" if width else "unknown" for width, height in sizes[np.argsort(-counts, kind="stable")].tolist()
    ]
    return listed(named, 3)


def confidence(keypoints: KeypointSet) -> str:
    """The mean confidence, and the joint with the lowest."""
    present = ~keypoints.missing
    means = (keypoints.confidence * present).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return f"{means.mean():.2f} on average, lowest {means.min():.2f} ({JOINTS[int(means.argmin())]})"


def table(keypoints: KeypointSet, column: str) -> pd.DataFrame:
    """One row a subject or action: frames, clips, frames with filled joints, mean confidence."""
    frames = pd.DataFrame({column: getattr(keypoints, column), "clip": keypoints.clip})
    frames["confidence, %"] = 100 * keypoints.confidence.mean(axis=1).astype(float)
    frames["filled"] = np.asarray(keypoints.missing.any(axis=1))
    grouped = frames.groupby(column, as_index=False)
    counted = grouped.agg(frames=("clip", "size"), clips=("clip", "nunique"), filled=("filled", "sum"))
    counted["confidence, %"] = grouped["confidence, %"].mean()["confidence, %"]
    order = sorted(range(len(counted)), key=lambda row: natural_key(counted[column][row]))
    return counted.iloc[order].reset_index(drop=True)
