"""Every choice of a run as one frozen value, with the paper's settings as defaults.

A config says what is trained on what; it has no seed (a run is a config and a seed) and no number
of epochs (a curve can always be made longer), so that two campaigns with equal configs can be
merged.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tips_ray.checks import check_fields
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import PARTITIONS, Part, Sides, UpAxis, partition

Value = TypeVar("Value", bound=Any)

MAX_SEEDS, MAX_EPOCHS, MAX_TRIALS = 10_000, 1_000_000, 1_000_000

ELEVATION_DEGREES = 10.0
"""Rendered cameras look up or down by at most this much, and so do random rotations by default
(section 3.2.1)."""

NOMINAL_MM = 780.0
"""The size given to keypoints of which no size is known: about the median, over adults who are seen
from all around, of a pose's largest coordinate relative to the pelvis."""


@dataclass(frozen=True)
class Reading:
    """How poses are read."""

    seed: int = 0
    """Seed of the synthetic poses."""
    up: UpAxis | None = None
    """The axis of the file that points up; None: what the file says, or y."""
    sides: Sides | None = None
    """`swapped` if what the file calls left is right; None: what the file says."""
    drop_implausible: bool = False
    """Leave out frames that are no body, instead of refusing the file."""


FILES_OF_3D = (
    "Human3.6M (VideoPose3D's data_3d_h36m.npz, h36m-fetch's annot.h5, MMPose's h36m_*.npz), MPI-INF-3DHP (annot_data.mat,"
    " annot.mat, P-STMO's or MMPose's .npz), CMU's .asf and .amc, BVH, or a plain .npz"
)
FILES_OF_2D = (
    "VideoPose3D's data_2d_*.npz, COCO, COCO-WholeBody, Halpe, CrowdPose, PoseTrack, OpenPose, AlphaPose, MMPose, ViTPose, YOLO"
    " (.txt or .json), RTMLib, TensorFlow.js, Detectron, MediaPipe, DeepLabCut, or a plain .npz"
)
"""What help texts say of the files that are read; `docs/howto/formats.md` has the whole list."""


@dataclass(frozen=True)
class FileReading:
    """How files of keypoints are read, and of poses where it fits."""

    person: str = "largest"
    """Whom to take where several people are seen: `largest`, `confident` (the most confident),
    `nearest` (to the last frame, starting with the largest), `all`, or the id of a track. Where the
    file has tracks, the largest or most confident track of each clip."""
    min_confidence: float = 0.3
    """Joints with less confidence are missing."""
    max_gap: int = 0
    """Fill joints that are missing in at most so many consecutive frames from the clip's
    neighbouring frames; frames that stay short of joints are left out."""
    every_nth: int = 1
    """Take every n-th frame of each clip."""
    image_size: tuple[int, int] | None = None
    """Width and height of the images in pixels, where the file does not say."""
    joint_map: Path | None = None
    """JSON file with the file's names of joints, such as {"l_hip": "LeftUpLeg"}."""
    cameras: Path | None = None
    """JSON file of Human3.6M's cameras, to pair keypoints with 3D poses."""

    def __post_init__(self) -> None:
        check_fields(self, min_confidence="[0, 1]", max_gap="[0, 10000]", every_nth="[1, 1000000]")
        if self.image_size and not all(0 < side < 1e6 for side in self.image_size):
            raise UserError(f"--image-size is {self.image_size}; give the width and the height in pixels.")


@dataclass(frozen=True)
class Observation:
    """How the 2D input is made of poses, of training and test alike; errors are measured against
    the true poses."""

    noise_mm: float = 0.0
    """Standard deviation of Gaussian noise on both coordinates of each keypoint, in mm at the
    body."""
    missing: float = 0.0
    """Share of keypoints that are missing, at random. A missing one is put where the others make it
    likely, were 2D poses normally distributed."""
    distance_m: float | None = None
    """Distance of a perspective camera from the pelvis, in m; None: orthographic."""

    def __post_init__(self) -> None:
        check_fields(self, noise_mm="[0, 1000]", missing="[0, 1)", distance_m="[2, 1000000]")


