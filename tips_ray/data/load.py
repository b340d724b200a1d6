"""From what a user names to poses, and from poses to those trained on and those held out."""

import math
from dataclasses import replace

import numpy as np

from tips_ray.config import FileReading, Reading
from tips_ray.data.formats import read
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.orientation import check_orientation
from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.data.rawkeypoints import Complete, RawKeypoints, check_upright, labels_of, make_keypointset
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import Sides, UpAxis
from tips_ray.wording import listed


def load_poses(
    spec: str,
    *,
    seed: int = 0,
    up: UpAxis | None = None,
    sides: Sides | None = None,
    drop_implausible: bool = False,
    files: FileReading | None = None,
) -> PoseSet:
    """The poses that `spec` names: "synthetic", or a file or folder of one of
    `data.formats.FORMATS`. Of keypoints that come with their poses, the poses, as their cameras see
    them.

    `seed` draws the synthetic poses; poses that were measured do not depend on it. `up` and `sides`
    replace what the file says of its axes and sides; `drop_implausible` leaves out frames that are
    no body; `files` says how files are read otherwise. Raises UserError for anything else, and for
    poses that clearly do not stand or face as they are said to, unless `up` or `sides` says the
    same as the file.
    """
    if spec == "synthetic":
        from tips_ray.data.synthetic import synthesise

        if up not in (None, "y") or sides not in (None, "named"):
            raise UserError("The synthetic poses are y up with sides as named; leave out up and sides.")
        return synthesise(seed=seed)
    stated = read(spec, files)
    raw = poses_seen(stated) if isinstance(stated, RawKeypoints) else stated
    return poses_as_stated(raw, up, sides, drop_implausible)


def poses_as_stated(stated: RawPoses, up: UpAxis | None, sides: Sides | None, drop_implausible: bool) -> PoseSet:
    """The poses of a file, with axes and sides as given or else as it says, and checked."""
    raw = replace(stated, up=up or stated.up, sides=sides or stated.sides)
    poses = make_poseset(raw, drop_implausible)
    as_stated = (raw.up, raw.sides) == (stated.up, stated.sides)
    cautions = check_orientation(poses, raw.up, raw.sides, as_stated, insist=as_stated and bool(up or sides))
    return replace(poses, notes=(*poses.notes, *cautions))


def load_keypoints(
    spec: str,
    *,
    up: UpAxis | None = None,
    sides: Sides | None = None,
    files: FileReading | None = None,
    complete: Complete | None = None,
) -> KeypointSet:
    """The keypoints of the file or folder that `spec` names, with the poses that are seen where it
    has them (see `KeypointSet`).

    `up` ("y" or "-y") and `sides` replace what the file says; `files` chooses people and says when
    a joint is missing and what becomes of its frame; `complete` estimates joints that are still
    missing then. Raises UserError for anything that is no keypoints.
    """
    stated = read(spec, files)
    if isinstance(stated, RawPoses):
        raise UserError(
            f"{stated.name}: {stated.format or 'a file'}: 3D poses without 2D keypoints, which are wanted here;"
            " load_poses and studies (--data) read it."
        )
    return keypoints_as_stated(stated, up, sides, files, complete)


def keypoints_as_stated(
    stated: RawKeypoints,
    up: UpAxis | None,
    sides: Sides | None,
    files: FileReading | None,
    complete: Complete | None = None,
) -> KeypointSet:
    """The keypoints of a file, with axes and sides as given or else as it says, and checked."""
    raw = replace(stated, up=up or stated.up, sides=sides or stated.sides)
    keypoints = make_keypointset(raw, files, complete)
    if up is None or raw.up != stated.up:
        check_upright(keypoints)
    return keypoints


def load_any(spec: str, reading: Reading, files: FileReading) -> PoseSet | KeypointSet:
    """The keypoints that `spec` names where it has any, and else its poses."""
    if spec == "synthetic":
        return load_poses(spec, seed=reading.seed, up=reading.up, sides=reading.sides)
    stated = read(spec, files)
    if isinstance(stated, RawKeypoints):
        return keypoints_as_stated(stated, reading.up, reading.sides, files)
    return poses_as_stated(stated, reading.up, reading.sides, reading.drop_implausible)


def poses_seen(raw: RawKeypoints) -> RawPoses:
    """The poses that come with keypoints, y down in the frame of each camera; raises UserError if
    there are none."""
    clips = [clip for clip in raw.clips if clip.positions is not None]
    if len(clips) < len(raw.clips) or not clips:
        raise UserError(f"{raw.name}: {raw.format}: 2D keypoints without 3D poses; load it as keypoints.")
    lengths = [len(clip.keypoints) for clip in clips]
    subject, action, names = (np.array(column) for column in zip(*(labels_of(clip) for clip in clips), strict=True))
    posed = [np.asarray(clip.positions) for clip in clips]
    valid = np.concatenate([np.isfinite(clip.keypoints).any(axis=(1, 2)) for clip in clips])
    valid &= np.concatenate([np.isfinite(positions).any(axis=(1, 2)) for positions in posed])
    return RawPoses(
        np.concatenate(posed)[valid],
        raw.name,
        raw.joint_names,
        subject=np.repeat(subject, lengths)[valid],
        action=np.repeat(action, lengths)[valid],
        clip=np.repeat(names, lengths)[valid],
        up=raw.up,
        sides=raw.sides,
        synthetic=raw.synthetic,
        notes=(*raw.notes, "The poses are in the frames of their cameras."),
        format=raw.format,
    )


def last_quarter(subjects: list[str]) -> tuple[str, ...]:
    """The subjects that are held out where none are named: the last quarter, rounded up."""
    return tuple(subjects[-math.ceil(len(subjects) / 4) :])


def leave_out(poses: PoseSet | KeypointSet, subjects: tuple[str, ...]) -> PoseSet | KeypointSet:
    """The poses of all other subjects; raises UserError for an unknown one, and where none would
    be left."""
    check_known(poses, subjects, "leave out")
    kept = ~np.isin(poses.subject, subjects)
    if not kept.any():
        raise UserError(f"{poses.name}: all {len(poses.subjects)} subjects are left out; leave some to train and test on.")
    return poses.select(kept)


def check_known(poses: PoseSet | KeypointSet, subjects: tuple[str, ...], purpose: str) -> None:
    """Raise UserError for a subject that the poses do not have."""
    unknown = [subject for subject in subjects if subject not in poses.subjects]
    if unknown:
        raise UserError(f"{poses.name}: no subject {unknown[0]!r} to {purpose}; there are {listed(poses.subjects, 20)}.")


def split_by_subject(
    poses: PoseSet | KeypointSet, test_subjects: tuple[str, ...] = ()
) -> tuple[PoseSet | KeypointSet, PoseSet | KeypointSet]:
    """Poses to train on and poses to test on, with no subject in both.

    `test_subjects` empty holds out the last quarter of `poses.subjects`, rounded up. Raises
    UserError for an unknown subject and where no subject would be left to train on.
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
