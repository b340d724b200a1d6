"""How fast P-MPJPE is against the usual NumPy version by batched SVD: 550,000 poses, target 15
times.

python benchmarks/evaluation.py
"""

import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from measure import publish, ratio_of, seconds_of
from tips_ray.data.poseset import root_centred
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.metrics import p_mpjpe, p_mpjpe_by_sign

TARGET = 15.0


def p_mpjpe_numpy(predicted: NDArray, target: NDArray) -> NDArray:
    """P-MPJPE in whole-array steps: centre, normalise, SVD of all covariances, proper rotation,
    scale, distances, mean."""
    centre, goal_centre = predicted.mean(1, keepdims=True), target.mean(1, keepdims=True)
    moved, goal = predicted - centre, target - goal_centre
    size = np.sqrt((moved**2).sum((1, 2), keepdims=True))
    goal_size = np.sqrt((goal**2).sum((1, 2), keepdims=True))
    moved /= size
    goal /= goal_size
    left, values, right = np.linalg.svd(moved.transpose(0, 2, 1) @ goal)
    sign = np.sign(np.linalg.det(left @ right))
    left[..., -1] *= sign[:, None]
    values[:, -1] *= sign
    scale = values.sum(1)[:, None, None] * goal_size
    return np.linalg.norm(scale * (moved @ (left @ right)) + goal_centre - target, axis=-1).mean(-1)


def many_poses(num_poses: int, noise: float = 60.0) -> tuple[Tensor, Tensor]:
    """Synthetic poses again and again, and predictions of them: noisy (mm), turned and scaled by
    chance."""
    rng = np.random.default_rng(0)
    known = np.delete(root_centred(synthesise(30_000).positions), 0, axis=1)
    target = known[np.arange(num_poses) % len(known)].astype(np.float32)
    predicted = target + rng.normal(0, noise, target.shape).astype(np.float32)
    predicted @= Rotation.random(num_poses, rng=rng).as_matrix().astype(np.float32)
    predicted *= rng.uniform(0.5, 2, (num_poses, 1, 1)).astype(np.float32)
    return torch.from_numpy(predicted), torch.from_numpy(target)


def extra_mb(call: Callable[[], object]) -> int:
    """Most memory that this process holds during a call, beyond what it held before, in MB
    (Linux)."""

    def held(name: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1e3

    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = held("VmRSS")
    call()
    return round(held("VmHWM") - before)


def worst_disagreement(predicted: Tensor, target: Tensor) -> float:
    """Largest difference in mm from SVD in float64, of any pose, as it is and mirrored."""
    ours = p_mpjpe_by_sign(predicted, target)
    pairs = ((ours.proper, predicted), (ours.mirrored, -predicted))
    truths = [p_mpjpe_numpy(pose.double().numpy(), target.double().numpy()) for _, pose in pairs]
    return max(float(np.abs(found.double().numpy() - truth).max()) for (found, _), truth in zip(pairs, truths, strict=True))


def main(poses: int = 550_000, rounds: int = 5, threads: int = 2) -> None:
    """Compare speed, agreement and memory, and publish the ratio with `threads` threads of ours."""
    predicted, target = many_poses(poses)
    arrays = predicted.numpy(), target.numpy()

    def with_threads(count: int, metric=p_mpjpe) -> object:
        torch.set_num_threads(count)
        return metric(predicted, target)

    rivals = {
        "numpy": lambda: p_mpjpe_numpy(*arrays),
        "ours": lambda: with_threads(threads),
        "ours_1_thread": lambda: with_threads(1),
        "ours_both_signs": lambda: with_threads(threads, p_mpjpe_by_sign),
    }
    # Memory first: what an earlier call has freed would be used again, and not seen.
    memory = {name: extra_mb(rivals[name]) for name in ("ours", "numpy")}
    few = predicted[:100_000], target[:100_000]
    disagreement = {"float32": worst_disagreement(*few), "float64": worst_disagreement(*(pose.double() for pose in few))}
    taken = seconds_of(rivals, rounds, warm_up=1)
    publish(
        "evaluation",
        ratio_of(taken, "numpy", "ours"),
        TARGET,
        poses=poses,
        threads=threads,
        ratio_1_thread=round(ratio_of(taken, "numpy", "ours_1_thread"), 2),
        ratio_both_signs=round(ratio_of(taken, "numpy", "ours_both_signs"), 2),
        seconds={name: round(statistics.median(times), 4) for name, times in taken.items()},
        worst_disagreement_mm=disagreement,
        extra_memory_mb=memory,
        raw_seconds=taken,
    )


if __name__ == "__main__":
    tyro.cli(main)
