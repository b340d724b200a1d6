"""Lifted clips as BVH: a skeleton of constant bones, and rotations.

Joint positions do not tell how a bone is turned about itself (its twist): each bone is turned from
its place at rest by the shortest way, relative to the bone that carries it.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from tips_ray.lift.clips import LiftedClip, bone_lengths, middle_step, posed
from tips_ray.poses.skeleton import JOINTS, PARENTS, ROOT

SIDED = {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}
LONGEST_GAP = 1000
"""Steps; a longer one is shortened, since numbers of frames may be times, or jump."""
ORDER = "ZXY"
CHANNELS = "Zrotation Xrotation Yrotation"
UP, DOWN, LEFT, RIGHT = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)


NAMES = {
    **{"pelvis": "Hips", "spine": "Spine", "thorax": "Neck", "neck": "Head", "head": "HeadTop"},
    **{f"{side[0]}_{joint}": f"{side.title()}{name}" for side in ("left", "right") for joint, name in SIDED.items()},
}
"""The words of animation: its neck begins where Human3.6M's thorax is, its head at the nose."""


def rest_direction(joint: str) -> tuple[float, float, float]:
    """Where the bone to a joint points at rest: legs down, trunk up, arms to the sides."""
    side = {"l_": LEFT, "r_": RIGHT}.get(joint[:2], UP)
    return DOWN if joint.endswith(("knee", "ankle")) else side


@dataclass
class Bone:
    """A node of the file: it turns what hangs on it."""

    name: str
    offset: np.ndarray
    rotation: Rotation
    """Of all frames, in the world."""
    children: list["Bone"] = field(default_factory=list)


def bvh_text(clip: LiftedClip, fps: float) -> str:
    """A clip as the text of a .bvh file in cm, y up; its bones have the clip's middle lengths.

    Frames that the clip lacks are those between their neighbours; `LONGEST_GAP` of them at most.
    """
    lengths = bone_lengths(clip.poses)
    step = max(1, round(middle_step(clip)))
    poses = posed(every_frame(clip, step), lengths)
    root = skeleton(poses, lengths)
    lines = ["HIERARCHY", *hierarchy(root)]
    columns = [poses[:, ROOT] / 10, *rotations(root, None)]
    rows = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {step / fps:.7f}"]
    row_text = " ".join(["%.4f"] * rows.shape[1])
    lines += [row_text % tuple(row) for row in rows.tolist()]
    return "\n".join(lines) + "\n"


def every_frame(clip: LiftedClip, step: int) -> np.ndarray:
    """The poses of a clip at even steps from the first to the last; straight lines where the clip
    has none."""
    place = np.cumsum([0.0, *np.minimum(np.diff(clip.frame) / step, LONGEST_GAP)])
    numbers = np.arange(round(place[-1]) + 1)
    flat = clip.poses.reshape(len(clip.poses), -1)
    filled = [np.interp(numbers, place, column) for column in flat.T]
    return np.stack(filled, axis=-1).reshape(len(numbers), len(JOINTS), 3)


def skeleton(poses: np.ndarray, lengths: np.ndarray) -> Bone:
    """The tree of bones. A joint turns the one bone that begins there; where several begin, each
    hangs on a node of its own, since they turn apart."""
    across = poses[:, JOINTS.index("l_hip")] - poses[:, JOINTS.index("r_hip")]
    upwards = poses[:, JOINTS.index("spine")] - poses[:, ROOT]
    body = np.stack(axes(across, upwards), axis=-1)
    root = Bone(NAMES["pelvis"], np.zeros(3), Rotation.from_matrix(body))
    nodes = {ROOT: root}
    for joint, parent in enumerate(PARENTS):
        if joint == ROOT:
            continue
        carrier, rest = nodes[parent], np.array(rest_direction(JOINTS[joint]))
        turn = shortest(carrier.rotation.apply(rest), poses[:, joint] - poses[:, parent]) * carrier.rotation
        if PARENTS.count(parent) > 1:
            bone = Bone(f"{NAMES[JOINTS[parent]]}_{NAMES[JOINTS[joint]]}", np.zeros(3), turn)
            carrier.children.append(bone)
            carrier = bone
        carrier.rotation = turn
        nodes[joint] = Bone(NAMES[JOINTS[joint]], rest * lengths[joint] / 10, turn)
        carrier.children.append(nodes[joint])
    return root


def axes(across: np.ndarray, upwards: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (frames, 3) of a body: to its left, up, and forwards."""
    x = unit(across, LEFT)
    z = unit(np.cross(x, upwards), (0.0, 0.0, 1.0))
    return x, np.cross(z, x), z


def unit(vectors: np.ndarray, otherwise: tuple[float, float, float]) -> np.ndarray:
    """Vectors of length 1; another where there is no direction."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-9, vectors / np.maximum(lengths, 1e-9), otherwise)


def shortest(start: np.ndarray, end: np.ndarray) -> Rotation:
    """The smallest turn of each direction (frames, 3) to another."""
    start, end = unit(start, UP), unit(end, UP)
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis, axis=-1, keepdims=True), (start * end).sum(axis=-1, keepdims=True)
    helper = np.where(np.abs(start[:, :1]) < 0.9, LEFT, UP)
    across = unit(np.cross(start, helper), LEFT)  # for turns by half a circle, whose axis is any
    return Rotation.from_rotvec(np.where(sine > 1e-9, axis / np.maximum(sine, 1e-9), across) * np.arctan2(sine, cosine))


def hierarchy(bone: Bone, depth: int = 0) -> list[str]:
    """The lines of a bone and of all that hangs on it."""
    indent = "  " * depth
    kind = "JOINT" if depth else "ROOT"
    channels = f"6 Xposition Yposition Zposition {CHANNELS}" if not depth else f"3 {CHANNELS}"
    lines = [f"{indent}{kind} {bone.name}", f"{indent}{{", f"{indent}  OFFSET {offset_text(bone.offset)}"]
    lines.append(f"{indent}  CHANNELS {channels}")
    for child in bone.children:
        lines += hierarchy(child, depth + 1)
    if not bone.children:
        lines += [f"{indent}  End Site", f"{indent}  {{", f"{indent}    OFFSET {offset_text(np.zeros(3))}", f"{indent}  }}"]
    return [*lines, f"{indent}}}"]


def rotations(bone: Bone, carrier: Rotation | None) -> list[np.ndarray]:
    """Degrees (frames, 3) of a bone and of all that hangs on it, relative to what carries it, in
    the order of the hierarchy."""
    local = bone.rotation if carrier is None else carrier.inv() * bone.rotation
    degrees = local.as_euler(ORDER, degrees=True)
    return [degrees, *(each for child in bone.children for each in rotations(child, bone.rotation))]


def offset_text(offset: np.ndarray) -> str:
    """Three numbers, in cm."""
    return " ".join(f"{value:.4f}" for value in offset)
