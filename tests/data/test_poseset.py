"""What may become a set of poses, and what is said of what may not."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.data.raw import OTHER_SIDE, RawPoses, make_poseset
from tips_ray.poses.skeleton import JOINTS, ROOT, Sides, UpAxis


def some_positions(frames: int = 5, seed: int = 0) -> np.ndarray:
    """Random joints in a box of a person's size, mm."""
    return np.random.default_rng(seed).uniform(-1, 1, (frames, 17, 3)) * (300, 900, 300)


def test_labels_left_out_become_all():
    poses = make_poseset(RawPoses(some_positions(), "mine"))
    assert poses.subjects == poses.actions == ["all"]
    assert set(poses.clip.tolist()) == {"all/all"}
    assert poses.positions.dtype == np.float32


@given(order=st.permutations(range(17)))
def test_joints_are_found_by_name_in_any_order(order):
    positions = some_positions()
    shuffled = make_poseset(RawPoses(positions[:, order], "mine", joint_names=[JOINTS[joint] for joint in order]))
    np.testing.assert_array_equal(shuffled.positions, make_poseset(RawPoses(positions, "mine")).positions)


@pytest.mark.parametrize("up", get_args(UpAxis))
@pytest.mark.parametrize("sides", get_args(Sides))
def test_the_up_axis_becomes_y_without_mirroring(up, sides):
    positions = some_positions()
    turned = make_poseset(RawPoses(positions, "mine", up=up, sides=sides)).positions
    named = turned[:, OTHER_SIDE] if sides == "swapped" else turned
    sign, axis = (-1 if up.startswith("-") else 1), "xyz".index(up[-1])
    np.testing.assert_allclose(named[..., 1], sign * positions[..., axis], rtol=1e-6)
    volume = np.linalg.det(positions[:, 1:4] - positions[:, :1])
    np.testing.assert_allclose(np.linalg.det((named[:, 1:4] - named[:, :1]).astype(float)), volume, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"positions": some_positions()[:, :16]}, r"shape \(5, 16, 3\) for 17 joint names"),
        ({"positions": some_positions()[0]}, r"shape \(17, 3\)"),
        ({"positions": some_positions()[:0]}, "at least one frame"),
        ({"positions": some_positions().astype(str)}, "give real numbers"),
        ({"positions": some_positions() / 1000}, "look like metres: multiply by 1000"),
        ({"positions": some_positions() / 10}, "look like centimetres: multiply by 10"),
        ({"positions": some_positions() * 1e6}, "check the unit"),
        ({"joint_names": (*JOINTS[:-1], "tail")}, "unknown joints: tail; missing or repeated: r_wrist"),
        ({"joint_names": (*JOINTS[:-1], JOINTS[1])}, "missing or repeated: r_wrist, r_hip"),
        ({"up": "w"}, "up axis 'w' is not known; give one of y, z, -y, -z, x, -x"),
        ({"subject": np.array(["a"])}, r"'subject' has shape \(1,\); give one entry for each of the 5 poses"),
        ({"action": np.full((5, 1), "a")}, r"'action' has shape \(5, 1\)"),
        ({"clip": np.arange(4)}, r"'clip' has shape \(4,\)"),
    ],
)
def test_bad_input_is_named_in_one_sentence(change, said):
    with pytest.raises(ValueError, match=said) as error:
        make_poseset(RawPoses(**{"positions": some_positions(), "name": "mine"} | change))
    assert str(error.value).startswith("mine: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda positions: positions[3, 2].__setitem__(1, np.nan), "there is NaN or infinity"),
        (lambda positions: positions[3].__imul__(1e39), "there is NaN or infinity"),
        (lambda positions: positions[3].fill(7.0), "all joints are at one point"),
        (lambda positions: positions[3].__imul__(1000), "the pose is .* mm across, usually"),
        (lambda positions: positions[3].__imul__(0.1), "the pose is .* mm across, usually"),
        (lambda positions: positions[3, 13].__iadd__(5000), "the bone from l_elbow to l_wrist is"),
        (lambda positions: positions[3, 3].fill(0), "r_ankle is at 0 0 0, as missing joints are written"),
    ],
)
def test_frames_that_are_no_body_are_refused_by_number_or_left_out_and_counted(change, fault):
    positions = some_positions(7)
    change(positions)
    raw = RawPoses(positions, "mine", clip=np.arange(7) + 10)
    with pytest.raises(ValueError, match=f"^mine: 1 of 7 frames is no body; in frame 3 .from 0, of clip '13'. {fault}"):
        make_poseset(raw)
    poses = make_poseset(raw, drop_implausible=True)
    assert poses.clip.tolist() == ["10", "11", "12", "14", "15", "16"]
    assert "1 of 7 frames" in poses.notes[-1]


