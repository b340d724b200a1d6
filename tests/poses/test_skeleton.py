"""The skeleton is a symmetric tree, and partitions deal its joints out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.poses.skeleton import (
    BONES,
    CENTRE,
    JOINTS,
    LEFT,
    LEGS,
    LIFTED,
    PARENTS,
    PARTITIONS,
    RIGHT,
    ROOT,
    TORSO,
    mirrored,
    partition,
)


def test_bones_join_every_joint_to_the_root():
    assert len(JOINTS) == len(set(JOINTS)) == len(PARENTS) == 17
    assert JOINTS[ROOT] == "pelvis"
    assert sorted(child for _, child in BONES) == [joint for joint in range(17) if joint != ROOT]
    assert all(parent < child for parent, child in BONES)  # so that a walk in storage order meets parents first
    assert {(JOINTS[a], JOINTS[b]) for a, b in BONES} >= {
        ("r_hip", "r_knee"),
        ("l_elbow", "l_wrist"),
        ("neck", "head"),
        ("pelvis", "spine"),
    }


def test_the_body_is_symmetric():
    assert all(mirrored(mirrored(joint)) == joint for joint in JOINTS)
    assert [mirrored(joint) for joint in LEFT] == list(RIGHT)
    assert {joint for joint in JOINTS if mirrored(joint) == joint} == set(CENTRE)
    assert sorted(LEFT + RIGHT + CENTRE) == sorted(JOINTS)
    bones = {(JOINTS[parent], JOINTS[child]) for parent, child in BONES}
    assert {(mirrored(parent), mirrored(child)) for parent, child in bones} == bones


@pytest.mark.parametrize("name", PARTITIONS)
def test_a_partition_has_each_lifted_joint_once(name):
    parts = PARTITIONS[name]
    assert sorted(joint for part in parts for joint in part.joints) == sorted(LIFTED)
    assert sorted(index for part in parts for index in part.indices) == list(range(16))
    for part in parts:
        assert tuple(LIFTED[index] for index in part.indices) == part.joints
    assert partition({part.name: part.joints for part in parts}) == parts


def test_legs_and_torso_are_the_paper_s():
    assert len(LEGS) == 6
    assert len(TORSO) == 10
    assert "pelvis" not in LIFTED


@given(labels=st.lists(st.sampled_from("abc"), min_size=16, max_size=16))
def test_any_deal_of_the_joints_is_a_partition(labels):
    dealt = {label: [joint for joint, own in zip(LIFTED, labels, strict=True) if own == label] for label in sorted(set(labels))}
    parts = partition(dealt)
    assert {part.name: list(part.joints) for part in parts} == dealt


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"legs": LEGS, "torso": TORSO[1:]}, rf"joints left out: \['{TORSO[0]}'\]"),
        ({"legs": LEGS, "torso": (*TORSO, "l_hip")}, r"given twice: \['l_hip'\]"),
        ({"body": LIFTED, "rest": ()}, r"without joints: \['rest'\]"),
        ({}, "joints left out: .*r_hip.*r_wrist"),
        ({"body": (*LIFTED, "pelvis")}, "Unknown joint 'pelvis'; a part is made of r_hip,"),
        ({"body": ("nose", *LIFTED)}, "Unknown joint 'nose'"),
        ({"upper.body": LIFTED}, "cannot be called 'upper.body'; give a name of letters"),
        ({"": LIFTED}, "cannot be called ''"),
    ],
)
def test_a_wrong_partition_is_refused_with_its_fault(parts, said):
    with pytest.raises(ValueError, match=said):
        partition(parts)
