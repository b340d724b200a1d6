"""Adversarial training of part generators, an epoch at a time."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips_ray.config import ELEVATION_DEGREES, Config, fingerprint, parts_of
from tips_ray.data.views import Dataset, check_batch_size
from tips_ray.errors import UserError
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.evaluate import evaluate, lift_views, voters
from tips_ray.lifting.losses import (
    Step,
    consistency_terms,
    discriminator_loss,
    generator_adversarial_loss,
    generator_loss,
    part_means,
    part_weights,
    weigh_gradient,
)
from tips_ray.lifting.networks import Discriminator, Lifter, initialise
from tips_ray.poses.geometry import View, lift, max_normalise, quarter_turns, reproject, rotate, rotate_back
from tips_ray.poses.types import Depth, DepthBatch, Keypoints, KeypointsBatch, PerPose
from tips_ray.seeding import derived_seed, is_of_another_device, stream

Scalar = Float[Tensor, ""]

STREAMS = ("shuffle", "azimuth", "elevation", "swap", "dropout")
ELEVATION = math.radians(ELEVATION_DEGREES)


class DamagedStateError(UserError):
    """A state of this config and seed from which the run cannot continue."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch left: its number (from 1), its row of measurements, and the run as it stands
    after it."""

    number: int
    row: dict[str, Any]
    run: "Run"

    @property
    def diverged(self) -> bool:
        """Whether training ended here, with a loss or a prediction that is not finite."""
        return self.row["status"] == "diverged"


def fit(
    config: Config, dataset: Dataset, seed: int, state: dict[str, Any] | None = None, teachers: Teachers | None = None
) -> Iterator[Epoch]:
    """Train one run and yield its epochs for as long as the listener asks; ends by itself only when
    training diverges: when a loss, a gradient norm or a prediction is NaN or infinite.

    With the `state` of an earlier epoch's run it continues after that epoch, bit for bit on CPU;
    with one of another kind of device, on random streams made anew (`streams_renewed` is 1).
    Raises ValueError, when its first epoch is asked for, for a batch larger than an epoch, for a
    state of another config, seed or teacher, and for a distilled run without teachers.
    """
    run = Run(config, dataset, seed, teachers)
    if state is not None:
        run.load_state(state)
    yield from train_epochs(run)


def train_epochs(run: "Run") -> Iterator[Epoch]:
    """Train a run, from where it stands, and yield its epochs; ends only when training diverges."""
    config, dataset = run.config, run.dataset
    while True:
        with deterministic() if config.numerics.deterministic else nullcontext():
            before = lift_views(run.lifter, voters(dataset)) if run.epoch else None
            row = run.train_epoch()
            if row["status"] != "diverged":
                row |= evaluate(run.lifter, dataset, before)
        yield Epoch(run.epoch, row, run)
        if row["status"] == "diverged":
            return


@contextmanager
def deterministic() -> Iterator[None]:
    """Let PyTorch use deterministic algorithms only, on GPUs too."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


