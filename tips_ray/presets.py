"""Named starting points: the arms that studies compare, and sizes of a study."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tips_ray.config import Adversary, Config, Data, KeepWeights, Network, Optimiser, Placement, Teacher, override
from tips_ray.errors import UserError

TIPS: dict[str, Any] = {"objective": "distilled", "partition": "solo"}
"""A student sees the full 2D pose (section 3.4)."""

RECIPE: dict[str, Any] = {
    "weights": {"legs": 0.22, "torso": 0.26, "reprojection": 24.0, "ninety_degree": 1.8, "knees": 3.0, "facing": 1.0},
    "network": {"start_depth": 0.1, "discriminator_dropout": 0.1, "mirror_mean": True},
    "adversary": {"features": "bones", "renormalise": True},
    "optimiser": {"learning_rate": 1.5e-3, "discriminator_learning_rate": 1.5e-3, "averaging": 0.998},
    "augmentation": {"mirror": True},
}
"""What the arms of the recipe have in common. The four weights of the paper's terms were found by a
search with labels, on validation subjects."""
SINGLE: dict[str, Any] = {**RECIPE, "weights": {**RECIPE["weights"], "symmetry": 5.0, "proportions": 5.0}}
"""Of single 2D poses, anatomy and the proportions of adults."""
CLIPS: dict[str, Any] = {
    **RECIPE,
    "weights": {**RECIPE["weights"], "symmetry": 5.0, "rigidity": 20.0},
    "adversary": {**RECIPE["adversary"], "sees": "pair", "gap": 8},
}
"""Of 2D poses, anatomy, and which of them are frames of one clip."""
VARIED: dict[str, Any] = {
    "network": {"mirror_mean": True},
    "optimiser": {"averaging": 0.998},
    "augmentation": {"mirror": True, "turned": 0.5, "stretched": 0.1},
}
"""How depths that a teacher or the truth tells are learnt, so that the two can be compared."""

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
    "single": SINGLE,
    "single_solo": {**SINGLE, "partition": "solo"},
    "clips": CLIPS,
    "clips_solo": {**CLIPS, "partition": "solo"},
    "tips_single": {**TIPS, **VARIED, "teacher": {"arm": "single"}},
    "tips_clips": {**TIPS, **VARIED, "teacher": {"arm": "clips"}},
    "supervised": {"objective": "supervised", "partition": "solo", **VARIED},
    "supervised_plain": {"objective": "supervised", "partition": "solo"},
}
"""Arms by name: what each changes in the study's config, whose partition `parts` takes as it is;
`solo_deep` also has twice the residual blocks, and so about as many parameters as two parts.
`tips…` are distilled: `tips_solo` is the control, with solo as its teacher. `single` and `clips`
are named after what they learn from; `supervised` is trained as their students are, but on true
depths: the ceiling. `knowledge` says what an arm is told beyond 2D poses."""


@dataclass(frozen=True)
class Preset:
    """A study's size: its config, how many seeds, how long, what is kept, and where the seeds
    train."""

    config: Config
    num_seeds: int
    num_epochs: int
    keep_weights: KeepWeights = field(default_factory=KeepWeights)
    placement: Placement = field(default_factory=Placement)


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
    placement = Placement(num_workers=5, cpus_per_worker=1.0, gpus_per_worker=0.5)
    return Preset(Config(), num_seeds=5, num_epochs=800, keep_weights=KeepWeights(every=10), placement=placement)


PRESETS = {"quick": quick, "laptop": laptop, "claims": claims, "paper": paper}


def knowledge(config: Config, teacher: Config | None = None) -> tuple[str, ...]:
    """What the training of an arm is told beyond single 2D poses: "anatomy", "anthropometry",
    "time", "true views", "true depths"; of these, only the last two are 3D.

    A student knows what its teacher does, whose config is `teacher`. Mirror images count as
    anatomy: they take the two sides of a body for alike. Every arm's depth sign is voted on by
    anatomy after training.
    """
    weights, varied = config.weights, config.augmentation
    adversarial = config.objective == "adversarial"
    bodies = varied.mirror or config.network.mirror_mean or (varied.stretched and varied.turned and not adversarial)
    told = {
        "anatomy": bodies or (adversarial and (weights.symmetry or weights.knees or weights.facing)),
        "anthropometry": adversarial and weights.proportions,
        "time": config.has_pairs,
        "true views": config.data.new_views_each_epoch,
        "true depths": config.objective == "supervised",
    }
    of_teacher = knowledge(teacher) if teacher else ()
    return tuple(name for name, is_told in told.items() if is_told or name in of_teacher)


def knowledge_by_arm(arms: Mapping[str, Config]) -> dict[str, tuple[str, ...]]:
    """`knowledge` of each arm of a campaign; the teachers of its students are among its arms."""
    return {arm: knowledge(config, arms.get(config.teacher.arm) if config.teacher else None) for arm, config in arms.items()}


def arm_config(base: Config, arm: str, teacher: Teacher | None = None) -> Config:
    """The config of a named arm; a distilled arm has `teacher` (by default `Teacher()`), but for
    what the arm's name says of it.

    Raises ValueError for an unknown name.
    """
    if arm not in ARMS:
        raise UserError(f"Unknown arm {arm!r}; there are {', '.join(ARMS)}.")
    changes = ARMS[arm]
    if changes.get("objective") == "distilled":
        changes = {**changes, "teacher": override(teacher or Teacher(), changes.get("teacher", {}))}
    if arm == "solo_deep":
        changes = {**changes, "network": {"generator_blocks": 2 * base.network.generator_blocks}}
    return override(base, changes)
