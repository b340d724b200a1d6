"""The embedded default data: synthetic poses of synthetic people."""

import zlib

import numpy as np

from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.data.synthetic.actions import ACTIONS
from tips_ray.data.synthetic.body import ANKLE_HEIGHT, Subject, make_subject
from tips_ray.data.synthetic.clip import FRAMES_PER_SECOND, Clip
from tips_ray.data.synthetic.kinematics import forward_kinematics
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

CLIP_FRAMES = 150
"""A clip has at most this many frames: 6 seconds."""

CLEARANCE = {"knee": 0.030, "ankle": ANKLE_HEIGHT, "pelvis": 0.055, "wrist": 0.010}
"""Least height of a joint over the ground, as a fraction of stature: what flesh and feet are
beneath it."""


def synthesise(num_poses: int = 30_000, num_subjects: int = 8, seed: int = 0) -> PoseSet:
    """Generate `num_poses` poses (mm, world frame, y up, 25 frames a second) of subjects S1, S2,
    ... in all `ACTIONS`.

    No human was measured: joint angles follow published gait curves, postures and smooth noise
    within anatomical limits, bones published anthropometry. Equal arguments give equal poses. Each
    subject, action and clip has its own random stream, so another subject or action changes no
    other's motion, only how many frames each gets.

    Raises ValueError for a negative seed, fewer than two subjects, or fewer poses than one for each
    subject and action.
    """
    least = num_subjects * len(ACTIONS)
    if num_subjects < 2:
        raise UserError(f"num_subjects is {num_subjects}; give at least 2, so that one can be held out.")
    if seed < 0:
        raise UserError(f"seed is {seed}; give a whole number from 0 on.")
    if num_poses < least:
        raise UserError(
            f"num_poses is {num_poses}; give at least {least}, one for each of {num_subjects} subjects × {len(ACTIONS)} actions."
        )
    positions, labels = [], []
    bounds = np.linspace(0, num_poses, least + 1).round().astype(int)
    shares = iter(np.diff(bounds))
    for number in range(1, num_subjects + 1):
        subject = make_subject(_stream(seed, number, "body", 0))
        for action in ACTIONS:
            share = int(next(shares))
            num_clips = -(-share // CLIP_FRAMES)
            for clip, frames in enumerate(np.array_split(np.arange(share), num_clips)):
                positions.append(_perform(action, subject, len(frames), _stream(seed, number, action, clip)))
                labels += [(f"S{number}", action, f"S{number}/{action}/{clip + 1}")] * len(frames)
    who, what, clips = np.array(labels).T
    return make_poseset(RawPoses(np.concatenate(positions), "synthetic", subject=who, action=what, clip=clips, synthetic=True))


def _stream(seed: int, subject: int, what: str, clip: int) -> np.random.Generator:
    """The random stream of one thing."""
    return np.random.default_rng([seed, subject, zlib.crc32(what.encode()), clip])


def _perform(action: str, subject: Subject, num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """World positions (frames, 17, 3) in mm of one clip."""
    clip = Clip(rng, num_frames, subject)
    heading = rng.uniform(0, 2 * np.pi)
    ACTIONS[action](clip)
    body = forward_kinematics(clip.settle(), subject.offsets)
    return _place(body, heading + np.radians(clip.turning), clip.speed, clip.lift, subject.stature)


def _place(body: np.ndarray, heading: np.ndarray, speed: np.ndarray, lift: np.ndarray, stature: float) -> np.ndarray:
    """Turn poses to their heading, move them along it, and keep what is lowest `lift` above the
    ground (y = 0)."""
    sin, cos = np.sin(heading), np.cos(heading)
    world = body.copy()
    world[..., 0] = cos[:, None] * body[..., 0] + sin[:, None] * body[..., 2]
    world[..., 2] = cos[:, None] * body[..., 2] - sin[:, None] * body[..., 0]
    clearance = np.array([CLEARANCE.get(joint.split("_")[-1], 0.0) * stature for joint in JOINTS])
    path = np.cumsum(np.stack([speed * sin, np.zeros_like(speed), speed * cos], axis=-1) / FRAMES_PER_SECOND, axis=0)
    path[:, 1] = np.max(clearance - body[..., 1], axis=1) + lift
    return world + path[:, None]