class Run:
    """One config and one seed: networks, optimisers and random streams, on the device of the
    dataset."""

    def __init__(self, config: Config, dataset: Dataset, seed: int, teachers: Teachers | None = None) -> None:
        check_batch_size(config, len(dataset.train_poses))
        if (config.teacher is None) != (teachers is None):
            raise UserError(f"A run with the objective {config.objective!r} {'has no' if teachers else 'needs'} teachers.")
        self.config, self.dataset, self.seed, self.epoch, self.teachers = config, dataset, seed, 0, teachers
        self.identity = f"config {fingerprint(config)}, seed {seed}" + (f", teachers {teachers.identity}" if teachers else "")
        device = dataset.train.keypoints.device
        self.rng = {name: stream(seed, name, device=device) for name in STREAMS}
        self.streams_renewed = False
        """Whether the next epoch is the first on random streams made anew."""
        parts = parts_of(config)
        self.lifter = Lifter(parts, config.network, self.rng["dropout"])
        self.discriminator = Discriminator(config.network, self.rng["dropout"])
        initialise(self.lifter, stream(seed, "initialise", "lifter"))
        initialise(self.discriminator, stream(seed, "initialise", "discriminator"))
        self.lifter.to(device)
        self.discriminator.to(device)
        self.adversarial_weight = part_weights(parts, config.weights).to(device)
        self.part_means = part_means(parts).to(device)
        self._start_optimisers()
        self.step = {
            "adversarial": self.adversarial_step,
            "distilled": self.distilled_step,
            "supervised": self.supervised_step,
        }[config.objective]
        if config.numerics.compile:
            self.lifter.compile()
            self.discriminator.compile()

    def train_epoch(self) -> dict[str, Any]:
        """One pass over the training views; returns the epoch's mean losses, accuracies and
        gradient norms."""
        started = time.perf_counter()
        data = self.config.data
        views = self.dataset.training_views(data, self.epoch)
        batch = self.config.optimiser.batch_size
        order = torch.randperm(len(views), generator=self.rng["shuffle"], device=views.keypoints.device)
        self.lifter.train()
        num_steps = min(data.epoch_views or len(views), len(views)) // batch
        totals: dict[str, Tensor] = {}
        for chosen in order[: num_steps * batch].split(batch):
            step = self.step(views.keypoints[chosen], views.pose[chosen, :, 2] / views.scale[chosen, None])
            for name, value in step.items():
                totals[name] = totals.get(name, 0) + value.detach()
        self._decay()
        self.epoch += 1
        means = torch.stack(list(totals.values())).div(num_steps).tolist()  # no step waits for the device
        row = dict(zip(totals, means, strict=True))
        seconds = time.perf_counter() - started
        status = "ok" if all(map(math.isfinite, row.values())) else "diverged"
        row |= {"train_seconds": seconds, "poses_per_second": num_steps * batch / seconds}
        if self.streams_renewed:
            row["streams_renewed"], self.streams_renewed = 1.0, False
        return {"status": status, **row}

    def adversarial_step(self, keypoints: KeypointsBatch, _: DepthBatch) -> dict[str, Scalar]:
        """One step of discriminator and generators on max-normalised keypoints alone (equations 2
        to 9); returns the unweighted losses."""
        config, view = self.config, self.random_view(len(keypoints))
        depth = self.lift(keypoints)
        reprojected = reproject(rotate(lift(keypoints, depth), view))  # the pose from a new viewpoint
        discriminator_losses = self._discriminator_step(keypoints, self._shown(reprojected).detach())
        turned, expected_depths = zip(*quarter_turns(keypoints, depth), strict=True)
        lifted_again, *turned_depths = self.lift(torch.stack([reprojected, *turned], dim=1)).unbind(1)
        cycled = reproject(rotate_back(lift(reprojected, lifted_again), view))
        score = self.discriminate(self._shown(weigh_gradient(reprojected, self.adversarial_weight)))
        adversarial = generator_adversarial_loss(score, config.adversary)  # eq 6
        step = Step(keypoints, depth, cycled, tuple(turned_depths), expected_depths)
        terms = consistency_terms(step, config.weights)  # eqs 2 to 5
        loss = generator_loss(adversarial, terms, config.weights, self.part_means)  # eqs 8, 9
        norm = self._descend(self.lifter, self.lifter_optimiser, loss)
        losses = {f"loss_{name}": term.mean() for name, term in terms.items()}
        return discriminator_losses | {"loss_adversarial": adversarial, **losses, "generator_gradient_norm": norm}

    def distilled_step(self, keypoints: KeypointsBatch, _: DepthBatch) -> dict[str, Scalar]:
        """One step on the teachers' depths (equation 10)."""
        assert self.teachers is not None
        loss = (self.lift(keypoints) - self.teachers(keypoints)).square().mean()  # eq 10
        norm = self._descend(self.lifter, self.lifter_optimiser, loss)
        return {"loss_distillation": loss, "generator_gradient_norm": norm}

    def supervised_step(self, keypoints: KeypointsBatch, depth: DepthBatch) -> dict[str, Scalar]:
        """One step on true depths, in units of the keypoints: the reference that an unsupervised
        lifter is held against."""
        loss = (self.lift(keypoints) - depth).square().mean()
        norm = self._descend(self.lifter, self.lifter_optimiser, loss)
        return {"loss_supervised": loss, "generator_gradient_norm": norm}

    def lift(self, keypoints: Keypoints) -> Depth:
        """Depths of keypoints (poses, *views, 16, 2), multiplied in the config's precision."""
        with self._precision():
            return self.lifter(keypoints)

    def discriminate(self, keypoints: KeypointsBatch) -> PerPose:
        """The discriminator's logits, multiplied in the config's precision."""
        with self._precision():
            return self.discriminator(keypoints)

    def random_view(self, count: int) -> View:
        """Azimuth within half a turn and elevation within 10 degrees, for each pose or for the
        whole batch."""
        size = count if self.config.adversary.rotation == "pose" else 1

        def uniform(name: str, limit: float) -> Tensor:
            rng = self.rng[name]
            return (2 * torch.rand(size, generator=rng, device=rng.device) - 1) * limit

        return View(uniform("azimuth", math.pi), uniform("elevation", ELEVATION))

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        modules = {name: getattr(self, name).state_dict() for name in self._stateful}
        rng = {name: stream.get_state() for name, stream in self.rng.items()}
        return {"identity": self.identity, "epoch": self.epoch, **modules, "rng": rng}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned, here or on another kind of device; raises UserError
        for a state of another config or seed, and DamagedStateError for a damaged one.

        A random stream cannot be carried from a CPU to a GPU or back: all are made anew from seed,
        name and epoch.
        """
        if state.get("identity") != self.identity:
            raise UserError(
                f"This state is of {state.get('identity', 'an unknown run')}, but the run is of {self.identity};"
                f" continue a run with the config and seed it was started with, or start it anew."
            )
        try:
            for name in self._stateful:
                getattr(self, name).load_state_dict(state[name])
            saved = {name: state["rng"][name].cpu() for name in self.rng}
            self.epoch = state["epoch"]
            self.streams_renewed = all(is_of_another_device(saved[name], rng.get_state()) for name, rng in self.rng.items())
            for name, rng in self.rng.items():
                if self.streams_renewed:
                    rng.manual_seed(derived_seed(self.seed, name, "renewed", self.epoch))
                else:
                    rng.set_state(saved[name])
        except (AttributeError, KeyError, IndexError, TypeError, RuntimeError, ValueError) as error:
            first_line = str(error).partition("\n")[0]
            raise DamagedStateError(
                f"The state of this run ({self.identity}) is damaged: {first_line}; start the run anew."
            ) from error

    _stateful = ("lifter", "discriminator", "lifter_optimiser", "discriminator_optimiser")

    def _discriminator_step(self, real: KeypointsBatch, fake: KeypointsBatch) -> dict[str, Scalar]:
        adversary = self.config.adversary
        swapped = None
        if adversary.swap_labels:
            swapped = torch.rand((), generator=self.rng["swap"], device=real.device) < adversary.swap_labels
        scores = self.discriminate(torch.cat([real, fake]))
        real_score, fake_score = scores.split(len(real))
        loss = discriminator_loss(real_score, fake_score, adversary, swapped)
        norm = self._descend(self.discriminator, self.discriminator_optimiser, loss)
        middle = 0.5 * adversary.real_label if adversary.loss == "least_squares" else 0.0
        return {
            "loss_discriminator": loss,
            "real_accuracy": (real_score > middle).float().mean(),
            "fake_accuracy": (fake_score < middle).float().mean(),
            "discriminator_gradient_norm": norm,
        }

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.part_means.device.type, torch.bfloat16, enabled=self.config.numerics.bf16)

    def _shown(self, seen: KeypointsBatch) -> KeypointsBatch:
        """What the discriminator is shown of a reprojected pose; in observed poses the largest
        coordinate is 1."""
        return max_normalise(seen)[0] if self.config.adversary.renormalise else seen

    def _start_optimisers(self) -> None:
        settings = self.config.optimiser
        self.lifter_optimiser = self._adam(self.lifter, settings.learning_rate)
        rate = settings.discriminator_learning_rate or settings.learning_rate
        self.discriminator_optimiser = self._adam(self.discriminator, rate)

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.Adam:
        settings = self.config.optimiser
        return torch.optim.Adam(module.parameters(), lr=rate, betas=(settings.beta1, settings.beta2), fused=True)

    @staticmethod
    def _descend(module: nn.Module, optimiser: torch.optim.Adam, loss: Scalar) -> Scalar:
        """One optimiser step on the parameters of `module` alone; returns the norm of their
        gradient."""
        parameters = list(module.parameters())
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        return nn.utils.get_total_norm(gradients)

    def _decay(self) -> None:
        for optimiser in (self.lifter_optimiser, self.discriminator_optimiser):
            for group in optimiser.param_groups:
                group["lr"] *= self.config.optimiser.decay
