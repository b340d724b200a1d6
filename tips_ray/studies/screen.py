"""Which of the choices that the paper leaves open decide its claim?

Trains the rows of a screening design: each sets all of these choices at once (how poses are
rotated, the norm, label smoothing, ...) to one of two levels. The report gives the effect of each
choice on the error and on its steadiness, for each base and for the lead of one over the other,
with an interval over seeds:

    tips-ray screen --seeds 5 --data poses.npz
    tips-ray screen --seeds 5 --bases single single_solo --data poses.npz

12 rows for each base, and the base itself: choose a small budget. Effects of two choices together
are not told apart from those of others. Settings are chosen on validation subjects: see `tips-ray
recipe --help`.
"""

from dataclasses import dataclass

from tips_ray.config import Config
from tips_ray.design import NUM_ROWS, row_name
from tips_ray.errors import UserError
from tips_ray.presets import arm_config, named_arms
from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Screen(ArmStudy):
    """Train the rows of a screening design, and report the effect of each choice."""

    bases: tuple[str, ...] = ("parts", "solo")
    """Arms that are trained as they are, and in each row of the design."""
    arms: tuple[str, ...] = ()
    """Further arms to train beside them."""

    def configs(self) -> dict[str, Config]:
        """The bases, their rows, and further arms."""
        if not self.bases:
            raise UserError("--bases names no arm; give at least one, such as parts.")
        rows = [row_name(base, row) for base in self.bases for row in range(1, NUM_ROWS + 1)]
        names = dict.fromkeys([*self.bases, *rows, *named_arms(self.arms)])
        return {arm: arm_config(self.config, arm, self.teacher, self.num_epochs) for arm in names}


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Screen, "screen", "screen", __doc__, arguments=arguments))
