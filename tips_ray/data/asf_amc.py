"""Acclaim skeleton (.asf) and motion (.amc) files, the format in which CMU publishes its motion capture database.

A bone's file values are its direction and length at rest, in the root's axes, and `axis`, the Euler angles of the bone's own
axes C. A frame gives angles about those axes; with R their rotation, the bone turns by C·R·Cᵀ relative to its parent bone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

MM_PER_INCH = 25.4
ROOT_ORDER = "TX TY TZ RX RY RZ"


@dataclass
class Bone:
    """One bone at rest: its vector from start to end (3,) in file units, its axes C (3, 3), its degrees of freedom, its parent."""

    name: str
    vector: np.ndarray
    axes: np.ndarray
    dof: tuple[str, ...]
    euler_order: str = "xyz"
    parent: str = "root"


@dataclass
class Skeleton:
    """Bones by name, parents before children; `scale` makes mm of file units."""

    bones: dict[str, Bone]
    scale: float
    root_axes: np.ndarray
    degrees: bool
    path: Path


def read_asf(path: Path) -> Skeleton:
    """Read a skeleton; raises ValueError that names file and line for what is broken or not supported."""
    units: dict[str, str] = {}
    root_axes = np.eye(3)
    found: dict[str, Bone] = {}
    parents: dict[str, str] = {}
    section, fields = "", {}
    for number, line in numbered_lines(path):
        words = line.split()
        key, values = words[0].lower(), words[1:]
        try:
            if key.startswith(":"):
                section = key
            elif section == ":units":
                units[key] = values[0].lower()
            elif section == ":root":
                if key == "order" and " ".join(values).upper() != ROOT_ORDER:
                    raise ValueError(f"the root's order is {' '.join(values)}; only {ROOT_ORDER} is read")
                if key == "orientation":
                    root_axes = euler("xyz", np.array(values, dtype=float), degrees=units.get("angle") != "rad")
            elif section == ":bonedata" and key == "begin":
                fields = {}
            elif section == ":bonedata" and key == "end":
                bone = make_bone(fields, degrees=units.get("angle") != "rad")
                found[bone.name] = bone
            elif section == ":bonedata":
                fields[key] = values
            elif section == ":hierarchy" and key not in ("begin", "end"):
                for child in values:
                    if child not in found or (key != "root" and key not in found):
                        raise ValueError(f"no bone {child if child not in found else key!r} in :bonedata")
                    parents[child] = key
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(f"{path}, line {number}: {describe(error)}.") from error
    if not parents:
        raise ValueError(f"{path}: no :bonedata and :hierarchy; this is not an Acclaim skeleton file.")
    try:
        scale = MM_PER_INCH / float(units.get("length", 1.0))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{path}: the unit of length is {units['length']!r}; give a positive number.") from error
    for child, parent in parents.items():
        found[child].parent = parent
    return Skeleton({name: found[name] for name in parents_first(parents, path)}, scale, root_axes, units.get("angle") != "rad", path)


def make_bone(fields: dict[str, list[str]], degrees: bool) -> Bone:
    """A bone from the values of its block."""
    for field in ("name", "direction", "length", "axis"):
        if field not in fields:
            raise ValueError(f"the bone {' '.join(fields.get('name', []))!r} that ends here has no {field!r}")
    *angles, order = fields["axis"]
    unknown = [dof for dof in fields.get("dof", []) if dof.lower() not in ("rx", "ry", "rz")]
    if unknown:
        raise ValueError(f"the degree of freedom {unknown[0]!r} is not read; a bone turns by rx, ry, rz")
    return Bone(
        name=fields["name"][0],
        vector=np.array(fields["direction"], dtype=float).reshape(3) * float(fields["length"][0]),
        axes=euler(order, np.array(angles, dtype=float), degrees),
        dof=tuple(dof.lower() for dof in fields.get("dof", [])),
        euler_order=order.lower(),
    )


def read_amc(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Each bone's values (frames, degrees of freedom) by name, and the root's six under "root".

    Raises ValueError that names file and line where a frame does not fit the skeleton.
    """
    lines = [(number, line) for number, line in numbered_lines(path) if not line.startswith(":")]
    widths = {"root": 6} | {bone.name: len(bone.dof) for bone in skeleton.bones.values() if bone.dof}
    stride = 1 + len(widths)
    first = [line.split()[0] for _, line in lines[1:stride]]
    whole, rest = divmod(len(lines), stride)
    if not whole or rest or sorted(first) != sorted(widths):
        raise ValueError(first_fault(lines, widths, path))
    values = {}
    for offset, name in enumerate(first, start=1):
        words = " ".join([line for _, line in lines[offset::stride]]).split()
        width = 1 + widths[name]
        if len(words) != width * whole or set(words[::width]) != {name}:
            raise ValueError(first_fault(lines, widths, path))
        del words[::width]
        try:
            values[name] = np.array(list(map(float, words))).reshape(whole, widths[name])
        except ValueError as error:
            raise ValueError(first_fault(lines, widths, path)) from error
        if not np.isfinite(values[name]).all():
            raise ValueError(first_fault(lines, widths, path))
    return values


