"""One training step as a function of networks, optimisers, a batch, and the numbers drawn for it.

The same step trains one run, or several as one batched model: then every input, weight and loss has
a leading dimension for the runs, and `Trained.call` gives each run its own part of them.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips_ray.config import Config, parts_of
from tips_ray.lifting.augment import Batch, mirror_half, turn_share
from tips_ray.lifting.draws import Draws
from tips_ray.lifting.losses import (
    Step,
    accuracies,
    consistency_terms,
    discriminator_loss,
    generator_adversarial_loss,
    generator_loss,
    gradient_penalty,
    part_means,
    weigh_gradient,
)
from tips_ray.lifting.networks import Discriminator, DropoutNumbers, Elevation, Lifter, initialise, start_flat
from tips_ray.lifting.optimise import descend
from tips_ray.lifting.pairs import Shown, in_frames
from tips_ray.lifting.sharing import StepSettings
from tips_ray.poses.geometry import View, lift, max_normalise, quarter_turns, reproject, rotate, rotate_back
from tips_ray.poses.types import Depth, DepthBatch, Keypoints, KeypointsBatch, PerPose, Scalar
from tips_ray.seeding import stream

PerRun = Float[Tensor, "*runs"]
Losses = dict[str, PerRun]


class Networks(nn.Module):
    """The networks that a run trains, and what its config says of their step."""

    part_means: Tensor

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__()
        self.config, self.numbers, parts = config, DropoutNumbers(), parts_of(config)
        self.elevation_limit = math.radians(config.adversary.elevation_degrees)
        self.lifter = Lifter(parts, config.network, self.numbers)
        self.discriminator = Discriminator(config.network, config.adversary, self.numbers)
        learnt = config.adversary.elevation == "learnt"
        self.elevation = Elevation(config.network, self.elevation_limit) if learnt else None
        initialise(self.lifter, stream(seed, "initialise", "lifter"))
        start_flat(self.lifter, config.network.start_depth)
        initialise(self.discriminator, stream(seed, "initialise", "discriminator"))
        if self.elevation is not None:
            initialise(self.elevation, stream(seed, "initialise", "elevation"))
        self.settings = StepSettings(config)
        self.register_buffer("part_means", part_means(parts), persistent=False)

    def forward(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """What a function makes of these networks and some inputs."""
        return function(self, *inputs)

    def lift(self, keypoints: Keypoints) -> Depth:
        """Depths of keypoints (poses, *views, 16, 2), multiplied in the config's precision."""
        with self._precision():
            return self.lifter(keypoints)

    def discriminate(self, keypoints: Shown) -> PerPose:
        """The discriminator's logits, multiplied in the config's precision."""
        with self._precision():
            return self.discriminator(keypoints)

    def tilt(self, keypoints: KeypointsBatch) -> tuple[PerPose, ...]:
        """The elevations of the cameras, if they are learnt."""
        if self.elevation is None:
            return ()
        with self._precision():
            return (self.elevation(keypoints),)

    def shown(self, reprojected: KeypointsBatch, scale: PerPose) -> Shown:
        """What the discriminator is shown of reprojected poses; of observed ones the largest
        coordinate is 1."""
        framed = in_frames(reprojected, scale, self.discriminator.num_frames)
        return max_normalise(framed)[0] if self.config.adversary.renormalise else framed

    def use(self, draws: Draws, part: Literal["lift", "judge", "learn"]) -> None:
        """Let dropout use its numbers of one part of a step."""
        if f"dropout_{part}" in draws:
            self.numbers.left = draws[f"dropout_{part}"]

    def _precision(self) -> AbstractContextManager[Any]:
        bf16 = self.config.numerics.bf16
        return torch.autocast(self.part_means.device.type, torch.bfloat16) if bf16 else nullcontext()


class Seen(NamedTuple):
    """What a step makes of a batch before the discriminator is trained."""

    keypoints: KeypointsBatch
    scale: PerPose
    depth: DepthBatch
    reprojected: KeypointsBatch
    """The lifted poses from a new viewpoint."""
    azimuth: PerPose
    elevation: PerPose
    tilt: tuple[PerPose, ...]
    """The elevations of the cameras, if they are learnt."""

    @property
    def view(self) -> View:
        """The new viewpoint."""
        return View(self.azimuth, self.elevation, *self.tilt)


