"""Acclaim skeletons (.asf), the format in which CMU publishes the bodies of its motion capture
database."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from tips_ray.errors import UserError

MM_PER_INCH = 25.4
ROOT_ORDER = "TX TY TZ RX RY RZ"


@dataclass
class Bone:
    """One bone at rest: its vector from start to end (3,) in file units, its axes (3, 3), the
    angles a motion gives for it."""

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
    """Read a skeleton; raises ValueError that names file and line for what is broken or not
    supported."""
    units = {"length": 1.0, "angle": "deg"}
    root_axes = np.eye(3)
    bones_by_name: dict[str, Bone] = {}
    parents: dict[str, str] = {}
    section, fields = "", {}
    for number, line in numbered_lines(path):
        key, *values = line.split()
        try:
            if key.startswith(":"):
                section = key.lower()
            elif section == ":units":
                units[key] = positive(values[0]) if key == "length" else values[0]
            elif section == ":root" and key == "order" and " ".join(values).upper() != ROOT_ORDER:
                raise UserError(f"the root's order is {' '.join(values)!r}; only {ROOT_ORDER} is read")
            elif section == ":root" and key == "orientation":
                root_axes = euler("xyz", three(values), degrees=units["angle"] == "deg")
            elif section == ":bonedata" and key == "begin":
                fields = {}
            elif section == ":bonedata" and key == "end":
                bone = make_bone(fields, degrees=units["angle"] == "deg")
                if bone.name == "root" or bone.name in bones_by_name:
                    raise UserError(f"a second bone is called {bone.name!r}")
                bones_by_name[bone.name] = bone
            elif section == ":bonedata" and key in BONE_FIELDS:
                fields[key] = BONE_FIELDS[key](values)
            elif section == ":hierarchy" and key not in ("begin", "end"):
                lost = [name for name in (key, *values) if name not in bones_by_name and name != "root"]
                if lost:
                    raise UserError(f"no bone {lost[0]!r} in :bonedata")
                twice = [child for child in values if child == "root" or child in parents]
                if twice:
                    raise UserError(f"{twice[0]!r} is the child of {key!r}, but has its place already")
                parents |= dict.fromkeys(values, key)
        except IndexError as error:
            raise UserError(f"{path}, line {number}: {key!r} lacks a value.") from error
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}.") from error
    if not parents:
        raise UserError(f"{path}: no :bonedata and :hierarchy; this is not an Acclaim skeleton file.")
    for child, parent in parents.items():
        bones_by_name[child].parent = parent
    bones = {name: bones_by_name[name] for name in parents_first(parents, path)}
    return Skeleton(bones, MM_PER_INCH / units["length"], root_axes, units["angle"] == "deg", path)


def make_bone(fields: dict[str, Any], degrees: bool) -> Bone:
    """A bone from the values of its block; raises ValueError if one is missing."""
    missing = [field for field in BONE_FIELDS if field not in fields and field != "dof"]
    if missing:
        raise UserError(f"the bone {fields.get('name', '')!r} that ends here has no {missing[0]!r}")
    angles, order = fields["axis"]
    vector = fields["direction"] * fields["length"]
    return Bone(fields["name"], vector, euler(order, angles, degrees), fields.get("dof", ()), order)


def three(values: list[str]) -> np.ndarray:
    """Three numbers (3,)."""
    if len(values) != 3 or not all(map(is_finite_number, values)):
        raise UserError(f"three finite numbers are needed, here are {' '.join(values)!r}")
    return np.array(values, dtype=float)


def positive(word: str) -> float:
    """A number above 0."""
    if not is_finite_number(word) or float(word) <= 0:
        raise UserError(f"a positive number is needed, here is {word!r}")
    return float(word)


def axis(values: list[str]) -> tuple[np.ndarray, str]:
    """Euler angles (3,) and their order, "xyz" or another."""
    order = values[-1].lower()
    if sorted(order) != list("xyz"):
        raise UserError(f"an axis ends with its order, such as XYZ; here is {values[-1]!r}")
    return three(values[:-1]), order


def degrees_of_freedom(values: list[str]) -> tuple[str, ...]:
    """The angles that a motion gives for the bone, in order."""
    unknown = [value for value in values if value.lower() not in ("rx", "ry", "rz")]
    if unknown:
        raise UserError(f"the degree of freedom {unknown[0]!r} is not read; a bone turns by rx, ry, rz")
    return tuple(value.lower() for value in values)


BONE_FIELDS: dict[str, Callable[[list[str]], Any]] = {
    "name": lambda values: values[0],
    "direction": three,
    "length": lambda values: positive(values[0]),
    "axis": axis,
    "dof": degrees_of_freedom,
}
"""How the values of a bone's block are read; every bone has all of them but `dof`."""


def parents_first(parents: dict[str, str], path: Path) -> list[str]:
    """Bones in an order in which each comes after its parent."""
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    order = ["root"]
    for name in order:
        order += children.get(name, [])
    lost = sorted(set(parents) - set(order))
    if lost:
        raise UserError(f"{path}: :hierarchy does not join {', '.join(map(repr, lost))} to the root.")
    return order[1:]


def euler(order: str, angles: np.ndarray, degrees: bool) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of Euler angles (..., 3): order XYZ means Rz·Ry·Rx, turns about
    fixed axes."""
    return Rotation.from_euler(order.lower(), angles, degrees=degrees).as_matrix()


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers from 1; a UTF-8 mark at the start is
    skipped."""
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("latin-1")
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def is_finite_number(word: str) -> bool:
    """Whether the word is a number other than NaN and infinity."""
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