def first_fault(lines: list[tuple[int, str]], widths: dict[str, int], path: Path) -> str:
    """Where and how the lines of a motion file first fail to be frames: a number, then each bone once with its values."""
    waiting: set[str] = set()
    number = 1
    for number, line in lines:
        name, *words = line.split()
        where = f"{path}, line {number}: "
        if not words and name.isdecimal():
            if waiting:
                return f"{where}frame {name} begins, but the one before it lacks {', '.join(sorted(waiting))}."
            waiting = set(widths)
        elif name not in widths:
            return f"{where}the skeleton has no moving bone {name!r}; it has {', '.join(widths)}."
        elif name not in waiting:
            return f"{where}{name!r} is here twice in one frame, or before the number of the first frame."
        elif len(words) != widths[name] or not all(map(is_finite_number, words)):
            return f"{where}{name!r} needs {widths[name]} finite numbers, here are {' '.join(words) or 'none'!r}."
        else:
            waiting.remove(name)
    if waiting or not lines:
        return f"{path}, line {number}: the file ends early; {', '.join(sorted(waiting)) or 'every frame'} is missing."
    return f"{path}: the order of the bones changes between frames; give each frame the same order."


def bone_ends(skeleton: Skeleton, motion: dict[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Where the named bones end (frames, 3), in mm, world frame; bones on no path to one of them are not computed."""
    needed: set[str] = set()
    for name in names:
        while name != "root" and name not in needed:
            needed.add(name)
            name = skeleton.bones[name].parent
    root = motion["root"]
    turns = {"root": conjugate(skeleton.root_axes, euler("xyz", root[:, 3:], skeleton.degrees))}
    ends = {"root": root[:, :3]}
    for bone in skeleton.bones.values():
        if bone.name not in needed:
            continue
        turn = turns[bone.parent]
        if bone.dof:
            angles = np.zeros((len(root), 3))
            angles[:, ["xyz".index(dof[1]) for dof in bone.dof]] = motion[bone.name]
            angles = angles[:, ["xyz".index(letter) for letter in bone.euler_order]]
            turn = turn @ conjugate(bone.axes, euler(bone.euler_order, angles, skeleton.degrees))
        turns[bone.name] = turn
        ends[bone.name] = ends[bone.parent] + turn @ bone.vector
    return {name: ends[name] * skeleton.scale for name in names}


def euler(order: str, angles: np.ndarray, degrees: bool) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of Euler angles (..., 3): order XYZ means Rz·Ry·Rx, turns about fixed axes."""
    return Rotation.from_euler(order.lower(), angles, degrees=degrees).as_matrix()


def conjugate(axes: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """A turn about a bone's own axes, seen from the root's axes."""
    return axes @ turn @ axes.T


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers from 1."""
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def parents_first(parents: dict[str, str], path: Path) -> list[str]:
    """Bones in an order in which each comes after its parent."""
    order = ["root"]
    for name in order:
        order += [child for child, parent in parents.items() if parent == name]
    lost = sorted(set(parents) - set(order))
    if lost:
        raise ValueError(f"{path}: :hierarchy does not join {', '.join(lost)} to the root.")
    return order[1:]


def is_finite_number(word: str) -> bool:
    """Whether the word is a number other than NaN and infinity."""
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def describe(error: Exception) -> str:
    """What is wrong in a line that could not be read."""
    return str(error) if isinstance(error, ValueError) else "a value is missing"
