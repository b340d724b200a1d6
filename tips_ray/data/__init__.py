"""Sets of 3D poses: where they come from, how they are read, split by subject and seen by
cameras."""

from tips_ray.data.load import load_poses, split_by_subject
from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses, make_poseset

__all__ = ["PoseSet", "RawPoses", "load_poses", "make_poseset", "split_by_subject"]
