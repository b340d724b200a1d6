"""What each label-free signal costs, as a share of an epoch's training.

    python benchmarks/signal_cost.py
    python benchmarks/signal_cost.py --arm single

A laptop run on one core, on the synthetic poses. Signals are measured on as many training views as
an evaluation uses; what lifts these views in the first place is a row of its own.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
import tyro

from measure import publish, seconds_of
from tips_ray.data.dataset import prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.critic import fresh_critic
from tips_ray.lifting.evaluate import lift_views, voters
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.lifting.signals import (
    anisotropy,
    asymmetry,
    bone_lengths,
    flipped_vote_share,
    frechet,
    joint_limit_violations,
    proportions,
    signals,
    variation,
)
from tips_ray.poses.anatomy import depth_sign
from tips_ray.poses.geometry import signed
from tips_ray.presets import arm_config, laptop

TARGET = 0.05
"""Share of an epoch's training that all signals together may take."""


@dataclass(frozen=True)
class Options:
    """Which run is measured."""

    arm: str = "parts"
    rounds: int = 10
    poses: int = 30_000


@torch.no_grad()
def main(options: Options) -> None:
    """Print a line a signal, and publish the share of all."""
    torch.set_num_threads(1)
    keep_freed_memory()
    config = arm_config(laptop().config, options.arm)
    dataset = prepare(synthesise(num_poses=options.poses), config.data)
    run = Run(config, dataset, 0)
    with torch.enable_grad():
        epoch = run.train_epoch()["train_seconds"]
    lifter, views = run.lifter.eval(), voters(dataset)
    lifted = lift_views(lifter, views)
    sign = depth_sign(lifted)
    pose = signed(lifted, sign)
    other = views.keypoints.roll(1, 0)
    rivals: dict[str, Callable[[], object]] = {
        "lifting the views": lambda: lift_views(lifter, views),
        "bone asymmetry": lambda: asymmetry(bone_lengths(pose)),
        "bone variation": lambda: variation(bone_lengths(pose), views.clip),
        "bone proportions": lambda: proportions(bone_lengths(pose)),
        "limbs inside out": lambda: flipped_vote_share(pose),
        "joint limits": lambda: joint_limit_violations(pose),
        "spread of depth": lambda: anisotropy(pose),
        "Fréchet distance": lambda: frechet(views.keypoints, other),
        "fresh critic": lambda: fresh_critic(views.keypoints, other),
        "all signals": lambda: signals(lifter, views, pose, sign),
    }
    seconds = {name: statistics.median(times) for name, times in seconds_of(rivals, options.rounds).items()}
    print(f"{options.arm}: an epoch of {len(dataset.train):,} views trains for {epoch:.1f} s")
    for name, value in seconds.items():
        print(f"{name:20} {value * 1e3:8.1f} ms {value / epoch:8.2%}")
    publish("signal_cost", seconds["all signals"] / epoch, TARGET, at_least=False, seconds=seconds, epoch_seconds=epoch)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
