"""From joint angles to joint positions: anatomical limits and forward kinematics of the 17-joint
skeleton.

Body frame: x to the person's left, y up, z forward; angles in degrees, all zero when standing
upright with hanging arms. Ball joints move by swing and twist: `flexion` (to the front) and
`abduction` or `bend` (outwards; of the trunk and head: to the left) are the two components of one
rotation vector, so that no posture short of 180 degrees is singular; `rotation` or `twist`
(outwards; of the trunk and head: to the left) turns about the bone first. Knees and elbows are
hinges.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from tips_ray.poses.skeleton import JOINTS, PARENTS

_SIDE_LIMITS = {
    "girdle_elevation": (-10.0, 40.0),
    "girdle_protraction": (-20.0, 30.0),
    "shoulder_flexion": (-60.0, 170.0),
    "shoulder_abduction": (-45.0, 170.0),
    "shoulder_rotation": (-80.0, 90.0),
    "elbow_flexion": (4.0, 150.0),
    "hip_flexion": (-25.0, 125.0),
    "hip_abduction": (-28.0, 46.0),
    "hip_rotation": (-45.0, 46.0),
    "knee_flexion": (2.0, 142.0),
}

LIMITS: dict[str, tuple[float, float]] = {
    "pelvis_flexion": (-60.0, 110.0),
    "pelvis_bend": (-45.0, 45.0),
    "pelvis_twist": (-60.0, 60.0),
    "spine_flexion": (-30.0, 80.0),
    "spine_bend": (-35.0, 35.0),
    "spine_twist": (-45.0, 45.0),
    "neck_flexion": (-50.0, 50.0),
    "neck_bend": (-45.0, 45.0),
    "neck_twist": (-75.0, 75.0),
} | {f"{side}_{name}": limit for side in "lr" for name, limit in _SIDE_LIMITS.items()}
"""Least and greatest value of each angle, degrees: active ranges of motion of healthy adults,
American Academy of Orthopaedic Surgeons (1965) and Boone & Azen (1979). The pelvis turns freely in
space; its range only keeps the person on its feet or seat."""

MAX_ELEVATION = 170.0
"""Greatest swing of the upper arm out of its hanging position, degrees."""

SPINE_SHARES = {"pelvis": 0.25, "spine": 0.40, "thorax": 0.35}
"""How the bending of the trunk is spread over the joints from which its bones start."""

RHYTHM = 0.2
"""Rise of the shoulder girdle for each degree of arm elevation beyond 30 (scapulohumeral rhythm),
after Inman et al. (1944)."""


def limited(angles: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The angles held within `LIMITS`, and each upper arm within `MAX_ELEVATION`."""
    held = {name: np.clip(values, *LIMITS[name]) for name, values in angles.items()}
    for side in "lr":
        flexion, abduction = f"{side}_shoulder_flexion", f"{side}_shoulder_abduction"
        shrink = np.minimum(1.0, MAX_ELEVATION / np.maximum(np.hypot(held[flexion], held[abduction]), 1.0))
        held[flexion], held[abduction] = held[flexion] * shrink, held[abduction] * shrink
    return held


def forward_kinematics(angles: dict[str, np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Positions (frames, 17, 3) about the pelvis, in the unit of the bones' `offsets` (17, 3).

    `angles` holds an array (frames,) of degrees for each name of `LIMITS`. The pelvis is placed in
    space (`pelvis_*`); the bending of the trunk is shared among its three joints, that of the neck
    between two.
    """
    pelvis = _ball(angles, "pelvis")
    bones = {"hip": pelvis}
    frame = pelvis
    for start, end in (("pelvis", "spine"), ("spine", "thorax"), ("thorax", "neck")):
        frame = frame * _ball(angles, "spine", SPINE_SHARES[start])
        bones[end] = frame
    chest = frame
    bones["neck"] = chest * _ball(angles, "neck", 0.5)
    bones["head"] = chest * _ball(angles, "neck")
    for side in "lr":
        bones[f"{side}_hip"] = pelvis
        thigh = pelvis * _limb(angles, f"{side}_hip", side)
        bones[f"{side}_knee"], bones[f"{side}_ankle"] = thigh, thigh * _hinge(angles[f"{side}_knee_flexion"])
        upper_arm = chest * _limb(angles, f"{side}_shoulder", side)
        bones[f"{side}_shoulder"] = chest * _girdle(angles, side)
        bones[f"{side}_elbow"], bones[f"{side}_wrist"] = upper_arm, upper_arm * _hinge(-angles[f"{side}_elbow_flexion"])
    positions = np.zeros((len(angles["pelvis_flexion"]), len(JOINTS), 3))
    for joint, parent in list(enumerate(PARENTS))[1:]:
        positions[:, joint] = positions[:, parent] + bones[JOINTS[joint]].apply(offsets[joint])
    return positions


def _ball(angles: dict[str, np.ndarray], joint: str, share: float = 1.0) -> Rotation:
    """Rotation of the trunk or head: forward, to the left, turned to the left."""
    flexion, bend, twist = (share * angles[f"{joint}_{name}"] for name in ("flexion", "bend", "twist"))
    return _swing_twist(flexion, -bend, twist)


def _limb(angles: dict[str, np.ndarray], joint: str, side: str) -> Rotation:
    """Rotation of an upper arm or thigh; what is outwards on the left is mirrored on the right."""
    outwards = 1.0 if side == "l" else -1.0
    flexion, abduction, rotation = (angles[f"{joint}_{name}"] for name in ("flexion", "abduction", "rotation"))
    return _swing_twist(-flexion, outwards * abduction, outwards * rotation)


def _girdle(angles: dict[str, np.ndarray], side: str) -> Rotation:
    """Rotation of the collar bone: raised with the arm, drawn to the front."""
    outwards = 1.0 if side == "l" else -1.0
    elevation = np.hypot(angles[f"{side}_shoulder_flexion"], angles[f"{side}_shoulder_abduction"])
    lift = angles[f"{side}_girdle_elevation"] + RHYTHM * np.maximum(elevation - 30.0, 0.0)
    return _about(y=-outwards * angles[f"{side}_girdle_protraction"], z=outwards * lift)


def _hinge(angle: np.ndarray) -> Rotation:
    return _about(x=angle)


def _swing_twist(about_x: np.ndarray, about_z: np.ndarray, about_y: np.ndarray) -> Rotation:
    """Twist about the bone (y at rest), then swing about an axis across it."""
    return _about(x=about_x, z=about_z) * _about(y=about_y)


def _about(x: np.ndarray | float = 0.0, y: np.ndarray | float = 0.0, z: np.ndarray | float = 0.0) -> Rotation:
    """Rotations about the axis (x, y, z) by its length in degrees."""
    return Rotation.from_rotvec(np.stack(np.broadcast_arrays(x, y, z), axis=-1), degrees=True)
