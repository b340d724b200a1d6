"""The columns of curves, in one table: what each is called, what it measures, and whether a stop
rule may see it."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["error", "loss", "adversary", "sign", "signal", "derived", "benchmark"]


@dataclass(frozen=True)
class Column:
    """One column of a curve; its values are one number an epoch."""

    name: str
    label: str
    """What reports call it."""
    group: Group
    label_free: bool = True
    """Whether it was made without 3D labels, so that a stop rule may see it."""
    share: bool = False
    """Whether its values are shares, from 0 to 1."""
    in_hindsight: bool = False
    """Whether it is known only after training has ended."""

    @property
    def short(self) -> str:
        """What the names of stop rules call it."""
        plain = self.name.removeprefix("loss_").removesuffix("_mm").replace("_", " ")
        return plain + (" loss" if self.group == "loss" else "")


TABLE = (
    Column("p_mpjpe_signed_mm", "P-MPJPE, one depth sign a run", "error", label_free=False),
    Column("p_mpjpe_reflected_mm", "P-MPJPE, reflection allowed", "error", label_free=False),
    Column("p_mpjpe_mm", "P-MPJPE, rotation only", "error", label_free=False),
    Column("n_mpjpe_mm", "N-MPJPE", "error", label_free=False),
    Column("mpjpe_mm", "MPJPE", "error", label_free=False),
    Column("loss_adversarial", "Adversarial (eq. 6)", "loss"),
    Column("loss_reprojection", "Reprojection (eq. 2)", "loss"),
    Column("loss_ninety_degree", "Quarter turns (eqs. 3–5)", "loss"),
    Column("loss_all_angles", "All angles (eq. 16)", "loss"),
    Column("loss_symmetry", "Bones: left against right", "loss"),
    Column("loss_proportions", "Bones: off adult proportions", "loss"),
    Column("loss_knees", "Knees bent backwards", "loss"),
    Column("loss_facing", "Hips and shoulders face apart", "loss"),
    Column("loss_rigidity", "Bones: change between two frames", "loss"),
    Column("loss_augmented", "Augmented poses, lifted again", "loss"),
    Column("loss_discriminator", "Discriminator", "loss"),
    Column("loss_r1", "Discriminator's slope at real poses (R1)", "loss"),
    Column("loss_r2", "Discriminator's slope at fake poses (R2)", "loss"),
    Column("loss_distillation", "Distillation (eq. 10)", "loss"),
    Column("loss_supervised", "Supervised (sees labels)", "loss", label_free=False),
    Column("real_accuracy", "Real poses recognised", "adversary", share=True),
    Column("fake_accuracy", "Fake poses recognised", "adversary", share=True),
    Column("generator_gradient_norm", "Generator gradient norm", "adversary"),
    Column("discriminator_gradient_norm", "Discriminator gradient norm", "adversary"),
    Column("depth_sign", "Depth sign, mean over seeds", "sign", label_free=False),
    Column("part_sign_agreement", "Poses whose parts agree in sign", "sign", label_free=False, share=True),
    Column("limb_sign_agreement", "Poses whose worst limb segment has the right sign", "sign", label_free=False, share=True),
    Column("bone_asymmetry", "Bones: left against right", "signal"),
    Column("bone_variation", "Bones: change within a clip", "signal"),
    Column("bone_proportions", "Bones: off adult proportions", "signal"),
    Column("flipped_vote_share", "Limbs inside out", "signal"),
    Column("joint_limits", "Joints beyond their limits", "signal"),
    Column("depth_anisotropy", "Spread of depth against x", "signal"),
    Column("view_inconsistency_mm", "Seen from elsewhere, mm", "signal"),
    Column("frechet_2d", "Fréchet distance to observed 2D", "signal"),
    Column("fresh_critic", "Fresh critic on reprojected 2D", "signal"),
    Column("churn_mm", "Churn in an epoch, mm", "signal"),
    Column("average_distance_mm", "Distance from its moving average, mm", "signal"),
    Column("seed_disagreement_mm", "Distance from other seeds, mm", "signal"),
    Column("student_disagreement_mm", "Distance from its student, mm", "signal", in_hindsight=True),
    Column("consistency", "Consistency terms, sum", "derived"),
    Column("discriminator_accuracy", "Discriminator accuracy", "derived"),
    Column("pck_percent", "PCK, one depth sign a run", "benchmark", label_free=False),
    Column("auc_percent", "AUC, one depth sign a run", "benchmark", label_free=False),
    Column("pck_reflected_percent", "PCK, sign of each pose known", "benchmark", label_free=False),
    Column("auc_reflected_percent", "AUC, sign of each pose known", "benchmark", label_free=False),
    Column("pa_pck_percent", "PA-PCK", "benchmark", label_free=False),
    Column("pa_auc_percent", "PA-AUC", "benchmark", label_free=False),
)
"""Groups in the order in which reports show them; what is of a benchmark is measured at some epochs
alone, and in no curve. The depth sign is voted on without labels, but it
says nothing of how good a lifter is, and no rule sees it."""

BY_NAME = {column.name: column for column in TABLE}


def in_group(*groups: Group) -> tuple[str, ...]:
    """The names of the columns of some groups."""
    return tuple(column.name for column in TABLE if column.group in groups)


def label_of(name: str) -> str:
    """What reports call a column; its name where it is not in the table."""
    return BY_NAME[name].label if name in BY_NAME else name


def short_name(name: str) -> str:
    """What the names of stop rules call a column; its name where it is not in the table."""
    return BY_NAME[name].short if name in BY_NAME else name


METRICS = in_group("error")
"""Error columns in mm, the headline metric first."""

JOINT_SHARES = in_group("benchmark")
"""Columns in % of MPI-INF-3DHP's joints: nearer than 150 mm (PCK), and the mean over its thresholds
(AUC)."""

HEADLINE_METRIC = METRICS[0]

BENCHMARKS: dict[str, tuple[str, ...]] = {"human36m": METRICS, "mpi_inf_3dhp": JOINT_SHARES}
"""What is measured of lifters, by action, for the paper's Tables 1 and 2."""

