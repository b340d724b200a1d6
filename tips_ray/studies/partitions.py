"""Does another partition of the body beat legs and torso?

Section 3 of the paper leaves open how parts are chosen. This study chooses them without labels:
joints are merged greedily, by how much a trained solo lifter's depths depend on each other's
keypoints (codependence), or by the mutual information of keypoints in the training views; random
partitions are the control.

    tips-ray partitions --data poses.npz
    tips-ray partitions --base parts --solo solo --data poses.npz    # the paper's terms

Trains the base and the solo arm, then the base with each partition, and compares them with the base
seed by seed: "What is each ingredient worth?" in the report. Settings are chosen on validation
subjects: see `tips-ray recipe --help`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tips_ray.config import Config, override
from tips_ray.errors import UserError
from tips_ray.presets import arm_config, named_arms
from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible

if TYPE_CHECKING:
    from tips_ray.data.dataset import Sources
    from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class Partitions(ArmStudy):
    """Train partitions that were chosen without labels, and compare them with legs and torso."""

    base: str = "single"
    """The arm whose partition is changed; its own is --partition, legs and torso."""
    solo: str = "single_solo"
    """The arm whose codependence is measured."""
    num_parts: tuple[int, ...] = (2, 3, 4, 5)
    """Parts of a partition."""
    num_random: int = 2
    """Random partitions for each number of parts."""
    arms: tuple[str, ...] = ()
    """Further arms to train beside them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(2 <= count <= 16 for count in self.num_parts) or self.num_random < 0:
            raise UserError(
                f"--num-parts is {self.num_parts} and --num-random is {self.num_random}; give numbers of parts from 2 to 16,"
                " and at least 0 random partitions."
            )

    def configs(self) -> dict[str, Config]:
        """The base, the solo arm, and further arms."""
        names = dict.fromkeys([self.base, self.solo, *named_arms(self.arms)])
        return {arm: arm_config(self.config, arm, self.teacher, self.num_epochs) for arm in names}

    def further(self, folder: "Storage", sources: "Sources") -> dict[str, Config]:
        """The base with each partition, by the name of the arm.

        A partition that the campaign has trained stays what it was, also where the solo arm has
        been trained for longer since.
        """
        import numpy as np

        from tips_ray.data.dataset import prepare
        from tips_ray.poses.affinity import merged, mutual_information, random_partition
        from tips_ray.seeding import derived_seed
        from tips_ray.stability.codependence import codependence_of
        from tips_ray.store.measurements import read_measurements
        from tips_ray.store.records import read_manifest

        base = arm_config(self.config, self.base, self.teacher, self.num_epochs)
        seen = prepare(sources.poses, base.data, labelled=sources.labelled)
        affinities = {"information": mutual_information(seen.train.keypoints.numpy())}
        codependence = codependence_of(read_measurements(folder).codependence)
        if self.solo in codependence:
            affinities["codependence"] = np.array(codependence[self.solo].sensitivity)
        partitions = {f"{name}_{count}": merged(table, count) for name, table in affinities.items() for count in self.num_parts}
        for count in self.num_parts:
            for draw in range(1, self.num_random + 1):
                rng = np.random.default_rng(derived_seed(base.data.seed, "partition", count, draw))
                partitions[f"random_{count}_{draw}"] = random_partition(count, rng)
        trained = read_manifest(folder)["arms"]
        names = {f"{self.base}_with_{name}": partition for name, partition in partitions.items()}
        kept = {name: trained[name]["partition"] if name in trained else partition for name, partition in names.items()}
        return {name: override(base, {"partition": partition}) for name, partition in kept.items()}


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Partitions, "partitions", "partitions", __doc__, arguments=arguments))
