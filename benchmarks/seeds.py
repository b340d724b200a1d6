"""Whether several seeds of one config train faster as one batched model than one after another.

    python benchmarks/seeds.py                  # --device cuda where there is one

The batched model starts from the weights of single runs and draws from their random streams, dropout's too, so every seed must
follow its single run to rounding; this is shown first, in double precision. Each row then says where the time of single runs
goes: `products` at the measured rate of matrix products, and `fixed`, what steps of 2 poses and 1 unit still take, which is all
that seeds can share.

The networks are stacked by hand: `functional_call` under `vmap` draws the dropout of all seeds from one stream, and has no rule
for running statistics that change in place.
"""

import argparse
import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from count import step_need
from measure import gemm_rate, only_rounding, publish, ratio_of, seconds_of
from tips_ray.config import Config, arm_config, laptop, override
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Dataset, prepare
from tips_ray.lifting import networks
from tips_ray.lifting.losses import fool, ninety_degree, squared, tell_apart, weigh_gradient
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.train import Run
from tips_ray.poses.geometry import View, lift, quarter_turns, reproject, rotate, rotate_back

TARGET = 1.3
SIZES = {"laptop": {}, "small": {"network": {"width": 32}, "optimiser": {"batch_size": 128}}}
CASES = [("parts", 1, (1, 2, 3, 8)), ("parts", 2, (3, 8)), ("solo", 1, (3,)), ("solo", 2, (3,))]
"""Arms, threads and numbers of seeds."""
PUBLISHED = ("laptop", "parts", 1, 3)
NOTHING: dict[str, Any] = {"network": {"width": 1}, "optimiser": {"batch_size": 2}}


class Linear(nn.Module):
    """Linear layers of (seeds, *poses, inputs), one a seed."""

    def __init__(self, singles: Sequence[nn.Linear]) -> None:
        super().__init__()
        # Inputs before outputs: so laid out, the gradient is contiguous, which the fused Adam takes for granted on a CPU.
        self.weight = nn.Parameter(torch.stack([single.weight.detach().T for single in singles]))
        biases = [single.bias.detach() for single in singles if single.bias is not None]
        self.bias = nn.Parameter(torch.stack(biases)[:, None]) if biases else None

    def forward(self, x: Tensor) -> Tensor:
        """(seeds, *poses, outputs)."""
        rows = x.flatten(1, -2)
        y = torch.bmm(rows, self.weight) if self.bias is None else torch.baddbmm(self.bias, rows, self.weight)
        return y.view(*x.shape[:-1], -1)


class BatchNorm(nn.Module):
    """Batch norm of (seeds, poses, *views, width), each seed and view by statistics of its own."""

    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, singles: Sequence[networks.BatchNorm]) -> None:
        super().__init__()
        self.momentum, self.eps = singles[0].momentum, singles[0].eps
        for name in ("weight", "bias"):
            setattr(self, name, nn.Parameter(torch.stack([getattr(single, name).detach() for single in singles])))
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, torch.stack([getattr(single, name) for single in singles]))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        seeds, width = self.weight.shape
        views = x[0, 0].numel() // width
        weight, bias = (values.repeat(1, views).flatten() for values in (self.weight, self.bias))
        mean, var = torch.zeros_like(weight), torch.zeros_like(weight)
        # One call for all seeds wants them beside one another, at the price of a copy there and back. A call for each seed was
        # measured to be up to 5 % faster at laptop size and 10 % slower with 8 small seeds.
        beside = x.transpose(0, 1).flatten(1)
        y = functional.batch_norm(beside, mean, var, weight, bias, training=True, momentum=1.0, eps=self.eps)
        with torch.no_grad():
            for running, seen in ((self.running_mean, mean), (self.running_var, var)):
                for one in seen.view(seeds, views, width).unbind(1):
                    running.lerp_(one, self.momentum)
        return y.view(len(beside), seeds, -1).transpose(0, 1).reshape(x.shape)


class Dropout(nn.Module):
    """Dropout of (seeds, poses, width), each seed from the stream of its own run."""

    def __init__(self, singles: Sequence[networks.Dropout]) -> None:
        super().__init__()
        self.keep, self.chances = singles[0].keep, [single.chance for single in singles]

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if self.keep == 1.0:
            return x
        kept = torch.stack([torch.rand(x.shape[1:], generator=chance, device=x.device) for chance in self.chances])
        return x * kept.lt_(self.keep).mul_(1.0 / self.keep)