@dataclass(frozen=True)
class Trained:
    """What steps train: the networks of one run, or of several as one model."""

    config: Config
    call: Callable[..., Any]
    """Calls a function of `Networks` and further inputs; of several runs, for each of them."""
    generators: Sequence[Tensor]
    """Their parameters."""
    discriminator: Sequence[Tensor]
    generator_optimiser: torch.optim.Adam
    discriminator_optimiser: torch.optim.Adam

    def step(self, batch: Batch, draws: Draws) -> Losses:
        """One step of the config's objective; returns the unweighted losses."""
        return self._adversarial(batch, draws) if self.config.objective == "adversarial" else self._regression(batch, draws)

    def _adversarial(self, batch: Batch, draws: Draws) -> Losses:
        """Discriminator and generators on max-normalised keypoints alone (equations 2 to 9)."""
        seen: Seen = self.call(see_anew, batch, draws)
        judged = self._discriminator(seen, draws)
        learnt: Losses = self.call(generator_losses, seen, draws)
        norm = descend(self.generators, self.generator_optimiser, learnt.pop("loss"))
        return judged | learnt | {"generator_gradient_norm": norm}

    def _discriminator(self, seen: Seen, draws: Draws) -> Losses:
        """One step of the discriminator on what it is shown."""
        adversary = self.config.adversary
        real, fake = self.call(what_is_shown, seen)
        real, fake = real.detach().requires_grad_(adversary.r1 > 0), fake.detach().requires_grad_(adversary.r2 > 0)
        real_score, fake_score = self.call(scores, real, fake, draws)
        losses: Losses = self.call(discriminator_losses, real_score, fake_score, draws)
        loss = losses["loss_discriminator"]
        r1, r2 = self.call(penalty_weights)
        for name, weight, score, shown in (("r1", r1, real_score, real), ("r2", r2, fake_score, fake)):
            if getattr(adversary, name):
                losses[f"loss_{name}"] = gradient_penalty(score, shown)
                loss = loss + weight * losses[f"loss_{name}"]
        norm = descend(self.discriminator, self.discriminator_optimiser, loss)
        return losses | {"discriminator_gradient_norm": norm}

    def _regression(self, batch: Batch, draws: Draws) -> Losses:
        """The lifter alone, on the depths of the batch."""
        loss = self.call(depth_loss, batch, draws)
        norm = descend(self.generators, self.generator_optimiser, loss)
        name = "loss_distillation" if self.config.objective == "distilled" else "loss_supervised"
        return {name: loss, "generator_gradient_norm": norm}


def see_anew(networks: Networks, batch: Batch, draws: Draws) -> Seen:
    """Lift a batch and reproject it from random viewpoints."""
    networks.use(draws, "lift")
    keypoints, _, scale = varied(networks, batch, draws)
    view = random_view(networks, draws)
    tilt = networks.tilt(keypoints)
    depth = networks.lift(keypoints)
    reprojected = reproject(rotate(lift(keypoints, depth), View(*view[:2], *tilt)))
    return Seen(keypoints, scale, depth, reprojected, view.azimuth, view.elevation, tilt)


def what_is_shown(networks: Networks, seen: Seen) -> tuple[Shown, Shown]:
    """The observed and the reprojected poses as the discriminator is shown them."""
    observed = in_frames(seen.keypoints, seen.scale, networks.discriminator.num_frames)
    return observed, networks.shown(seen.reprojected, seen.scale)


def scores(networks: Networks, real: Shown, fake: Shown, draws: Draws) -> tuple[PerPose, PerPose]:
    """The logits of both."""
    networks.use(draws, "judge")
    real_score, fake_score = networks.discriminate(torch.cat([real, fake])).split(len(real))
    return real_score, fake_score


