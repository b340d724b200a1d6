"""Poses that a lifter makes of a few training views, for people to look at."""

from typing import Any

import numpy as np
import torch
from torch import nn

from tips_ray.data.dataset import Dataset
from tips_ray.data.keypointset import KeypointSet
from tips_ray.lifting.evaluate import NUM_COMPARED, lift_views, voters
from tips_ray.poses.anatomy import depth_sign
from tips_ray.poses.geometry import signed
from tips_ray.poses.skeleton import JOINTS, LIFTED


@torch.no_grad()
def body_rows(lifter: nn.Module, dataset: Dataset) -> list[dict[str, Any]]:
    """One row a view and joint, in mm and the camera's frame, relative to the root: where a lifter
    puts the joint, with the depth sign that anatomy votes for, and where it is, if that is known.

    The views are those that runs are compared on. Of real cameras, true poses have the size that
    fits what was seen.
    """
    views, poses = dataset.train.spread(NUM_COMPARED), dataset.train_poses
    lifted = signed(lift_views(lifter, views), depth_sign(lift_views(lifter, voters(dataset))))
    seen, true = lifted[..., :2], views.pose[..., :2]
    truth = views.pose * ((seen * true).sum((1, 2)) / true.square().sum((1, 2)))[:, None, None]
    frames = dataset.train.spread_places(NUM_COMPARED).cpu().numpy() % len(poses)  # a rendered pose has a view a camera
    missing = poses.missing[frames] if isinstance(poses, KeypointSet) else np.zeros((len(frames), len(JOINTS)), bool)
    places = torch.cat([lifted, truth], dim=-1).cpu().numpy().round(1)
    names = ("x_mm", "y_mm", "z_mm", "true_x_mm", "true_y_mm", "true_z_mm")
    return [
        {
            "view": view,
            "joint": joint,
            **dict(zip(names, places[view, LIFTED.index(joint)].tolist(), strict=True)),
            "missing": bool(missing[view, JOINTS.index(joint)]),
            **{name: str(getattr(poses, name)[frame]) for name in ("subject", "action", "clip")},
        }
        for view, frame in enumerate(frames)
        for joint in LIFTED
    ]
