"""The text of a .bvh file, and where its bones are in each frame."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tips_ray.data.labels import clean_text
from tips_ray.errors import UserError

MAX_JOINTS, MAX_FRAMES = 2000, 5_000_000


@dataclass(frozen=True)
class Hierarchy:
    """Joints and ends of bones, parents first."""

    names: list[str]
    parents: list[int]
    offsets: np.ndarray
    """(joints, 3)"""
    channels: list[list[str]]


def read_hierarchy(words: list[str], path: Path) -> tuple[Hierarchy, int]:
    """The skeleton, and where MOTION stands among the words."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    at = 0
    while at < len(words) and words[at] != "MOTION":
        word = words[at]
        if word in ("ROOT", "JOINT", "End"):
            brace = next((place for place in range(at + 1, min(at + 12, len(words))) if words[place] == "{"), None)
            if brace is None or len(names) >= MAX_JOINTS or (not stack and names and word != "ROOT"):
                raise UserError(f"{path}: BVH whose {clean_text(word)} {len(names)} has no '{{' or no place in the skeleton.")
            name = clean_text(" ".join(words[at + 1 : brace]))
            names.append(f"{names[stack[-1]]} end" if word == "End" and stack else name)
            parents.append(stack[-1] if stack else -1)
            offsets.append([0.0, 0.0, 0.0])
            channels.append([])
            stack.append(len(names) - 1)
            at = brace + 1
        elif word == "OFFSET" and stack:
            offsets[stack[-1]] = real_numbers(words[at + 1 : at + 4], 3, path)
            at += 4
        elif word == "CHANNELS" and stack:
            number = int(words[at + 1]) if at + 1 < len(words) and words[at + 1].isdecimal() and len(words[at + 1]) < 3 else 0
            own = words[at + 2 : at + 2 + number]
            if not number or not all(channel[:1] in "XYZ" and channel[1:] in ("position", "rotation") for channel in own):
                raise UserError(f"{path}: BVH with channels of {names[stack[-1]]} that are no positions or rotations of X, Y, Z.")
            channels[stack[-1]] = own
            at += 2 + number
        elif word == "}" and stack:
            stack.pop()
            at += 1
        elif word == "HIERARCHY" and not names:
            at += 1
        else:
            raise UserError(f"{path}: BVH with {clean_text(word)[:40]!r} where JOINT, OFFSET, CHANNELS or a brace was expected.")
    if at >= len(words) or stack or not names:
        raise UserError(f"{path}: BVH that ends within its skeleton, or without MOTION; write the file again.")
    return Hierarchy(names, parents, np.array(offsets), channels), at


def read_motion(words: list[str], width: int, path: Path) -> np.ndarray:
    """Values (frames, channels) after "MOTION Frames: N Frame Time: T"."""
    joined = " ".join(words[:8]).replace(":", " : ").split()
    if joined[:3] != ["MOTION", "Frames", ":"] or "Time" not in words[:8] + [word.rstrip(":") for word in words[:8]]:
        raise UserError(f"{path}: BVH without 'Frames:' and 'Frame Time:' after MOTION.")
    time = next(place for place, word in enumerate(words) if word.rstrip(":") == "Time")
    start = time + (3 if words[time + 1 : time + 2] == [":"] else 2)
    values = real_numbers(words[start:], None, path)
    frames = len(values) // width if width else 0
    stated = int(joined[3]) if len(joined) > 3 and joined[3].isdecimal() and len(joined[3]) < 10 else -1
    if not frames or frames > MAX_FRAMES or len(values) != frames * width or (stated >= 0 and stated != frames):
        raise UserError(
            f"{path}: BVH with {len(values)} numbers for {stated} frames of {width} channels; the file is cut or damaged."
        )
    return np.array(values).reshape(frames, width)


def real_numbers(words: list[str], count: int | None, path: Path) -> list[float]:
    """Words as finite numbers; raises UserError for anything else, or another count of them."""
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise UserError(f"{path}: BVH with {clean_text(error)[:60]} where a number was expected.") from error
    if not np.isfinite(values).all() or (count is not None and len(values) != count):
        raise UserError(f"{path}: BVH with numbers that are not finite, or too few of them; write the file again.")
    return values


def world_positions(hierarchy: Hierarchy, values: np.ndarray) -> np.ndarray:
    """Positions (frames, joints, 3) by turning each bone in its parent's frame."""
    frames = len(values)
    positions = np.zeros((frames, len(hierarchy.names), 3))
    turns: list[np.ndarray] = []
    column = 0
    for joint, parent in enumerate(hierarchy.parents):
        own = np.broadcast_to(np.eye(3), (frames, 3, 3))
        shift = np.broadcast_to(hierarchy.offsets[joint], (frames, 3)).copy()
        moved = [channel for channel in hierarchy.channels[joint] if channel.endswith("position")]
        shift = np.zeros_like(shift) if len(moved) == 3 else shift  # positions replace the offset
        for channel in hierarchy.channels[joint]:
            if channel.endswith("position"):
                shift[:, "XYZ".index(channel[0])] = values[:, column]
            else:
                own = own @ turned_about("XYZ".index(channel[0]), values[:, column])
            column += 1
        outer = turns[parent] if parent >= 0 else np.broadcast_to(np.eye(3), (frames, 3, 3))
        origin = positions[:, parent] if parent >= 0 else 0
        positions[:, joint] = origin + (outer @ shift[:, :, None])[..., 0]
        turns.append(outer @ own)
    return positions


def turned_about(axis: int, degrees: np.ndarray) -> np.ndarray:
    """Rotations (frames, 3, 3) about one axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.zeros((len(degrees), 3, 3))
    rotation[:, axis, axis] = 1
    rotation[:, first, first] = rotation[:, second, second] = cos
    rotation[:, first, second], rotation[:, second, first] = -sin, sin
    return rotation
