"""Does a student beat its teachers, and which teachers are best?

Distils arms of a study that has been trained (stability.py, with the same options) into networks
that see the whole 2D pose:

    tips-ray distil --preset laptop --data poses.npz

Stop rules pick the epochs that teach, without labels, one oracle excepted; teacher cards in the
report say which, and why.
"""

from dataclasses import dataclass

from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Distillation(ArmStudy):
    """Distil trained arms of a campaign, and compare students with their teachers."""

    arms: tuple[str, ...] = ("tips", "tips_last", "tips_oracle", "tips_ensemble", "tips_solo")
    """tips: from parts, by --teacher.rule, seed by seed; tips_last: from their last epoch;
    tips_oracle: from their best, which it takes labels to know; tips_ensemble: from the mean of all
    seeds; tips_solo: from solo, the control. `paper` stands for solo, parts and
    supervised_plain."""


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Distillation, "distil", "stability", __doc__, arguments=arguments))
