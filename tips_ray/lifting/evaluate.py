"""Errors of a lifter on held-out poses."""

import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tips_ray.columns import ACTION_PREFIX, HEADLINE_METRIC, RAW_METRIC, SUBJECT_PREFIX, TRAIN_METRIC
from tips_ray.data.dataset import Dataset
from tips_ray.data.views import Views
from tips_ray.lifting.signals import Lifts, finished, group_sums, signal_tensors
from tips_ray.poses.anatomy import LIMBS, correct_sign_share, depth_sign
from tips_ray.poses.geometry import lift, signed
from tips_ray.poses.metrics import PMpjpe, mpjpe, n_mpjpe, p_mpjpe, p_mpjpe_by_sign
from tips_ray.poses.select import select
from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED
from tips_ray.poses.types import PerPose, Scalar

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
    return _lifted(lifter.eval(), views)


def _lifted(lifter: Lifts, views: Views) -> Float[Tensor, "views 16 3"]:
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
def evaluate(lifter: nn.Module, dataset: Dataset) -> dict[str, Any]:
    """Errors on the test views in mm, if there are any, label-free signals, and diagnostics of the
    depth sign.

    The sign that `p_mpjpe_signed_mm` applies is voted on by anatomy, on lifted training views:
    neither labels nor test poses are used for it, nor for the signals. `train_p_mpjpe_signed_mm` is
    the error on those same training views. `part_sign_agreement` and all errors do use the 3D
    truth. The row of a lifter whose depths are NaN or infinite has no errors, only the `status`
    "diverged".
    """
    started = time.perf_counter()
    values, _ = measure(dataset, lifter=lifter.eval())
    (row,) = rows_of({name: value[None] for name, value in values.items()}, dataset)
    return row | {"evaluate_seconds": time.perf_counter() - started}


class Lifted(NamedTuple):
    """What a lifter makes of the views of a dataset, in mm."""

    voters: Float[Tensor, "voters 16 3"]
    test: Float[Tensor, "views 16 3"] | None
    is_finite: Scalar
    """Whether all were; in place of NaN and infinity, which no metric takes, they hold 0."""


def measure(
    dataset: Dataset, before: Tensor | None = None, *, lifter: Lifts, trained: Lifts | None = None
) -> tuple[dict[str, Tensor], Float[Tensor, "voters 16 3"]]:
    """What `rows_of` makes a row of, as tensors, and the poses in mm that were lifted of the
    voters; under torch.vmap nothing waits for the device.

    `before` has the poses that were lifted an epoch ago, for `churn_mm`: how far their joints moved
    since. `trained` has the weights of which `lifter` has the moving average.
    """
    views, test = voters(dataset), dataset.test
    lifted = _lifted_of(lifter, views, test)
    sign = depth_sign(lifted.voters)
    sign_corrected = signed(lifted.voters, sign)
    values = {
        "is_finite": lifted.is_finite,
        "depth_sign": sign,
        **{f"correct_sign_share_{part.name}": correct_sign_share(lifted.voters, part) for part in LEGS_TORSO},
        **signal_tensors(lifter, views, sign_corrected, sign),
    }
    if before is not None:
        values["churn_mm"] = _distance(lifted.voters, before)
    if views.labelled:
        values[TRAIN_METRIC] = p_mpjpe(sign_corrected, views.pose).mean()
    if test is not None and lifted.test is not None:
        values |= error_tensors(lifted.test, test, sign)
    if trained is not None:
        weights = _lifted_of(trained, views, test)
        values["is_finite"] = lifted.is_finite & weights.is_finite
        values |= beside_average(weights, lifted, test)
    return values, lifted.voters


def _lifted_of(lifter: Lifts, views: Views, test: Views | None) -> Lifted:
    poses = [_lifted(lifter, seen) for seen in (views, test) if seen is not None]
    is_finite = torch.stack([each.isfinite().all() for each in poses]).all()
    of_voters, *of_test = [each.nan_to_num(0.0, 0.0, 0.0) for each in poses]
    return Lifted(of_voters, of_test[0] if of_test else None, is_finite)


def _distance(one: Tensor, other: Tensor) -> Scalar:
    return torch.linalg.vector_norm(one - other, dim=-1).mean()


def beside_average(weights: Lifted, average: Lifted, test: Views | None) -> dict[str, Scalar]:
    """Of a run whose moving average is evaluated: `average_distance_mm`, the mean distance between
    the joints that its weights lift and those that their average lifts, and, with labels, the error
    of the weights; each with its own depth sign."""
    sign, sign_of_average = depth_sign(weights.voters), depth_sign(average.voters)
    values = {"average_distance_mm": _distance(weights.voters, signed(average.voters, sign * sign_of_average))}
    if test is not None and weights.test is not None:
        values[RAW_METRIC] = _with_sign(p_mpjpe_by_sign(weights.test, test.pose), sign).mean()
    return values


