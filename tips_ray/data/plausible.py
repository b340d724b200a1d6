"""Frames that are no body: joints that are not finite, missing joints written as 0 0 0, and sizes
far from the rest of the subject's."""

import numpy as np

from tips_ray.errors import UserError
from tips_ray.poses.skeleton import BONES, JOINTS, ROOT

PLAUSIBLE_SIZE_MM = (300.0, 4000.0)
"""Range for the median extent of a pose (the diagonal of its box): an adult's is 1 to 2.5 m; one in
metres is not in it."""

MAX_RATIO = 4.0
"""A pose's extent, and each bone, differ from the subject's median by at most this factor. In the
real sets that were measured (CMU), extents are 0.6 to 1.4 times it and bones 0.5 to 1.9 times."""


def extents(positions: np.ndarray) -> np.ndarray:
    """Diagonals (frames,) of the boxes around the poses (frames, 17, 3)."""
    with np.errstate(over="ignore"):  # of a damaged file
        return np.linalg.norm(np.ptp(positions, axis=1).astype(np.float64), axis=-1)


def bone_lengths(positions: np.ndarray) -> np.ndarray:
    """Lengths (frames, 16) of the bones, in the order of `BONES`."""
    parents, children = map(list, zip(*BONES, strict=True))
    return np.linalg.norm(positions[:, children] - positions[:, parents], axis=-1)


def check_unit(positions: np.ndarray) -> None:
    """Raise UserError unless the median pose (frames, 17, 3) has a person's size in mm."""
    if not len(positions):
        return
    size = float(np.median(extents(positions)))
    low, high = PLAUSIBLE_SIZE_MM
    if low <= size <= high:
        return
    factors = {"metres": 1000, "centimetres": 10}
    unit = next((unit for unit, factor in factors.items() if low <= size * factor <= high), None)
    hint = f"they look like {unit}: multiply by {factors[unit]}" if unit else "check the unit"
    raise UserError(f"The median pose is {size:.3g} across; positions are in millimetres ({low:.0f} to {high:.0f}), {hint}.")


def implausible_frames(positions: np.ndarray, subject: np.ndarray) -> dict[int, str]:
    """What is wrong with each frame that is no body, by frame, of finite and non-finite poses
    (frames, 17, 3) in mm."""
    finite = np.isfinite(positions).all(axis=(1, 2))
    points = finite & (positions == positions[:, :1]).all(axis=(1, 2))
    faults: dict[int, str] = dict.fromkeys(np.flatnonzero(~finite).tolist(), "there is NaN or infinity")
    faults |= dict.fromkeys(np.flatnonzero(points).tolist(), "all joints are at one point")
    sound = finite & ~points
    faults |= missing_joints(positions, sound)
    for name in np.unique(subject[sound]):
        frames = np.flatnonzero(sound & (subject == name))
        faults = {int(frames[at]): fault for at, fault in odd_sizes(positions[frames]).items()} | faults
    return dict(sorted(faults.items()))


def odd_sizes(positions: np.ndarray) -> dict[int, str]:
    """Frames of one subject whose extent, or one of whose bones, is far from the median."""
    sizes, lengths = extents(positions), bone_lengths(positions)
    size, typical = np.median(sizes), np.median(lengths, axis=0)
    long = lengths > MAX_RATIO * np.maximum(typical, 0.05 * size)
    odd = (sizes > MAX_RATIO * size) | (sizes < size / MAX_RATIO)
    faults = {}
    for frame in np.flatnonzero(odd | long.any(axis=1)).tolist():
        bone = int((lengths[frame] / np.maximum(typical, 1e-9)).argmax())
        parent, child = (JOINTS[joint] for joint in BONES[bone])
        if 0 < long[frame].sum() <= len(BONES) / 2:
            faults[frame] = (
                f"the bone from {parent} to {child} is {lengths[frame, bone]:,.4g} mm long, usually {typical[bone]:,.4g}"
            )
        else:
            faults[frame] = f"the pose is {sizes[frame]:,.4g} mm across, usually {size:,.4g}"
    return faults


def missing_joints(positions: np.ndarray, sound: np.ndarray) -> dict[int, str]:
    """Of the sound frames, those with a joint other than the pelvis at exactly 0 0 0.

    A joint that is there in all frames is the origin of the coordinates, unless the pelvis is, too.
    """
    at_origin = (positions == 0).all(axis=-1) & sound[:, None]
    always = (at_origin | ~sound[:, None]).all(axis=0)
    faults = {}
    for joint in np.flatnonzero(at_origin.any(axis=0)):
        missing = at_origin[:, joint] & (at_origin[:, ROOT] | ~always[joint])
        if joint != ROOT:
            fault = f"{JOINTS[joint]} is at 0 0 0, as missing joints are written"
            faults |= dict.fromkeys(np.flatnonzero(missing).tolist(), fault)
    return faults
