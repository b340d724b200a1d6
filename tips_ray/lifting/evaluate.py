"""Errors of a lifter on held-out poses."""

import time
from typing import Any

import torch
from torch import Tensor

from tips_ray.data.views import Dataset, Views
from tips_ray.lifting.networks import Lifter
from tips_ray.poses.anatomy import depth_sign, right_way_out
from tips_ray.poses.geometry import lift, mirror_depth
from tips_ray.poses.metrics import mpjpe, n_mpjpe, p_mpjpe_by_sign
from tips_ray.poses.skeleton import LEGS_TORSO

NUM_VOTERS = 2048
"""Training views, of all subjects, that vote on the depth sign: enough for a clear vote, few enough to cost nothing."""
LIFT_AT_ONCE = 16384


@torch.no_grad()
def lift_views(lifter: Lifter, views: Views) -> Tensor:
    """Lift all views and undo their normalisation: poses (views, 16, 3) in mm, camera frame, relative to the root."""
    lifter.eval()
    depth = torch.cat([lifter(keypoints) for keypoints in views.keypoints.split(LIFT_AT_ONCE)])
    return lift(views.keypoints, depth) * views.scale[:, None, None]


def evaluate(lifter: Lifter, dataset: Dataset) -> dict[str, Any]:
    """Errors on the test views in mm, and diagnostics of the depth sign.

    The sign that `p_mpjpe_signed_mm` applies is voted on by anatomy, on lifted training views: neither labels nor test poses are
    used for it. `part_sign_agreement` and all errors do use the 3D truth. A lifter that answers with NaN or infinity has no
    errors; all that is said of it is `status` "diverged".
    """
    started = time.perf_counter()
    voters = lift_views(lifter, dataset.train.spread(NUM_VOTERS))
    predicted = lift_views(lifter, dataset.test)
    if not (torch.isfinite(voters).all() and torch.isfinite(predicted).all()):
        return {"status": "diverged", "evaluate_seconds": time.perf_counter() - started}
    sign = depth_sign(voters)
    votes = {f"right_way_out_{part.name}": float(right_way_out(voters, part)) for part in LEGS_TORSO}
    row = errors(predicted, dataset.test, sign)
    return {"depth_sign": sign, **votes, **row, "evaluate_seconds": time.perf_counter() - started}


def errors(predicted: Tensor, views: Views, sign: float) -> dict[str, float]:
    """Mean errors of predicted poses (views, 16, 3) in mm, over all poses and per action."""
    target = views.pose
    upright = predicted if sign > 0 else mirror_depth(predicted)
    aligned = p_mpjpe_by_sign(predicted, target)
    signed = aligned.proper if sign > 0 else aligned.mirrored
    per_pose = {
        "p_mpjpe_mm": aligned.proper,
        "p_mpjpe_reflected_mm": aligned.reflected,
        "p_mpjpe_signed_mm": signed,
        "n_mpjpe_mm": n_mpjpe(upright, target),
        "mpjpe_mm": mpjpe(upright, target),
        **sign_agreement(upright, target),
    }
    row = {name: float(value.mean()) for name, value in per_pose.items()}
    count = torch.bincount(views.action, minlength=len(views.actions))
    total = torch.zeros_like(count, dtype=signed.dtype).index_add_(0, views.action, signed)
    means = (total / count).tolist()
    return row | {f"p_mpjpe_signed_mm/{action}": mean for action, mean in zip(views.actions, means, strict=True)}


def sign_agreement(predicted: Tensor, target: Tensor) -> dict[str, Tensor]:
    """For each pose, whether the depths of the legs, of the torso, and of both have the sign that fits the truth best."""
    product = predicted[..., 2] * target[..., 2]
    fits = {part.name: product[:, list(part.indices)].sum(-1) >= 0 for part in LEGS_TORSO}
    both = torch.stack(list(fits.values())).all(0)
    return {f"sign_agreement_{name}": fit.float() for name, fit in fits.items()} | {"part_sign_agreement": both.float()}


def flat_errors(views: Views) -> dict[str, float]:
    """Errors of the flat prediction, every depth 0: what a lifter that learnt nothing scores."""
    row = errors(views.pose * views.pose.new_tensor([1.0, 1.0, 0.0]), views, sign=1.0)
    return {name: value for name, value in row.items() if "mpjpe" in name}