EXACT = Observation()
"""Orthographic, without noise, and whole."""


@dataclass(frozen=True)
class Data(Reading):
    """Which poses are seen, and from where."""

    test_subjects: tuple[str, ...] = ()
    """Subjects held out for the error; empty: the last quarter of the subjects."""
    left_out_subjects: tuple[str, ...] = ()
    """Subjects neither trained nor tested on: a search keeps its test subjects for the
    confirmation."""
    num_views: int = 4
    """Cameras that see each pose: one azimuth and elevation per clip and camera, drawn once."""
    new_views_each_epoch: bool = False
    """Weakly supervised (appendix A.3): draw new true views in every epoch, of poses with 3D. They
    carry 3D information. Arms of one campaign may differ in this alone of their data."""
    max_train_poses: int | None = None
    """Train on a random subset of this many poses (before views)."""
    epoch_views: int | None = None
    """Views trained on in one epoch, drawn anew for each; None: all of them. Sets how often the
    error is measured."""
    seed: int = 0
    """Seed of the cameras, of the subset, and of the synthetic poses; shared by all runs of a
    study."""
    observation: Observation = field(default_factory=Observation)
    """How cameras and detectors see them."""

    def __post_init__(self) -> None:
        check_fields(self, num_views="[1, 1000]", max_train_poses="[1, 1000000000]", epoch_views="[1, 1000000000]")

    @property
    def shared(self) -> "Data":
        """What all arms of a campaign have in common."""
        return dataclasses.replace(self, new_views_each_epoch=False)


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
    all_angles: float = 0.0
    """Consistency for all angles at once, equation 16; not with batch norm in the generators."""
    symmetry: float = 0.0
    """Left and right bones are equally long (anatomy)."""
    proportions: float = 0.0
    """Limb segments have the proportions of adults (anthropometry)."""
    knees: float = 0.0
    """Knees bend forwards (anatomy)."""
    facing: float = 0.0
    """Hips and shoulders face the same way (anatomy)."""
    rigidity: float = 0.0
    """Bones keep their lengths between two frames of a clip (time); a batch is then made of
    pairs."""
    augmented: float = 0.0
    """Lifted poses with other bones and bent limbs (`augmentation.stretched`, `augmentation.bent`),
    seen from elsewhere, are lifted as what they are."""

    def __post_init__(self) -> None:
        check_fields(self, **dict.fromkeys((entry.name for entry in dataclasses.fields(self)), "[0, 1000000]"))


@dataclass(frozen=True)
class WeightRanges:
    """What a search tries for each weight, by default about a decade around the paper's value; its
    logarithm is uniform. The config that the search starts from lies within."""

    legs: tuple[float, float] = (0.01, 1.0)
    """Lowest and highest weight of the legs' adversarial term."""
    reprojection: tuple[float, float] = (1.0, 100.0)
    """The same of the reprojection term."""
    ninety_degree: tuple[float, float] = (0.3, 30.0)
    """The same of the quarter turns."""
    torso: tuple[float, float] = (0.01, 1.0)
    """The same of the torso's adversarial term."""
    symmetry: tuple[float, float] | None = None
    """None: not searched."""
    proportions: tuple[float, float] | None = None
    """None: not searched."""
    rigidity: tuple[float, float] | None = None
    """None: not searched."""
    augmented: tuple[float, float] | None = None
    """None: not searched."""


