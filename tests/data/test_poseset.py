"""What may become a set of poses, and what is said of what may not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.data.poseset import PoseSet, make_poseset, root_centred
from tips_ray.poses.skeleton import JOINTS, ROOT

settings.register_profile("tips_ray", deadline=None, derandomize=True)
settings.load_profile("tips_ray")


def some_positions(frames: int = 5, seed: int = 0) -> np.ndarray:
    """Random joints in a box of a person's size, mm."""
    return np.random.default_rng(seed).uniform(-1, 1, (frames, 17, 3)) * (300, 900, 300)


def test_labels_left_out_become_all():
    poses = make_poseset(some_positions(), "mine")
    assert poses.subjects == poses.actions == ["all"]
    assert set(poses.clip.tolist()) == {"all/all"}
    assert poses.positions.dtype == np.float32


@given(order=st.permutations(range(17)))
def test_joints_are_found_by_name_in_any_order(order):
    positions = some_positions()
    shuffled = make_poseset(positions[:, order], "mine", joint_names=[JOINTS[joint] for joint in order])
    np.testing.assert_array_equal(shuffled.positions, make_poseset(positions, "mine").positions)


def test_z_up_becomes_y_up_without_mirroring():
    positions = some_positions()
    turned = make_poseset(positions, "mine", up="z").positions
    np.testing.assert_allclose(turned[..., 1], positions[..., 2], rtol=1e-6)
    volume = np.linalg.det(positions[:, 1:4] - positions[:, :1])
    np.testing.assert_allclose(np.linalg.det((turned[:, 1:4] - turned[:, :1]).astype(float)), volume, rtol=1e-3)


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
        ({"positions": some_positions() * 1e39}, "5 of 5 poses hold NaN or infinity"),
        ({"joint_names": ("nose", *JOINTS[1:])}, "unknown joints: nose; missing or repeated: pelvis"),
        ({"joint_names": (JOINTS[1], *JOINTS[1:])}, "missing or repeated: pelvis, r_hip"),
        ({"up": "x"}, "up axis 'x' is not known; give one of y, z"),
        ({"subject": np.array(["a"])}, r"'subject' has shape \(1,\); give one entry for each of the 5 poses"),
        ({"action": np.full((5, 1), "a")}, r"'action' has shape \(5, 1\)"),
        ({"clip": np.arange(4)}, r"'clip' has shape \(4,\)"),
    ],
)
def test_bad_input_is_named_in_one_sentence(change, said):
    with pytest.raises(ValueError, match=said) as error:
        make_poseset(**{"positions": some_positions(), "name": "mine"} | change)
    assert str(error.value).startswith("mine: ")
    assert "\n" not in str(error.value)


def test_poses_of_nan_or_of_one_point_are_refused_by_number():
    positions = some_positions()
    positions[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 5 poses hold NaN or infinity, the first is number 3"):
        make_poseset(positions, "mine")
    positions[3] = 7.0
    with pytest.raises(ValueError, match="1 of 5 poses have all joints at one point, the first is number 3"):
        make_poseset(positions, "mine")


def test_fingerprint_is_of_the_data_alone():
    first = make_poseset(some_positions(), "one", subject=np.arange(5))
    same = make_poseset(some_positions(), "two", subject=np.arange(5).astype("U40"))
    assert first.fingerprint == same.fingerprint
    moved = some_positions()
    moved[0, 0, 0] += 1
    for other in (make_poseset(moved, "one", subject=np.arange(5)), make_poseset(some_positions(), "one")):
        assert other.fingerprint != first.fingerprint


def test_select_keeps_what_belongs_together():
    poses = make_poseset(some_positions(), "mine", subject=np.arange(5), action=np.arange(5) + 10, synthetic=True)
    chosen = poses.select(np.array([False, True, False, False, True]))
    assert isinstance(chosen, PoseSet)
    assert chosen.synthetic
    assert (chosen.subject.tolist(), chosen.action.tolist(), chosen.clip.tolist()) == (["1", "4"], ["11", "14"], ["1/11", "4/14"])
    np.testing.assert_array_equal(chosen.positions, poses.positions[[1, 4]])


def test_root_centred_puts_the_pelvis_at_the_origin():
    centred = root_centred(some_positions())
    assert not centred[:, ROOT].any()
    np.testing.assert_allclose(centred[:, 3] - centred[:, 1], some_positions()[:, 3] - some_positions()[:, 1])
