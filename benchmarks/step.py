"""How much faster a training step is than its plain transcription, at laptop size, and how far from the floor.

    python benchmarks/step.py

Both train side by side, step by step in turns, on the same poses. Before that, they are shown to be the same training: from the
same weights, without dropout, in double precision, their losses and gradient norms agree over some steps.
"""

import argparse
import itertools
import statistics

import torch
from count import step_need
from measure import gemm_rate, publish, ratio_of, seconds_of
from plain import Plain
from torch import Tensor, nn

from tips_ray.config import Config, arm_config, laptop, override
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Dataset, prepare
from tips_ray.lifting.train import Run

ARMS = ("parts", "solo")
LOGGED = ("loss_discriminator", "loss_adversarial", "generator_gradient_norm")


def plain_like(run: Run) -> Plain:
    """The plain trainer, starting from a run's weights; the biases that batch norm takes away again start at 0."""
    plain = Plain(run.config)
    theirs = itertools.chain(*(run.lifter.generators[part.name].modules() for part in plain.parts), run.discriminator.modules())
    linears = [module for module in theirs if isinstance(module, nn.Linear)]
    ours = itertools.chain(plain.generators.modules(), plain.discriminator.modules())
    mine = [module for module in ours if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for new, known in zip(mine, linears, strict=True):
            new.weight.copy_(known.weight)
            new.bias.zero_() if known.bias is None else new.bias.copy_(known.bias)
    return plain


def disagreement(config: Config, dataset: Dataset, steps: int = 5) -> float:
    """Largest relative difference of the numbers that both log, over some steps in double precision without dropout."""
    torch.set_default_dtype(torch.float64)
    config = override(config, {"network": {"discriminator_dropout": 0.0}})
    run, same_chance = Run(config, dataset, seed=0), Run(config, dataset, seed=0)
    plain = plain_like(run)
    worst = 0.0
    for keypoints in dataset.train.keypoints.double().split(config.optimiser.batch_size)[:steps]:
        ours = run.step(keypoints, keypoints[..., 0])
        theirs = plain.step(keypoints, *same_chance.random_view(len(keypoints)))
        worst = max(worst, *(abs(float(ours[name]) / theirs[name] - 1) for name in LOGGED))
    torch.set_default_dtype(torch.float32)
    return worst


def milliseconds(config: Config, dataset: Dataset, rounds: int) -> tuple[dict[str, float], float, float]:
    """Median times of a step, and the ratios of plain to ours in float32 and with bfloat16 products."""
    run, reduced = (Run(override(config, {"numerics": {"bf16": bf16}}), dataset, seed=0) for bf16 in (False, True))
    plain = plain_like(run)
    batches = itertools.cycle(dataset.train.keypoints.split(config.optimiser.batch_size)[:-1])

    def views() -> tuple[Tensor, Tensor, Tensor]:
        keypoints = next(batches)
        azimuth, elevation = run.random_view(len(keypoints))
        return keypoints, azimuth, elevation

    rivals = {
        "plain": lambda: plain.step(*views()),
        "ours": lambda: run.step(next(batches), torch.zeros(0)),
        "ours_bf16": lambda: reduced.step(next(batches), torch.zeros(0)),
    }
    taken = seconds_of(rivals, rounds, warm_up=10)
    times = {name: round(1e3 * statistics.median(values), 2) for name, values in taken.items()}
    return times, ratio_of(taken, "plain", "ours"), ratio_of(taken, "plain", "ours_bf16")


def main() -> None:
    """Print a row for each arm and number of threads; the published ratio is of the part generators on one core."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    poses, rows = synthesise(num_poses=10_000), []
    for arm in ARMS:
        config = arm_config(laptop().config, arm)
        dataset = prepare(poses, config)
        differ = disagreement(config, dataset)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            times, ratio, ratio_bf16 = milliseconds(config, dataset, rounds)
            need, rate = step_need(config), gemm_rate(4 * config.optimiser.batch_size, config.network.width)
            floor = 1e3 * need.flops / rate
            rows.append(
                {"arm": arm, "threads": threads, "disagreement": differ, "ms": times, "ratio": ratio, "ratio_bf16": ratio_bf16}
                | {
                    "gflop": need.flops / 1e9,
                    "gemm_gflops": rate / 1e9,
                    "floor_ms": floor,
                    "ratio_at_floor": times["plain"] / floor,
                }
            )
            print(
                f"{arm}, {threads} thread(s): plain {times['plain']:.1f} ms, ours {times['ours']:.1f} ms ({ratio:.2f}x),"
                f" with bf16 {times['ours_bf16']:.1f} ms ({ratio_bf16:.2f}x);"
                f" products alone {floor:.1f} ms; differ by {differ:.0e}"
            )
    publish("step", rows[0]["ratio"], 2.0, rows=rows)


if __name__ == "__main__":
    main()
