"""How long it takes to measure how depths depend on keypoints: 10,000 poses at laptop size within
10 s, and the paper's size.

    python benchmarks/codependence.py

Rivals of `sensitivity`, which is forward mode on many poses at once: reverse mode a pose at a time,
the usual way, on a few poses and scaled to as many; and reverse mode on many poses at once, which
needs 16 passes where forward mode needs 32.
"""

import statistics
from functools import partial

import torch
import tyro
from torch import Tensor

from measure import publish, ratio_of, seconds_of
from tips_ray.config import Network
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import render_views
from tips_ray.lifting.codependence import sensitivity
from tips_ray.lifting.networks import Lifter, initialise
from tips_ray.poses.skeleton import SOLO
from tips_ray.seeding import stream

SIZES = {"laptop": Network(width=128, generator_blocks=2), "paper": Network(width=1024, generator_blocks=4)}


def solo(network: Network) -> Lifter:
    """An untrained lifter of the whole pose, in eval mode."""
    lifter = Lifter(SOLO, network)
    initialise(lifter, stream(0, "initialise"))
    return lifter.eval()


def one_at_a_time(lifter: Lifter, keypoints: Tensor) -> Tensor:
    """The same by a Jacobian for each pose, in reverse mode."""
    slopes = [torch.autograd.functional.jacobian(lambda one: lifter(one[None])[0], pose) for pose in keypoints]
    return torch.stack(slopes).abs().sum(-1).mean(0)


def batched_reverse(lifter: Lifter, keypoints: Tensor, at_once: int = 256) -> Tensor:
    """The same by 16 backward passes, all poses of a chunk together."""
    slopes = keypoints.new_zeros(16, 16)
    for chunk in keypoints.split(at_once):
        seen = chunk.clone().requires_grad_()
        each = torch.eye(16)[:, None].expand(16, len(seen), 16)
        slopes += torch.autograd.grad(lifter(seen), seen, each, is_grads_batched=True)[0].abs().sum((1, 3))
    return slopes / len(keypoints)


def compare(network: Network, keypoints: Tensor, few: int, rounds: int) -> dict[str, float]:
    """Median seconds for all the keypoints, how many times faster than a pose at a time, and the
    worst relative difference."""
    lifter, some = solo(network), keypoints[:few]
    rivals = {
        "seconds": partial(sensitivity, lifter, keypoints),
        "seconds_batched_reverse": partial(batched_reverse, lifter, keypoints),
        "seconds_one_at_a_time": partial(one_at_a_time, lifter, some),
    }
    taken = seconds_of(rivals, rounds, warm_up=1)
    taken["seconds_one_at_a_time"] = [seconds * len(keypoints) / len(some) for seconds in taken["seconds_one_at_a_time"]]
    truth = one_at_a_time(lifter.double(), some.double())
    found = {"float32": sensitivity(lifter.float(), some), "reverse": batched_reverse(lifter, some)}
    worst = {f"worst_{name}": float(((slopes - truth) / truth).abs().max()) for name, slopes in found.items()}
    return {
        **{name: round(statistics.median(times), 3) for name, times in taken.items()},
        "times_faster": round(ratio_of(taken, "seconds_one_at_a_time", "seconds"), 1),
        **worst,
    }


def main(poses: int = 10_000, paper_poses: int = 500, few: int = 50, rounds: int = 3, threads: int = 2) -> None:
    """Compare at both sizes, and publish the seconds at laptop size."""
    torch.set_num_threads(threads)
    keypoints = render_views(synthesise(poses), num_views=1, seed=0).keypoints
    found = {}
    for size, count in (("laptop", poses), ("paper", paper_poses)):
        found[size] = compare(SIZES[size], keypoints[:count], few, rounds)
        print(
            f"{size}, {count:,} poses: {found[size]['seconds']:.3g} s, {found[size]['times_faster']:.0f} times as fast as a pose"
            f" at a time; reverse mode on many poses at once {found[size]['seconds_batched_reverse']:.3g} s"
        )
    publish(
        "codependence",
        found["laptop"]["seconds"],
        10.0,
        at_least=False,
        unit="s",
        poses=poses,
        paper_poses=paper_poses,
        threads=threads,
        **found,
    )


if __name__ == "__main__":
    tyro.cli(main)
