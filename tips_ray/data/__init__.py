"""Sets of 3D poses: where they come from, how they are read, split by subject and seen by
cameras."""

from tips_ray.data.load import load_poses, split_by_subject
from tips_ray.data.poseset import PoseSet, make_poseset

__all__ = ["PoseSet", "load_poses", "make_poseset", "split_by_subject"]
