"""Every choice of a run as one frozen value, with the paper's settings as defaults.

A config says what is trained on what; it has no seed (a run is a config and a seed) and no number
of epochs (a curve can always be made longer), so that two campaigns with equal configs can be
merged.
"""

import dataclasses
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from tips_ray.checks import check_fields
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import PARTITIONS, Part, partition

Value = TypeVar("Value", bound=Any)

ELEVATION_DEGREES = 10.0
"""Cameras and random rotations look up or down by at most this much (section 3.2.1)."""


@dataclass(frozen=True)
class Data:
    """Which poses are seen, and from where."""

    test_subjects: tuple[str, ...] = ()
    """Subjects held out for the error; empty: the last quarter of the subjects."""
    left_out_subjects: tuple[str, ...] = ()
    """Subjects neither trained nor tested on: a search keeps its test subjects for the
    confirmation."""
    num_views: int = 4
    """Cameras that see each pose: one azimuth and elevation per clip and camera, drawn once."""
    new_views_each_epoch: bool = False
    """Weakly supervised (appendix A.3): draw new true views in every epoch. They carry 3D
    information."""
    max_train_poses: int | None = None
    """Train on a random subset of this many poses (before views)."""
    epoch_views: int | None = None
    """Views trained on in one epoch, drawn anew for each; None: all of them. Sets how often the
    error is measured."""
    seed: int = 0
    """Seed of the cameras, of the subset, and of the synthetic poses; shared by all runs of a
    study."""

    def __post_init__(self) -> None:
        check_fields(self, num_views="[1, inf)", max_train_poses="[1, inf)", epoch_views="[1, inf)")


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of equations 8 and 9."""

    legs: float = 0.05
    """w1: adversarial term of the 6 leg joints."""
    torso: float = 0.08
    """w4: adversarial term of the 10 torso joints. Another partition gives a part the sum of its
    joints' shares: solo w1 + w4."""
    reprojection: float = 10.0
    """w2: reprojection consistency, equation 2."""
    ninety_degree: float = 3.0
    """w3: quarter-turn consistency, equations 3 to 5."""

    def __post_init__(self) -> None:
        check_fields(self, legs="[0, inf)", torso="[0, inf)", reprojection="[0, inf)", ninety_degree="[0, inf)")


@dataclass(frozen=True)
class WeightRanges:
    """What a search tries for each weight, by default about a decade around the paper's value; its
    logarithm is uniform."""

    legs: tuple[float, float] = (0.01, 1.0)
    reprojection: tuple[float, float] = (1.0, 100.0)
    ninety_degree: tuple[float, float] = (0.3, 30.0)
    torso: tuple[float, float] = (0.01, 1.0)


@dataclass(frozen=True)
class Network:
    """Fully connected residual networks after Martinez et al."""

    width: int = 1024
    generator_blocks: int = 4
    discriminator_blocks: int = 3
    generator_norm: Literal["batch", "layer", "affine", "none"] = "batch"
    """Normalisation in the generators; `affine` is a learnt scale and shift without statistics."""
    discriminator_norm: Literal["batch", "layer", "affine", "none"] = "none"
    generator_dropout: float = 0.0
    discriminator_dropout: float = 0.3
    negative_slope: float = 0.01
    """Slope of the leaky ReLU for negative inputs."""

    def __post_init__(self) -> None:
        check_fields(
            self,
            width="[1, inf)",
            generator_blocks="[0, inf)",
            discriminator_blocks="[0, inf)",
            generator_dropout="[0, 1)",
            discriminator_dropout="[0, 1)",
            negative_slope="[0, inf)",
        )


@dataclass(frozen=True)
class Adversary:
    """How the discriminator plays, equation 6."""

    loss: Literal["non_saturating", "least_squares"] = "non_saturating"
    real_label: float = 0.8
    """One-sided label smoothing: what real poses should score."""
    swap_labels: float = 0.0
    """Probability that a whole batch's real and fake labels are swapped for the discriminator."""
    renormalise: bool = False
    """Max-normalise reprojected poses again before the discriminator sees them."""
    rotation: Literal["pose", "batch"] = "pose"
    """One random rotation for each pose, or one for the whole batch."""

    def __post_init__(self) -> None:
        check_fields(self, real_label="(0, 1]", swap_labels="[0, 1]")


