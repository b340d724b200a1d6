"""From what a user names to poses, and from poses to those trained on and those held out."""

import math
from pathlib import Path

import numpy as np

from tips_ray.data.npz import read_npz
from tips_ray.data.poseset import PoseSet

ACCEPTED = "'synthetic', the path of an .npz file of poses, or a folder of CMU's .asf and .amc files"
MIN_DISPLACEMENT_MM = 15.0
"""How far joints move on average between frames kept of a motion capture clip; at 120 a second, most frames show nothing new."""


def load_poses(spec: str, seed: int = 0) -> PoseSet:
    """The poses that `spec` names: "synthetic", an .npz file (`read_npz`), or a folder of CMU's files (`read_cmu`, thinned).

    `seed` draws the synthetic poses; poses that were measured do not depend on it. Raises ValueError for anything else.
    """
    if spec == "synthetic":
        from tips_ray.data.synthetic import synthesise

        return synthesise(seed=seed)
    path = Path(spec).expanduser()
    if path.suffix == ".npz":
        return read_npz(path)
    if path.is_dir():
        from tips_ray.data.cmu import read_cmu

        return read_cmu(path, min_displacement_mm=MIN_DISPLACEMENT_MM)
    fault = "is a file of another kind" if path.is_file() else "does not exist"
    raise ValueError(f"{spec!r} {fault}; poses are {ACCEPTED}.")


def split_by_subject(poses: PoseSet, test_subjects: tuple[str, ...] = ()) -> tuple[PoseSet, PoseSet]:
    """Poses to train on and poses to test on, with no subject in both.

    `test_subjects` empty holds out the last quarter of `poses.subjects`, rounded up. Raises ValueError for an unknown subject
    and where no subject would be left to train on.
    """
    known = poses.subjects
    if len(known) < 2:
        raise ValueError(
            f"{poses.name}: all poses are of one subject ({known[0]!r}), but the error is measured on subjects not trained on;"
            f" give poses of at least two, with 'subject' (frames,) in the file."
        )
    if not test_subjects:
        test_subjects = tuple(known[-math.ceil(len(known) / 4) :])
    unknown = [subject for subject in test_subjects if subject not in known]
    if unknown:
        raise ValueError(f"{poses.name}: no subject {unknown[0]!r} to test on; there are {', '.join(known)}.")
    if set(test_subjects) == set(known):
        raise ValueError(f"{poses.name}: all {len(known)} subjects are held out for the test; leave at least one to train on.")
    test = np.isin(poses.subject, test_subjects)
    return poses.select(~test), poses.select(test)
