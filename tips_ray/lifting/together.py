"""Several runs, trained as one batched model."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from tips_ray.lifting.augment import Batch
from tips_ray.lifting.averaging import average_into, decay_at
from tips_ray.lifting.draws import Draws
from tips_ray.lifting.epoch import means, stacked, step_inputs
from tips_ray.lifting.optimise import AdamOfRuns, adam, set_rates
from tips_ray.lifting.recorded import RecordedStep
from tips_ray.lifting.run import Run
from tips_ray.lifting.sharing import joint_config, sharing_key, weighed
from tips_ray.lifting.step import Networks, Trained


class Together:
    """Runs after the same epoch whose weights are stacked: each step trains all.

    Their configs have equal keys (`sharing_key`): seeds of one config, or configs that differ in
    the weights of losses, in labels or in learning rates.

    Each run draws from its own streams, and its numbers depend on no other: they are those that it
    has by itself, but for rounding. After an epoch, weights and optimiser states are given back to
    the runs, which are then as if each had been trained by itself; one whose numbers are no longer
    finite disturbs no other. A loss that only some have a weight for is computed for all, times 0
    for the others: it costs all of them.
    """

    def __init__(self, runs: Sequence[Run], record: bool = False, vmapped: bool | None = None) -> None:
        """With `record`, steps are recorded as a CUDA graph where that is possible.

        `vmapped`: each layer computes all runs at once, by torch.func.vmap; otherwise a step
        computes one run after the other, which suits the caches of a CPU better. None: on a GPU.
        """
        first = runs[0]
        self.vmapped = first.dataset.train.keypoints.is_cuda if vmapped is None else vmapped
        same = [(sharing_key(run.config), run.dataset, run.epoch) for run in runs]
        assert all(of_run == same[0] for of_run in same)
        self.runs, self.config = list(runs), joint_config([run.config for run in runs])
        self.networks = Networks(self.config, first.seed).to(first.dataset.train.keypoints.device)
        """How a run computes; the numbers are those of `weights` and `settings`."""
        self.settings = stacked_states([dict(run.networks.settings.named_buffers(prefix="settings")) for run in runs])
        self.weights = stacked_states([run.networks.state_dict() for run in runs])
        """Of all networks, and statistics of batch norm."""
        averaged = first.lifter is not first.trained
        self.average = stacked_states([run.lifter.state_dict() for run in runs]) if averaged else {}
        names = [name for name, _ in self.networks.named_parameters()]
        for name in names:
            self.weights[name].requires_grad_()
        generators = [self.weights[name] for name in names if not name.startswith("discriminator.")]
        discriminator = [self.weights[name] for name in names if name.startswith("discriminator.")]
        alike = len({run.config.optimiser for run in runs}) == 1
        self.optimisers = [
            adam(parameters, rates[0], self.config.optimiser, capturable=record)
            if alike
            else AdamOfRuns(parameters, rates, self.config.optimiser)
            for parameters, rates in zip((generators, discriminator), self._rates(), strict=True)
        ]
        for optimiser, of_runs in zip(self.optimisers, zip(*map(_optimisers, runs), strict=True), strict=True):
            _join(optimiser, of_runs)
        self.model = Trained(self.config, self._call, generators, discriminator, *self.optimisers)
        self.names: list[str] = []
        """Of the losses that a step returns."""
        self.recorded = RecordedStep(self.step, list(self._state())) if record else None

    def train_epoch(self) -> list[dict[str, Any]]:
        """One epoch of all runs; returns their rows. Each took an equal share of the seconds."""
        started, first, total = time.perf_counter(), self.runs[0], torch.zeros(())
        self.networks.train()
        for optimiser, rates in zip(self.optimisers, self._rates(), strict=True):
            set_rates(optimiser, rates)
        streams, teachers = [run.rng for run in self.runs], [run.teachers for run in self.runs if run.teachers]
        inputs = step_inputs(self.config, first.dataset, first.epoch, streams, teachers)
        for number, (batch, draws) in enumerate(inputs, start=first.epoch * first.steps_an_epoch):
            share = torch.full((), 1.0 - decay_at(number, self.config.optimiser.averaging), device=batch.scale.device)
            total = total.to(batch.scale) + (self.recorded or self.step)(batch, draws, share)
        self.give_back()
        losses = means(self.names, total, first.steps_an_epoch)
        seconds = (time.perf_counter() - started) / len(self.runs)
        return [run.end_epoch(weighed(of_run, run.config), seconds) for run, of_run in zip(self.runs, losses, strict=True)]

    def step(self, batch: Batch, draws: Draws, share: Tensor) -> Tensor:
        """One step of all runs, whose moving averages take a share of the new weights; returns
        losses (names, runs)."""
        losses = self.model.step(batch, draws)
        if self.average:
            average_into(self.average.values(), (self.weights[f"lifter.{name}"] for name in self.average), share)
        self.names = list(losses)
        return stacked(losses)

    def _call(self, function: Any, *inputs: Any) -> Any:
        def of_one(weights: dict[str, Tensor], *inputs: Any) -> Any:
            return functional_call(self.networks, weights, (function, *inputs))

        given = (self.weights | self.settings, *inputs)
        if self.vmapped:
            return torch.vmap(of_one)(*given)
        leaves, form = tree_flatten(given)
        outputs = [of_one(*tree_unflatten(of_run, form)) for of_run in zip(*(leaf.unbind() for leaf in leaves), strict=True)]
        return tree_map(lambda *of_runs: torch.stack(of_runs), *outputs)

    def _rates(self) -> list[tuple[float, ...]]:
        """The learning rates of all runs in the next epoch, of lifters and of discriminators."""
        return list(zip(*(run.rates() for run in self.runs), strict=True))

    @property
    def _stepping(self) -> list[torch.optim.Adam]:
        """The optimisers that steps use: the discriminator's in adversarial training alone."""
        return self.optimisers if self.config.objective == "adversarial" else self.optimisers[:1]

    def _state(self) -> Iterable[Tensor]:
        """All that a step changes."""
        yield from self.weights.values()
        yield from self.average.values()
        for optimiser in self.optimisers:
            for state in optimiser.state.values():
                yield from state.values()

    @torch.no_grad()
    def give_back(self) -> None:
        """Copy weights and optimiser states to the runs."""
        for place, run in enumerate(self.runs):
            run.networks.load_state_dict({name: values[place] for name, values in self.weights.items()})
            if self.average:
                run.lifter.load_state_dict({name: values[place] for name, values in self.average.items()})
            for optimiser, of_run in zip(self._stepping, _optimisers(run), strict=False):
                for joint, parameter in zip(_parameters(optimiser), _parameters(of_run), strict=True):
                    of_run.state[parameter] = {
                        name: (value[place] if value.ndim else value).clone() for name, value in optimiser.state[joint].items()
                    }


def _optimisers(run: Run) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    return run.lifter_optimiser, run.discriminator_optimiser


def _parameters(optimiser: torch.optim.Adam) -> list[Tensor]:
    return optimiser.param_groups[0]["params"]


def stacked_states(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The states of networks that differ in numbers alone, with a leading dimension for the
    networks."""
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def _join(optimiser: torch.optim.Adam, of_runs: Sequence[torch.optim.Adam]) -> None:
    """Give an optimiser of stacked parameters the states of those of the runs: both have taken
    equally many steps."""
    for place, parameter in enumerate(_parameters(optimiser)):
        states = [of_run.state.get(_parameters(of_run)[place], {}) for of_run in of_runs]
        count = states[0].get("step", torch.zeros((), dtype=torch.float32, device=parameter.device)).clone()
        zero = torch.zeros_like(parameter[0])
        moments = {name: torch.stack([state.get(name, zero) for state in states]) for name in ("exp_avg", "exp_avg_sq")}
        optimiser.state[parameter] = {"step": count, **moments}