@dataclass(frozen=True)
class Optimiser:
    """Adam, for generators and discriminator alike."""

    learning_rate: float = 2e-4
    discriminator_learning_rate: float | None = None
    """None: the same as the generators'."""
    decay: float = 1.0
    """Factor on both learning rates after each epoch."""
    beta1: float = 0.9
    beta2: float = 0.999
    batch_size: int = 8192

    def __post_init__(self) -> None:
        check_fields(
            self,
            learning_rate="(0, inf)",
            discriminator_learning_rate="(0, inf)",
            decay="(0, 1]",
            beta1="[0, 1)",
            beta2="[0, 1)",
            batch_size="[2, inf)",
        )


@dataclass(frozen=True)
class Numerics:
    """How the same training is computed: choices that change numbers by rounding only, though
    `bf16` by a coarse one."""

    compile: bool = False
    """Compile the networks (torch.compile), which takes a minute and, on a CPU, a C++ compiler."""
    bf16: bool = False
    """Train the networks' hidden layers in bfloat16 (autocast); depths, losses, weights and errors
    stay float32."""
    deterministic: bool = False
    """Use deterministic algorithms only, so that runs on a GPU repeat bit for bit, as runs on a CPU
    do anyway."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Teacher:
    """Whose depths a distilled lifter learns."""

    arm: str = "parts"
    """An arm of the same campaign."""
    rule: str = "average of the last 10 %"
    """The stop rule that names the epoch, or the window of which the weights are averaged, of each
    of its runs: last epoch; epoch at 25 %, 50 % or 75 %; average of the last 10 %, 25 % or 50 %;
    moving average, half-life 5 %; lowest bone asymmetry, and so on for each signal; best epoch
    (oracle). Reports list all."""
    runs: Literal["own", "picked", "all"] = "own"
    """`own`: each student learns from the run of its own seed; `picked`: all from the run whose
    bones change least in clips, late in its training; `all`: from the mean of all runs, each with
    the depth sign that anatomy voted for."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Config:
    """One arm: everything that decides a run's numbers, but its seed."""

    objective: Literal["adversarial", "distilled", "supervised"] = "adversarial"
    """`distilled` learns the depths of a teacher (equation 10); `supervised` trains on true depths:
    a reference line, not an unsupervised result."""
    partition: str = "legs_torso"
    """`solo`, `legs_torso`, `left_right`, `five`, or JSON: part names to joint names."""
    data: Data = field(default_factory=Data)
    weights: Weights = field(default_factory=Weights)
    network: Network = field(default_factory=Network)
    adversary: Adversary = field(default_factory=Adversary)
    optimiser: Optimiser = field(default_factory=Optimiser)
    numerics: Numerics = field(default_factory=Numerics)
    teacher: Teacher = field(default_factory=Teacher)
    """Of a distilled lifter."""
    evaluate_views: int = 1
    """Cameras from which each test pose is lifted to measure the error."""
    keep_weights_every: int = 1
    """Keep the lifter's weights of every so many epochs; those of the last are always kept."""
    keep_weights_in: Literal["float32", "float16"] = "float32"
    """Precision of the weights that are kept; a run continues from full precision in any case."""

    def __post_init__(self) -> None:
        check_fields(self, evaluate_views="[1, inf)", keep_weights_every="[1, inf)")
        parts_of(self)


KEEPING = ("keep_weights_every", "keep_weights_in")
"""Fields that change no number of a run's curve, and so may change while it trains."""

TIPS: dict[str, Any] = {"objective": "distilled", "partition": "solo"}
"""A student sees the full 2D pose (section 3.4)."""

ARMS: dict[str, dict[str, Any]] = {
    "solo": {"partition": "solo"},
    "solo_deep": {"partition": "solo"},
    "parts": {},
    "left_right": {"partition": "left_right"},
    "five": {"partition": "five"},
    "tips": TIPS,
    "tips_last": {**TIPS, "teacher": {"rule": "last epoch"}},
    "tips_oracle": {**TIPS, "teacher": {"rule": "best epoch (oracle)"}},
    "tips_ensemble": {**TIPS, "teacher": {"runs": "all"}},
    "tips_solo": {**TIPS, "teacher": {"arm": "solo"}},
    "supervised": {"objective": "supervised", "partition": "solo"},
}
"""Arms by name: what each changes in the study's config, whose partition `parts` takes as it is;
`solo_deep` also has twice the residual blocks, and so about as many parameters as two parts.
`tips…` are distilled: `tips_solo` is the control, with solo as its teacher."""


