"""Named starting points: the arms that studies compare, and sizes of a study."""

from dataclasses import dataclass, field
from typing import Any

from tips_ray.config import Adversary, Config, Data, KeepWeights, Network, Optimiser, Placement, Teacher, override
from tips_ray.errors import UserError

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
