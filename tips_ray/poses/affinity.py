"""Partitions of the body that follow from how much joints have to do with each other, and random
ones."""

import json
from collections.abc import Sequence

import numpy as np

from tips_ray.poses.skeleton import LIFTED


def merged(affinity: np.ndarray, num_parts: int) -> str:
    """The partition, as a config spells it, that merging joints leaves: those two groups first
    whose joints have, on average over both directions, the greatest affinity (joints, joints)."""
    from scipy.cluster.hierarchy import cut_tree, linkage  # imported here, since it takes most of a second
    from scipy.spatial.distance import squareform

    symmetric = (affinity + affinity.T) / 2
    distance = symmetric.max() - symmetric
    np.fill_diagonal(distance, 0.0)
    return spelt(cut_tree(linkage(squareform(distance, checks=False), "average"), num_parts).ravel())


def random_partition(num_parts: int, rng: np.random.Generator) -> str:
    """A partition into parts of about equal size, at random."""
    return spelt(rng.permutation(np.arange(len(LIFTED)) % num_parts))


def spelt(group: Sequence[int] | np.ndarray) -> str:
    """A partition as a config spells it, from the group of each joint; parts are numbered in the
    order of their first joints."""
    labels = list(dict.fromkeys(int(label) for label in group))
    joints = {f"part_{place}": [] for place in range(1, len(labels) + 1)}
    for joint, label in zip(LIFTED, group, strict=True):
        joints[f"part_{1 + labels.index(int(label))}"].append(joint)
    return json.dumps(joints)


def mutual_information(keypoints: np.ndarray) -> np.ndarray:
    """How much each joint's 2D place tells of another's, in nats, for keypoints (views, joints, 2)
    as if they were normally distributed: -log det of correlations, halved; 0 on the diagonal."""
    num_joints = keypoints.shape[1]
    spread = np.cov(keypoints.reshape(len(keypoints), -1).T.astype(float)) + 1e-9 * np.eye(2 * num_joints)
    blocks = spread.reshape(num_joints, 2, num_joints, 2).transpose(0, 2, 1, 3)
    own = np.linalg.slogdet(blocks[np.arange(num_joints), np.arange(num_joints)])[1]
    information = np.zeros((num_joints, num_joints))
    for i in range(num_joints):
        for j in range(i):
            both = np.block([[blocks[i, i], blocks[i, j]], [blocks[j, i], blocks[j, j]]])
            information[i, j] = information[j, i] = max(0.0, (own[i] + own[j] - np.linalg.slogdet(both)[1]) / 2)
    return information
