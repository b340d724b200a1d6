"""Acclaim motions (.amc): angles of a skeleton's bones by frame, and where the bones are.

The files give each bone at rest, in the root's axes, with the Euler angles of its own axes C, and
for each frame angles about those axes. With R their rotation, the bone turns by C·R·Cᵀ relative to
its parent bone.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tips_ray.data.formats.asf import Skeleton, euler, is_finite_number, numbered_lines
from tips_ray.errors import UserError
from tips_ray.natural import natural_key

MAX_RADIANS = 30.0
"""Larger than the angle of a root that turned four times."""


@dataclass(frozen=True)
class Motion:
    """A clip: each bone's angles, and the root's place and angles, frame by frame."""

    values: dict[str, np.ndarray]
    """(frames, degrees of freedom) by bone; six under "root", lengths first."""
    degrees: bool


def read_amc(path: Path, skeleton: Skeleton) -> Motion:
    """Read a motion of the skeleton, whose unit of angles it may replace.

    Raises UserError that names file and line where a frame does not fit the skeleton, or does not
    come after the one before it. Numbers may leave gaps: the order in time is kept.
    """
    numbered = list(numbered_lines(path))
    marks = {line.upper() for _, line in numbered if line.startswith(":")}
    degrees = ":DEGREES" in marks or (":RADIANS" not in marks and skeleton.degrees)
    lines = [(number, line) for number, line in numbered if not line.startswith(":")]
    widths = {"root": 6} | {bone.name: len(bone.dof) for bone in skeleton.bones.values() if bone.dof}
    stride = 1 + len(widths)
    first = [line.split()[0] for _, line in lines[1:stride]]
    whole, rest = divmod(len(lines), stride)
    if not whole or rest or sorted(first) != sorted(widths) or not all(line.isdecimal() for _, line in lines[::stride]):
        raise UserError(first_fault(lines, widths, path))
    check_time_order(lines[::stride], path)
    values = {}
    for offset, name in enumerate(first, start=1):
        words = " ".join([line for _, line in lines[offset::stride]]).split()
        width = 1 + widths[name]
        if len(words) != width * whole or set(words[::width]) != {name}:
            raise UserError(first_fault(lines, widths, path))
        del words[::width]
        try:
            values[name] = np.array(list(map(float, words))).reshape(whole, widths[name])
        except ValueError as error:
            raise UserError(first_fault(lines, widths, path)) from error
        if not np.isfinite(values[name]).all():
            raise UserError(first_fault(lines, widths, path))
    largest = max(float(np.abs(angles[:, 3:] if name == "root" else angles).max()) for name, angles in values.items())
    if not degrees and largest > MAX_RADIANS:
        raise UserError(
            f"{path}: angles are said to be radians, but reach {largest:.4g}; they look like degrees, write :DEGREES."
        )
    return Motion(values, degrees)


def check_time_order(numbers: list[tuple[int, str]], path: Path) -> None:
    """Raise UserError where the number of a frame is not above that of the frame before it."""
    for (_, before), (line, number) in pairwise(numbers):
        if natural_key(number)[0] <= natural_key(before)[0]:
            fault = "is here twice" if number == before else f"comes after frame {before[:20]}"
            raise UserError(f"{path}, line {line}: frame {number[:20]} {fault}; give each frame once, in the order of time.")


def first_fault(lines: list[tuple[int, str]], widths: dict[str, int], path: Path) -> str:
    """Where and how the lines of a motion file first fail to be frames: a number, then each bone
    once with its values."""
    waiting: set[str] = set()
    number = 1
    for number, line in lines:
        name, *words = line.split()
        where = f"{path}, line {number}: "
        if not words and name.isdecimal():
            if waiting:
                return f"{where}frame {name} begins, but the one before it lacks {', '.join(map(repr, sorted(waiting)))}."
            waiting = set(widths)
        elif name not in widths:
            return f"{where}the skeleton has no moving bone {name!r}; it has {', '.join(map(repr, widths))}."
        elif name not in waiting:
            return f"{where}{name!r} is here twice in one frame, or before the number of the first frame."
        elif len(words) != widths[name] or not all(map(is_finite_number, words)):
            return f"{where}{name!r} needs {widths[name]} finite numbers, here are {' '.join(words) or 'none'!r}."
        else:
            waiting.remove(name)
    if waiting or not lines:
        return f"{path}, line {number}: the file ends early; {', '.join(map(repr, sorted(waiting))) or 'every frame'} is missing."
    return f"{path}: the order of the bones changes between frames; give each frame the same order."


def bone_ends(skeleton: Skeleton, motion: Motion, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Where the named bones end (frames, 3), in mm, world frame; bones on no path to one of them
    are not computed."""
    needed: set[str] = set()
    for name in names:
        while name != "root" and name not in needed:
            needed.add(name)
            name = skeleton.bones[name].parent
    root = motion.values["root"]
    turns = {"root": conjugate(skeleton.root_axes, euler("xyz", root[:, 3:], motion.degrees))}
    ends = {"root": root[:, :3]}
    for bone in skeleton.bones.values():
        if bone.name not in needed:
            continue
        turn = turns[bone.parent]
        if bone.dof:
            angles = np.zeros((len(root), 3))
            angles[:, ["xyz".index(dof[1]) for dof in bone.dof]] = motion.values[bone.name]
            angles = angles[:, ["xyz".index(letter) for letter in bone.euler_order]]
            turn = turn @ conjugate(bone.axes, euler(bone.euler_order, angles, motion.degrees))
        turns[bone.name] = turn
        ends[bone.name] = ends[bone.parent] + turn @ bone.vector
    return {name: ends[name] * skeleton.scale for name in names}


def conjugate(axes: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """A turn about a bone's own axes, seen from the root's axes."""
    return axes @ turn @ axes.T
