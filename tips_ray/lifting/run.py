"""One run: its networks, optimisers and random streams, and one step of training."""

import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from tips_ray.config import Config, fingerprint, parts_of
from tips_ray.data.dataset import Dataset, check_batch_size, check_labels
from tips_ray.errors import UserError
from tips_ray.lifting.augment import Batch, mirror_half, turn_share
from tips_ray.lifting.averaging import average_into, decay_at
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.losses import (
    Step,
    accuracies,
    consistency_terms,
    discriminator_loss,
    generator_adversarial_loss,
    generator_loss,
    gradient_penalty,
    part_means,
    part_weights,
    weigh_gradient,
)
from tips_ray.lifting.networks import Discriminator, Elevation, Lifter, initialise, start_flat
from tips_ray.lifting.optimise import adam, descend, rate_factor, set_rate
from tips_ray.lifting.pairs import Partners, Shown, in_frames
from tips_ray.lifting.streams import continue_streams, make_streams
from tips_ray.poses.geometry import View, lift, max_normalise, quarter_turns, reproject, rotate, rotate_back
from tips_ray.poses.types import Depth, Keypoints, KeypointsBatch, PerPose, Scalar
from tips_ray.seeding import stream


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
        parts = parts_of(config)
        self.trained = Lifter(parts, config.network, self.rng["dropout"])
        self.discriminator = Discriminator(config.network, self.rng["dropout"], config.adversary)
        self.elevation_limit = math.radians(config.adversary.elevation_degrees)
        learnt = config.adversary.elevation == "learnt"
        self.elevation = Elevation(config.network, self.rng["dropout"], self.elevation_limit) if learnt else None
        self.generators = nn.ModuleList([self.trained] if self.elevation is None else [self.trained, self.elevation])
        initialise(self.trained, stream(seed, "initialise", "lifter"))
        start_flat(self.trained, config.network.start_depth)
        initialise(self.discriminator, stream(seed, "initialise", "discriminator"))
        if self.elevation is not None:
            initialise(self.elevation, stream(seed, "initialise", "elevation"))
        self.generators.to(device)
        self.discriminator.to(device)
        self.lifter = self._averaged(device)
        self.adversarial_weight = part_weights(parts, config.weights).to(device)
        self.part_means = part_means(parts).to(device)
        self.lifter_optimiser = adam(self.generators, self._rates()[0], config.optimiser)
        self.discriminator_optimiser = adam(self.discriminator, self._rates()[1], config.optimiser)
        self.step = {
            "adversarial": self.adversarial_step,
            "distilled": self.distilled_step,
            "supervised": self.supervised_step,
        }[config.objective]
        if config.numerics.compile:
            self.trained.compile()
            self.discriminator.compile()

    def train_epoch(self) -> dict[str, Any]:
        """One pass over the training views; returns the epoch's mean losses, accuracies and
        gradient norms."""
        started = time.perf_counter()
        data = self.config.data
        views = self.dataset.training_views(data, self.epoch)
        batch = self.config.optimiser.batch_size
        order = torch.randperm(len(views), generator=self.rng["shuffle"], device=views.keypoints.device)
        partners = Partners(views.clip) if self.config.has_pairs else None
        self.generators.train()
        num_steps = min(data.epoch_views or len(views), len(views)) // batch
        totals: dict[str, Tensor] = {}
        for number, chosen in enumerate(order[: num_steps * batch].split(batch), start=self.epoch * num_steps):
            if partners:
                first = chosen[: batch // 2]
                chosen = torch.cat([first, partners.draw(first, self.config.adversary.gap, self.rng["pairs"])])
            scale = views.scale[chosen]
            step = self.step(Batch(views.keypoints[chosen], views.pose[chosen, :, 2] / scale[:, None], scale))
            if self.lifter is not self.trained:
                average_into(self.lifter, self.trained, decay_at(number, self.config.optimiser.averaging))
            for name, value in step.items():
                totals[name] = totals.get(name, 0) + value.detach()
        self.epoch += 1
        for optimiser, rate in zip((self.lifter_optimiser, self.discriminator_optimiser), self._rates(), strict=True):
            set_rate(optimiser, rate)
        means = torch.stack(list(totals.values())).div(num_steps).tolist()  # no step waits for the device
        row = dict(zip(totals, means, strict=True))
        seconds = time.perf_counter() - started
        status = "ok" if all(map(math.isfinite, row.values())) else "diverged"
        row |= {"train_seconds": seconds, "poses_per_second": num_steps * batch / seconds}
        if self.streams_renewed:
            row["streams_renewed"], self.streams_renewed = 1.0, False
        return {"status": status, **row}

    def adversarial_step(self, batch: Batch) -> dict[str, Scalar]:
        """One step of discriminator and generators on max-normalised keypoints alone (equations 2
        to 9); returns the unweighted losses."""
        config = self.config
        keypoints, _, scale = self._varied(batch)
        view = self.random_view(len(keypoints))._replace(tilt=self._tilt(keypoints))
        depth = self.lift(keypoints)
        reprojected = reproject(rotate(lift(keypoints, depth), view))  # the pose from a new viewpoint
        observed = in_frames(keypoints, scale, self.discriminator.num_frames)
        discriminator_losses = self._discriminator_step(observed, self._shown(reprojected, scale))
        turns = quarter_turns(keypoints, depth) if config.weights.ninety_degree else []
        lifted_again, *turned_depths = self.lift(torch.stack([reprojected, *(seen for seen, _ in turns)], dim=1)).unbind(1)
        cycled = reproject(rotate_back(lift(reprojected, lifted_again), view))
        score = self.discriminate(self._shown(weigh_gradient(reprojected, self.adversarial_weight), scale))
        adversarial = generator_adversarial_loss(score, config.adversary, self._real_score(observed))  # eq 6
        turned = tuple(turned_depths), tuple(expected for _, expected in turns)
        step = Step(self._lift_uncompiled, keypoints, scale, depth, *turned, reprojected, lifted_again, cycled)
        terms = consistency_terms(step, config.weights)  # eqs 2 to 5, 16
        loss = generator_loss(adversarial, terms, config.weights, self.part_means)  # eqs 8, 9
        norm = descend(self.generators, self.lifter_optimiser, loss)
        losses = {f"loss_{name}": term.mean() for name, term in terms.items()}
        return discriminator_losses | {"loss_adversarial": adversarial, **losses, "generator_gradient_norm": norm}

    def distilled_step(self, batch: Batch) -> dict[str, Scalar]:
        """One step on the teachers' depths (equation 10)."""
        assert self.teachers is not None
        keypoints, depth, _ = self._varied(batch._replace(depth=self.teachers(batch.keypoints)))
        loss = (self.lift(keypoints) - depth).square().mean()  # eq 10
        norm = descend(self.generators, self.lifter_optimiser, loss)
        return {"loss_distillation": loss, "generator_gradient_norm": norm}

    def supervised_step(self, batch: Batch) -> dict[str, Scalar]:
        """One step on true depths, in units of the keypoints: the reference that an unsupervised
        lifter is held against."""
        keypoints, depth, _ = self._varied(batch)
        loss = (self.lift(keypoints) - depth).square().mean()
        norm = descend(self.generators, self.lifter_optimiser, loss)
        return {"loss_supervised": loss, "generator_gradient_norm": norm}

    def lift(self, keypoints: Keypoints) -> Depth:
        """Depths of keypoints (poses, *views, 16, 2), multiplied in the config's precision."""
        with self._precision():
            return self.trained(keypoints)

    def _lift_uncompiled(self, keypoints: Keypoints) -> Depth:
        """As `lift`, for derivatives that torch.compile does not take."""
        with self._precision():
            return self.trained.forward(keypoints)

    def discriminate(self, keypoints: Shown) -> PerPose:
        """The discriminator's logits, multiplied in the config's precision."""
        with self._precision():
            return self.discriminator(keypoints)

    def random_view(self, count: int) -> View:
        """Azimuth within half a turn and elevation within its limit, for each pose or pair, or for
        the whole batch."""
        frames = self.discriminator.num_frames
        size = count // frames if self.config.adversary.rotation == "pose" else 1

        def uniform(name: str, limit: float) -> Tensor:
            rng = self.rng[name]
            angles = (2 * torch.rand(size, generator=rng, device=rng.device) - 1) * limit
            return angles.repeat(frames) if size > 1 else angles

        return View(uniform("azimuth", math.pi), uniform("elevation", self.elevation_limit))

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
            self.epoch = state["epoch"]
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
        average = Lifter(self.trained.parts, self.config.network, self.rng["dropout"]).to(device).eval()
        average.load_state_dict(self.trained.state_dict())
        return average

    def _varied(self, batch: Batch) -> Batch:
        """The batch as its config's augmentation has it; an adversarial step turns poses by
        itself."""
        augmentation = self.config.augmentation
        if augmentation.turned and self.config.objective != "adversarial":
            batch = turn_share(batch, augmentation, self.elevation_limit, self.rng)
        return mirror_half(batch, self.rng["mirror"], self.config.has_pairs) if augmentation.mirror else batch

    def _discriminator_step(self, real: Shown, fake: Shown) -> dict[str, Scalar]:
        """One step of the discriminator on what it is shown; returns its unweighted losses."""
        adversary, swapped = self.config.adversary, None
        if adversary.swap_labels:
            swapped = torch.rand((), generator=self.rng["swap"], device=real.device) < adversary.swap_labels
        real, fake = real.detach().requires_grad_(adversary.r1 > 0), fake.detach().requires_grad_(adversary.r2 > 0)
        real_score, fake_score = self.discriminate(torch.cat([real, fake])).split(len(real))
        losses = {"loss_discriminator": discriminator_loss(real_score, fake_score, adversary, swapped)}  # eq 6
        loss = losses["loss_discriminator"]
        for name, weight, score, shown in (("r1", adversary.r1, real_score, real), ("r2", adversary.r2, fake_score, fake)):
            if weight:
                losses[f"loss_{name}"] = gradient_penalty(score, shown)
                loss = loss + weight * losses[f"loss_{name}"]
        norm = descend(self.discriminator, self.discriminator_optimiser, loss)
        return {**losses, **accuracies(real_score, fake_score, adversary), "discriminator_gradient_norm": norm}

    def _shown(self, reprojected: KeypointsBatch, scale: PerPose) -> Shown:
        """What the discriminator is shown of reprojected poses; of observed ones the largest
        coordinate is 1."""
        framed = in_frames(reprojected, scale, self.discriminator.num_frames)
        return max_normalise(framed)[0] if self.config.adversary.renormalise else framed

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.part_means.device.type, torch.bfloat16, enabled=self.config.numerics.bf16)

    @torch.no_grad()
    def _real_score(self, observed: Shown) -> PerPose | None:
        """The logits of observed poses, which the generators' relativistic loss needs."""
        return self.discriminate(observed) if self.config.adversary.loss == "relativistic" else None

    def _tilt(self, keypoints: KeypointsBatch) -> PerPose | None:
        """The elevations of the cameras, as learnt."""
        if self.elevation is None:
            return None
        with self._precision():
            return self.elevation(keypoints)

    def _rates(self) -> tuple[float, float]:
        """The learning rates of lifter and discriminator in the next epoch."""
        settings = self.config.optimiser
        factor = rate_factor(settings, self.epoch)
        return settings.learning_rate * factor, (settings.discriminator_learning_rate or settings.learning_rate) * factor
