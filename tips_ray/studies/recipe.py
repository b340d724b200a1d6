"""What is each ingredient of the recipe worth?

Trains arms with one ingredient left out (`single_without_symmetry`), or added to an arm that lacks
it (`parts_with_symmetry`), and compares each with its base seed by seed, at half of the epochs and
at all of them:

    tips-ray recipe --data poses.npz
    tips-ray recipe --bases clips --ingredients rigidity pair symmetry --data poses.npz

Settings are to be chosen on subjects that are neither trained nor tested on: name validation
subjects as --data.test-subjects, and keep the real ones for the end with --data.left-out-subjects.

    tips-ray recipe --data poses.npz --data.test-subjects S7 S8 --data.left-out-subjects S9 S11
"""

from dataclasses import dataclass

from tips_ray.config import Config
from tips_ray.errors import UserError
from tips_ray.presets import arm_config, named_arms, variants
from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Recipe(ArmStudy):
    """Train arms with each ingredient left out, or added, and compare them with their bases."""

    bases: tuple[str, ...] = ("single", "single_solo", "parts", "solo")
    """Arms that are trained as they are, and changed in one ingredient."""
    ingredients: tuple[str, ...] = (
        *("start", "rates", "weights", "averaging", "mirror_mean", "mirror", "augmented"),
        *("symmetry", "proportions", "anatomy", "bones", "adversary"),
    )
    """Left out of the bases that have them, added to those that lack them. Also label_free_weights,
    rigidity and pair (of clips), noise, renormalise, layer_norm, all_angles, elevation, r1, r2,
    relativistic, cosine."""
    arms: tuple[str, ...] = ()
    """Further arms to train beside them, such as supervised or single_without_r1_with_r2;
    `paper` stands for solo, parts and supervised_plain."""

    def configs(self) -> dict[str, Config]:
        """The bases, their variants, and further arms."""
        if not self.bases:
            raise UserError("--bases names no arm; give at least one, such as single.")
        changed = [name for base in named_arms(self.bases) for name in (base, *variants(self.config, base, self.ingredients))]
        names = named_arms([*changed, *self.arms])
        return {arm: arm_config(self.config, arm, self.teacher, self.num_epochs) for arm in names}


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Recipe, "recipe", "recipe", __doc__, arguments=arguments))
