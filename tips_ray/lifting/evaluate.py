"""Errors of a lifter on held-out poses."""

import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tips_ray.columns import ACTION_PREFIX, HEADLINE_METRIC, RAW_METRIC, SUBJECT_PREFIX, TRAIN_METRIC
from tips_ray.data.dataset import Dataset
from tips_ray.data.views import Views
from tips_ray.lifting.signals import signals
from tips_ray.poses.anatomy import LIMBS, correct_sign_share, depth_sign
from tips_ray.poses.geometry import lift, mirror_depth
from tips_ray.poses.metrics import mpjpe, n_mpjpe, p_mpjpe, p_mpjpe_by_sign
from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED
from tips_ray.poses.types import PerPose

NUM_VOTERS = 2048
"""Training views, of all subjects, that vote on the depth sign: enough for a clear vote, few enough
to cost nothing."""
NUM_COMPARED = 256
"""Training views of which every run stores the lifted depths, epoch by epoch, so that runs can be
compared."""
NUM_MOMENTS = 200_000
"""Training views of which the mean and the covariance are kept."""
LIFT_AT_ONCE = 16384


@torch.no_grad()
def lift_views(lifter: nn.Module, views: Views) -> Float[Tensor, "views 16 3"]:
    """Lift all views and undo their normalisation: poses in mm, camera frame, relative to the
    root."""
    lifter.eval()
    depth = torch.cat([lifter(keypoints) for keypoints in views.keypoints.split(LIFT_AT_ONCE)])
    return lift(views.keypoints, depth) * views.scale[:, None, None]


def voters(dataset: Dataset) -> Views:
    """The training views on which the depth sign is voted and the signals are measured: nothing
    there needs labels."""
    return dataset.train.spread(NUM_VOTERS)


def lifted_depths(lifter: nn.Module, dataset: Dataset) -> Float[np.ndarray, "views 16"]:
    """Lifted depths in mm of a few training views, without a correction of their sign; every run on
    the same data has the same views."""
    return lift_views(lifter, dataset.train.spread(NUM_COMPARED))[..., 2].cpu().numpy()


def keypoint_moments(views: Views) -> tuple[Float[Tensor, " coordinates"], Float[Tensor, "coordinates coordinates"]]:
    """Mean and covariance of the keypoints of many views, as vectors of 32 coordinates, by which
    missing keypoints are estimated."""
    seen = views.spread(NUM_MOMENTS).keypoints.flatten(1).double().cpu()
    return seen.mean(0), torch.cov(seen.T, correction=min(1, len(seen) - 1))


@torch.no_grad()
def evaluate(lifter: nn.Module, dataset: Dataset, before: Tensor | None = None) -> dict[str, Any]:
    """Errors on the test views in mm, if there are any, label-free signals, and diagnostics of the
    depth sign.

    The sign that `p_mpjpe_signed_mm` applies is voted on by anatomy, on lifted training views:
    neither labels nor test poses are used for it, nor for the signals. `train_p_mpjpe_signed_mm` is
    the error on those same training views. `part_sign_agreement` and all errors do use the 3D
    truth. `before` has the poses (voters, 16, 3) in mm that were lifted an epoch ago, for
    `churn_mm`: how far their joints moved since. The row of a lifter whose depths are NaN or
    infinite has no errors, only the `status` "diverged".
    """
    started = time.perf_counter()
    views = voters(dataset)
    lifted = lift_views(lifter, views)
    predicted = None if dataset.test is None else lift_views(lifter, dataset.test)
    if not all(torch.isfinite(poses).all() for poses in (lifted, predicted) if poses is not None):
        return {"status": "diverged", "evaluate_seconds": time.perf_counter() - started}
    sign = depth_sign(lifted)
    sign_corrected = lifted if sign > 0 else mirror_depth(lifted)
    row = {
        "depth_sign": sign,
        **{f"correct_sign_share_{part.name}": float(correct_sign_share(lifted, part)) for part in LEGS_TORSO},
        **signals(lifter, views, sign_corrected, sign),
        **({} if before is None else {"churn_mm": float(torch.linalg.vector_norm(lifted - before, dim=-1).mean())}),
    }
    if views.labelled:
        row[TRAIN_METRIC] = float(p_mpjpe(sign_corrected, views.pose).mean())
    if dataset.test is not None and predicted is not None:
        row |= errors(predicted, dataset.test, sign)
    return row | {"evaluate_seconds": time.perf_counter() - started}