STACKED = {nn.Linear: Linear, networks.BatchNorm: BatchNorm, networks.Dropout: Dropout}


def stack(network: nn.Module, singles: Sequence[nn.Module]) -> None:
    """Replace the layers of a network by the stacked layers of several networks of the same shape."""
    for name, layer in list(network.named_modules()):
        if type(layer) in STACKED:
            network.set_submodule(name, STACKED[type(layer)]([single.get_submodule(name) for single in singles]))


class Together(Run):
    """Several runs of one config as one batched model: every tensor of `Run` with the seeds as its first dimension."""

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs[0].config, runs[0].dataset, seed=0)
        self.runs = runs
        stack(self.lifter, [run.lifter for run in runs])
        stack(self.discriminator, [run.discriminator for run in runs])
        self._start_optimisers()

    def adversarial_step(self, keypoints: Tensor, _: Tensor) -> dict[str, Tensor]:
        """One step of every seed on keypoints (seeds, poses, 16, 2) of its own; the terms are those of `Run`, one a seed."""
        view = self.random_view(keypoints.shape[1])
        depth = self.lift(keypoints)
        seen = reproject(rotate(lift(keypoints, depth), view))
        judged = self._discriminator_step(keypoints, self._shown(seen).detach())
        turns = quarter_turns(keypoints, depth)
        lifted, *answers = self.lift(torch.stack([seen, *(turned for turned, _ in turns)], dim=2)).unbind(2)
        again = rotate_back(lift(seen, lifted), view)
        score = self.judge(self._shown(weigh_gradient(seen, self.adversarial_weight)))
        adversarial = torch.vmap(fool, in_dims=(0, None))(score, self.config.adversary)
        reprojection = torch.vmap(squared)(reproject(again), keypoints)
        quarter = torch.vmap(ninety_degree)(answers, [known for _, known in turns])
        weights = self.config.weights
        consistency = weights.reprojection * reprojection + weights.ninety_degree * quarter
        loss = adversarial + (consistency * self.part_means).sum(-1)
        norm = self._descend(self.lifter, self.lifter_optimiser, loss)
        return judged | {
            "loss_adversarial": adversarial,
            "loss_reprojection": reprojection.mean(-1),
            "loss_ninety_degree": quarter.mean(-1),
            "generator_gradient_norm": norm,
        }

    def random_view(self, count: int) -> View:
        """Views (seeds, poses), each seed's from its own streams."""
        views = [run.random_view(count) for run in self.runs]
        return View(torch.stack([view.azimuth for view in views]), torch.stack([view.elevation for view in views]))

    def _discriminator_step(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        adversary = self.config.adversary
        chances = [run.chance["swap"] for run in self.runs]
        swapped = torch.stack([torch.rand((), generator=chance, device=real.device) for chance in chances])
        real_score, fake_score = self.judge(torch.cat([real, fake], dim=1)).chunk(2, dim=1)
        judge = torch.vmap(tell_apart, in_dims=(0, 0, None, 0))
        loss = judge(real_score, fake_score, adversary, swapped < adversary.swap_labels)
        norm = self._descend(self.discriminator, self.discriminator_optimiser, loss)
        middle = 0.5 * adversary.real_label if adversary.loss == "least_squares" else 0.0
        return {
            "loss_discriminator": loss,
            "real_accuracy": (real_score > middle).float().mean(1),
            "fake_accuracy": (fake_score < middle).float().mean(1),
            "discriminator_gradient_norm": norm,
        }

    @staticmethod
    def _descend(module: nn.Module, optimiser: torch.optim.Adam, loss: Tensor) -> Tensor:
        Run._descend(module, optimiser, loss.sum())
        gradients = [parameter.grad.flatten(1) for parameter in module.parameters() if parameter.grad is not None]
        return torch.cat(gradients, dim=1).norm(dim=1)


def batches(dataset: Dataset, config: Config, num_seeds: int) -> Iterator[Tensor]:
    """Keypoints (seeds, poses, 16, 2) without end, each seed's in an order of its own."""
    views = dataset.train.keypoints.to(torch.get_default_dtype())
    chance = torch.Generator().manual_seed(0)
    while True:
        orders = torch.stack([torch.randperm(len(views), generator=chance) for _ in range(num_seeds)])
        for chosen in orders.split(config.optimiser.batch_size, dim=1)[:-1]:
            yield views[chosen.to(views.device)]


def disagreement(config: Config, dataset: Dataset, num_seeds: int = 3, steps: int = 5) -> dict[str, float]:
    """Largest relative differences of seeds together from their single runs, after some steps in double precision.

    `logged` is of the numbers that a step returns, `weights` of weights and running statistics, relative to the largest of their
    layer. Accuracies are left out: they count poses. Raises RuntimeError if either is more than rounding.
    """
    torch.set_default_dtype(torch.float64)
    singles, copies = ([Run(config, dataset, seed) for seed in range(num_seeds)] for _ in range(2))
    together, logged, weights = Together(copies), [], []
    for keypoints in itertools.islice(batches(dataset, config, num_seeds), steps):
        rows = [run.step(own, own[..., 0]) for run, own in zip(singles, keypoints, strict=True)]
        for name, value in together.step(keypoints, keypoints[..., 0]).items():
            if "accuracy" not in name:
                truth = torch.stack([row[name] for row in rows])
                logged.append((value / truth - 1).abs().max().item())
    truths = Together(singles)
    for network in ("lifter", "discriminator"):
        truth = getattr(truths, network).state_dict()
        for name, value in getattr(together, network).state_dict().items():
            if value.is_floating_point():
                weights.append(((value - truth[name]).abs().max() / truth[name].abs().max()).item())
    torch.set_default_dtype(torch.float32)
    return {"logged": only_rounding(logged), "weights": only_rounding(weights)}


def compare(config: Config, dataset: Dataset, num_seeds: int, seconds: float) -> dict[str, float]:
    """Median milliseconds of a step of all seeds, one after another and together, and what the former consist of."""
    singles, copies = ([Run(config, dataset, seed) for seed in range(num_seeds)] for _ in range(2))
    together, source = Together(copies), batches(dataset, config, num_seeds)
    idle, few = Run(override(config, NOTHING), dataset, seed=0), dataset.train.keypoints[:2]

    def train(runs: Sequence[Run], keypoints: Sequence[Tensor] | Tensor) -> None:
        for run, own in zip(runs, keypoints, strict=True):
            run.step(own, own[..., 0])
        if few.is_cuda:
            torch.cuda.synchronize()

    rivals: dict[str, Callable[[], object]] = {
        "apart": lambda: train(singles, next(source)),
        "together": lambda: train([together], [next(source)]),
        "fixed": lambda: train([idle] * num_seeds, [few] * num_seeds),
    }
    once = sum(itertools.chain(*seconds_of(rivals, rounds=1, warm_up=1).values()))
    taken = seconds_of(rivals, rounds=max(15, int(seconds / once)), warm_up=0)
    row = {name: 1e3 * statistics.median(times) for name, times in taken.items()}
    if not few.is_cuda:
        rate = gemm_rate(4 * config.optimiser.batch_size, config.network.width)
        row["products"] = 1e3 * num_seeds * step_need(config).flops / rate
    return row | {"ratio": ratio_of(taken, "apart", "together")}


def main() -> None:
    """Print agreement, and a row for each size, number of threads and of seeds; publish 3 seeds at laptop size on one core."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=1.0, help="spent on each row")
    options = parser.parse_args()
    keep_freed_memory()
    poses, rows, ratio = synthesise(num_poses=5_000), [], 0.0
    for (size, changes), (arm, threads, seeds) in itertools.product(SIZES.items(), CASES):
        config = override(arm_config(laptop().config, arm), changes)
        dataset = prepare(poses, config).to(options.device)
        torch.set_num_threads(threads)
        differ = disagreement(config, dataset)
        print(f"{size}, {arm}: after 5 steps losses differ by {differ['logged']:.0e}, weights by {differ['weights']:.0e}")
        for num_seeds in seeds:
            row = compare(config, dataset, num_seeds, options.seconds)
            rows.append({"size": size, "arm": arm, "threads": threads, "seeds": num_seeds, **row, "disagreement": differ})
            times = ", ".join(f"{name} {value:.1f} ms" for name, value in row.items() if name != "ratio")
            print(f"{size}, {arm}, {threads} thread(s), {num_seeds} seed(s): {times}: {row['ratio']:.2f}x")
            if (size, arm, threads, num_seeds) == PUBLISHED:
                ratio = row["ratio"]
    publish("seeds", ratio, TARGET, device=options.device, rows=rows)


if __name__ == "__main__":
    main()
