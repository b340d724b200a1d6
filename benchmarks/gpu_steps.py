"""How long training steps take on a device: what `gpu.py` times."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from torch.utils._pytree import tree_map

from count import step_need
from tips_ray.config import Config, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.poseset import PoseSet
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.draws import Draws
from tips_ray.lifting.epoch import step_inputs
from tips_ray.lifting.numerics import computed
from tips_ray.lifting.run import Run
from tips_ray.lifting.together import Together

PRECISIONS: dict[str, dict[str, bool]] = {"float32": {}, "TF32": {"tf32": True}, "bfloat16": {"bf16": True}}


@dataclass(frozen=True)
class Case:
    """One row to measure."""

    size: str
    num_seeds: int
    way: str
    """eager: runs take turns, of which one is timed; batched: all are one model; graph: that model
    as a CUDA graph."""
    precision: str = "float32"


@dataclass(frozen=True)
class Row(Case):
    """A measured case; None where it could not be, and `note` says why."""

    ms: float | None = None
    """Of one step of all seeds, with what it draws."""
    seed_steps_a_second: float | None = None
    gemm_share: float | None = None
    """Of the rate of matrix products of the same sizes, measured beside it."""
    gigabytes: float | None = None
    """Most GPU memory that was in use."""
    note: str = ""


def measured(case: Case, config: Config, dataset: Dataset, num_steps: int) -> Row:
    """Time the steps of one case, at most so many."""
    device = dataset.train.keypoints.device
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    runs = [Run(config, dataset, seed) for seed in range(case.num_seeds)]
    model = None if case.way == "eager" else Together(runs, record=case.way == "graph", vmapped=True)
    step, inputs = stepper(runs, model), endless_inputs(config, dataset, runs)
    with computed(config.numerics):
        seconds = seconds_of_steps(lambda: step(*next(inputs)), num_steps, on_gpu)
        gigabytes = torch.cuda.max_memory_allocated() / 1e9 if on_gpu else None
        rate = gemm_rate_of(case, (case.num_seeds, 4 * config.optimiser.batch_size, config.network.width), device)
    return Row(
        **asdict(case),
        ms=1e3 * seconds,
        seed_steps_a_second=case.num_seeds / seconds,
        gemm_share=case.num_seeds * step_need(config).flops / seconds / rate,
        gigabytes=gigabytes,
        note=model.recorded.reason if model and model.recorded else "",
    )


def stepper(runs: Sequence[Run], model: Together | None) -> Callable[[Batch, Draws], object]:
    """One step of a model, or of the only run by itself."""
    if model is None:
        runs[0].networks.train()
        return lambda *inputs: runs[0].step(*tree_map(lambda values: values[0], inputs))
    model.networks.train()
    share = torch.full((), 0.002, device=runs[0].dataset.train.scale.device)
    call = model.recorded or model.step
    return lambda batch, draws: call(batch, draws, share)


def endless_inputs(config: Config, dataset: Dataset, runs: Sequence[Run]) -> Iterator[tuple[Batch, Draws]]:
    """What one step after another is given, epoch after epoch."""
    epoch = 0
    while True:
        yield from step_inputs(config, dataset, epoch, [run.rng for run in runs])
        epoch += 1


def seconds_of_steps(step: Callable[[], object], num_steps: int, on_gpu: bool, most: float = 3.0) -> float:
    """Seconds of a step: the mean of so many, or of as many as a few seconds hold, after some that
    are not timed."""
    wait = torch.cuda.synchronize if on_gpu else (lambda: None)
    for _ in range(5 if on_gpu else 1):
        step()
    wait()
    started = time.perf_counter()
    step()
    wait()
    count = max(2, min(num_steps, int(most / (time.perf_counter() - started))))
    started = time.perf_counter()
    for _ in range(count):
        step()
    wait()
    return (time.perf_counter() - started) / count


def gemm_rate_of(case: Case, shape: tuple[int, int, int], device: torch.device) -> float:
    """FLOP/s of the three products of a square linear layer, of all seeds at once, in the case's
    precision."""
    seeds, rows, width = shape
    dtype = torch.bfloat16 if case.precision == "bfloat16" else torch.float32
    x, gradient = torch.randn(2, seeds, rows, width, device=device, dtype=dtype)
    weight = torch.randn(seeds, width, width, device=device, dtype=dtype)

    def products() -> None:
        torch.bmm(x, weight.mT)
        torch.bmm(gradient, weight)
        torch.bmm(gradient.mT, x)

    return 3 * 2 * seeds * rows * width**2 / seconds_of_steps(products, 20, device.type == "cuda", most=1.0)


def laptop_on_cpu(config: Config, poses: PoseSet, num_seeds: int = 2, rounds: int = 5) -> dict[str, float]:
    """CPU milliseconds of a step of one run at laptop size: of several seeds by themselves, as one
    model whose seeds take turns, and as one by vmap; and of as many configs of a search, which
    differ in a weight and a rate, as one model in turns. Medians of some, one of each in turn."""
    config = override(config, {"data": {"epoch_views": 2 * config.optimiser.batch_size}})
    dataset = prepare(poses, config.data)

    def one_step(runs: list[Run], model: Together | None) -> Callable[[], object]:
        step, inputs = stepper(runs, model), endless_inputs(config, dataset, runs)
        return lambda: step(*next(inputs))

    def runs(varied: bool = False) -> list[Run]:
        factors = [2.0**-seed if varied else 1.0 for seed in range(num_seeds)]
        changes = [
            {
                "weights": {"reprojection": factor * config.weights.reprojection},
                "optimiser": {"learning_rate": factor * config.optimiser.learning_rate},
            }
            for factor in factors
        ]
        return [Run(override(config, of_run), dataset, seed) for seed, of_run in enumerate(changes)]

    ways: dict[str, list[Callable[[], object]]] = {"by themselves": [one_step([run], None) for run in runs()]}
    models = {"one model, in turns": (False, False), "one model, by vmap": (True, False), "a search, in turns": (False, True)}
    for way, (vmapped, varied) in models.items():
        shared = runs(varied)
        ways[way] = [one_step(shared, Together(shared, vmapped=vmapped))]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(1 + rounds):
        for way, steps in ways.items():
            started = time.process_time()
            for step in steps:
                step()
            taken[way].append(time.process_time() - started)
    return {way: round(1e3 * statistics.median(seconds[1:]) / num_seeds, 1) for way, seconds in taken.items()}
