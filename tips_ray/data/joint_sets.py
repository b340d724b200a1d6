"""The joint sets of common data sets and detectors: the names of their joints, in their order.

Names are those of `tips_ray.poses.skeleton.JOINTS` where the joint is one of the 17, and else names
that `tips_ray.data.joint_names` and `tips_ray.data.derive` know. "" is a joint that is not used.
"""

from tips_ray.poses.skeleton import JOINTS


def pairs(*parts: str) -> tuple[str, ...]:
    """Left and right of each part by turns, as COCO lists them."""
    return tuple(f"{side}_{part}" for part in parts for side in "lr")


def limb(side: str, *parts: str) -> tuple[str, ...]:
    """The joints of one limb, from the trunk outwards."""
    return tuple(f"{side}_{part}" for part in parts)


ARM, LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")

COCO = ("nose", *pairs("eye", "ear", *ARM, *LEG))
HALPE26 = (*COCO, "head_top", "neck_base", "pelvis", *[""] * 6)
OPENPOSE_BODY25 = (
    *("nose", "neck_base", *limb("r", *ARM), *limb("l", *ARM)),
    *("pelvis", *limb("r", *LEG), *limb("l", *LEG), "r_eye", "l_eye", "r_ear", "l_ear"),
    *[""] * 6,
)
OPENPOSE_COCO18 = (
    *("nose", "neck_base", *limb("r", *ARM), *limb("l", *ARM)),
    *(*limb("r", *LEG), *limb("l", *LEG), "r_eye", "l_eye", "r_ear", "l_ear"),
)
OPENPOSE_MPI15 = ("head_top", "neck_base", *limb("r", *ARM), *limb("l", *ARM), *limb("r", *LEG), *limb("l", *LEG), "")
CROWDPOSE = (*pairs(*ARM, *LEG), "head_top", "neck_base")
POSETRACK = ("nose", "head_bottom", "head_top", *pairs("ear", *ARM, *LEG))
MPII = (
    *("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "pelvis", "neck_base", "head_bottom", "head_top"),
    *("r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist"),
)
HUMAN36M = JOINTS
HUMAN36M_32_USED = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""The 17 of the 32 joints of the original recordings; the others repeat these or are not used."""

MPI_INF_3DHP = (
    *("head", "thorax", *limb("r", *ARM), *limb("l", *ARM), *limb("r", *LEG), *limb("l", *LEG)),
    *("pelvis", "spine", "neck"),
)
"""Its "head_top", "neck" and "head" are Human3.6M's head, thorax and neck."""

MPI_INF_3DHP_28 = (
    *("", "", "", "spine", "pelvis", "thorax", "neck", "head"),
    *("", *limb("l", *ARM), "", "", *limb("r", *ARM), ""),
    *(*limb("l", *LEG), "", "", *limb("r", *LEG), "", ""),
)
MEDIAPIPE = (
    *("nose", "", "l_eye", "", "", "r_eye", "", "l_ear", "r_ear", "", ""),
    *(*pairs(*ARM), *[""] * 6, *pairs(*LEG), *[""] * 4),
)
DETECTED = {
    14: CROWDPOSE,
    15: OPENPOSE_MPI15,
    16: MPII,
    17: COCO,
    18: OPENPOSE_COCO18,
    25: OPENPOSE_BODY25,
    26: HALPE26,
    133: (*COCO, *[""] * 116),
    136: (*HALPE26, *[""] * 110),
}
"""What the number of a detector's keypoints says where the file does not name them."""
