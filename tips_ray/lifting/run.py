"""One run: its networks, optimisers and random streams, and how an epoch of it is trained."""

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tips_ray.config import Config, fingerprint
from tips_ray.data.dataset import Dataset, check_batch_size, check_labels
from tips_ray.errors import UserError
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.averaging import average_into, decay_at
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.draws import Draws, draw_steps
from tips_ray.lifting.epoch import means, stacked, step_inputs, steps_of_epoch
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.optimise import adam, rate_factor, set_rate
from tips_ray.lifting.step import Losses, Networks, Trained
from tips_ray.lifting.streams import continue_streams, make_streams


class DamagedStateError(UserError):
    """A state of this config and seed from which the run cannot continue."""


class Run:
    """One config and one seed: networks, optimisers and random streams, on the device of the
    dataset.

    `trained` is the lifter whose weights a step changes; `lifter` is what is evaluated, kept and
    distilled: their moving average, or, without `optimiser.averaging`, the same lifter.
    """

    def __init__(self, config: Config, dataset: Dataset, seed: int, teachers: Teachers | None = None) -> None:
        check_batch_size(config, len(dataset.train))
        check_labels(config, dataset)
        if (config.teacher is None) != (teachers is None):
            raise UserError(f"A run with the objective {config.objective!r} {'has no' if teachers else 'needs'} teachers.")
        self.config, self.dataset, self.seed, self.epoch, self.teachers = config, dataset, seed, 0, teachers
        self.identity = f"config {fingerprint(config)}, seed {seed}" + (f", teachers {teachers.identity}" if teachers else "")
        device = dataset.train.keypoints.device
        self.rng = make_streams(config, seed, device)
        self.streams_renewed = False
        """Whether the next epoch is the first on random streams made anew."""
        self.lifted: Tensor | None = None
        """The poses of the voters, in mm, that were lifted after the last epoch, if they were."""
        self.networks = Networks(config, seed).to(device)
        self.trained, self.discriminator, self.elevation = (
            self.networks.lifter,
            self.networks.discriminator,
            self.networks.elevation,
        )
        self.lifter = self._averaged(device)
        generators = [*self.trained.parameters(), *(self.elevation.parameters() if self.elevation is not None else ())]
        discriminator = list(self.discriminator.parameters())
        self.lifter_optimiser = adam(generators, self.rates()[0], config.optimiser)
        self.discriminator_optimiser = adam(discriminator, self.rates()[1], config.optimiser)
        self.model = Trained(
            config, self.networks, generators, discriminator, self.lifter_optimiser, self.discriminator_optimiser
        )

    def train_epoch(self) -> dict[str, Any]:
        """One pass over the training views; returns the epoch's mean losses, accuracies and
        gradient norms."""
        started, names, total = time.perf_counter(), [], torch.zeros(())
        self.networks.train()
        inputs = step_inputs(self.config, self.dataset, self.epoch, [self.rng], [self.teachers] if self.teachers else [])
        for number, (batch, draws) in enumerate(inputs, start=self.epoch * self.steps_an_epoch):
            losses = self.step(Batch(*(of_runs[0] for of_runs in batch)), {name: of_runs[0] for name, of_runs in draws.items()})
            if self.lifter is not self.trained:
                keep = decay_at(number, self.config.optimiser.averaging)
                average_into(self.lifter.state_dict().values(), self.trained.state_dict().values(), 1.0 - keep)
            names, total = list(losses), total.to(batch.scale) + stacked(losses)  # no step waits for the device
        (of_run,) = means(names, total, self.steps_an_epoch)
        return self.end_epoch(of_run, time.perf_counter() - started)

    def step(self, batch: Batch, draws: Draws) -> Losses:
        """One step of training; returns the unweighted losses."""
        return self.model.step(batch, draws)

    def draw(self, num_poses: int) -> Draws:
        """The numbers of one step on so many poses."""
        return {name: of_runs[0] for name, of_runs in next(draw_steps(self.config, num_poses, [self.rng], 1)).items()}

    @property
    def steps_an_epoch(self) -> int:
        """How many steps an epoch has."""
        return steps_of_epoch(self.config, len(self.dataset.train))

    def end_epoch(self, losses: Mapping[str, float], seconds: float) -> dict[str, Any]:
        """Count an epoch whose steps have been taken; returns its row, given the means of its
        losses and how long it took."""
        num_poses = self.steps_an_epoch * self.config.optimiser.batch_size
        self.epoch, self.lifted = self.epoch + 1, None
        for optimiser, rate in zip((self.lifter_optimiser, self.discriminator_optimiser), self.rates(), strict=True):
            set_rate(optimiser, rate)
        status = "ok" if all(map(math.isfinite, losses.values())) else "diverged"
        row = {"status": status, **losses, "train_seconds": seconds, "poses_per_second": num_poses / seconds}
        if self.streams_renewed:
            row["streams_renewed"], self.streams_renewed = 1.0, False
        return row

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        modules = {name: module.state_dict() for name, module in self._stateful().items()}
        rng = {name: stream.get_state() for name, stream in self.rng.items()}
        return {"identity": self.identity, "epoch": self.epoch, **modules, "rng": rng}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned, here or on another kind of device; raises UserError
        for a state of another config or seed, and DamagedStateError for a damaged one.

        There, random streams are made anew (`continue_streams`).
        """
        if state.get("identity") != self.identity:
            raise UserError(
                f"This state is of {state.get('identity', 'an unknown run')}, but the run is of {self.identity};"
                f" continue a run with the config and seed it was started with, or start it anew."
            )
        try:
            for name, module in self._stateful().items():
                module.load_state_dict(state[name])
            self.epoch, self.lifted = state["epoch"], None
            self.streams_renewed = continue_streams(self.rng, state["rng"], self.seed, self.epoch)
        except (AttributeError, KeyError, IndexError, TypeError, RuntimeError, ValueError) as error:
            first_line = str(error).partition("\n")[0]
            raise DamagedStateError(
                f"The state of this run ({self.identity}) is damaged: {first_line}; start the run anew."
            ) from error

    def _stateful(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        names = ("lifter", "trained", "elevation", "discriminator", "lifter_optimiser", "discriminator_optimiser")
        left_out = [name for name, value in (("trained", self.lifter), ("elevation", None)) if getattr(self, name) is value]
        return {name: getattr(self, name) for name in names if name not in left_out}

    def _averaged(self, device: torch.device) -> Lifter:
        """What is evaluated: a copy of the trained lifter, or that lifter itself."""
        if not self.config.optimiser.averaging:
            return self.trained
        average = Lifter(self.trained.parts, self.config.network).to(device).eval()
        average.load_state_dict(self.trained.state_dict())
        return average

    def rates(self) -> tuple[float, float]:
        """The learning rates of lifter and discriminator in the next epoch."""
        settings = self.config.optimiser
        factor = rate_factor(settings, self.epoch)
        return settings.learning_rate * factor, (settings.discriminator_learning_rate or settings.learning_rate) * factor
