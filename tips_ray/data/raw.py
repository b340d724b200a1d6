"""Poses as a file gives them, and how they become a `PoseSet`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from tips_ray.data.derive import Derivation, JointMap, derivation
from tips_ray.data.labels import clean_labels, clean_text, merge_takes
from tips_ray.data.plausible import check_unit, implausible_frames
from tips_ray.data.poseset import Origin, PoseSet
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS, Sides, UpAxis, mirrored

UP_AXES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "y": ((0, 1, 2), (1, 1, 1)),
    "z": ((1, 2, 0), (1, 1, 1)),
    "-y": ((0, 1, 2), (1, -1, -1)),
    "-z": ((1, 2, 0), (1, -1, -1)),
    "x": ((2, 0, 1), (1, 1, 1)),
    "-x": ((2, 0, 1), (1, -1, -1)),
}
"""For each axis that may be up: the stored axes that become x, y (up) and z, and their signs. All
are rotations."""

OTHER_SIDE = [JOINTS.index(mirrored(name)) for name in JOINTS]


@dataclass(frozen=True)
class RawPoses:
    """What a file says of its poses; labels left out become "all"."""

    positions: np.ndarray
    """(frames, joints, 3), mm."""
    name: str
    joint_names: Sequence[object] = JOINTS
    """What joints are called; those that are lacking are derived as `derive.DERIVED` says."""
    subject: np.ndarray | None = None
    action: np.ndarray | None = None
    clip: np.ndarray | None = None
    """(frames,); left out: subject and action."""
    up: str = "y"
    sides: str = "named"
    """"swapped": what is called left is right."""
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    """Sentences for the user, such as what in the file is not read."""
    format: str = ""
    """Name of the format."""
    joint_map: JointMap | None = None
    """A user's names of joints."""


def make_poseset(raw: RawPoses, drop_implausible: bool = False) -> PoseSet:
    """Poses in storage order, y up, with clean labels.

    `drop_implausible` leaves out frames that are no body, and notes how many. Raises UserError,
    saying what was given and what is accepted, for a wrong shape, unknown or missing joints, sizes
    that are not millimetres, and otherwise for frames that are no body.
    """
    name = clean_text(raw.name)
    try:
        check_shape(np.asarray(raw.positions), len(raw.joint_names))
        joints = derivation(raw.joint_names, raw.joint_map)
        positions = y_up(raw, joints)
        unlabelled = np.full(len(positions), "all")
        subject, action = (
            unlabelled if labels is None else clean_labels(labels, field, len(positions))
            for field, labels in (("subject", raw.subject), ("action", raw.action))
        )
        if raw.clip is None:
            clip = np.strings.add(np.strings.add(subject, "/"), action)
        else:
            clip = clean_labels(raw.clip, "clip", len(positions))
        action, takes = merge_takes(action)
        check_unit(positions[np.isfinite(positions).all(axis=(1, 2))])
        faults = implausible_frames(positions, subject)
        kept = np.ones(len(positions), dtype=bool)
        kept[list(faults)] = False
        if faults and not (drop_implausible and kept.any()):
            raise UserError(describe_faults(faults, clip))
        left_out = (f"{len(faults):,} of {len(kept):,} frames are no body and are left out.",) if faults else ()
        derived = (f"Joints that the file lacks are derived: {', '.join(joints.derived)}.",) if joints.derived else ()
        labels = {"subject": subject[kept], "action": action[kept], "clip": clip[kept]}
        origin = Origin(
            raw.format,
            len(kept),
            len(set(subject.tolist())),
            (("that are no body", len(faults)),) if faults else (),
            joints.derived,
        )
        notes = (*raw.notes, *takes, *derived, *left_out)
        return PoseSet(positions[kept], **labels, name=name, synthetic=raw.synthetic, notes=notes, origin=origin)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def describe_faults(faults: dict[int, str], clip: np.ndarray) -> str:
    """One sentence about frames that are no body."""
    first, fault = next(iter(faults.items()))
    count = f"{len(faults):,} of {len(clip):,} frames {'is' if len(faults) == 1 else 'are'} no body"
    return (
        f"{count}; in frame {first} (from 0, of clip '{clip[first]}') {fault}. Repair the file, or leave such frames out with"
        " --drop-implausible (in a study --data.drop-implausible)."
    )


def check_shape(positions: np.ndarray, num_names: int) -> None:
    """Raise UserError unless positions are real numbers (frames, joints, 3) for that many names."""
    if positions.dtype.kind not in "fiu":
        raise UserError(f"'positions' holds {positions.dtype.name} values; give real numbers, in millimetres.")
    if positions.ndim != 3 or positions.shape[1:] != (num_names, 3) or not len(positions):
        raise UserError(
            f"'positions' has shape {positions.shape} for {num_names} joint names;"
            f" give (frames, {len(JOINTS)}, 3) with at least one frame, in millimetres."
        )


def y_up(raw: RawPoses, joints: Derivation) -> np.ndarray:
    """float32 (frames, 17, 3) in storage order, y up, left and right as `sides` says."""
    positions = np.asarray(raw.positions)
    for field, value, accepted in (("up axis", raw.up, get_args(UpAxis)), ("sides", raw.sides, get_args(Sides))):
        if value not in accepted:
            raise UserError(f"the {field} {clean_text(value)!r} is not known; give one of {', '.join(accepted)}.")
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 becomes infinite, which is no body
        whole = positions[:, joints.direct] if joints.direct else joints.apply(positions, np.ones(positions.shape[:2]))[0]
        return turned(whole.astype(np.float32), raw.up, raw.sides)


def turned(positions: np.ndarray, up: str, sides: str) -> np.ndarray:
    """Poses (frames, 17, 3) turned so that the axis `up` is y, with left and right exchanged if
    they are swapped."""
    axes, signs = UP_AXES[up]
    positions = positions[:, OTHER_SIDE] if sides == "swapped" else positions
    return positions[..., axes] * np.array(signs, dtype=positions.dtype)