@dataclass(frozen=True)
class Network:
    """Fully connected residual networks after Martinez et al."""

    width: int = 1024
    """Units of each hidden layer."""
    generator_blocks: int = 4
    """Residual blocks of each part's network."""
    discriminator_blocks: int = 3
    """Residual blocks of each discriminator."""
    generator_norm: Literal["batch", "layer", "affine", "none"] = "batch"
    """Normalisation in the generators; `affine` is a learnt scale and shift without statistics."""
    discriminator_norm: Literal["batch", "layer", "affine", "none"] = "none"
    """Normalisation in the discriminators."""
    generator_dropout: float = 0.0
    """Share of the generators' units that are left out in each training step."""
    discriminator_dropout: float = 0.3
    """The same of the discriminators."""
    negative_slope: float = 0.01
    """Slope of the leaky ReLU for negative inputs."""
    start_depth: float = 1.0
    """Factor on the first weights of the generators' output layers: below 1, lifted poses start
    nearly flat."""
    mirror_mean: bool = False
    """Outside training steps a lifter answers with the mean over a pose and its mirror image."""

    def __post_init__(self) -> None:
        check_fields(
            self,
            start_depth="(0, 1]",
            width="[1, 16384]",
            generator_blocks="[0, 64]",
            discriminator_blocks="[0, 64]",
            generator_dropout="[0, 1)",
            discriminator_dropout="[0, 1)",
            negative_slope="[0, 1]",
        )


@dataclass(frozen=True)
class Adversary:
    """What the discriminator sees, and how it is trained, equation 6."""

    loss: Literal["non_saturating", "least_squares", "relativistic"] = "non_saturating"
    """`relativistic` compares each observed pose with its own reprojection; it has no labels."""
    real_label: float = 0.8
    """One-sided label smoothing: what real poses should score."""
    swap_labels: float = 0.0
    """Probability that a whole batch's real and fake labels are swapped for the discriminator."""
    renormalise: bool = False
    """Max-normalise reprojected poses again before the discriminator sees them."""
    rotation: Literal["pose", "batch"] = "pose"
    """One random rotation for each pose, or one for the whole batch."""
    features: Literal["keypoints", "bones"] = "keypoints"
    """`bones`: the discriminator also sees the inner products of all bones (kinematic chain space,
    Wandt & Rosenhahn)."""
    sees: Literal["pose", "pair"] = "pose"
    """`pair`: two frames of a clip, seen by one camera, at one scale (time)."""
    gap: int | None = 8
    """Greatest distance, in frames, of the two frames of a pair; None: anywhere in the clip."""
    elevation_degrees: float = ELEVATION_DEGREES
    """Random views look up or down by at most this much: as much as the cameras that observed the
    keypoints."""
    elevation: Literal["ignored", "learnt"] = "ignored"
    """`learnt`: a network tells the elevation of a pose's camera, which is undone before the pose
    is rotated (ElePose)."""
    r1: float = 0.0
    """Weight of R1: half the squared gradient of the logit by observed poses (Mescheder et al.)."""
    r2: float = 0.0
    """Weight of R2: the same by reprojected poses."""

    def __post_init__(self) -> None:
        weights = {"r1": "[0, 1000000]", "r2": "[0, 1000000]"}
        check_fields(self, real_label="(0, 1]", swap_labels="[0, 1]", gap="[1, 1000000]", elevation_degrees="[0, 90]", **weights)


@dataclass(frozen=True)
class Optimiser:
    """Adam, for generators and discriminator alike."""

    learning_rate: float = 2e-4
    """Of the generators."""
    discriminator_learning_rate: float | None = None
    """None: the same as the generators'."""
    decay: float = 1.0
    """Factor on both learning rates after each epoch."""
    cosine_epochs: int | None = None
    """Both learning rates also fall to a hundredth along half a cosine over so many epochs, and
    stay there. A curve can always be made longer, so the horizon belongs to the config: another one
    is another arm."""
    averaging: float = 0.0
    """Decay, a step, of a moving average of the lifter's weights, which is then what is evaluated,
    kept and distilled; 0: the weights themselves are."""
    beta1: float = 0.9
    """Decay, a step, of Adam's mean of gradients."""
    beta2: float = 0.999
    """Decay, a step, of Adam's mean of squared gradients."""
    batch_size: int = 8192
    """Views in a step."""

    def __post_init__(self) -> None:
        check_fields(
            self,
            learning_rate="(0, 1e30]",
            discriminator_learning_rate="(0, 1e30]",
            decay="(0, 1]",
            cosine_epochs="[1, 1000000]",
            averaging="[0, 1)",
            beta1="[0, 1)",
            beta2="[0, 1)",
            batch_size="[2, 10000000]",
        )


