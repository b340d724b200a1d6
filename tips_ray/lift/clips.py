"""Whole clips lifted: one person in one recording each, at the size of a body."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import savgol_filter

from tips_ray.config import NOMINAL_MM
from tips_ray.data.keypointset import KeypointSet
from tips_ray.errors import UserError
from tips_ray.lift.lifter import Lifter
from tips_ray.poses.skeleton import JOINTS, PARENTS, ROOT, mirrored

SMOOTH_ORDER = 2
"""Of the polynomials that are fitted to a joint's way."""


@dataclass(frozen=True)
class LiftedClip:
    """One person in one recording."""

    name: str
    subject: str
    action: str
    frame: np.ndarray
    """(frames,), their numbers in the recording."""
    keypoints: np.ndarray
    """(frames, 17, 2), as they were seen, y up; those that were missing as they were estimated."""
    missing: np.ndarray
    """(frames, 17)."""
    image_size: tuple[int, int] | None
    """Width and height, where known."""
    poses: np.ndarray
    """float32 (frames, 17, 3), mm, y up, z towards the camera; of an adult's size. The pelvis moves
    as in the image: how far it is from the camera is not known."""
    spread: np.ndarray
    """(frames, 17), mm: how far a joint moves if the pose is lifted from other views
    (`Lifter.spread`)."""


def lift_clips(lifter: Lifter, keypoints: KeypointSet) -> list[LiftedClip]:
    """Lift all clips of a set.

    Each is made as large as an adult: the middle one of the sizes of its 2D poses is `NOMINAL_MM`.
    """
    lifted = lifter.lift_whole(keypoints.keypoints)
    spreads = lifter.spread(lifted)
    names, first, clip_of = np.unique(keypoints.clip, return_index=True, return_inverse=True)
    frames_by_clip = np.split(np.argsort(clip_of, kind="stable"), np.cumsum(np.bincount(clip_of))[:-1])
    clips = []
    for at in np.argsort(first):
        frames, name = frames_by_clip[at], names[at]
        seen, poses = keypoints.keypoints[frames], lifted[frames]
        size = float(np.median(np.abs(poses[..., :2]).max(axis=(1, 2))))
        to_mm = NOMINAL_MM / max(size, 1e-9)
        way = np.zeros((len(seen), 1, 3))
        way[..., :2] = (seen - seen[0])[:, [ROOT]]
        width, height = keypoints.image_size[frames[0]].tolist()
        clips.append(
            LiftedClip(
                str(name),
                str(keypoints.subject[frames[0]]),
                str(keypoints.action[frames[0]]),
                keypoints.frame[frames],
                seen,
                keypoints.missing[frames],
                (width, height) if width else None,
                ((poses + way) * to_mm).astype(np.float32),
                spreads[frames] * to_mm,
            )
        )
    return clips


def middle_step(clip: LiftedClip) -> float:
    """From one pose of a clip to the next, in the frames that its file counts: 2 where every second
    one was taken."""
    return float(np.median(np.diff(clip.frame))) if len(clip.frame) > 1 else 1.0


def smoothed(clip: LiftedClip, window: int) -> LiftedClip:
    """The clip with the way of each joint smoothed by a Savitzky-Golay filter over so many frames
    (odd, at least 5); each run of frames without a gap, which is a larger step than the clip's
    middle one, on its own, and runs shorter than the window as they are."""
    if window < 5 or window % 2 == 0:
        raise UserError(f"Smoothing is over {window} frames; give an odd number of at least 5, such as 9.")
    poses = clip.poses.copy()
    ends = np.flatnonzero(np.diff(clip.frame) > middle_step(clip)) + 1
    for run in np.split(np.arange(len(poses)), ends):
        if len(run) >= window:
            poses[run] = savgol_filter(poses[run], window, SMOOTH_ORDER, axis=0)
    return replace(clip, poses=poses)


def with_constant_bones(clip: LiftedClip) -> LiftedClip:
    """The clip with each bone as long in all frames, and left as right, as it is in the middle of
    its lengths; directions stay."""
    return replace(clip, poses=posed(clip.poses, bone_lengths(clip.poses)))


def bone_lengths(poses: np.ndarray) -> np.ndarray:
    """The middle length of the bone to each joint (17,), of both sides together; 0 for the root."""
    lengths = np.median(np.linalg.norm(poses - poses[:, PARENTS], axis=-1), axis=0)
    lengths[ROOT] = 0.0
    return np.array([(lengths[JOINTS.index(name)] + lengths[JOINTS.index(mirrored(name))]) / 2 for name in JOINTS])


def posed(poses: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Poses whose bones point as those of `poses` do, and are so long."""
    built = poses.copy()
    for joint, parent in enumerate(PARENTS):  # parents come first
        if joint != ROOT:
            bone = poses[:, joint] - poses[:, parent]
            direction = bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
            built[:, joint] = built[:, parent] + lengths[joint] * direction
    return built