def discriminator_losses(networks: Networks, real: PerPose, fake: PerPose, draws: Draws) -> dict[str, Scalar]:
    """The discriminator's loss, and the shares of poses that it tells right."""
    adversary = networks.config.adversary
    settings = networks.settings
    swapped = draws["swap"] < settings.swap_labels if adversary.swap_labels else None
    loss = discriminator_loss(real, fake, adversary, swapped, settings.real_label)  # eq 6
    return {"loss_discriminator": loss, **accuracies(real, fake, adversary, settings.real_label)}


def penalty_weights(networks: Networks) -> tuple[Scalar, Scalar]:
    """Of R1 and R2."""
    return networks.settings.r1, networks.settings.r2


def generator_losses(networks: Networks, seen: Seen, draws: Draws) -> dict[str, Scalar]:
    """The unweighted losses of the generators, and what they descend as "loss"."""
    networks.use(draws, "learn")
    adversary, weights, settings = networks.config.adversary, networks.config.weights, networks.settings
    keypoints, scale, depth, reprojected = seen[:4]
    turns = quarter_turns(keypoints, depth) if weights.ninety_degree else []
    asked = [reprojected, *(shown for shown, _ in turns)]
    augmented = augmented_poses(networks, seen, draws) if weights.augmented else None
    if augmented:
        asked.append(augmented.keypoints)
    lifted_again, *found = networks.lift(torch.stack(asked, dim=1)).unbind(1)
    cycled = reproject(rotate_back(lift(reprojected, lifted_again), seen.view))
    score = networks.discriminate(networks.shown(weigh_gradient(reprojected, settings.adversarial), scale))
    adversarial = generator_adversarial_loss(score, adversary, real_score(networks, seen))  # eq 6
    turned = tuple(found[: len(turns)]), tuple(expected for _, expected in turns)
    held_against = (found[-1], augmented.depth) if augmented else None
    step = Step(networks.lift, keypoints, scale, depth, *turned, reprojected, lifted_again, cycled, held_against)
    terms = consistency_terms(step, weights)  # eqs 2 to 5, 16
    loss = generator_loss(adversarial, terms, settings.weights, networks.part_means)  # eqs 8, 9
    return {"loss": loss, "loss_adversarial": adversarial, **{f"loss_{name}": term.mean() for name, term in terms.items()}}


def augmented_poses(networks: Networks, seen: Seen, draws: Draws) -> Batch:
    """The lifted poses with other bones and bent limbs, as seen from elsewhere."""
    lifted = Batch(seen.keypoints, seen.depth.detach(), seen.scale)
    return turn_share(lifted, networks.config.augmentation, networks.elevation_limit, draws)


@torch.no_grad()
def real_score(networks: Networks, seen: Seen) -> PerPose | None:
    """The logits of observed poses, which the generators' relativistic loss needs."""
    if networks.config.adversary.loss != "relativistic":
        return None
    return networks.discriminate(in_frames(seen.keypoints, seen.scale, networks.discriminator.num_frames))


def depth_loss(networks: Networks, batch: Batch, draws: Draws) -> Scalar:
    """Mean squared distance from the depths of a batch, in units of the keypoints: of teachers
    (equation 10), or true ones, the reference that an unsupervised lifter is held against."""
    networks.use(draws, "lift")
    keypoints, depth, _ = varied(networks, batch, draws)
    return (networks.lift(keypoints) - depth).square().mean()


def varied(networks: Networks, batch: Batch, draws: Draws) -> Batch:
    """The batch as its config's augmentation has it; an adversarial step turns poses by itself."""
    config = networks.config
    if config.augmentation.turned and config.objective != "adversarial":
        batch = turn_share(batch, config.augmentation, networks.elevation_limit, draws)
    return mirror_half(batch, draws["mirror"], config.has_pairs) if config.augmentation.mirror else batch


def random_view(networks: Networks, draws: Draws) -> View:
    """Azimuth within half a turn and elevation within its limit, for each pose or pair, or for the
    whole batch."""
    adversary = networks.config.adversary
    frames = networks.discriminator.num_frames if adversary.rotation == "pose" else 1
    azimuth, elevation = (2 * draws[name] - 1 for name in ("azimuth", "elevation"))
    return View((math.pi * azimuth).repeat(frames), (networks.elevation_limit * elevation).repeat(frames))