def test_the_pelvis_or_another_joint_may_be_the_origin_but_not_two():
    positions = some_positions()
    for origin in (ROOT, JOINTS.index("neck")):
        make_poseset(RawPoses(positions - positions[:, origin : origin + 1], "mine"))
    positions = root_centred(positions)
    positions[:, 3] = 0
    with pytest.raises(ValueError, match=r"5 of 5 frames are no body; in frame 0 .* r_ankle"):
        make_poseset(RawPoses(positions, "mine"), drop_implausible=True)


def test_labels_are_plain_text():
    subject = np.array(["S1", " S1\t", "\x1b[31mS1\x1b[0m", "S\u202e1\x00", ""])
    poses = make_poseset(RawPoses(some_positions(), "a\x1b]0;title\x07b", subject=subject, action=np.array([b"go"] * 5)))
    assert (poses.subjects, poses.actions, poses.name) == (["S1", "unnamed"], ["go"], "ab")
    broken = np.array(["a"] * 5)
    broken.view(np.uint32)[2] = 0x110000  # no code point
    with pytest.raises(ValueError, match="mine: 'subject' holds what is not text"):
        make_poseset(RawPoses(some_positions(), "mine", subject=broken))
    with pytest.raises(ValueError, match="'subject' holds object values"):
        make_poseset(RawPoses(some_positions(), "mine", subject=np.array([None] * 5)))


def test_takes_of_an_action_count_as_it_and_stay_apart_as_clips():
    action = np.array(["Directions", "Directions 1", "Walking 2", "3", "3"])
    poses = make_poseset(RawPoses(some_positions(), "mine", subject=np.array(list("aaaab")), action=action))
    assert poses.action.tolist() == ["Directions", "Directions", "Walking 2", "3", "3"]
    assert poses.clip.tolist() == ["a/Directions", "a/Directions 1", "a/Walking 2", "a/3", "b/3"]
    assert poses.notes == ("1 action is a take of another and counts as it, such as 'Directions 1' as 'Directions'.",)


def test_fingerprint_is_of_the_data_alone():
    first = make_poseset(RawPoses(some_positions(), "one", subject=np.arange(5)))
    same = make_poseset(RawPoses(some_positions(), "two", subject=np.arange(5).astype("U40")))
    assert first.fingerprint == same.fingerprint
    moved = some_positions()
    moved[0, 0, 0] += 1
    for other in (make_poseset(RawPoses(moved, "one", subject=np.arange(5))), make_poseset(RawPoses(some_positions(), "one"))):
        assert other.fingerprint != first.fingerprint


def test_select_keeps_what_belongs_together():
    poses = make_poseset(RawPoses(some_positions(), "mine", subject=np.arange(5), action=np.arange(5) + 10, synthetic=True))
    chosen = poses.select(np.array([False, True, False, False, True]))
    assert isinstance(chosen, PoseSet)
    assert chosen.synthetic
    assert (chosen.subject.tolist(), chosen.action.tolist(), chosen.clip.tolist()) == (["1", "4"], ["11", "14"], ["1/11", "4/14"])
    np.testing.assert_array_equal(chosen.positions, poses.positions[[1, 4]])


def test_root_centred_puts_the_pelvis_at_the_origin():
    centred = root_centred(some_positions())
    assert not centred[:, ROOT].any()
    np.testing.assert_allclose(centred[:, 3] - centred[:, 1], some_positions()[:, 3] - some_positions()[:, 1])
