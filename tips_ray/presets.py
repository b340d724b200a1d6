"""Named starting points: the arms that studies compare, and sizes of a study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tips_ray.config import Adversary, Config, Data, KeepWeights, Network, Optimiser, Placement, Teacher, override
from tips_ray.design import row_changes, row_of
from tips_ray.errors import UserError
from tips_ray.ingredients import CLIPS, COSINE_EPOCHS, INGREDIENTS, RATE, SINGLE, Ingredient, Variant, together, variant_of

TIPS: dict[str, Any] = {"objective": "distilled", "partition": "solo"}
"""A student sees the full 2D pose (section 3.4)."""

VARIED: dict[str, Any] = {
    "network": {"mirror_mean": True},
    "optimiser": {"averaging": 0.998, "learning_rate": RATE},
    "augmentation": {"mirror": True, "turned": 0.75, "stretched": 0.1, "bent": 0.15},
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
    "single": together(SINGLE),
    "single_solo": {**together(SINGLE), "partition": "solo"},
    "clips": together(CLIPS),
    "clips_solo": {**together(CLIPS), "partition": "solo"},
    "tips_single": {**TIPS, **VARIED, "teacher": {"arm": "single"}},
    "tips_clips": {**TIPS, **VARIED, "teacher": {"arm": "clips"}},
    "tips_single_ensemble": {**TIPS, **VARIED, "teacher": {"arm": "single", "runs": "all"}},
    "tips_clips_ensemble": {**TIPS, **VARIED, "teacher": {"arm": "clips", "runs": "all"}},
    "parts_new_views": {"data": {"new_views_each_epoch": True}},
    "supervised": {"objective": "supervised", "partition": "solo", **VARIED},
    "supervised_plain": {"objective": "supervised", "partition": "solo"},
}
"""Arms by name: what each changes in the study's config, whose partition `parts` takes as it is;
`parts_new_views` sees the poses from new true views in each epoch (appendix A.3).
`tips…` are distilled: `tips_solo` is the control, with solo as its teacher; students of an
`ensemble` learn from the mean of all runs of their teacher. `single` and `clips` are named after
what they learn from; `supervised` is trained as their students are, but on true depths: the
ceiling. `knowledge` says what an arm is told beyond 2D poses. The weights that `single` has of the
paper's four terms were found by a search with labels, on validation subjects; those of `clips` by
one without labels."""

LEARNERS = {"network": {"width": 2.0}, "optimiser": {"batch_size": 0.5}}
"""What is gained by those who learn depths that are told: a wider network, and more steps."""

SCALED: dict[str, dict[str, dict[str, float]]] = {
    "solo_deep": {"network": {"generator_blocks": 2.0}},
    **dict.fromkeys(("tips_single", "tips_clips", "tips_single_ensemble", "tips_clips_ensemble", "supervised"), LEARNERS),
}
"""Arms, and what each multiplies of the study's config. So `solo_deep` has about as many parameters
as two parts."""

ARM_SETS: dict[str, tuple[str, ...]] = {"paper": ("solo", "parts", "supervised_plain")}
"""Names that stand for several arms."""


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
    return Preset(small(epoch_views=8192), num_seeds=3, num_epochs=16)


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
    bodies = varied.mirror or config.network.mirror_mean or (varied.stretched and config.share_augmented)
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


def named_arms(names: Iterable[str]) -> list[str]:
    """Arms by name, each once, with the arms of a set in place of its name."""
    return list(dict.fromkeys(arm for name in names for arm in ARM_SETS.get(name, (name,))))


def arm_config(base: Config, arm: str, teacher: Teacher | None = None, num_epochs: int = COSINE_EPOCHS) -> Config:
    """The config of a named arm, or of one that has or lacks an ingredient more
    (`single_without_symmetry`); a distilled arm has `teacher` (by default `Teacher()`), but for
    what the arm's name says of it.

    `num_epochs` is the horizon of the ingredient `cosine`. Raises ValueError for an unknown name,
    and for an ingredient that would change nothing.
    """
    variant = variant_of(arm)
    if variant:
        return _varied(base, arm_config(base, variant.base, teacher, num_epochs), variant, num_epochs)
    row = row_of(arm)
    if row:
        return override(arm_config(base, row[0], teacher, num_epochs), row_changes(row[1]))
    if arm not in ARMS:
        sets = "; ".join(f"--arms {name} stands for {' '.join(arms)}" for name, arms in ARM_SETS.items())
        raise UserError(
            f"Unknown arm {arm!r}; there are {', '.join(ARMS)}, and each of them _with_ or _without_ an ingredient, such as"
            f" single_without_symmetry; {sets}."
        )
    changes = ARMS[arm]
    if changes.get("objective") == "distilled":
        changes = {**changes, "teacher": override(teacher or Teacher(), changes.get("teacher", {}))}
    scaled = {
        group: {name: int(factor * getattr(getattr(base, group), name)) for name, factor in fields.items()}
        for group, fields in SCALED.get(arm, {}).items()
    }
    return override(override(base, changes), scaled)


def variants(base: Config, arm: str, ingredients: Sequence[str]) -> list[str]:
    """An arm's names without each of some ingredients that it has, and with each that it lacks."""
    whole = arm_config(base, arm)

    def has(ingredient: str) -> bool:
        return override(whole, _ingredient(ingredient, arm).on) == whole

    return [f"{arm}_{'without' if has(ingredient) else 'with'}_{ingredient}" for ingredient in ingredients]


def _varied(base: Config, whole: Config, variant: Variant, num_epochs: int) -> Config:
    """A config that is `whole` but for one ingredient; `base` is the study's."""
    ingredient = _ingredient(variant.ingredient, variant.base)
    changes = ingredient.on if variant.is_on else ingredient.off
    if changes is None:
        changes = {group: {name: getattr(getattr(base, group), name) for name in on} for group, on in ingredient.on.items()}
    if variant.ingredient == "cosine" and variant.is_on:
        changes = {"optimiser": {"cosine_epochs": num_epochs}}
    if whole.objective != "adversarial":  # no other objective looks at these
        changes = {group: fields for group, fields in changes.items() if group not in ("weights", "adversary")}
    config = override(whole, changes)
    if config == whole or (variant.ingredient == "noise" and not whole.share_augmented):
        is_on = "on" if variant.is_on else "off"
        raise UserError(
            f"{variant.ingredient!r} is {is_on} in the arm {variant.base!r} already, or does nothing there; leave out the arm"
            f" {variant.base}_{'with' if variant.is_on else 'without'}_{variant.ingredient}."
        )
    return config


def _ingredient(name: str, arm: str) -> Ingredient:
    if name not in INGREDIENTS:
        raise UserError(f"Unknown ingredient {name!r} of the arm {arm!r}; there are {', '.join(INGREDIENTS)}.")
    return INGREDIENTS[name]