@dataclass(frozen=True)
class Preset:
    """A study's size: its config, how many seeds, how long, and where the seeds train."""

    config: Config
    num_seeds: int
    num_epochs: int
    num_workers: int = 0
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0


def small(epoch_views: int) -> Config:
    """Networks and steps that a core trains in minutes; `benchmarks/README.md` says what was tried
    to find them."""
    return Config(
        data=Data(epoch_views=epoch_views),
        network=Network(width=128, generator_blocks=2, discriminator_blocks=2),
        adversary=Adversary(renormalise=True),
        optimiser=Optimiser(learning_rate=5e-4, batch_size=512),
    )


def quick() -> Preset:
    """Minutes on two cores: shows the whole way from poses to a report, not how good an arm can
    get."""
    return Preset(small(epoch_views=16384), num_seeds=3, num_epochs=24)


def laptop() -> Preset:
    """Less than half an hour on two cores."""
    return Preset(small(epoch_views=32768), num_seeds=3, num_epochs=80)


def claims() -> Preset:
    """An hour on two cores: enough seeds, and long enough, to hold the paper's claims against three
    training budgets."""
    config = override(small(epoch_views=32768), {"numerics": {"bf16": True}})
    return Preset(config, num_seeds=5, num_epochs=120)


def paper() -> Preset:
    """The paper's settings, for a cluster with GPUs: two seeds share one."""
    return Preset(
        Config(keep_weights_every=10), num_seeds=5, num_epochs=800, num_workers=5, cpus_per_worker=1.0, gpus_per_worker=0.5
    )


PRESETS = {"quick": quick, "laptop": laptop, "claims": claims, "paper": paper}


def arm_config(base: Config, arm: str) -> Config:
    """The config of a named arm, with a teacher only if it is distilled; raises ValueError for an
    unknown name."""
    if arm not in ARMS:
        raise UserError(f"Unknown arm {arm!r}; there are {', '.join(ARMS)}.")
    config = override(base, ARMS[arm])
    if config.objective != "distilled":
        config = dataclasses.replace(config, teacher=Teacher())
    if arm == "solo_deep":
        return override(config, {"network": {"generator_blocks": 2 * base.network.generator_blocks}})
    return config


def override(config: Value, changes: dict[str, Any]) -> Value:
    """A copy of a config with some fields changed, e.g. `{"weights": {"reprojection": 5.0}}`.

    Raises ValueError for an unknown name, naming the known ones, and for a value of the wrong type.
    """
    known = {entry.name: getattr(config, entry.name) for entry in dataclasses.fields(config)}
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise UserError(f"Unknown field {unknown[0]!r} of {type(config).__name__}; it has {', '.join(known)}.")

    def new(name: str, value: Any) -> Any:
        if isinstance(value, dict) and dataclasses.is_dataclass(known[name]):
            return override(known[name], value)
        # Configs are read back from JSON, which has lists only.
        return tuple(value) if isinstance(value, list) else value

    return dataclasses.replace(config, **{name: new(name, value) for name, value in changes.items()})


def parts_of(config: Config) -> tuple[Part, ...]:
    """The partition that a config names, or spells out as JSON; raises ValueError for an unknown
    one."""
    if config.partition in PARTITIONS:
        return PARTITIONS[config.partition]
    try:
        spelt = json.loads(config.partition)
    except json.JSONDecodeError:
        spelt = None
    if not isinstance(spelt, dict) or not all(isinstance(joints, list) for joints in spelt.values()):
        raise UserError(
            f"Unknown partition {config.partition!r}; give one of {', '.join(PARTITIONS)}, or JSON such as"
            ' {"upper": ["spine", ...], "lower": ["l_hip", ...]} with each of the 16 joints in one part.'
        )
    return partition(spelt)


def fingerprint(config: Config, without: Collection[str] = KEEPING) -> str:
    """Short hash of the values that are not defaults, so that a field added later changes no
    fingerprint.

    A default that a later version changes therefore needs a new `campaign.plan.VERSION`.
    """
    changed = {name: value for name, value in departures(config, Config()).items() if name not in without}
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:12]


def departures(config: Any, default: Any) -> dict[str, Any]:
    """The fields of a config that are not as in `default`: what `override(default, ...)` needs to
    make it."""
    changed = {}
    for entry in dataclasses.fields(config):
        value, usual = getattr(config, entry.name), getattr(default, entry.name)
        if value != usual:
            changed[entry.name] = departures(value, usual) if dataclasses.is_dataclass(value) else value
    return changed
