"""From keypoints as files give them to a set: laws, and what is said of bad input."""

import numpy as np
import pytest

from tips_ray.config import FileReading
from tips_ray.data import RawClip, RawKeypoints, make_keypointset
from tips_ray.data.derive import derivation
from tips_ray.data.image_names import places, split_name
from tips_ray.data.joint_names import canonical_names
from tips_ray.data.joint_sets import COCO
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS


def points(frames: int = 6, joints: int = 17) -> np.ndarray:
    return np.random.default_rng(0).uniform(10, 900, (frames, joints, 2))


def raw(*clips: RawClip, **changes) -> RawKeypoints:
    return RawKeypoints(**{"clips": clips, "joint_names": JOINTS, "name": "mine", "format": "a test"} | changes)


def test_y_is_turned_once_and_frames_are_sorted_by_number():
    given = points()
    keypoints = make_keypointset(raw(RawClip(given, "b", frame=np.array([10, 9, 2, 1, 100, 0]))))
    assert keypoints.frame.tolist() == [0, 1, 2, 9, 10, 100]
    np.testing.assert_allclose(keypoints.keypoints, given[[5, 3, 2, 1, 0, 4]] * (1, -1), rtol=1e-6)
    as_is = make_keypointset(raw(RawClip(given, "b"), up="y"))
    np.testing.assert_allclose(as_is.keypoints, given, rtol=1e-6)


def test_a_subject_without_a_name_is_its_clip():
    keypoints = make_keypointset(raw(RawClip(points(), "walk\x1b[31m"), RawClip(points(2), b"b", subject=" S1 ")))
    assert (keypoints.subjects, keypoints.actions) == (["S1", "walk"], ["all"])


@pytest.mark.parametrize("lost", [(0, 0), (np.nan, 1), (1e9, 3)])
def test_joints_that_are_no_place_or_below_the_threshold_are_missing(lost):
    given = points()
    given[2, 3] = lost
    confidence = np.ones((6, 17))
    confidence[4, 13] = 0.1
    keypoints = make_keypointset(raw(RawClip(given, "a", confidence=confidence)))
    assert keypoints.frame.tolist() == [0, 1, 3, 5]
    assert dict(keypoints.origin.left_out) == {"short of joints": 2}
    assert len(make_keypointset(raw(RawClip(given, "a", confidence=confidence)), FileReading(min_confidence=0.05))) == 5


def test_a_joint_at_the_origin_in_all_frames_is_no_missing_one():
    given = points() - points()[:, :1]
    assert len(make_keypointset(raw(RawClip(given, "a")))) == 6


def test_what_a_set_of_joints_lacks_is_derived():
    given = points(joints=len(COCO))
    keypoints = make_keypointset(raw(RawClip(given, "a"), joint_names=COCO))
    joint = {name: keypoints.keypoints[:, at] for at, name in enumerate(JOINTS)}
    of = {name: given[:, at] * (1, -1) for at, name in enumerate(COCO)}
    for name, sources in {
        "pelvis": ("l_hip", "r_hip"),
        "thorax": ("l_shoulder", "r_shoulder"),
        "head": ("l_eye", "r_eye"),
        "neck": ("nose",),
        "l_wrist": ("l_wrist",),
        "spine": ("l_hip", "r_hip", "l_shoulder", "r_shoulder"),
    }.items():
        np.testing.assert_allclose(joint[name], np.mean([of[source] for source in sources], axis=0), rtol=1e-5)
    assert any("pelvis from l_hip and r_hip" in note for note in keypoints.notes)


