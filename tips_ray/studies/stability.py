"""How good is an unsupervised lifter, how stable, and when should training stop?

Trains the arms over several seeds and writes a report with error bars:

    tips-ray stability    # the embedded synthetic poses, a few minutes
    tips-ray stability --preset laptop --data poses.npz    # your own poses, half an hour
    tips-ray stability --cluster cluster.yaml --data poses.npz    # the same, on a Ray cluster

Run the same command again to continue after an interruption; give more --num-seeds or --num-epochs
to extend it.
"""

from dataclasses import dataclass

from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Study(ArmStudy):
    """Train arms over several seeds on Ray, and report how good and how stable they are."""

    arms: tuple[str, ...] = ("solo", "parts", "supervised")
    """solo and parts: the paper's baseline and its part generators (--partition); supervised: a
    solo network trained on true depths, as a reference; tips: distilled from parts (see distil.py);
    also solo_deep (as many parameters as two parts), left_right and five."""


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Study, "stability", "stability", __doc__, arguments=arguments))
