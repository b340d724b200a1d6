"""The 17 joints from those that a file has: by name, by a user's map, or derived."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tips_ray.data.joint_names import canonical_names
from tips_ray.data.labels import clean_text
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS
from tips_ray.store.atomic import read_file
from tips_ray.wording import listed

DERIVED: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("l_hip", "r_hip"),),
    "thorax": (("neck_base",), ("l_shoulder", "r_shoulder")),
    "head": (
        *(("head_top",), ("l_eye", "r_eye"), ("l_ear", "r_ear")),
        *(("l_eye",), ("r_eye",), ("l_ear",), ("r_ear",)),
    ),
    "neck": (("nose",), ("thorax", "head")),
    "spine": (("pelvis", "thorax"),),
}
"""For each joint that a file may lack or miss in a frame, what stands for it: the first of these
whose joints are there; of several joints the middle. `neck` is Human3.6M's, which is at the nose,
and `thorax` is the base of the neck. A joint is derived after those above it."""

ORDER = (*(joint for joint in JOINTS if joint not in DERIVED), *DERIVED)
MAPPED = sorted({*JOINTS, *(name for choices in DERIVED.values() for choice in choices for name in choice)})
"""What a joint map may name."""

JointMap = Mapping[str, tuple[str, ...]]
"""For a joint, the names in the file whose middle it is."""


@dataclass(frozen=True)
class Derivation:
    """How the 17 joints come from the joints of a file: for each, which of the file's joints are
    its middle, by choice."""

    names: tuple[str, ...]
    """What each joint of the file is, "" for those that are not used."""
    mapped: Mapping[str, tuple[int, ...]]
    """What a user's map says: for a joint, places in `names`."""

    @property
    def direct(self) -> list[int] | None:
        """Places of the 17 joints in the file, if it has each of them once and none is mapped."""
        if self.mapped or any(self.names.count(joint) != 1 for joint in JOINTS):
            return None
        return [self.names.index(joint) for joint in JOINTS]

    @property
    def derived(self) -> tuple[str, ...]:
        """What is derived, in words: "pelvis from l_hip and r_hip"."""
        available = {*self.names, *self.mapped}
        described = []
        for joint, choices in DERIVED.items():
            possible = [choice for choice in choices if available.issuperset(choice)]
            if joint not in available and possible:
                described.append(f"{joint} from {' and '.join(possible[0])}")
                available.add(joint)
        return tuple(described)

    def apply(self, points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The 17 joints (frames, 17, axes) and their confidences (frames, 17) from those of the
        file; NaN and 0 where a joint is missing. The confidence of a middle is the lowest one."""
        present = seen(points)
        if self.direct is not None and present[:, self.direct].all():
            return points[:, self.direct], confidence[:, self.direct]
        joints: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for at, name in enumerate(self.names):
            if name and name not in joints:
                joints[name] = points[:, at], np.where(present[:, at], confidence[:, at], 0)
        for joint, places in self.mapped.items():
            joints[joint] = middle([(points[:, at], confidence[:, at]) for at in places])
        for joint in ORDER:
            for choice in DERIVED.get(joint, ()):
                if all(name in joints for name in choice):
                    joints[joint] = filled(joints.get(joint), middle([joints[name] for name in choice]))
        return (
            np.stack([joints[joint][0] for joint in JOINTS], axis=1),
            np.stack([joints[joint][1] for joint in JOINTS], axis=1),
        )


def derivation(names: Sequence[object], joint_map: JointMap | None = None) -> Derivation:
    """How the 17 joints come from joints so named; raises UserError if one cannot be had."""
    given = [clean_text(name) for name in names]
    canonical = [name if name in MAPPED else "" for name in given]
    unresolved = [at for at, name in enumerate(canonical) if not name]
    if unresolved:
        by_alias = canonical_names(given)
        canonical = [name or (alias if alias not in canonical else "") for name, alias in zip(canonical, by_alias, strict=True)]
        if "thorax" not in canonical:
            canonical = ["neck_base" if name == "neck" else name for name in canonical]
    mapped = {}
    for joint, sources in (joint_map or {}).items():
        absent = [name for name in sources if name not in given]
        if absent:
            raise UserError(f"the joint map takes {joint} from {absent[0]!r}, but the file's joints are {shown(given)}.")
        mapped[joint] = tuple(given.index(name) for name in sources)
    available = {*canonical, *mapped}
    for joint in DERIVED:
        if any(available.issuperset(choice) for choice in DERIVED[joint]):
            available.add(joint)
    missing = [joint for joint in JOINTS if joint not in available]
    twice = [joint for joint in JOINTS if canonical.count(joint) > 1 and joint not in mapped]
    if missing or twice:
        unknown = [name for name, joint in zip(given, canonical, strict=True) if not joint and name]
        foreign = f"unknown joints: {shown(unknown)}; " if unknown else ""
        raise UserError(
            f"{foreign}missing or repeated: {', '.join([*missing, *twice])}."
            f' Say which joints these are with --joint-map FILE, such as {{"l_hip": "LeftUpLeg"}}.'
        )
    return Derivation(tuple(canonical), mapped)


def every_axis(flags: np.ndarray) -> np.ndarray:
    """Whether all flags (..., axes) of a point are true: much quicker than NumPy's `all` over two
    or three axes."""
    whole = flags[..., 0]
    for axis in range(1, flags.shape[-1]):
        whole = whole & flags[..., axis]
    return whole


def seen(points: np.ndarray) -> np.ndarray:
    """Whether each point (..., axes) is there: none of its numbers is NaN or infinite."""
    return every_axis(np.isfinite(points))


def middle(joints: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The middle of joints (frames, axes), and the lowest of their confidences (frames,)."""
    points, confidences = zip(*joints, strict=True)
    with np.errstate(over="ignore", invalid="ignore"):  # a joint at infinity is nowhere, and so is the middle
        return np.add.reduce(points) / len(points), np.minimum.reduce(confidences)


def filled(joint: tuple[np.ndarray, np.ndarray] | None, other: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A joint, with another in the frames that lack it."""
    if joint is None:
        return other
    missing = ~seen(joint[0])
    return np.where(missing[:, None], other[0], joint[0]), np.where(missing, other[1], joint[1])


def shown(names: Sequence[str]) -> str:
    """Names of joints for a sentence: the first of many, and of long ones the beginning."""
    return listed([name[:40] for name in names], 20)


def read_joint_map(path: Path) -> JointMap:
    """A JSON file {"l_hip": "LeftUpLeg", "pelvis": ["LHip", "RHip"]}: joints, and the names that
    the file of poses has for them; raises UserError for anything else."""
    try:
        content = json.loads(read_file(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON file ({clean_text(error)[:100]}); give a joint map as JSON.") from error
    shape = 'give {"l_hip": "LeftUpLeg", "pelvis": ["LHip", "RHip"]}: our joints, and what the file calls them'
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: a joint map is one JSON object; {shape}.")
    mapped = {}
    for joint, sources in content.items():
        sources = sources if isinstance(sources, list) else [sources]
        if joint not in MAPPED:
            raise UserError(f"{path}: {clean_text(joint)!r} is no joint; the joints are {', '.join(MAPPED)}.")
        if not sources or not all(isinstance(name, str | int) for name in sources):
            raise UserError(f"{path}: {joint!r} needs one name or a list of names; {shape}.")
        mapped[joint] = tuple(clean_text(name) for name in sources)
    return mapped
