"""Partitions from affinities, and the mutual information of keypoints."""

import numpy as np
import pytest

from tips_ray.config import Config, parts_of
from tips_ray.poses.affinity import merged, mutual_information, random_partition
from tips_ray.poses.skeleton import LEGS, LEGS_TORSO, LIFTED, TORSO


def joints_of(partition: str) -> set[frozenset[str]]:
    return {frozenset(part.joints) for part in parts_of(Config(partition=partition))}


def test_joints_that_have_most_to_do_with_each_other_become_a_part() -> None:
    group = np.array([joint in LEGS for joint in LIFTED])
    rng = np.random.default_rng(0)
    affinity = np.where(group[:, None] == group, 5.0, 1.0) + rng.uniform(0, 0.5, (16, 16))
    assert joints_of(merged(affinity, 2)) == {frozenset(LEGS), frozenset(TORSO)}
    assert joints_of(merged(7 * affinity, 2)) == joints_of(merged(affinity.T, 2)) == joints_of(merged(affinity, 2))


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_every_partition_has_so_many_parts_and_every_joint_once(count: int) -> None:
    rng = np.random.default_rng(count)
    for partition in (
        *(merged(table, count) for table in (rng.uniform(0, 1, (16, 16)), np.ones((16, 16)))),
        random_partition(count, rng),
    ):
        assert len(parts_of(Config(partition=partition))) == count
    sizes = [len(part.joints) for part in parts_of(Config(partition=random_partition(count, rng)))]
    assert max(sizes) - min(sizes) <= 1


def test_random_partitions_differ() -> None:
    rng = np.random.default_rng(0)
    assert len({random_partition(2, rng) for _ in range(5)}) == 5
    assert all(joints_of(random_partition(2, rng)) != {frozenset(part.joints) for part in LEGS_TORSO} for _ in range(5))


def test_mutual_information_is_that_of_normal_keypoints() -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.normal(size=(20_000, 16, 2))
    share = 0.8
    keypoints[:, 3] = share * keypoints[:, 5] + np.sqrt(1 - share**2) * keypoints[:, 3]
    found = mutual_information(keypoints)
    assert found[3, 5] == found[5, 3] == pytest.approx(-np.log(1 - share**2), abs=0.03)  # of two coordinates
    found[3, 5] = found[5, 3] = 0.0
    assert found.max() < 0.01
    turned = keypoints @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 3.0
    assert mutual_information(turned)[3, 5] == pytest.approx(mutual_information(keypoints)[3, 5])


def test_a_joint_that_never_moves_tells_nothing() -> None:
    keypoints = np.random.default_rng(0).normal(size=(500, 16, 2))
    keypoints[:, 7] = 0.3
    assert mutual_information(keypoints)[7].max() == pytest.approx(0.0, abs=1e-6)