@torch.no_grad()
def beside_average(trained: nn.Module, average: nn.Module, dataset: Dataset) -> dict[str, float]:
    """Of a run whose moving average is evaluated: `average_distance_mm`, the mean distance between
    the joints that its weights lift and those that their average lifts, and, with labels, the error
    of the weights; each with its own depth sign."""
    views = voters(dataset)
    one, other = (lift_views(lifter, views) for lifter in (trained, average))
    sign = depth_sign(one)
    distance = torch.linalg.vector_norm(one - (other if sign == depth_sign(other) else mirror_depth(other)), dim=-1).mean()
    row = {"average_distance_mm": float(distance)}
    if dataset.test is not None:
        row[RAW_METRIC] = errors(lift_views(trained, dataset.test), dataset.test, sign)[HEADLINE_METRIC]
    return row


def errors(predicted: Float[Tensor, "views 16 3"], views: Views, sign: float) -> dict[str, float]:
    """Mean errors in mm of predicted poses in mm, over all poses, per action and per subject;
    `sign` is the depth sign that anatomy voted for."""
    sign_corrected = predicted if sign > 0 else mirror_depth(predicted)
    in_mm = pose_errors(predicted, views.pose, sign)
    per_pose = {**in_mm, **sign_agreement(sign_corrected, views.pose)}
    row = {name: float(value.mean()) for name, value in per_pose.items()}
    row["limb_sign_agreement"] = float(segment_sign_agreement(sign_corrected, views.pose).min())
    row |= group_means(ACTION_PREFIX, views.actions, views.action, in_mm[HEADLINE_METRIC])
    return row | group_means(SUBJECT_PREFIX, views.subjects, views.subject, in_mm[HEADLINE_METRIC])


def pose_errors(predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"], sign: float) -> dict[str, PerPose]:
    """The errors METRICS of each pose, in mm."""
    sign_corrected = predicted if sign > 0 else mirror_depth(predicted)
    aligned = p_mpjpe_by_sign(predicted, target)
    return {
        "p_mpjpe_mm": aligned.proper,
        "p_mpjpe_reflected_mm": aligned.reflected,
        "p_mpjpe_signed_mm": aligned.proper if sign > 0 else aligned.mirrored,
        "n_mpjpe_mm": n_mpjpe(sign_corrected, target),
        "mpjpe_mm": mpjpe(sign_corrected, target),
    }


def group_means(prefix: str, names: list[str], group: Int[Tensor, " views"], values: PerPose) -> dict[str, float]:
    """The mean of the values of each group, by its name behind `prefix`."""
    count = torch.bincount(group, minlength=len(names))
    total = torch.zeros_like(count, dtype=values.dtype).index_add_(0, group, values)
    return {f"{prefix}{name}": mean for name, mean in zip(names, (total / count).tolist(), strict=True)}


def sign_agreement(predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"]) -> dict[str, PerPose]:
    """For each pose, whether the depths of the legs, of the torso, and of both have the sign that
    fits the truth best: 1 or 0."""
    product = predicted[..., 2] * target[..., 2]
    fits = {part.name: product[:, list(part.indices)].sum(-1) >= 0 for part in LEGS_TORSO}
    both = torch.stack(list(fits.values())).all(0)
    return {f"sign_agreement_{name}": fit.float() for name, fit in fits.items()} | {"part_sign_agreement": both.float()}


def segment_sign_agreement(predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"]) -> Float[Tensor, " 8"]:
    """For each thigh, shin, upper arm and forearm the share of the poses in which it points as
    truly towards the camera or away from it."""
    ends = [(LIFTED.index(near), LIFTED.index(far)) for limb, _, _ in LIMBS for near, far in pairwise(limb)]
    near, far = (list(places) for places in zip(*ends, strict=True))
    depth, truth = (pose[:, far, 2] - pose[:, near, 2] for pose in (predicted, target))
    return (depth * truth >= 0).float().mean(0)


def flat_errors(views: Views) -> dict[str, float]:
    """Errors in mm of the flat prediction, every depth 0: those of a lifter that has learnt
    nothing."""
    flat = lift(views.keypoints, torch.zeros_like(views.pose[..., 2])) * views.scale[:, None, None]
    row = errors(flat, views, sign=1.0)
    return {name: value for name, value in row.items() if "mpjpe" in name}