def rows_of(values: Mapping[str, Tensor], dataset: Dataset) -> list[dict[str, Any]]:
    """The rows of runs of which `measure` found these values (runs, ...), which are brought to the
    host all at once."""
    together = torch.cat([value.reshape(len(value), -1).double() for value in values.values()], dim=1).cpu()
    sizes, rows = [value[0].numel() for value in values.values()], []
    for of_run in together:
        parts = zip(values.items(), of_run.split(sizes), strict=True)
        on_host = {name: part.view(value.shape[1:]) for (name, value), part in parts}
        rows.append(_numbers(on_host, dataset.test) if on_host.pop("is_finite") else {"status": "diverged"})
    return rows


def _numbers(values: Mapping[str, Tensor], views: Views | None) -> dict[str, float]:
    groups = {} if views is None else {ACTION_PREFIX: views.actions, SUBJECT_PREFIX: views.subjects}
    row = {}
    for name, value in finished(values).items():
        if name in groups:
            row |= {f"{name}{group}": mean for group, mean in zip(groups[name], value.tolist(), strict=True)}
        else:
            row[name] = float(value)
    return row


def errors(predicted: Float[Tensor, "views 16 3"], views: Views, sign: Scalar | float) -> dict[str, float]:
    """Mean errors in mm of predicted poses in mm, over all poses, per action and per subject;
    `sign` is the depth sign that anatomy voted for."""
    return _numbers(error_tensors(predicted, views, torch.as_tensor(sign).to(predicted)), views)


def error_tensors(predicted: Float[Tensor, "views 16 3"], views: Views, sign: Scalar) -> dict[str, Tensor]:
    """`errors` as tensors; those per action and per subject are vectors, by the prefixes of their
    names."""
    sign_corrected = signed(predicted, sign)
    in_mm = pose_errors(predicted, views.pose, sign)
    per_pose = {**in_mm, **sign_agreement(sign_corrected, views.pose)}
    values = {name: value.mean() for name, value in per_pose.items()}
    values["limb_sign_agreement"] = segment_sign_agreement(sign_corrected, views.pose).min()
    values[ACTION_PREFIX] = _means(views.action, in_mm[HEADLINE_METRIC], len(views.actions))
    values[SUBJECT_PREFIX] = _means(views.subject, in_mm[HEADLINE_METRIC], len(views.subjects))
    return values


def pose_errors(predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"], sign: Scalar) -> dict[str, PerPose]:
    """The errors METRICS of each pose, in mm."""
    sign_corrected = signed(predicted, sign)
    aligned = p_mpjpe_by_sign(predicted, target)
    return {
        "p_mpjpe_mm": aligned.proper,
        "p_mpjpe_reflected_mm": aligned.reflected,
        "p_mpjpe_signed_mm": _with_sign(aligned, sign),
        "n_mpjpe_mm": n_mpjpe(sign_corrected, target),
        "mpjpe_mm": mpjpe(sign_corrected, target),
    }


def _with_sign(aligned: PMpjpe, sign: Scalar) -> PerPose:
    return torch.where(sign > 0, aligned.proper, aligned.mirrored)


def group_means(prefix: str, names: list[str], group: Int[Tensor, " views"], values: PerPose) -> dict[str, float]:
    """The mean of the values of each group, by its name behind `prefix`."""
    return {f"{prefix}{name}": mean for name, mean in zip(names, _means(group, values, len(names)).tolist(), strict=True)}


def _means(group: Int[Tensor, " views"], values: PerPose, num_groups: int) -> Float[Tensor, " groups"]:
    return group_sums(group, values, num_groups) / group_sums(group, torch.ones_like(values), num_groups)


def sign_agreement(predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"]) -> dict[str, PerPose]:
    """For each pose, whether the depths of the legs, of the torso, and of both have the sign that
    fits the truth best: 1 or 0."""
    product = predicted[..., 2] * target[..., 2]
    fits = {part.name: select(product, part.indices).sum(-1) >= 0 for part in LEGS_TORSO}
    both = torch.stack(list(fits.values())).all(0)
    return {f"sign_agreement_{name}": fit.float() for name, fit in fits.items()} | {"part_sign_agreement": both.float()}


def segment_sign_agreement(predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"]) -> Float[Tensor, " 8"]:
    """For each thigh, shin, upper arm and forearm the share of the poses in which it points as
    truly towards the camera or away from it."""
    ends = [(LIFTED.index(near), LIFTED.index(far)) for limb, _, _ in LIMBS for near, far in pairwise(limb)]
    near, far = zip(*ends, strict=True)
    depth, truth = (select(pose[..., 2], far) - select(pose[..., 2], near) for pose in (predicted, target))
    return (depth * truth >= 0).float().mean(0)


def flat_errors(views: Views) -> dict[str, float]:
    """Errors in mm of the flat prediction, every depth 0: those of a lifter that has learnt
    nothing."""
    flat = lift(views.keypoints, torch.zeros_like(views.pose[..., 2])) * views.scale[:, None, None]
    row = errors(flat, views, sign=1.0)
    return {name: value for name, value in row.items() if "mpjpe" in name}
