"""Bent knees and elbows tell whether a pose is inside out."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.data import load_poses
from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.anatomy import LIMBS, bend, correct_sign_share, depth_sign, sign_votes
from tips_ray.poses.geometry import View, mirror_depth, rotate
from tips_ray.poses.skeleton import FIVE, LEFT_RIGHT, LEGS_TORSO, LIFTED, SOLO, Part

LEGS, TORSO = LEGS_TORSO
CMU = Path(__file__).resolve().parents[3] / "shared/data/cmu17.npz"


def standing(knees: float = 0.0, elbows: float = 0.0) -> torch.Tensor:
    """A person (16, 3) who faces the viewer, so has their left hand at the image's right; mm.

    Knees stand out of the leg towards the viewer by `knees`, elbows out of the hanging arm away
    from the viewer by `elbows`.
    """
    midline = {"spine": 200.0, "thorax": 450.0, "neck": 520.0, "head": 650.0}
    joints = {name: (0.0, height, 0.0) for name, height in midline.items()}
    for side, x in (("l", 1.0), ("r", -1.0)):
        joints |= {f"{side}_hip": (128 * x, 0, 0), f"{side}_knee": (128 * x, -400, knees), f"{side}_ankle": (128 * x, -800, 0)}
        joints |= {
            f"{side}_shoulder": (200 * x, 450, 0),
            f"{side}_elbow": (200 * x, 200, -elbows),
            f"{side}_wrist": (200 * x, -50, 0),
        }
    return torch.tensor([joints[name] for name in LIFTED])


def turned(pose: torch.Tensor, degrees: float) -> torch.Tensor:
    return rotate(pose, View(torch.tensor(math.radians(degrees)), torch.tensor(0.0)))


@pytest.mark.parametrize("degrees", [0, 90, -90, 180, 37])
def test_bent_limbs_vote_by_how_far_they_are_bent_whichever_way_the_person_faces(degrees):
    pose = turned(standing(knees=60.0, elbows=30.0), degrees)
    assert float(sign_votes(pose, LEGS)) == pytest.approx(2 * 60, rel=1e-4)
    assert float(sign_votes(pose, TORSO)) == pytest.approx(2 * 30, rel=1e-4)
    assert float(sign_votes(pose, SOLO[0])) == pytest.approx(2 * 90, rel=1e-4)
    assert depth_sign(pose[None]) == 1.0
    assert depth_sign(mirror_depth(pose)[None]) == -1.0


def test_limbs_bent_the_wrong_way_vote_against():
    pose = standing(knees=-60.0, elbows=-30.0)
    assert float(sign_votes(pose, LEGS)) == pytest.approx(-120)
    assert float(sign_votes(pose, TORSO)) == pytest.approx(-60)
    assert depth_sign(pose[None]) == -1.0


def test_each_part_votes_by_its_own_limbs():
    pose = standing(knees=60.0, elbows=-30.0)
    votes = {part.name: float(sign_votes(pose, part)) for part in (*FIVE, *LEFT_RIGHT)}
    expected = {"left_leg": 60, "right_leg": 60, "left_arm": -30, "right_arm": -30, "trunk": 0, "left": 30, "right": 30}
    assert votes == pytest.approx(expected)


def test_straight_limbs_do_not_vote():
    pose = standing()
    assert float(sign_votes(pose, LEGS)) == float(sign_votes(pose, TORSO)) == 0.0
    assert depth_sign(pose[None]) == 1.0
    assert float(correct_sign_share(pose[None], LEGS)) == 0.0
    one_of_three = torch.stack([pose, standing(knees=10.0), standing(knees=-10.0)])
    assert float(correct_sign_share(one_of_three, LEGS)) == 0.5


def test_joints_at_one_point_do_not_vote():
    assert float(sign_votes(torch.zeros(16, 3), SOLO[0])) == 0.0


@given(seed=st.integers(0, 10_000))
def test_votes_change_sign_exactly_with_depth(seed):
    pose = torch.randn(2, 5, 16, 3, generator=torch.Generator().manual_seed(seed))
    for part in (*LEGS_TORSO, *SOLO, *FIVE, *LEFT_RIGHT):
        assert torch.equal(sign_votes(mirror_depth(pose), part), -sign_votes(pose, part))


def test_bends_of_a_standing_person():
    bends = [bend(standing(knees=400.0, elbows=250.0)[None], limb, sides) for limb, sides, _ in LIMBS]
    assert [float(angle) for angle, _ in bends] == pytest.approx([math.pi / 2] * 4)
    assert [float(forwards) for _, forwards in bends] == pytest.approx([400, 400, -250, -250])
    straight = [bend(standing()[None], limb, sides) for limb, sides, _ in LIMBS]
    assert [float(angle) for angle, _ in straight] == pytest.approx([math.pi] * 4)
    assert [float(forwards) for _, forwards in straight] == [0.0] * 4


@given(seed=st.integers(0, 10_000), azimuth=st.floats(-math.pi, math.pi), factor=st.floats(0.1, 10.0))
def test_a_bend_is_the_angle_between_the_segments_and_what_the_limb_votes_with(seed, azimuth, factor):
    pose = torch.randn(5, 16, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    view = View(*torch.tensor([azimuth, 0.0], dtype=torch.float64))
    for limb, sides, direction in LIMBS:
        angle, forwards = bend(pose, limb, sides)
        for number, one in enumerate(pose.numpy()):
            root, hinge, end = (one[LIFTED.index(joint)] for joint in limb)
            slow = math.atan2(np.linalg.norm(np.cross(root - hinge, end - hinge)), np.dot(root - hinge, end - hinge))
            assert float(angle[number]) == pytest.approx(slow)
        torch.testing.assert_close(direction * forwards, sign_votes(pose, Part("limb", limb)))
        inside_out = bend(mirror_depth(pose), limb, sides)
        torch.testing.assert_close(inside_out, (angle, -forwards))
        torch.testing.assert_close(bend(factor * rotate(pose, view), limb, sides), (angle, factor * forwards))


@given(seed=st.integers(0, 10_000), length=st.floats(0.1, 10.0))
def test_straight_and_folded_limbs_have_an_angle_whatever_is_rounded(seed, length):
    pose = torch.randn(50, 16, 3, generator=torch.Generator().manual_seed(seed))
    for limb, sides, _ in LIMBS:
        root, hinge, end = (LIFTED.index(joint) for joint in limb)
        for expected, away in ((math.pi, -length), (0.0, length)):
            pose[:, end] = pose[:, hinge] + away * (pose[:, root] - pose[:, hinge])
            angle, _ = bend(pose, limb, sides)
            torch.testing.assert_close(angle, torch.full((50,), expected), rtol=0, atol=0.02)


def test_joints_at_one_point_are_at_a_right_angle_and_bent_neither_way():
    for limb, sides, _ in LIMBS:
        angle, forwards = bend(torch.zeros(3, 16, 3), limb, sides)
        torch.testing.assert_close(angle, torch.full((3,), math.pi / 2))
        assert forwards.eq(0).all()


def lifted_joints(poses: PoseSet) -> torch.Tensor:
    return torch.from_numpy(np.delete(root_centred(poses.positions), 0, axis=1))


def test_synthetic_people_are_the_correct_sign_share():
    pose = lifted_joints(synthesise(num_poses=2000))
    assert float(correct_sign_share(pose, LEGS)) > 0.95
    assert float(correct_sign_share(pose, TORSO)) > 0.75
    assert depth_sign(pose) == 1.0
    assert depth_sign(mirror_depth(pose)) == -1.0


@pytest.mark.skipif(not CMU.exists(), reason=f"no real poses at {CMU.name} beside the repository")
def test_real_people_are_the_correct_sign_share():
    pose = lifted_joints(load_poses(str(CMU)))
    assert float(correct_sign_share(pose, LEGS)) > 0.98
    assert float(correct_sign_share(pose, TORSO)) > 0.75
    assert depth_sign(pose) == 1.0
    assert depth_sign(mirror_depth(pose)) == -1.0
