"""What a lifter's card says of its errors."""

from dataclasses import dataclass

import numpy as np
import torch

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Data
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import Views, labelled_views
from tips_ray.lift.lifter import Lifter
from tips_ray.lifting.evaluate import flat_errors, group_means
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.poses.procrustes import procrustes
from tips_ray.poses.skeleton import JOINTS, LIFTED
from tips_ray.poses.types import PerPose
from tips_ray.seeding import derived_seed
from tips_ray.stability.statistics import interval, spearman

NUM_MISSING = (1, 2, 4)
NOISE_SHARES = (0.008, 0.02, 0.04)
"""Of a body's height in the image: 2, 5 and 10 pixels of 250."""


@dataclass(frozen=True)
class Errors:
    """P-MPJPE in mm on poses of people whom the lifter did not see in training, after one rotation,
    scale and shift a pose; never mirrored."""

    num_views: int
    synthetic: bool
    mean: float
    over_subjects: dict[str, float | int | None]
    """Mean over subjects, each counted alike, with its 95 % interval over them."""
    by_subject: dict[str, float]
    by_action: dict[str, float]
    by_joint: dict[str, float]
    missing: dict[str, float]
    """With so many joints of each pose missing at random, and estimated; of the whole pose."""
    noise: dict[str, float]
    """With normal noise of this share of the body's height in the image on each coordinate."""
    noise_taken_out: dict[str, float]
    """The same, where `Lifter.lift` is told of the noise."""
    flat: float
    """Of the prediction that every depth is 0."""
    spread_correlation: float
    """Spearman's, of how far joints move between views (`Lifter.spread`) with the error, over
    poses."""


def measure(lifter: Lifter, poses: PoseSet | KeypointSet) -> Errors:
    """The errors of a lifter on labelled poses, each seen by one camera."""
    views = labelled_views(poses, 1, Data())
    keypoints = np.insert((views.keypoints * views.scale[:, None, None]).numpy(), 0, 0.0, axis=1)
    lifted = lifter.lift(keypoints, y_down=False)
    error = errors(lifted, views)
    by_subject = group_means("", views.subjects, views.subject, error)
    over = interval(list(by_subject.values()))
    rng = np.random.default_rng(derived_seed(0, "measure"))
    order = rng.permuted(np.tile(np.arange(len(JOINTS)), (len(keypoints), 1)), axis=1)
    missing = {}
    for count in NUM_MISSING:
        lacking = keypoints.copy()
        np.put_along_axis(lacking, order[:, :count, None], np.nan, axis=1)
        missing[str(count)] = float(errors(lifter.lift(lacking, y_down=False), views).mean())
    height = np.ptp(keypoints[..., 1], axis=1)[:, None, None]
    noise, taken_out = {}, {}
    for share in NOISE_SHARES:
        noisy = keypoints + share * height * rng.normal(size=keypoints.shape)
        noise[str(share)] = float(errors(lifter.lift(noisy, y_down=False), views).mean())
        taken_out[str(share)] = float(errors(lifter.lift(noisy, y_down=False, noise=share), views).mean())
    aligned = procrustes(torch.from_numpy(lifted[:, 1:]).double(), views.pose.double())
    by_joint = torch.linalg.vector_norm(aligned - views.pose, dim=-1).mean(0).tolist()
    return Errors(
        num_views=len(views),
        synthetic=poses.synthetic,
        mean=float(error.mean()),
        over_subjects={"mean": over.mean, "low": over.low, "high": over.high, "n": over.n},
        by_subject=by_subject,
        by_action=group_means("", views.actions, views.action, error),
        by_joint=dict(zip(LIFTED, by_joint, strict=True)),
        missing=missing,
        noise=noise,
        noise_taken_out=taken_out,
        flat=flat_errors(views)[HEADLINE_METRIC],
        spread_correlation=float(spearman(lifter.spread(lifted).mean(axis=1), error.numpy())),
    )


def errors(lifted: np.ndarray, views: Views) -> PerPose:
    """P-MPJPE (views,) of lifted poses (views, 17, 3), in mm."""
    return p_mpjpe(torch.from_numpy(np.ascontiguousarray(lifted[:, 1:])), views.pose)