TRAIN_METRIC = f"train_{HEADLINE_METRIC}"
"""The error on views that were trained on: by it a rule is chosen, so that test subjects have no
say."""

RAW_METRIC = f"raw_{HEADLINE_METRIC}"
"""The error of the weights themselves, of a run whose moving average is evaluated."""

ACTION_PREFIX = f"{HEADLINE_METRIC}/"
"""Begins the columns of the error on each action."""

SUBJECT_PREFIX = f"subject_{HEADLINE_METRIC}/"
"""Begins the columns of the error on each test subject."""

SIGNALS = in_group("signal")
"""What an epoch shows of a lifter without labels."""

DISAGREEMENTS = ("seed_disagreement_mm", "student_disagreement_mm")
"""The signals that compare runs (`tips_ray.stability.agreement`): no run can measure them alone."""

LABEL_FREE = tuple(column.name for column in TABLE if column.label_free)
"""All that a stop rule may see."""

CONSISTENCY = ("loss_reprojection", "loss_ninety_degree")
"""The unweighted consistency terms (equations 2 to 5), which need no labels; their sum is the
label-free objective."""

FLAT_SIGNALS = {"bone_asymmetry": 0.11, "view_inconsistency_mm": 91.0, "frechet_2d": 0.07}
"""Signals that tell configs apart, whatever their weights, and what the flat pose has of each: on
CMU's and on synthetic poses within 10 %."""

SIGNAL_SHARES = {name: 1 / (len(FLAT_SIGNALS) * flat) for name, flat in FLAT_SIGNALS.items()}
"""Factors with which these signals are summed: 1 for flat poses."""

DERIVED: dict[str, tuple[tuple[str, ...], float]] = {
    "consistency": (CONSISTENCY, 1.0),
    "discriminator_accuracy": (("real_accuracy", "fake_accuracy"), 0.5),
}
"""Columns that are not stored: sums of others, times a factor."""
