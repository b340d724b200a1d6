"""From what a user names to poses, and from poses to those trained on and those held out."""

import math
from pathlib import Path

import numpy as np

from tips_ray.data.formats.npz import read_npz
from tips_ray.data.poseset import PoseSet
from tips_ray.errors import UserError

ACCEPTED = "'synthetic', the path of an .npz file of poses, or a folder of CMU's .asf and .amc files"
MIN_DISPLACEMENT_MM = 15.0
"""How far joints move on average between frames kept of a motion capture clip; at 120 a second,
most frames show nothing new."""


def load_poses(spec: str, seed: int = 0) -> PoseSet:
    """The poses that `spec` names: "synthetic", an .npz file (`read_npz`), or a folder of CMU's
    files (`read_cmu`, thinned).

    `seed` draws the synthetic poses; poses that were measured do not depend on it. Raises
    ValueError for anything else.
    """
    if spec == "synthetic":
        from tips_ray.data.synthetic import synthesise

        return synthesise(seed=seed)
    path = Path(spec).expanduser()
    if path.suffix == ".npz":
        return read_npz(path)
    if path.is_dir():
        from tips_ray.data.formats.cmu import read_cmu

        return read_cmu(path, min_displacement_mm=MIN_DISPLACEMENT_MM)
    fault = "is a file of another kind" if path.is_file() else "does not exist"
    raise UserError(f"{spec!r} {fault}; poses are {ACCEPTED}.")


def last_quarter(subjects: list[str]) -> tuple[str, ...]:
    """The subjects that are held out where none are named: the last quarter, rounded up."""
    return tuple(subjects[-math.ceil(len(subjects) / 4) :])


def leave_out(poses: PoseSet, subjects: tuple[str, ...]) -> PoseSet:
    """The poses of all other subjects; raises ValueError for an unknown one, and where none would
    be left."""
    check_known(poses, subjects, "leave out")
    kept = ~np.isin(poses.subject, subjects)
    if not kept.any():
        raise UserError(f"{poses.name}: all {len(poses.subjects)} subjects are left out; leave some to train and test on.")
    return poses.select(kept)


def check_known(poses: PoseSet, subjects: tuple[str, ...], purpose: str) -> None:
    """Raise ValueError for a subject that the poses do not have."""
    unknown = [subject for subject in subjects if subject not in poses.subjects]
    if unknown:
        raise UserError(f"{poses.name}: no subject {unknown[0]!r} to {purpose}; there are {', '.join(poses.subjects)}.")


def split_by_subject(poses: PoseSet, test_subjects: tuple[str, ...] = ()) -> tuple[PoseSet, PoseSet]:
    """Poses to train on and poses to test on, with no subject in both.

    `test_subjects` empty holds out the last quarter of `poses.subjects`, rounded up. Raises
    ValueError for an unknown subject and where no subject would be left to train on.
    """
    known = poses.subjects
    if len(known) < 2:
        raise UserError(
            f"{poses.name}: all poses are of one subject ({known[0]!r}), but the error is measured on subjects not trained on;"
            f" give poses of at least two, with 'subject' (frames,) in the file."
        )
    if not test_subjects:
        test_subjects = last_quarter(known)
    check_known(poses, test_subjects, "test on")
    if set(test_subjects) == set(known):
        raise UserError(f"{poses.name}: all {len(known)} subjects are held out for the test; leave at least one to train on.")
    test = np.isin(poses.subject, test_subjects)
    return poses.select(~test), poses.select(test)
