"""The 17-joint Human3.6M skeleton, its bones and symmetry, and how a lifter splits it into
parts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tips_ray.errors import UserError

JOINTS = (
    "pelvis",
    "r_hip",
    "r_knee",
    "r_ankle",
    "l_hip",
    "l_knee",
    "l_ankle",
    "spine",
    "thorax",
    "neck",
    "head",
    "l_shoulder",
    "l_elbow",
    "l_wrist",
    "r_shoulder",
    "r_elbow",
    "r_wrist",
)
"""Joint names in storage order."""

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
"""Index of each joint's parent in `JOINTS`; the root has -1."""

ROOT = JOINTS.index("pelvis")

LIFTED = JOINTS[1:]
"""The 16 joints that the networks see: every joint but the root, which is the origin of a pose."""

BONES = tuple((parent, child) for child, parent in enumerate(PARENTS) if parent >= 0)
"""(parent, child) indices into `JOINTS`."""

LEFT = tuple(name for name in JOINTS if name.startswith("l_"))
RIGHT = tuple("r_" + name[2:] for name in LEFT)
CENTRE = tuple(name for name in JOINTS if name not in LEFT + RIGHT)


UpAxis = Literal["y", "z", "-y", "-z", "x", "-x"]
"""Which axis of stored poses points up."""

Sides = Literal["named", "swapped"]
"""Whether what is called left is left, or right."""


def mirrored(name: str) -> str:
    """The joint on the other side of the body; a joint of the midline is its own mirror."""
    sides = {"l_": "r_", "r_": "l_"}
    return sides[name[:2]] + name[2:] if name[:2] in sides else name


@dataclass(frozen=True)
class Part:
    """Joints that one generator lifts, and sees, alone."""

    name: str
    joints: tuple[str, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """Positions of the joints among the 16 lifted ones (`LIFTED`)."""
        return tuple(LIFTED.index(joint) for joint in self.joints)


LEGS = tuple(name for name in LIFTED if name.endswith(("hip", "knee", "ankle")))
TORSO = tuple(name for name in LIFTED if name not in LEGS)

SOLO = (Part("body", LIFTED),)
LEGS_TORSO = (Part("legs", LEGS), Part("torso", TORSO))
LEFT_RIGHT = (
    Part("left", tuple(name for name in LIFTED if name in LEFT)),
    Part("right", tuple(name for name in LIFTED if name not in LEFT)),
)
FIVE = (
    Part("left_leg", ("l_hip", "l_knee", "l_ankle")),
    Part("right_leg", ("r_hip", "r_knee", "r_ankle")),
    Part("left_arm", ("l_shoulder", "l_elbow", "l_wrist")),
    Part("right_arm", ("r_shoulder", "r_elbow", "r_wrist")),
    Part("trunk", ("spine", "thorax", "neck", "head")),
)
PARTITIONS = {"solo": SOLO, "legs_torso": LEGS_TORSO, "left_right": LEFT_RIGHT, "five": FIVE}


def partition(joints_of: dict[str, Sequence[str]]) -> tuple[Part, ...]:
    """Build a partition from part names and their joints, e.g. `{"upper": [...], "lower": [...]}`.

    Raises ValueError unless every lifted joint is in exactly one part, every part has a joint, and
    its name is an identifier.
    """
    parts = tuple(Part(name, tuple(joints)) for name, joints in joints_of.items())
    unnamed = [part.name for part in parts if not part.name.isidentifier()]
    if unnamed:
        raise UserError(f"A part cannot be called {unnamed[0]!r}; give a name of letters, digits and '_', such as 'left_arm'.")
    given = [joint for part in parts for joint in part.joints]
    check_joints(given)
    empty = [part.name for part in parts if not part.joints]
    twice = sorted({joint for joint in given if given.count(joint) > 1})
    missing = [joint for joint in LIFTED if joint not in given]
    if empty or twice or missing:
        raise UserError(
            f"A partition puts each of the {len(LIFTED)} lifted joints into exactly one part; here parts without joints:"
            f" {empty or 'none'}, joints given twice: {twice or 'none'}, joints left out: {missing or 'none'}."
        )
    return parts


def check_joints(names: Iterable[str]) -> None:
    """Raise ValueError for a name that is not one of the 16 lifted joints, and name those that
    are."""
    unknown = [name for name in names if name not in LIFTED]
    if unknown:
        raise UserError(f"Unknown joint {unknown[0]!r}; a part is made of {', '.join(LIFTED)} (the pelvis is the origin).")
