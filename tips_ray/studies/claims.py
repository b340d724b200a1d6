"""Do the paper's claims hold: are part generators better and steadier than a solo one, or do they
only learn faster?

    tips-ray claims --data poses.npz    # under an hour on two cores

Trains parts, solo, and a solo with as many parameters, over five seeds, and compares them at three
budgets a factor of three apart, read off the same curves: the section "Does an arm help, or only
learn faster?" of the report.
"""

from dataclasses import dataclass

from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Claims(ArmStudy):
    """Train part generators and two solo baselines, and compare error and stability at three
    budgets."""

    arms: tuple[str, ...] = ("parts", "solo", "solo_deep")
    """solo_deep has twice the residual blocks, and so about as many parameters as the two parts.
    `paper` stands for solo, parts and supervised_plain."""


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Claims, "claims", "claims", __doc__, preset="claims", arguments=arguments))
