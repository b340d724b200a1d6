"""How much faster a training step is than its plain transcription, at laptop size, and how far from
the floor.

    python benchmarks/step.py

Rivals train on the same poses in processes of their own, a step each in turns. Before that, they
are shown to be the same training: from the same weights, without dropout, in double precision,
their losses and gradient norms agree over some steps. The floor is the time of the step's matrix
products alone, at the rate measured on the same threads.
"""

import argparse
import itertools
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import nn

from count import step_need
from measure import gemm_rate, only_rounding, publish, ratio_of
from plain import Plain
from tips_ray.config import Config, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.lifting.step import random_view
from tips_ray.presets import arm_config, laptop

ARMS = ("parts", "solo")
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without dropout": {"network": {"discriminator_dropout": 0.0}},
    "without batch norm": {"network": {"generator_norm": "none"}},
    "8 units wide": {"network": {"width": 8}},
    "compiled": {"numerics": {"compile": True}},
}
"""What a step's time is made of, and what a compiler does to it."""
WARM_UP = 20


def plain_like(run: Run) -> Plain:
    """The plain trainer, starting from a run's weights; the biases that batch norm takes away again
    start at 0."""
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


def batch_of(keypoints: torch.Tensor) -> Batch:
    """A batch whose depths and scales nothing looks at."""
    return Batch(keypoints, torch.zeros_like(keypoints[..., 0]), torch.ones_like(keypoints[:, 0, 0]))


def disagreement(config: Config, dataset: Dataset, steps: int = 5) -> float:
    """Largest relative difference of the numbers that both log, over some steps in double precision
    without dropout.

    Raises RuntimeError if it is more than rounding.
    """
    torch.set_default_dtype(torch.float64)
    config = override(config, {"network": {"discriminator_dropout": 0.0}})
    run = Run(config, dataset, seed=0)
    plain = plain_like(run)
    differ = []
    for keypoints in dataset.train.keypoints.double().split(config.optimiser.batch_size)[:steps]:
        draws = run.draw(len(keypoints))
        ours = run.step(batch_of(keypoints), draws)
        theirs = plain.step(keypoints, *random_view(run.networks, draws)[:2])
        for name in ("reprojection", "ninety_degree"):
            theirs[f"loss_{name}"] = sum(len(part.joints) / 16 * theirs.pop(f"{name}_{part.name}") for part in plain.parts)
        differ += [abs(ours[name].item() / logged - 1) for name, logged in theirs.items() if logged]
    torch.set_default_dtype(torch.float32)
    return only_rounding(differ)


def rival(name: str, config: Config, threads: int, requests: Connection) -> None:
    """A process of its own that trains one way, a step at each request, and answers with its
    seconds."""
    torch.set_num_threads(threads)
    dataset = prepare(synthesise(num_poses=10_000), config.data)
    run = Run(config, dataset, seed=0)
    plain = plain_like(run)
    if name != "plain":  # which the plain way of writing it does not have
        keep_freed_memory()
    for keypoints in itertools.cycle(dataset.train.keypoints.split(config.optimiser.batch_size)[:-1]):
        if requests.recv() == "end":
            return
        started = time.perf_counter()
        if name.startswith("plain"):
            plain.step(keypoints, *random_view(run.networks, run.draw(len(keypoints)))[:2])
        else:
            run.step(batch_of(keypoints), run.draw(len(keypoints)))
        requests.send(time.perf_counter() - started)


def race(rivals: dict[str, Config], threads: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every rival's steps, taken by turns."""
    context = multiprocessing.get_context("spawn")
    lines, processes = {}, []
    for name, config in rivals.items():
        lines[name], theirs = context.Pipe()
        processes.append(context.Process(target=rival, args=(name, config, threads, theirs)))
        processes[-1].start()
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(WARM_UP + rounds):
        for name, line in lines.items():
            line.send("step")
            taken[name].append(line.recv())
    for line, process in zip(lines.values(), processes, strict=True):
        line.send("end")
        process.join()
    return {name: seconds[WARM_UP:] for name, seconds in taken.items()}


def main() -> None:
    """Print a row for each arm and number of threads; the published ratio is of the part generators
    on one core."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    rows = []
    for arm in ARMS:
        config = arm_config(laptop().config, arm)
        differ = disagreement(config, prepare(synthesise(num_poses=10_000), config.data))
        for threads in (1, 2):
            torch.set_num_threads(threads)
            need, rate = step_need(config), gemm_rate(4 * config.optimiser.batch_size, config.network.width)
            reduced = override(config, {"numerics": {"bf16": True}})
            rivals = {"plain": config, "plain_keeping_memory": config, "ours": config, "ours_bf16": reduced}
            taken = race(rivals, threads, rounds)
            ms = {name: 1e3 * statistics.median(seconds) for name, seconds in taken.items()}
            ratio, ratio_bf16 = ratio_of(taken, "plain", "ours"), ratio_of(taken, "plain", "ours_bf16")
            floor = 1e3 * need.flops / rate
            print(
                f"{arm}, {threads} thread(s): plain {ms['plain']:.1f} ms, keeping memory {ms['plain_keeping_memory']:.1f} ms;"
                f" ours {ms['ours']:.1f} ms ({ratio:.2f}x), with bf16 {ms['ours_bf16']:.1f} ms ({ratio_bf16:.2f}x);"
                f" products alone {floor:.1f} ms; differ by {differ:.0e}",
                flush=True,
            )
            rows.append({"arm": arm, "threads": threads, "ms": ms, "ratio": ratio, "ratio_bf16": ratio_bf16})
            rows[-1] |= {"disagreement": differ, "gflop": need.flops / 1e9, "gemm_gflops": rate / 1e9, "floor_ms": floor}
    config = arm_config(laptop().config, ARMS[0])
    shares = race({name: override(config, changes) for name, changes in VARIANTS.items()}, 1, rounds)
    variants = {name: 1e3 * statistics.median(seconds) for name, seconds in shares.items()}
    print(f"{ARMS[0]}, 1 thread:", ", ".join(f"{name} {ms:.1f} ms" for name, ms in variants.items()))
    publish("step", rows[0]["ratio"], 2.0, ratio_bf16=rows[0]["ratio_bf16"], rows=rows, variants_ms=variants)


if __name__ == "__main__":
    main()