@dataclass(frozen=True)
class Augmentation:
    """How a batch is varied; what is evaluated is never varied."""

    mirror: bool = False
    """Half of the views are seen in a mirror, left and right swapped."""
    turned: float = 0.0
    """Share of a distilled or supervised run's views that are replaced by their poses, as the
    teacher or the truth has them, turned to a random view."""
    stretched: float = 0.0
    """Standard deviation of the logarithm of factors on the bones of the poses that are turned, or
    that `weights.augmented` is about, the same on both sides of a body."""
    bent: float = 0.0
    """Standard deviation of noise on the direction of each bone of those poses, as a share of its
    length."""
    noise: float = 0.0
    """Largest standard deviation of noise on the keypoints of those poses, as a share of their
    largest coordinate; each pose has its own, between 0 and this."""

    def __post_init__(self) -> None:
        check_fields(self, turned="[0, 1]", stretched="[0, 1]", bent="[0, 1]", noise="[0, 1]")


@dataclass(frozen=True)
class Numerics:
    """How the same training is computed: choices that change numbers by rounding only, though
    `bf16` and `tf32` by a coarse one."""

    bf16: bool = False
    """Train the networks' hidden layers in bfloat16 (autocast); depths, losses, weights and errors
    stay float32."""
    tf32: bool = False
    """Let GPUs multiply float32 numbers in TF32, with about three digits."""
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
    augmentation: Augmentation = field(default_factory=Augmentation)
    numerics: Numerics = field(default_factory=Numerics)
    teacher: Teacher | None = None
    """Of a distilled lifter; every other config has none."""

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.objective == "distilled") != (self.teacher is not None):
            raise UserError(
                f"A config with the objective {self.objective!r} has the teacher {self.teacher!r}; a distilled config needs a"
                " Teacher, as the arm 'tips' has, and no other takes one."
            )
        parts_of(self)
        if self.weights.all_angles and self.network.generator_norm == "batch":
            raise UserError(
                "--weights.all-angles needs the derivative of a depth by its own pose alone, but batch norm mixes the poses of a"
                " batch; give a --network.generator-norm of layer, affine or none."
            )
        if self.has_pairs and self.optimiser.batch_size % 2:
            raise UserError(
                f"--optimiser.batch-size is {self.optimiser.batch_size}, but with --weights.rigidity or --adversary.sees pair a"
                " batch is made of pairs; give an even one."
            )

    @property
    def has_pairs(self) -> bool:
        """Whether a batch is made of pairs of frames of a clip: its second half has the partners of
        its first."""
        return self.objective == "adversarial" and (self.weights.rigidity > 0 or self.adversary.sees == "pair")

    @property
    def share_augmented(self) -> float:
        """Which share of a batch's poses is bent, stretched and turned: some of what a student or a
        supervised lifter is given; of what an adversarial one has lifted, all or none."""
        return float(self.weights.augmented > 0) if self.objective == "adversarial" else self.augmentation.turned


@dataclass(frozen=True)
class Evaluation:
    """How the error of a run is measured."""

    num_views: int = 1
    """Cameras from which each test pose is lifted to measure the error."""

    def __post_init__(self) -> None:
        check_fields(self, num_views="[1, 1000]")


