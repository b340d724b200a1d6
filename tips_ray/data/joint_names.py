"""What joints are called: "left_hip", "LHip", "Right Knee", "mixamorig:LeftUpLeg", "thigh.L"."""

import re
from collections.abc import Sequence

SIDED = {
    "hip": ("upleg", "upperleg", "thigh", "hip", "hipjoint"),
    "knee": ("knee", "leg", "lowerleg", "shin", "calf"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "upperarm", "shldr", "uparm", "shoulder", "sho"),
    "elbow": ("elbow", "forearm", "lowerarm", "elb", "loarm"),
    "wrist": ("wrist", "hand", "wri"),
    "eye": ("eye",),
    "ear": ("ear",),
}
"""For each joint that has a side, the words it is called by. In skeletons of animation, a bone is
named and starts at the joint, so that a "left leg" starts at the knee; where a file has two of the
words, the first one counts: beside an "arm", the "shoulder" is the collar bone."""

MIDDLE = {
    "pelvis": ("pelvis", "hips", "midhip", "midhips", "hipcenter", "hip", "pelv", "root", "bip"),
    "spine": ("spine1", "spine", "spinemid", "abdomen", "torso", "lowerback", "chest"),
    "thorax": ("thorax", "thrx", "neckbase", "spineshoulder"),
    "neck": ("neck",),
    "nose": ("nose",),
    "head": ("head",),
    "head_top": ("headtop", "tophead", "topofhead", "headtopend", "headend", "headnub", "vertex"),
    "head_bottom": ("headbottom", "bottomhead", "upperneck"),
}
SIDES = {"l": "l", "left": "l", "r": "r", "right": "r"}
SIDED_RANKS, MIDDLE_RANKS = (
    {word: (joint, rank) for joint, words in table.items() for rank, word in enumerate(words)} for table in (SIDED, MIDDLE)
)
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
PREFIX = re.compile(r"^(.*:|mixamorig[0-9]*_?|bip0*1?[ _]+|joint_?|valvebiped[._]|def[-_])", re.IGNORECASE)


def canonical_names(names: Sequence[str]) -> list[str]:
    """The joints that a file's names mean, "" for a name that means none or that another of the
    file's names means better.

    A "neck" without a "thorax" beside it is the base of the neck, as detectors have it: Human3.6M's
    thorax.
    """
    meant = [meaning(name) for name in names]
    best: dict[str, int] = {}
    for joint, rank in meant:
        best[joint] = min(rank, best.get(joint, rank))
    joints = [joint if joint and rank == best[joint] else "" for joint, rank in meant]
    if "thorax" in joints:
        return joints
    return ["neck_base" if joint == "neck" else joint for joint in joints]


def meaning(name: str) -> tuple[str, int]:
    """The joint that a name means, "" for none, and how good a name it is for it (0 the best)."""
    stripped = PREFIX.sub("", name.strip()) or name
    words = [word.lower() for word in WORDS.findall(stripped)]
    sides = [at for at, word in enumerate(words) if word in SIDES]
    if len(sides) == 1:
        side = SIDES[words.pop(sides[0])]
        joint, rank = SIDED_RANKS.get("".join(words), ("", 0))
        return (f"{side}_{joint}", rank) if joint else ("", 0)
    text = "".join(words)
    if text in MIDDLE_RANKS:
        return MIDDLE_RANKS[text]
    for word, side in SIDES.items():  # without a gap between: "lefthip", "rknee", "hipleft"
        for rest in (text.removeprefix(word), text.removesuffix(word) if len(word) > 1 else text):
            if rest != text and rest in SIDED_RANKS:
                joint, rank = SIDED_RANKS[rest]
                return f"{side}_{joint}", rank
    return "", 0
