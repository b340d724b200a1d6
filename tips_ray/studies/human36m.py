"""The twin of the paper's Table 1: how good are arms on Human3.6M, by action?

    tips-ray human36m --preset paper --data h36m/
    tips-ray human36m --data h36m/ --test-frames every=64    # laptop: an hour or two on two cores
    tips-ray human36m --data h36m/ --arms parts parts_new_views    # the twin of Table 3

Trains on subjects 1, 5, 6, 7 and 8 and tests on 9 and 11. --data names a folder that holds
VideoPose3D's data_3d_h36m.npz with h36m_cameras.json (and, for pixels, data_2d_h36m_gt.npz),
h36m-fetch's annot.h5 files, or MMPose's h36m_train.npz and h36m_test.npz
(docs/howto/human36m.md). Prints and reports, by action and on average, P-MPJPE with one depth sign
a run, with reflection and with rotation alone, N-MPJPE and MPJPE, beside published numbers.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tips_ray.errors import UserError
from tips_ray.studies.arm_study import ArmStudy, run_arm_study
from tips_ray.studies.options import interruptible

if TYPE_CHECKING:
    from tips_ray.data.dataset import Sources


@dataclass(frozen=True)
class Human36m(ArmStudy):
    """Train arms on Human3.6M by its protocol, and report their errors by action."""

    arms: tuple[str, ...] = ("solo", "parts", "tips", "supervised_plain")
    """What is trained: the paper's arms and a supervised reference. Also parts_new_views (appendix
    A.3), single, clips, and all other arms of tips-ray stability."""
    keypoints: str = "orthographic"
    """What is lifted: `orthographic`, x and y of the poses in the frame of their camera, which is
    the paper's ground truth; `file`, the keypoints that the file holds; or of VideoPose3D's files
    the name of one, such as gt or cpn_ft_h36m_dbb."""
    frames: str = "all"
    """Which frames are trained on: `all`, as in the paper; `every=64`: each 64th; `moved=40`: each
    in which a joint moved by 40 mm."""
    test_frames: str = "all"
    """Which frames are tested on. Numbers of different frames are not comparable."""
    benchmark: ClassVar[str] = "human36m"

    def load(self) -> "Sources":
        """The subjects of the protocol, with the frames and keypoints that the options name."""
        from tips_ray.data.dataset import Sources
        from tips_ray.data.protocols import Frames, load_human36m, named

        if self.test_data:
            raise UserError("tips-ray human36m tests on subjects 9 and 11 of --data; leave out --test-data.")
        frames, test_frames = Frames(self.frames), Frames(self.test_frames)
        train, test = load_human36m(self.data, self.keypoints, self.reading)
        for note in train.notes:
            print(f"caution: {train.name}: {note}", file=sys.stderr)
        return Sources(
            named(frames.of(train), "Human3.6M", self.keypoints, frames),
            named(test_frames.of(test), "Human3.6M", self.keypoints, test_frames),
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run_arm_study(Human36m, "human36m", "human36m", __doc__, preset="laptop", arguments=arguments))
