"""The paper's whole chain: train part generators, decide when to stop, pick the teachers, distil
them, and compare.

    tips-ray tips    # the embedded synthetic poses
    tips-ray tips --preset claims --data poses.npz    # your own poses, two hours on two cores

The same as stability.py followed by distil.py, which go on with its campaign if they are given its
name.
"""

from dataclasses import dataclass

from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Tips(ArmStudy):
    """Train the baseline and the part generators, distil both, and report them side by side."""

    arms: tuple[str, ...] = ("solo", "parts", "tips", "tips_oracle", "tips_ensemble", "tips_solo")
    """solo, parts: the teachers; tips: from parts, by --teacher.rule, seed by seed; tips_oracle:
    from their best epoch, which it takes labels to know; tips_ensemble: from the mean of all seeds;
    tips_solo: from solo, the control. Also tips_last. `paper` stands for solo, parts and
    supervised_plain."""


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Tips, "tips", "tips", __doc__, arguments=arguments))
