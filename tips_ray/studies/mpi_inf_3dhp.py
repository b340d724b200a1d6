"""The twin of the paper's Table 2: how good are arms on MPI-INF-3DHP, trained on other poses?

    tips-ray mpi-inf-3dhp --data h36m/ --test-data mpi_inf_3dhp_test/

Trains on --data: Human3.6M as `tips-ray human36m` takes it (subjects 1, 5, 6, 7 and 8), or any
other poses or keypoints. Prints and reports, by activity and on average, PCK at 150 mm and AUC over
the 14 joints of the test set, also with the depth sign of each pose known and after Procrustes,
beside published numbers. --test-data names the folder with TS1/annot_data.mat to TS6, or P-STMO's
data_test_3dhp.npz, which lacks the activities.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tips_ray.errors import UserError
from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible

if TYPE_CHECKING:
    from tips_ray.data.dataset import Sources


@dataclass(frozen=True)
class MpiInf3dhp(ArmStudy):
    """Train arms on any poses, and report their PCK and AUC on MPI-INF-3DHP by activity."""

    arms: tuple[str, ...] = ("solo", "parts", "tips", "supervised_plain")
    """What is trained: the paper's arms and a supervised reference. Also all other arms of tips-ray
    stability."""
    keypoints: Literal["orthographic", "file"] = "orthographic"
    """What is lifted where poses come with keypoints: `orthographic`, x and y of the poses in the
    frame of their camera, which is the paper's ground truth; `file`, the keypoints of the files."""
    frames: str = "all"
    """Which frames of Human3.6M are trained on: `all`, as in the paper; `every=64`: each 64th;
    `moved=40`: each in which a joint moved by 40 mm."""
    benchmark: ClassVar[str] = "mpi_inf_3dhp"

    def load(self) -> "Sources":
        """What --data names, and the test set of MPI-INF-3DHP."""
        from tips_ray.data.dataset import Sources
        from tips_ray.data.protocols import Frames, load_mpi_inf_3dhp, load_training_set, named

        if not self.test_data:
            raise UserError(
                "tips-ray mpi-inf-3dhp tests on MPI-INF-3DHP; give --test-data, the folder of TS1/annot_data.mat to TS6, or"
                " P-STMO's data_test_3dhp.npz."
            )
        frames = Frames(self.frames)
        test = load_mpi_inf_3dhp(self.test_data, self.keypoints, self.reading)
        train = load_training_set(self.data, self.keypoints, frames, self.config.data, self.reading)
        for poses in (train, test):
            for note in poses.notes:
                print(f"caution: {poses.name}: {note}", file=sys.stderr)
        return Sources(train, named(test, "MPI-INF-3DHP", self.keypoints, Frames("all")))


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(
        lambda: run_arm_study(MpiInf3dhp, "mpi-inf-3dhp", "mpi-inf-3dhp", __doc__, preset="laptop", arguments=arguments)
    )
