"""How good is an unsupervised lifter, how stable, and when should training stop?

Trains the arms over several seeds and writes a report with error bars:

    tips-ray stability    # the embedded synthetic poses, a few minutes
    tips-ray stability --preset laptop --data poses.npz    # your own poses, half an hour
    tips-ray stability --cluster cluster.yaml --data poses.npz    # the same, on a Ray cluster

Run the same command again to continue after an interruption; give more --num-seeds or --num-epochs
to extend it.
"""

from dataclasses import dataclass
from typing import Any

from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible


@dataclass(frozen=True)
class Study(ArmStudy):
    """Train arms over several seeds on Ray, and report how good and how stable they are."""

    arms: tuple[str, ...] = ("parts", "single", "supervised")
    """What is trained; `paper` stands for solo parts supervised_plain.
    By what they know beyond single 2D poses:
    - nothing: solo, parts (by --partition), solo_deep (with as many parameters
      as two parts), left_right, five; the students tips, tips_last,
      tips_oracle, tips_ensemble of parts and tips_solo of solo;
    - anatomy and the proportions of adults: single, single_solo; tips_single,
      a student of each run, and tips_single_ensemble, of the mean of all;
    - anatomy, and which frames share a clip: clips, clips_solo; tips_clips,
      tips_clips_ensemble;
    - true views, weakly supervised: parts_new_views (appendix A.3);
    - true depths, as references: supervised, trained as tips_single is, and
      supervised_plain."""

    @classmethod
    def defaults(cls, preset: str) -> dict[str, Any]:
        """The preset `paper` trains the paper's arms."""
        return super().defaults(preset) | ({"arms": ("paper",)} if preset == "paper" else {})


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Study, "stability", "stability", __doc__, arguments=arguments))