def test_a_joint_map_names_the_joints_of_an_unknown_set(tmp_path):
    names = [f"marker {at}" for at in range(17)]
    clip = RawClip(points(), "a")
    with pytest.raises(UserError, match=r"mine: unknown joints: marker 0, .*--joint-map FILE"):
        make_keypointset(raw(clip, joint_names=names))
    path = tmp_path / "map.json"
    path.write_text(
        '{"pelvis": ["marker 1", "marker 4"], '
        + ", ".join(f'"{j}": "{n}"' for j, n in zip(JOINTS[1:], names[1:], strict=True))
        + "}"
    )
    mapped = make_keypointset(raw(clip, joint_names=names), FileReading(joint_map=path))
    np.testing.assert_allclose(mapped.keypoints[:, 1:], make_keypointset(raw(clip)).keypoints[:, 1:])
    path.write_text('{"pelvis": "nobody"}')
    with pytest.raises(UserError, match="takes pelvis from 'nobody', but the file's joints are marker 0"):
        make_keypointset(raw(clip, joint_names=names), FileReading(joint_map=path))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["left_hip", "RHip", "Right Knee", "l-ankle", "LShoulder"], ["l_hip", "r_hip", "r_knee", "l_ankle", "l_shoulder"]),
        (["mixamorig:LeftUpLeg", "mixamorig:LeftLeg", "mixamorig1:RightForeArm"], ["l_hip", "l_knee", "r_elbow"]),
        (["LeftShoulder", "LeftArm", "LeftHand"], ["", "l_shoulder", "l_wrist"]),
        (["lThigh", "lShin", "lFoot", "rShldr", "rCollar", "hip"], ["l_hip", "l_knee", "l_ankle", "r_shoulder", "", "pelvis"]),
        (["UpperArm_L", "LowerLeg_R", "joint_Root", "Hips"], ["l_shoulder", "r_knee", "", "pelvis"]),
        (["thigh.L", "calf_r", "Bip01 L Thigh"], ["l_hip", "r_knee", "l_hip"]),
        (["lefthip", "rknee", "nose", "Neck"], ["l_hip", "r_knee", "nose", "neck_base"]),
        (["neck", "thorax", "tail"], ["neck", "thorax", ""]),
    ],
)
def test_names_of_joints_are_understood(given, meant):
    assert canonical_names(given) == meant


def test_the_17_names_mean_themselves():
    assert derivation(JOINTS).direct == list(range(17))


def test_images_are_frames_where_their_numbers_follow_each_other():
    assert split_name("S1_Walking_00012.jpg") == ("S1_Walking", 12)
    assert split_name("video/3/000007.png") == ("video/3", 7)
    assert split_name("0.jpg") == ("", 0)
    assert places(["10.jpg", "9.jpg", "11.jpg"]) == [("", 10), ("", 9), ("", 11)]
    assert places(["000000785.jpg", "000040083.jpg"]) == [("000000785", 0), ("000040083", 0)]


@pytest.mark.parametrize(
    ("clip", "changes", "said"),
    [
        (RawClip(points(joints=16), "a"), {}, "for 17 joint names"),
        (RawClip(points()[0], "a"), {}, r"shape \(17, 2\)"),
        (RawClip(points().astype(str), "a"), {}, "give real numbers"),
        (RawClip(points(), "a", frame=np.arange(3)), {}, "'frame' has shape"),
        (RawClip(points() * np.nan, "a"), {}, "no usable frame .6 without any joint.; lower --min-confidence"),
        (RawClip(points(), "a"), {"up": "z"}, "up axis of keypoints 'z' is not known; give one of y, -y"),
        (RawClip(points(), "a", positions=np.ones((6, 17, 2))), {}, "'positions' has shape"),
        (RawClip(points(), "a", positions=points(6, 51).reshape(-1, 17, 3)[:6] / 1000), {}, "metres: multiply by 1000"),
    ],
)
def test_bad_input_is_named_in_one_sentence(clip, changes, said):
    with pytest.raises(UserError, match=said) as error:
        make_keypointset(raw(clip, **changes))
    assert str(error.value).startswith("mine: ")
    assert "\n" not in str(error.value)


def test_select_keeps_what_belongs_together():
    poses = np.random.default_rng(0).uniform(-800, 800, (6, 17, 3))
    keypoints = make_keypointset(raw(RawClip(points(), "a", positions=poses, image_size=(640, 480))))
    chosen = keypoints.select(np.arange(6) > 3)
    assert (chosen.frame.tolist(), chosen.image_size.tolist()) == ([4, 5], [[640, 480]] * 2)
    assert chosen.positions is not None
    np.testing.assert_allclose(chosen.positions, poses[4:] * (1, -1, -1), rtol=1e-6)
    assert chosen.fingerprint != keypoints.fingerprint
