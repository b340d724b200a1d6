"""Does a student beat its teachers, and which teachers are best?

Distils arms of a study that has been trained (stability.py, with the same options) into networks that see the whole 2D pose:

    python studies/distil.py --preset laptop --data poses.npz

Stop rules pick the epochs that teach, without labels, one oracle excepted; teacher cards in the report say which, and why.
"""

import sys
from dataclasses import dataclass

from conducting import ArmStudy, conduct_and_report
from options import interruptible


@dataclass(frozen=True)
class Distillation(ArmStudy):
    """Distil trained arms of a campaign, and compare students with their teachers."""

    arms: tuple[str, ...] = ("tips", "tips_last", "tips_oracle", "tips_ensemble", "tips_solo")
    """tips: from parts, by --teacher.rule, seed by seed; tips_last: from their last epoch; tips_oracle: from their best, which it
    takes labels to know; tips_ensemble: from the mean of all seeds; tips_solo: from solo, the control."""


if __name__ == "__main__":
    sys.exit(interruptible(lambda: conduct_and_report(Distillation, __file__, "stability", __doc__)))
