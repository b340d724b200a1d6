"""Who moves: body proportions from published anthropometry, and the habits of a subject."""

from dataclasses import dataclass

import numpy as np

from tips_ray.data.synthetic.kinematics import LIMITS
from tips_ray.poses.skeleton import JOINTS

STATURES_MM = ((1618.0, 63.0), (1759.0, 67.0))
"""Mean and standard deviation of adult stature: women, men; from the percentiles in Huston (2009),
Principles of Biomechanics."""

ANKLE_HEIGHT = 0.039
"""Height of the ankle over the ground as a fraction of stature, Drillis & Contini (1966)."""

SEGMENTS: dict[str, tuple[float, float, float]] = {
    "hip": (0.050, 0.0, 0.0),
    "knee": (0.0, -0.245, 0.0),
    "ankle": (0.0, -0.246, 0.0),
    "spine": (0.0, 0.120, -0.005),
    "thorax": (0.0, 0.168, 0.005),
    "neck": (0.0, 0.070, 0.012),
    "head": (0.0, 0.068, 0.004),
    "shoulder": (0.098, 0.0, 0.0),
    "elbow": (0.0, -0.186, 0.0),
    "wrist": (0.0, -0.146, 0.0),
}
"""Bone to each joint (left side) of an upright body with hanging arms, as fractions of stature: x
left, y up, z forward.

Limbs, and the 0.288 between hips and shoulders: Drillis & Contini (1966), Body Segment Parameters,
see Winter (2009), fig. 4.1. Their breadths (0.191 and 0.259) are outer ones: hip joint centres lie
14 % of the distance between the iliac spines further in (Bell et al. 1990), those of the shoulders
some 5 cm inside the acromia. The head ends in the middle of the skull.
"""

PROPORTION_SD = 0.03
"""Spread of a segment's length about its share of stature."""

POSTURE_SD_DEGREES = 3.0


@dataclass(frozen=True)
class Subject:
    """A synthetic person.

    offsets: (17, 3) mm, the bone from each joint's parent to the joint at rest; the pelvis is the
    origin. stature: mm. posture: habitual offset of each joint angle, degrees. pace, vigour:
    factors on tempo and size of movements.
    """

    offsets: np.ndarray
    stature: float
    posture: dict[str, float]
    pace: float
    vigour: float


def make_subject(rng: np.random.Generator) -> Subject:
    """Draw a subject; both sides of the body have equal lengths."""
    mean, sd = STATURES_MM[rng.integers(2)]
    stature = float(np.clip(rng.normal(mean, sd), mean - 2.5 * sd, mean + 2.5 * sd))
    lengths = {
        name: stature * np.clip(rng.normal(1.0, PROPORTION_SD), 0.9, 1.1) * np.array(bone) for name, bone in SEGMENTS.items()
    }
    mirror = np.array([-1.0, 1.0, 1.0])
    offsets = np.zeros((len(JOINTS), 3))
    for index, joint in enumerate(JOINTS[1:], start=1):
        bone = lengths[joint.removeprefix("l_").removeprefix("r_")]
        offsets[index] = bone * mirror if joint.startswith("r_") else bone
    return Subject(
        offsets=offsets,
        stature=stature,
        posture={angle: float(rng.normal(0.0, POSTURE_SD_DEGREES)) for angle in LIMITS},
        pace=float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2)),
        vigour=float(np.clip(rng.normal(1.0, 0.1), 0.75, 1.25)),
    )
