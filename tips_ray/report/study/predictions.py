"""What a campaign's arms predict, for a page in which poses are turned, epochs are stepped through
and joints are dragged."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tips_ray.lift.lifter import Lifter
from tips_ray.poses.skeleton import BONES, JOINTS, LIFTED, mirrored
from tips_ray.report.browser import encoded, network_content
from tips_ray.report.study.bodies import epochs
from tips_ray.report.study.joint_bodies import HEIGHT, WIDTH, draw_joints, joint_bodies
from tips_ray.report.style import name_synthetic
from tips_ray.report.viewer import COLOURS, skeleton_figure
from tips_ray.stability.predictions import FLAT, History, PredictedPose, Predictions

MAX_ARMS = 6
"""Beside each other."""
MAX_DRAWN = 3
"""The same in a figure for a file."""
MAX_NETWORKS_BYTES = 4_000_000
"""Of all networks of a page, as they are trained; it has two thirds of that as text."""
ERROR_UNIT_MM = 0.1
RANKS = {0.0: "errs least", 0.5: "median", 1.0: "errs most"}


def prediction_content(predicted: Predictions, lifters: Mapping[str, Lifter]) -> dict[str, Any]:
    """For `predictions.js`: poses in mm as whole numbers, in the order of `predicted.poses`."""
    arms = shown_arms(predicted)
    networks = networks_of({arm: lifters[arm] for arm in arms if arm in lifters})
    return {
        "joints": JOINTS,
        "bones": BONES,
        "colours": COLOURS,
        "truth": encoded(np.stack([pose.truth for pose in predicted.poses]), "<i2"),
        "flat": [pose.errors[FLAT] for pose in predicted.poses],
        "errorUnit": ERROR_UNIT_MM,
        "arms": [
            {
                "name": arm,
                "chosen": encoded(np.stack([pose.bodies[arm] for pose in predicted.poses]), "<i2"),
                "errors": [pose.errors[arm] for pose in predicted.poses],
                "history": history_content(predicted.histories.get(arm)),
                "network": networks.get(arm),
            }
            for arm in arms
        ],
        "reach": 2.2 * max(float(np.linalg.norm(pose.truth, axis=-1).max()) for pose in predicted.poses),
        "start": [nearest_to(predicted, share) for share in (0.5, 1.0)],
    }


def draw_predictions(predicted: Predictions, synthetic: bool) -> dict[str, go.Figure]:
    """The drawings of the section as figures for files: errors by joint, and each pose as the first
    arms predict it, beside the truth."""
    figures = {"joints": draw_joints(joint_bodies(predicted), synthetic)} if predicted.by_joint else {}
    for place, pose in enumerate(predicted.poses, start=1):
        bodies = {f"{arm}: {pose.errors[arm]:.0f} mm": pose.bodies[arm] for arm in shown_arms(predicted)[:MAX_DRAWN]}
        bodies["truth"] = pose.truth
        figures[f"pose-{place}"] = skeleton_figure(np.stack(list(bodies.values())), list(bodies), face_viewer=False)
        if synthetic:
            name_synthetic(figures[f"pose-{place}"].update_layout(margin_b=68))
    return figures


def history_content(history: History | None) -> dict[str, Any] | None:
    """What an arm lifted epoch by epoch."""
    if history is None:
        return None
    return {
        "seeds": history.seeds,
        "epochs": history.epochs,
        "depths": encoded(history.depths.clip(-32000, 32000), "<i2"),
        "errors": encoded((history.errors / ERROR_UNIT_MM).clip(0, 32000), "<i2"),
    }


def networks_of(lifters: Mapping[str, Lifter]) -> dict[str, Any]:
    """Networks by arm, as many as a page has room for."""
    networks, room = {}, MAX_NETWORKS_BYTES
    for arm, lifter in lifters.items():
        room -= sum(array.nbytes for array in lifter.network.arrays().values())
        if room >= 0:
            networks[arm] = network_content(lifter)
    return networks


def shown_arms(predicted: Predictions) -> list[str]:
    """The first arms."""
    return list(predicted.choices)[:MAX_ARMS]


def nearest_to(predicted: Predictions, share: float) -> int:
    """The place of the pose whose share is nearest to one."""
    return min(range(len(predicted.poses)), key=lambda at: abs(predicted.poses[at].share - share))


def describe_predictions(predicted: Predictions, content: Mapping[str, Any]) -> dict[str, Any]:
    """What the section says beside its drawings, which have the `content`."""
    arms = shown_arms(predicted)
    return {
        "arms": arms,
        "left_out": list(predicted.choices)[MAX_ARMS:],
        "poses": [title(pose) for pose in predicted.poses],
        "weights": [f"{arm}: {choice.run}, {epochs(choice.window)}" for arm, choice in predicted.choices.items()],
        "num_compared": predicted.num_compared,
        "has_epochs": bool(predicted.histories),
        "draggable": [arm["name"] for arm in content["arms"] if arm["network"]],
        "sides": COLOURS,
        "joints": joint_rows(predicted),
        "drawn": joint_bodies(predicted),
        "drawn_size": (WIDTH, HEIGHT),
    }


def title(pose: PredictedPose) -> str:
    """A pose in a list."""
    rank = RANKS.get(round(pose.share, 2), f"errs more than {pose.share:.0%}")
    return f"{rank}: {pose.action}, clip {pose.clip}"


def joint_rows(predicted: Predictions) -> list[dict[str, Any]]:
    """The error of each joint by arm, left and right together, and of the flat prediction."""
    names = [joint for joint in LIFTED if not joint.startswith("l_")]
    rows = []
    for arm, errors in predicted.by_joint.items():
        both = {joint: float(np.mean([errors[LIFTED.index(one)] for one in (joint, mirrored(joint))])) for joint in names}
        rows.append({"arm": arm, "joints": {joint.removeprefix("r_"): error for joint, error in both.items()}})
    return rows
