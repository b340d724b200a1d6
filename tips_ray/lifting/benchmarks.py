"""What the paper's Tables 1 and 2 measure of a lifter, over all test views and by action."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips_ray.columns import BENCHMARKS
from tips_ray.data.dataset import Dataset
from tips_ray.lifting.evaluate import group_means, lift_views, pose_errors, voters
from tips_ray.poses.anatomy import depth_sign
from tips_ray.poses.geometry import mirror_depth, signed
from tips_ray.poses.metrics import auc, mpjpe, pck, procrustes
from tips_ray.poses.skeleton import LIFTED
from tips_ray.poses.types import PerPose, Scalar

MPI_INF_JOINTS = tuple(at for at, name in enumerate(LIFTED) if name not in ("spine", "neck"))
"""The 14 that MPI-INF-3DHP scores: its head top and neck are our head and thorax."""


@torch.no_grad()
def benchmark_rows(lifter: nn.Module, dataset: Dataset, benchmark: str) -> list[dict[str, Any]]:
    """Each metric of a benchmark, one of `columns.BENCHMARKS`: {action, metric, value}, the mean
    over all poses with action "", then that of each action.

    The depth sign is voted on by anatomy, on training views. Empty for a lifter whose depths are
    NaN or infinite.
    """
    assert dataset.test is not None
    views, sign = dataset.test, depth_sign(lift_views(lifter, voters(dataset)))
    predicted = lift_views(lifter, views)
    if not torch.isfinite(predicted).all():
        return []
    per_pose = (joint_shares if benchmark == "mpi_inf_3dhp" else pose_errors)(predicted, views.pose, sign)
    rows = []
    for metric in BENCHMARKS[benchmark]:
        by_action = {"": float(per_pose[metric].mean()), **group_means("", views.actions, views.action, per_pose[metric])}
        rows += [{"action": action, "metric": metric, "value": value} for action, value in by_action.items()]
    return rows


def joint_shares(
    predicted: Float[Tensor, "views 16 3"], target: Float[Tensor, "views 16 3"], sign: Scalar | float
) -> dict[str, PerPose]:
    """PCK and AUC of each pose in %, over the 14 joints that MPI-INF-3DHP scores, relative to the
    root: with one depth sign, with the sign of each pose that fits it best, and after a similarity
    transform of these joints, with one sign."""
    chosen = list(MPI_INF_JOINTS)
    other = mirror_depth(predicted)
    known = torch.where((mpjpe(predicted, target) <= mpjpe(other, target))[:, None, None], predicted, other)
    with_sign, known, target = (poses[:, chosen] for poses in (signed(predicted, sign), known, target))
    poses = {"": with_sign, "reflected_": known}
    shares = {f"pck_{name}percent": 100 * pck(each, target) for name, each in poses.items()}
    shares |= {f"auc_{name}percent": 100 * auc(each, target) for name, each in poses.items()}
    aligned = procrustes(with_sign, target)
    return {**shares, "pa_pck_percent": 100 * pck(aligned, target), "pa_auc_percent": 100 * auc(aligned, target)}