@dataclass(frozen=True)
class KeepWeights:
    """Which of a lifter's weights are kept; changes no number of a curve, and so may change while a
    campaign trains."""

    every: int = 1
    """Keep the lifter's weights of every so many epochs; those of the last are always kept."""
    precision: Literal["float32", "float16"] = "float32"
    """Precision of the weights that are kept; a run continues from full precision in any case."""

    def __post_init__(self) -> None:
        check_fields(self, every="[1, 1000000000]")


@dataclass(frozen=True)
class Placement:
    """Where the runs of one arm are trained."""

    num_workers: int = 0
    """Ray Train workers of each arm, to which its seeds are dealt; 0: the seeds of an arm take
    turns in one process."""
    cpus_per_worker: float = 1.0
    """CPUs of a worker (or of that one process); a fraction lets several share a core."""
    gpus_per_worker: float = 0.0
    """GPUs of a worker; a fraction lets several share a GPU."""
    seeds_per_process: int = 1
    """Runs that a process trains at once, as one batched model: seeds of an arm, and in a search
    also trials that differ only in weights, labels and learning rates; they are suggested before
    any of them has ended. 1: one after the other, an epoch each. A run's numbers are the same but
    for rounding."""
    cuda_graphs: bool = False
    """On a GPU, record the training step once as a CUDA graph, and replay it."""

    def __post_init__(self) -> None:
        ranges = {"num_workers": "[0, 10000]", "cpus_per_worker": "[0.01, 10000]", "gpus_per_worker": "[0, 1000]"}
        check_fields(self, **ranges, seeds_per_process="[1, 10000]")


def override(config: Value, changes: dict[str, Any]) -> Value:
    """A copy of a config with some fields changed, e.g. `{"weights": {"reprojection": 5.0}}`.

    Raises ValueError for an unknown name, naming the known ones, and for a value of the wrong type.
    """
    values = {entry.name: getattr(config, entry.name) for entry in dataclasses.fields(config)}
    unknown = [name for name in changes if name not in values]
    if unknown:
        raise UserError(f"Unknown field {unknown[0]!r} of {type(config).__name__}; it has {', '.join(values)}.")

    def changed(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            group = Teacher() if name == "teacher" and values[name] is None else values[name]
            return override(group, value) if dataclasses.is_dataclass(group) else value
        # Configs are read back from JSON, which has lists only.
        return tuple(value) if isinstance(value, list) else value

    return dataclasses.replace(config, **{name: changed(name, value) for name, value in changes.items()})


def parts_of(config: Config) -> tuple[Part, ...]:
    """The partition that a config names, or spells out as JSON; raises ValueError for an unknown
    one."""
    if config.partition in PARTITIONS:
        return PARTITIONS[config.partition]
    try:
        spelt = json.loads(config.partition)
    except (json.JSONDecodeError, RecursionError):
        spelt = None
    if not isinstance(spelt, dict) or not all(isinstance(joints, list) for joints in spelt.values()):
        raise UserError(
            f"Unknown partition {config.partition[:100]!r}; give one of {', '.join(PARTITIONS)}, or JSON such as"
            ' {"upper": ["spine", ...], "lower": ["l_hip", ...]} with each of the 16 joints in one part.'
        )
    return partition(spelt)


def fingerprint(config: Config) -> str:
    """Short hash of the values that are not defaults, so that a field added later changes no
    fingerprint.

    A default that a later version changes therefore needs a new `store.checked.VERSION`.
    """
    return hashlib.sha256(json.dumps(departures(config, Config()), sort_keys=True).encode()).hexdigest()[:12]


def departures(config: Any, default: Any) -> dict[str, Any]:
    """The fields of a config that are not as in `default`: what `override(default, ...)` needs to
    make it."""
    changed = {}
    for entry in dataclasses.fields(config):
        value, usual = getattr(config, entry.name), getattr(default, entry.name)
        if value != usual:
            usual = type(value)() if usual is None and dataclasses.is_dataclass(value) else usual
            changed[entry.name] = departures(value, usual) if dataclasses.is_dataclass(value) else value
    return changed
