"""What arms predict of some poses whose truth is known: with the weights to use, and epoch by
epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tips_ray.poses.skeleton import ROOT
from tips_ray.stability.bodies import ComparedViews, compared_views, views_to_show
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.choice import Choice
from tips_ray.stability.regret import whole_runs
from tips_ray.store.curves import run_name
from tips_ray.store.lifted import lifted_epochs, read_lifted
from tips_ray.store.storage import Storage

NUM_EPOCHS = 24
"""Of each run, evenly spaced over those that are stored."""
MAX_SEEDS = 6
FLAT = "flat"
"""The prediction that every depth is 0, among the arms."""


@dataclass(frozen=True)
class History:
    """What the runs of one arm lifted of the poses that are shown, while they trained."""

    seeds: list[int]
    epochs: list[int]
    depths: np.ndarray
    """(seeds, epochs, poses, 16), mm."""
    errors: np.ndarray
    """P-MPJPE (seeds, epochs, poses) in mm."""


@dataclass(frozen=True)
class PredictedPose:
    """A pose as it is, and as the weights to use of each arm predict it."""

    truth: np.ndarray
    """(17, 3), mm, in the camera's frame, relative to the root."""
    bodies: dict[str, np.ndarray]
    """By arm: (17, 3); x and y are what was seen."""
    errors: dict[str, float]
    """P-MPJPE in mm, by arm and of the flat prediction."""
    subject: str
    action: str
    clip: str
    share: float
    """Of the poses that err less, by the mean over arms."""


@dataclass(frozen=True)
class Predictions:
    """The poses that a report shows, from the one that errs least to the one that errs most."""

    choices: dict[str, Choice]
    """The weights to use, by arm."""
    num_compared: int
    """Poses among which they were chosen."""
    poses: list[PredictedPose]
    histories: dict[str, History]
    """By arm; without arms whose runs stored nothing by epoch."""
    by_joint: dict[str, np.ndarray]
    """Mean error (16,) in mm of each joint over all compared poses, by arm and of the flat
    prediction."""


NO_PREDICTIONS = Predictions({}, 0, [], {}, {})


def predictions(campaign: LoadedCampaign, folder: Storage, arms: Sequence[str]) -> Predictions:
    """What is shown of some arms of a campaign; nothing before anything was measured, or where the
    true poses are not known."""
    compared = compared_views(campaign, arms)
    views = [view for view in compared.views if view in compared.truth] if compared else []
    if compared is None or not views:
        return NO_PREDICTIONS
    truth = np.stack([compared.truth[view] for view in views])
    bodies = {arm: np.stack([of_arm[view] for view in views]) for arm, of_arm in compared.bodies.items()}
    first = next(iter(bodies.values()))
    distances = {arm: joint_errors(body, truth) for arm, body in {**bodies, FLAT: first * [1, 1, 0]}.items()}
    errors = {arm: of_joints.mean(axis=-1) for arm, of_joints in distances.items()}
    order = np.mean([errors[arm] for arm in bodies], axis=0)
    ranked = np.full(max(views) + 1, np.nan)
    ranked[views] = order
    shown = [
        (view, share or 0.0) for view, share in views_to_show(views, ranked, [compared.texts(view)["clip"] for view in views])
    ]
    poses = [
        PredictedPose(
            compared.truth[view],
            {arm: of_arm[view] for arm, of_arm in compared.bodies.items()},
            {arm: float(of_arm[views.index(view)]) for arm, of_arm in errors.items()},
            **compared.texts(view),
            share=share,
        )
        for view, share in shown
    ]
    histories = {arm: history(campaign, folder, compared, arm, [view for view, _ in shown]) for arm in bodies}
    return Predictions(
        compared.choices,
        len(views),
        poses,
        {arm: of_arm for arm, of_arm in histories.items() if of_arm},
        {arm: of_joints.mean(axis=0) for arm, of_joints in distances.items()},
    )


def history(campaign: LoadedCampaign, folder: Storage, compared: ComparedViews, arm: str, views: list[int]) -> History | None:
    """What the runs of an arm lifted of some views while they trained, with the depth signs that
    anatomy voted for; None where nothing is stored."""
    runs = dict(list(whole_runs(campaign.curves, arm).items())[:MAX_SEEDS])
    signs = {seed: dict(zip(run["epoch"], run["depth_sign"], strict=True)) for seed, run in runs.items()}
    stored = [set(lifted_epochs(folder, run_name(arm, seed))) & set(signs[seed]) for seed in runs]
    common = sorted(set.intersection(*stored)) if stored else []
    if not common:
        return None
    epochs = [common[at] for at in np.unique(np.linspace(0, len(common) - 1, NUM_EPOCHS).round().astype(int))]
    by_seed = {seed: read_lifted(folder, run_name(arm, seed), among=epochs) for seed in runs}
    epochs = [epoch for epoch in epochs if all(len(of_seed.get(epoch, ())) > max(views) for of_seed in by_seed.values())]
    if not epochs:
        return None
    depths = np.array([[of_seed[epoch][views] * signs[seed][epoch] for epoch in epochs] for seed, of_seed in by_seed.items()])
    lifted = np.broadcast_to(
        np.stack([compared.bodies[arm][view] for view in views]), (*depths.shape[:2], len(views), depths.shape[-1] + 1, 3)
    ).copy()
    lifted[..., np.arange(lifted.shape[-2]) != ROOT, 2] = depths
    errors = joint_errors(lifted, np.stack([compared.truth[view] for view in views])).mean(axis=-1)
    return History(list(runs), [int(epoch) for epoch in epochs], depths, errors)


def joint_errors(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How far each joint (..., 16) is from where it is after the prediction (..., 17, 3) was
    rotated, scaled and shifted onto the target (..., 17, 3), without its root; never mirrored."""
    moved, goal = (np.delete(pose, ROOT, axis=-2) for pose in (predicted, target))
    moved, goal = (pose - pose.mean(axis=-2, keepdims=True) for pose in (moved, goal))
    left, stretch, right = np.linalg.svd(np.swapaxes(moved, -1, -2) @ goal)
    handed = np.ones_like(stretch)
    handed[..., 2] = np.sign(np.linalg.det(left @ right))
    scale = (stretch * handed).sum(axis=-1) / np.maximum(np.square(moved).sum(axis=(-1, -2)), 1e-9)
    return np.linalg.norm(scale[..., None, None] * (moved @ (left * handed[..., None, :]) @ right) - goal, axis=-1)
