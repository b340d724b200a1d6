"""Whether training and evaluation are the same on a CPU, on a GPU, as a CUDA graph, and as one
model of several seeds or configs: what `gpu.py` checks before it times anything.

All ways start from the same weights and are given the same batches and random numbers, drawn on the
CPU. Each takes a few steps; their losses, and in float64 their weights, are held against those of
runs that each train by themselves on the CPU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from tips_ray.config import Config, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Views
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.averaging import average_into
from tips_ray.lifting.epoch import step_inputs
from tips_ray.lifting.measured import lifted_now, measured
from tips_ray.lifting.run import Run
from tips_ray.lifting.streams import make_streams
from tips_ray.lifting.together import Together
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.presets import arm_config, laptop

ARMS = ("parts", "single", "clips")
"""The paper's lifter, and two with averages, mirrors, terms of anatomy, pairs and bones."""
SEEDS, STEPS = (0, 1, 2), 4
TOLERANCES = {torch.float64: 1e-9, torch.float32: 2e-3}
"""Largest relative difference after these steps; Adam makes much of the rounding of small
gradients."""
ROW_TOLERANCES = {torch.float64: 1e-7, torch.float32: 2e-3}
"""Of what is measured: the Fréchet distance has roots of eigenvalues that are nearly 0."""
AVERAGED = 0.25
"""Share of the new weights that a moving average takes here."""
SMALL = {
    "network": {"width": 32},
    # Powers of two: a recorded step has its learning rates in float32.
    "optimiser": {"batch_size": 64, "learning_rate": 2.0**-10, "discriminator_learning_rate": 2.0**-10},
    "data": {"num_views": 1},
}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"weights": {"legs": 0.1, "reprojection": 3.0}, "adversary": {"real_label": 1.0}},
    {"weights": {"ninety_degree": 1.0}, "optimiser": {"learning_rate": 2.0**-9}},
)
"""What makes configs that train as one model of one, for each of the seeds."""


@dataclass(frozen=True)
class Equality:
    """Two ways of computing the same, and how far apart they are."""

    name: str
    difference: float
    tolerance: float
    error: str = ""
    """What kept it from being computed."""

    @property
    def holds(self) -> bool:
        """Whether it is no more than rounding."""
        return not self.error and self.difference <= self.tolerance


@dataclass(frozen=True)
class Trace:
    """What some steps left."""

    losses: dict[str, Tensor]
    """(steps, runs) each."""
    weights: Tensor
    """(runs, weights) of all networks and averages."""

    def of(self, run: int) -> "Trace":
        """The same of one run alone."""
        return Trace({name: values[:, run, None] for name, values in self.losses.items()}, self.weights[run, None])

    def distance(self, other: "Trace", with_weights: bool) -> float:
        """Largest difference of a loss, or a weight, as a share of the largest of its kind; NaN is
        no equality."""
        pairs = [(values, other.losses[name]) for name, values in self.losses.items() if not name.endswith("accuracy")]
        pairs += [(self.weights, other.weights)] if with_weights else []
        shares = torch.stack([(one - two).abs().max() / two.abs().max().clamp(min=1e-12) for one, two in pairs])
        return float(shares.nan_to_num(float("inf")).max())


def equalities(device: str) -> Iterator[Equality]:
    """Every equality on the CPU and, if the device is another, there."""
    poses = synthesise(num_poses=400)
    for dtype in TOLERANCES:
        torch.set_default_dtype(dtype)
        try:
            for arm in ARMS:
                yield from equalities_of(arm, poses, dtype, device)
        finally:
            torch.set_default_dtype(torch.float32)
    yield metric_equality(poses, device)


def equalities_of(arm: str, poses: PoseSet, dtype: torch.dtype, device: str) -> Iterator[Equality]:
    """Those of one arm in one precision."""
    config = override(arm_config(laptop().config, arm), SMALL)
    dataset, tolerance = in_precision(prepare(poses, config.data), dtype), TOLERANCES[dtype]
    configs, searched = [config] * len(SEEDS), [override(config, changes) for changes in CHANGES]
    streams = [make_streams(config, seed, torch.device("cpu")) for seed in SEEDS]
    inputs = list(islice(step_inputs(config, dataset, 0, streams), STEPS))
    label = f"{arm}, {str(dtype).removeprefix('torch.')}"
    alone, varied = (by_themselves(some, dataset, inputs) for some in (configs, searched))

    def equality(name: str, trace: Any, expected: Trace = alone, allowed: float = tolerance) -> Equality:
        try:
            return Equality(f"{label}: {name}", trace().distance(expected, dtype == torch.float64), allowed)
        except RuntimeError as error:
            return Equality(f"{label}: {name}", float("inf"), allowed, str(error).partition("\n")[0])

    one = tree_map(lambda values: values[1:2], inputs)
    yield equality("three seeds as one model, against each by itself", lambda: as_one(configs, dataset, inputs))
    yield equality("one seed after the other in each step of a model", lambda: as_one(configs, dataset, inputs, vmapped=False))
    yield equality("a seed as a model of its own", lambda: as_one([config], dataset, one, SEEDS[1:2]), alone.of(1))
    yield equality("steps through fixed inputs, with capturable Adam", lambda: as_one(configs, dataset, inputs, record=True))
    other = "three configs of other weights, labels and rates as one model"
    yield equality(f"{other}, against each by itself", lambda: as_one(searched, dataset, inputs), varied)
    rows, seeds = evaluated(configs, dataset, vmapped=False), "three seeds evaluated as one"
    yield equality(f"{seeds}, against each by itself", lambda: evaluated(configs, dataset), rows, ROW_TOLERANCES[dtype])
    if device == "cpu":
        return
    there, moved = dataset.to(device), tree_map(lambda values: values.to(device), inputs)
    yield equality(f"each by itself on {device}, against the CPU", lambda: by_themselves(configs, there, moved))
    yield equality(f"three seeds as one model on {device}, against the CPU", lambda: as_one(configs, there, moved))
    yield equality(f"as a CUDA graph on {device}, against the CPU", lambda: as_one(configs, there, moved, record=True))
    yield equality(f"{other} and CUDA graph on {device}", lambda: as_one(searched, there, moved, record=True), varied)
    yield equality(f"{seeds} on {device}, against the CPU", lambda: evaluated(configs, there), rows, ROW_TOLERANCES[dtype])


