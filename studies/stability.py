"""How good is an unsupervised lifter, how stable, and when should training stop?

Trains the arms over several seeds and writes a report with error bars:

    python studies/stability.py                                   # the embedded synthetic poses, a few minutes
    python studies/stability.py --preset laptop --data poses.npz  # your own poses, half an hour
    python studies/stability.py --cluster cluster.yaml --data poses.npz   # the same on a Ray cluster that is up

Run the same command again to continue after an interruption; give more --num-seeds or --num-epochs to extend it.
"""

import sys
from dataclasses import dataclass

from conducting import ArmStudy, conduct_and_report
from options import interruptible


@dataclass(frozen=True)
class Study(ArmStudy):
    """Train arms over several seeds on Ray, and report how good and how stable they are."""

    arms: tuple[str, ...] = ("solo", "parts", "supervised")
    """solo and parts: the paper's baseline and its part generators (--partition); supervised: a solo network trained on true
    depths, as a reference; tips: distilled from parts (see distil.py); also solo_deep (as many parameters as two parts),
    left_right and five."""


if __name__ == "__main__":
    sys.exit(interruptible(lambda: conduct_and_report(Study, __file__, "stability", __doc__)))
