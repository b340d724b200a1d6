"""What is in a set of poses, as tables: for the terminal and for the page of `tips-ray data
info`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.data.load import split_by_subject
from tips_ray.data.orientation import describe, evenly, measure
from tips_ray.data.plausible import bone_lengths, extents
from tips_ray.data.poseset import PoseSet
from tips_ray.natural import natural_key
from tips_ray.poses.skeleton import BONES, JOINTS

LIMBS = {"thigh": "knee", "shin": "ankle", "upper arm": "elbow", "forearm": "wrist"}
"""Limb bones and the joint at which each ends, left and right."""

BONE_SPREAD = "bone SD, %"
MAX_BONE_SPREAD = 20.0
"""Flagged above: CMU has at most 18 % (a subject retargeted to several skeletons), rigid ones 0."""


@dataclass(frozen=True)
class Summary:
    """`overview` maps what is counted to its value as text; `subjects` and `actions` have one row
    each."""

    name: str
    synthetic: bool
    overview: dict[str, str]
    subjects: pd.DataFrame
    actions: pd.DataFrame


def summarise(poses: PoseSet, test_subjects: tuple[str, ...] = ()) -> Summary:
    """Count and measure a set of poses, and show how it is split.

    Raises ValueError for test subjects that do not fit the poses. Poses of one subject can be
    summarised, but not split.
    """
    if len(poses.subjects) == 1 and not test_subjects:
        split, held_out = "none: one subject; the error needs at least one more, not trained on", set()
    else:
        train, test = split_by_subject(poses, test_subjects)
        split = f"{len(train):,} train / {len(test):,} test (test subjects {', '.join(test.subjects)})"
        held_out = set(test.subjects)
    low, middle, high = np.percentile(extents(poses.positions), (5, 50, 95))
    subjects = subject_table(poses, held_out)
    spread = float(subjects[BONE_SPREAD].max())
    rigid = "" if spread <= MAX_BONE_SPREAD else ": more than a body's; are all joints tracked, and is each subject one person?"
    overview = {
        "Source": poses.name + (" (synthetic: no human was measured)" if poses.synthetic else ""),
        "Poses": f"{len(poses):,}",
        "Subjects": f"{len(poses.subjects)}",
        "Actions": f"{len(poses.actions)}",
        "Clips": f"{len(set(poses.clip.tolist())):,}",
        "Split": split,
        "Size of a pose": f"{middle:,.0f} mm across (90 % between {low:,.0f} and {high:,.0f})",
        "Bone lengths": f"vary by at most {spread:,.1f} % (SD) within a subject{rigid}",
        "Axes and sides": f"{describe(measure(evenly(poses.positions)))} (+1 wholly, -1 the opposite)",
        "Fingerprint": poses.fingerprint,
    }
    if poses.origin.format:
        overview["Format"] = poses.origin.format
    if poses.notes:
        overview["Notes"] = " ".join(poses.notes)
    return Summary(poses.name, poses.synthetic, overview, subjects, action_table(poses))


def subject_table(poses: PoseSet, held_out: set[str]) -> pd.DataFrame:
    """One row a subject: counts, split, mean limb lengths in mm, and the largest spread of a bone's
    length in %.

    A rigid skeleton has a spread of 0; one measured without a skeleton (markers, depth cameras) has
    a few percent.
    """
    children = [child for _, child in BONES]
    lengths = bone_lengths(poses.positions)
    rows = []
    for subject in poses.subjects:
        of_subject = poses.subject == subject
        mean, spread = lengths[of_subject].mean(axis=0), lengths[of_subject].std(axis=0)
        limbs = {
            f"{limb}, mm": float(np.mean([mean[children.index(JOINTS.index(side + end))] for side in ("l_", "r_")]))
            for limb, end in LIMBS.items()
        }
        rows.append(
            {
                "subject": subject,
                "split": "test" if subject in held_out else "train" if held_out else "",
                "poses": int(of_subject.sum()),
                "clips": len(set(poses.clip[of_subject].tolist())),
                "actions": len(set(poses.action[of_subject].tolist())),
                **limbs,
                BONE_SPREAD: 100 * float(np.max(spread / np.maximum(mean, 1.0))),
            }
        )
    return pd.DataFrame(rows)


def action_table(poses: PoseSet) -> pd.DataFrame:
    """One row an action, the most frequent first: poses, their share, clips and subjects."""
    frames = pd.DataFrame({"action": poses.action, "clip": poses.clip, "subject": poses.subject})
    table = frames.groupby("action", as_index=False).agg(
        poses=("clip", "size"), clips=("clip", "nunique"), subjects=("subject", "nunique")
    )
    table.insert(2, "share, %", 100 * table["poses"] / len(poses))
    order = sorted(range(len(table)), key=lambda row: (-table["poses"][row], natural_key(table["action"][row])))
    return table.iloc[order].reset_index(drop=True)


def cell(value: object) -> str:
    """A table's value as text: whole numbers with thousands separators, others with one decimal."""
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def cells(table: pd.DataFrame) -> list[list[str]]:
    """A table's rows as text."""
    return [[cell(value) for value in row] for row in zip(*(table[column].tolist() for column in table), strict=True)]