def by_themselves(configs: Sequence[Config], dataset: Dataset, inputs: list[Any]) -> Trace:
    """Each run, of a config and a seed, takes its own steps."""
    runs, rows = [Run(config, dataset, seed) for config, seed in zip(configs, SEEDS, strict=True)], []
    for batch, draws in inputs:
        losses = []
        for place, run in enumerate(runs):
            run.networks.train()
            of_run = {name: values[place] for name, values in draws.items()}
            losses.append(run.step(Batch(*(values[place] for values in batch)), of_run))
            if run.lifter is not run.trained:
                average_into(run.lifter.state_dict().values(), run.trained.state_dict().values(), AVERAGED)
        rows.append({name: torch.stack([of_run[name].detach() for of_run in losses]) for name in losses[0]})
    return traced({name: torch.stack([row[name] for row in rows]) for name in rows[0]}, runs)


def as_one(
    configs: Sequence[Config],
    dataset: Dataset,
    inputs: list[Any],
    seeds: Sequence[int] = SEEDS,
    record: bool = False,
    vmapped: bool = True,
) -> Trace:
    """All runs are one model; `record` takes the way of CUDA graphs, `vmapped` as of `Together`.

    Raises RuntimeError if a GPU should have recorded a graph and did not.
    """
    runs = [Run(config, dataset, seed) for config, seed in zip(configs, seeds, strict=True)]
    model = Together(runs, record, vmapped)
    model.networks.train()
    share = torch.full((), AVERAGED, device=dataset.train.scale.device)
    rows = [(model.recorded or model.step)(batch, draws, share).clone() for batch, draws in inputs]
    if model.recorded and share.is_cuda and model.recorded.reason:
        raise RuntimeError(f"no CUDA graph was recorded: {model.recorded.reason}")
    model.give_back()
    return traced(dict(zip(model.names, torch.stack(rows).unbind(1), strict=True)), runs)


def evaluated(configs: Sequence[Config], dataset: Dataset, vmapped: bool = True) -> Trace:
    """What is measured of untrained runs, each of a seed, in place of losses."""
    runs = [Run(config, dataset, seed) for config, seed in zip(configs, SEEDS, strict=True)]
    rows = measured(runs, {run: lifted_now(run) / 2 for run in runs}, vmapped)
    names = [name for name in rows[runs[0]] if name != "evaluate_seconds"]
    return traced({name: torch.tensor([[rows[run][name] for run in runs]]) for name in names}, runs)


def traced(losses: dict[str, Tensor], runs: list[Run]) -> Trace:
    """In float64 on the CPU."""
    weights = [
        torch.cat(
            [values.flatten().double().cpu() for module in (run.networks, run.lifter) for values in module.state_dict().values()]
        )
        for run in runs
    ]
    return Trace({name: values.double().cpu() for name, values in losses.items()}, torch.stack(weights))


def in_precision(dataset: Dataset, dtype: torch.dtype) -> Dataset:
    """The same with its views in a precision."""

    def changed(views: Views) -> Views:
        return replace(views, **{name: getattr(views, name).to(dtype) for name in ("keypoints", "pose", "scale")})

    return replace(dataset, train=changed(dataset.train), test=changed(dataset.test) if dataset.test else None)


def metric_equality(poses: PoseSet, device: str) -> Equality:
    """P-MPJPE in float32 on the device, against float64 on the CPU, in mm."""
    views = prepare(poses, laptop().config.data).train
    noise = torch.randn(views.pose.shape, generator=torch.Generator().manual_seed(0))
    predicted = views.pose + 50.0 * noise
    exact = p_mpjpe(predicted.double(), views.pose.double())
    measured = p_mpjpe(predicted.to(device), views.pose.to(device)).double().cpu()
    return Equality(
        f"P-MPJPE in float32 on {device}, against float64 on the CPU (mm)", float((measured - exact).abs().max()), 1e-3
    )
