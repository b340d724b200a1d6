"""Of the people whom a detector sees in a recording, those that are taken."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawClip
from tips_ray.errors import UserError

Ways = ("largest", "confident", "nearest", "all")
"""Other texts are ids of tracks."""

NO_TRACKS = (
    "Videos without ids of tracks: each person in each frame is a clip of one frame, of which bones cannot change and no gap can"
    " be filled; --person nearest follows one person, and a tracker gives ids."
)


@dataclass(frozen=True)
class Person:
    """One person in one frame."""

    frame: int
    keypoints: np.ndarray
    """(joints, 2), NaN where a joint is missing."""
    confidence: np.ndarray
    """(joints,)"""
    track: str = ""
    """The same for one person in all frames; empty if the file does not say."""

    @property
    def size(self) -> float:
        """Diagonal of the box around the joints that are seen; 0 for none."""
        seen = self.keypoints[np.isfinite(self.keypoints).all(axis=-1) & (self.confidence > 0)]
        return float(np.linalg.norm(np.ptp(seen, axis=0))) if len(seen) else 0.0

    @property
    def centre(self) -> np.ndarray:
        """Middle of the joints that are seen; NaN for none."""
        seen = self.keypoints[np.isfinite(self.keypoints).all(axis=-1) & (self.confidence > 0)]
        return seen.mean(axis=0) if len(seen) else np.full(2, np.nan)


@dataclass(frozen=True)
class Recording:
    """Everyone who is seen in one video, or in one still image."""

    clip: str
    frames: Sequence[int]
    """Numbers of all frames, also of those in which nobody is seen."""
    people: Sequence[Person]
    subject: str = ""
    action: str = ""
    image_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Chosen:
    """The people who are taken."""

    clips: list[RawClip]
    people: int
    """How many are seen: tracks where there are any, else the most in one frame of each
    recording."""
    notes: tuple[str, ...] = ()


def person(values: np.ndarray, frame: int, track: object = None, scores: np.ndarray | None = None) -> Person:
    """A person from rows (joints, 2) or (joints, 3) of x, y and, with three, a confidence; joints
    at 0 0 0 are missing."""
    confidence = scores if scores is not None else values[:, 2] if values.shape[1] > 2 else np.ones(len(values))
    return Person(frame, values[:, :2], confidence, track_name(track))


def track_name(track: object) -> str:
    """The id of a track as text, "" for none; tools also write -1 for none, and lists around an
    id, one or several."""
    for _ in range(3):
        if isinstance(track, list):
            track = track[0] if track else None
    if track is None or isinstance(track, list | dict) or track == -1:
        return ""
    return f"{track:g}" if isinstance(track, float) else clean_text(track)


def chosen_clips(recordings: Sequence[Recording], way: str, num_joints: int) -> Chosen:
    """A clip of each recording with the person taken; with `all` of each track, and without tracks,
    where a frame has several people, of each person in each frame.

    Raises UserError for the id of a track that no recording has.
    """
    clips: list[RawClip] = []
    seen, others, untracked = 0, 0, False
    for recording in recordings:
        tracks = defaultdict(list)
        frames = defaultdict(list)
        for one in recording.people:
            tracks[one.track].append(one)
            frames[one.frame].append(one)
        tracked = 2 * len(tracks.get("", ())) < len(recording.people)
        if tracked:
            tracks.pop("", None)  # trackers give no id where they are not sure yet
        most = max(map(len, frames.values()), default=0)
        seen += len(tracks) if tracked else most
        if way == "all" and tracked:
            clips += everyone(recording, tracks, num_joints)
        elif way == "all" and most > 1:
            clips += everyone(recording, None, num_joints)
            untracked |= len(frames) > 1
        else:
            clips.append(clip_of(recording, taken(tracks, frames, way, tracked), num_joints))
            others += max(0, (len(tracks) if tracked else most) - 1)
    if way not in Ways and not any(np.isfinite(clip.keypoints).any() for clip in clips):
        ids = list(dict.fromkeys(one.track for recording in recordings for one in recording.people if one.track))
        raise UserError(
            f"nobody has the track {way!r}; give --person {', '.join(Ways)}"
            + (
                f", or one of the tracks {', '.join(ids[:10])}{' ...' if len(ids) > 10 else ''}."
                if ids
                else "; the file has no tracks."
            )
        )
    notes = [NO_TRACKS] if untracked else []
    notes += [f"Of {seen:,} people, one a recording is taken: --person all takes the other {others:,}, too."] if others else []
    return Chosen(clips, seen, tuple(notes))


def taken(tracks: dict[str, list[Person]], frames: dict[int, list[Person]], way: str, tracked: bool) -> list[Person]:
    """One person a frame, at most."""
    if way == "all":
        return [one for people in frames.values() for one in people]
    if way == "nearest":
        return nearest(frames)
    if way not in Ways:
        return tracks.get(way, [])
    measure = size if way == "largest" else certainty
    if tracked:
        return max(tracks.values(), key=lambda track: sum(map(measure, track)))
    return [max(people, key=measure) for people in frames.values()]


def size(one: Person) -> float:
    """How large a person is in the image."""
    return one.size


def certainty(one: Person) -> float:
    """How confident a detector is of a person's joints, together."""
    return float(np.nansum(one.confidence))


def nearest(frames: dict[int, list[Person]]) -> list[Person]:
    """The largest person of the first frame, and in each later one who is nearest to the last."""
    followed: list[Person] = []
    for frame in sorted(frames):
        people = [one for one in frames[frame] if one.size > 0]
        if people and not followed:
            followed.append(max(people, key=size))
        elif people:
            last = followed[-1].centre
            followed.append(min(people, key=lambda one: float(np.linalg.norm(one.centre - last))))
    return followed


def everyone(recording: Recording, tracks: dict[str, list[Person]] | None, num_joints: int) -> list[RawClip]:
    """A clip a track; without tracks, a clip a person and frame, all of one subject: nobody knows
    which of them are the same person."""
    groups = (
        {f"{recording.clip}/{track}": people for track, people in tracks.items()}
        if tracks is not None
        else {f"{recording.clip}/{number}": [one] for number, one in enumerate(recording.people)}
    )
    subject = recording.subject or ("" if tracks is not None else recording.clip)
    clips = []
    for name, people in groups.items():
        frames = [one.frame for one in people]
        low, high = min(frames), max(frames)
        within = [frame for frame in recording.frames if low <= frame <= high]
        alone = Recording(name, within, people, subject, recording.action, recording.image_size)
        clips.append(clip_of(alone, people, num_joints))
    return clips


def clip_of(recording: Recording, people: Sequence[Person], num_joints: int) -> RawClip:
    """A clip of these people, one a frame at most, and of the recording's other frames without
    them."""
    with_person = {one.frame for one in people}
    absent = sorted({*recording.frames} - with_person)
    nobody = np.full((len(absent), num_joints, 2), np.nan)
    points = np.array([one.keypoints for one in people]).reshape(-1, num_joints, 2)
    confidence = np.array([one.confidence for one in people]).reshape(-1, num_joints)
    return RawClip(
        np.concatenate([points, nobody]),
        recording.clip,
        confidence=np.concatenate([confidence, np.zeros(nobody.shape[:2])]),
        frame=np.array([one.frame for one in people] + absent, dtype=np.int64),
        subject=recording.subject,
        action=recording.action,
        image_size=recording.image_size,
    )
