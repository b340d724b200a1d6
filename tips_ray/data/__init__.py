"""Sets of 3D poses and of 2D keypoints: where they come from, how they are read, split by subject
and seen by cameras."""

from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.load import load_keypoints, load_poses, split_by_subject
from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints, make_keypointset

__all__ = [
    "KeypointSet",
    "PoseSet",
    "RawClip",
    "RawKeypoints",
    "RawPoses",
    "load_keypoints",
    "load_poses",
    "make_keypointset",
    "make_poseset",
    "split_by_subject",
]
