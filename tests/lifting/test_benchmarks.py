"""What the twins of the paper's tables measure."""

import numpy as np
import pytest
import torch

from helpers import CONFIG
from tips_ray.columns import BENCHMARKS, JOINT_SHARES, METRICS
from tips_ray.lifting.benchmarks import MPI_INF_JOINTS, benchmark_rows, joint_shares
from tips_ray.lifting.evaluate import evaluate
from tips_ray.lifting.run import Run
from tips_ray.poses.geometry import mirror_depth
from tips_ray.poses.skeleton import LIFTED


@pytest.fixture(scope="module")
def lifter(dataset) -> torch.nn.Module:
    run = Run(CONFIG, dataset, 0)
    run.train_epoch()
    return run.lifter


def test_the_means_of_table_1_are_those_of_the_curve(dataset, lifter):
    rows = {(row["action"], row["metric"]): row["value"] for row in benchmark_rows(lifter, dataset, "human36m")}
    row = evaluate(lifter, dataset)
    assert {metric for _, metric in rows} == set(METRICS)
    for metric in METRICS:
        assert rows["", metric] == pytest.approx(row[metric])
    for action in dataset.test.actions:
        assert rows[action, "p_mpjpe_signed_mm"] == pytest.approx(row[f"p_mpjpe_signed_mm/{action}"])


def test_table_2_has_shares_of_joints_by_action(dataset, lifter):
    rows = benchmark_rows(lifter, dataset, "mpi_inf_3dhp")
    assert {row["metric"] for row in rows} == set(JOINT_SHARES) == set(BENCHMARKS["mpi_inf_3dhp"])
    assert {row["action"] for row in rows} == {"", *dataset.test.actions}
    assert all(0 <= row["value"] <= 100 for row in rows)


def test_a_lifter_without_finite_depths_has_no_rows(dataset):
    class Broken(torch.nn.Module):
        def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
            return torch.full(keypoints.shape[:-1], torch.nan)

    assert benchmark_rows(Broken(), dataset, "human36m") == []


def test_shares_are_of_the_official_joints_and_thresholds():
    assert len(MPI_INF_JOINTS) == 14
    rng = np.random.default_rng(0)
    target = torch.from_numpy(rng.normal(0, 300, (50, 16, 3))).float()
    off = torch.from_numpy(rng.normal(0, 90, (50, 16, 3))).float()
    shares = {name: float(value.mean()) for name, value in joint_shares(target + off, target, 1.0).items()}
    distances = [
        float(np.linalg.norm(off[pose, joint].double().numpy()))
        for pose in range(50)
        for joint, name in enumerate(LIFTED)
        if name not in ("spine", "neck")
    ]
    assert shares["pck_percent"] == pytest.approx(100 * np.mean([each < 150 for each in distances]), rel=1e-5)
    areas = [np.mean([each < threshold for threshold in range(0, 151, 5)]) for each in distances]
    assert shares["auc_percent"] == pytest.approx(100 * np.mean(areas), rel=1e-5)
    assert shares["pa_pck_percent"] > shares["pck_percent"]


def test_a_pose_inside_out_is_punished_unless_its_sign_is_known():
    target = torch.from_numpy(np.random.default_rng(1).normal(0, 300, (20, 16, 3))).float()
    predicted = torch.where(torch.arange(20)[:, None, None] < 5, mirror_depth(target), target)
    shares = {name: float(value.mean()) for name, value in joint_shares(predicted, target, 1.0).items()}
    assert shares["pck_reflected_percent"] == 100
    assert shares["auc_reflected_percent"] == pytest.approx(100 * 30 / 31)  # nothing is nearer than 0 mm
    assert shares["pck_percent"] < 95
    assert joint_shares(mirror_depth(predicted), target, -1.0)["pck_percent"].mean() == pytest.approx(shares["pck_percent"])
