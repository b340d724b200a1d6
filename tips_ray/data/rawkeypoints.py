"""Keypoints as a file gives them, and how they become a `KeypointSet`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from tips_ray.config import FileReading
from tips_ray.data.derive import Derivation, derivation, every_axis, read_joint_map, seen
from tips_ray.data.gaps import fill_gaps
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.labels import clean_text, merge_takes
from tips_ray.data.plausible import check_unit
from tips_ray.data.poseset import Origin
from tips_ray.data.raw import OTHER_SIDE
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS, Sides
from tips_ray.wording import counted

MAX_COORDINATE = 1e6
"""Larger ones are no place in an image: the joint is missing."""

MIN_UPRIGHT_FRAMES = 50
"""Fewer frames may all be of a handstand: nothing is refused."""


@dataclass(frozen=True)
class RawClip:
    """One person in one recording, as a file gives it."""

    keypoints: np.ndarray
    """(frames, joints, 2), NaN where a joint is missing; a frame without the person is all NaN."""
    clip: object
    confidence: np.ndarray | None = None
    """(frames, joints); None: 1."""
    frame: np.ndarray | None = None
    """Numbers (frames,), in any order; None: 0, 1, 2, ..."""
    subject: object = ""
    """Empty: the clip."""
    action: object = ""
    """Empty: "all"."""
    image_size: tuple[int, int] | None = None
    """Width and height."""
    positions: np.ndarray | None = None
    """(frames, joints, 3), mm, in the frame of the camera, with the same axis up as the
    keypoints."""
    filled: np.ndarray | None = None
    """(frames, joints), joints that were missing and filled already; with it, the others are there
    whatever their confidence."""


@dataclass(frozen=True)
class RawKeypoints:
    """What a file says of its keypoints."""

    clips: Sequence[RawClip]
    joint_names: Sequence[object]
    name: str
    format: str
    people: int | None = None
    """As of `Origin`; None: one a clip."""
    up: str = "-y"
    """"y" if y points up in the file."""
    sides: str = "named"
    synthetic: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """A clip with the 17 joints, y up, short of no joint, and what became of its frames."""

    arrays: dict[str, np.ndarray]
    absent: int
    short: int
    unposed: int
    repeated: int


Complete = Callable[[np.ndarray], np.ndarray]
"""Estimates joints (frames, 17, 2), y up, that are NaN."""


def make_keypointset(raw: RawKeypoints, reading: FileReading | None = None, complete: Complete | None = None) -> KeypointSet:
    """Keypoints of the 17 joints, y up, with clean labels, frames sorted by number within clips.

    Joints below `reading.min_confidence` are missing; joints that the file lacks, or misses in a
    frame, are derived where `derive.DERIVED` says how. Frames that are still short of joints are
    filled over gaps of at most `reading.max_gap` frames, then as `complete` does, or left out; all
    of this is counted in `origin` and said in `notes`. Raises UserError, in one sentence, for a
    wrong shape, joints that cannot be had, axes or sides that are not known, and where no frame is
    left.
    """
    reading = reading or FileReading()
    name = clean_text(raw.name)
    try:
        for field, value, accepted in (("up axis of keypoints", raw.up, ("y", "-y")), ("sides", raw.sides, get_args(Sides))):
            if value not in accepted:
                raise UserError(f"the {field} {clean_text(value)!r} is not known; give one of {', '.join(accepted)}.")
        clips, scaling = in_pixels(raw.clips, reading, len(raw.joint_names))
        joints = derivation(raw.joint_names, None if reading.joint_map is None else read_joint_map(reading.joint_map))
        ready = [ready_clip(clip, raw, joints, reading, complete) for clip in clips]
        return assembled(replace(raw, clips=clips, notes=(*raw.notes, *scaling)), ready, joints, name, complete is not None)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def in_pixels(clips: Sequence[RawClip], reading: FileReading, num_joints: int) -> tuple[list[RawClip], tuple[str, ...]]:
    """The clips with the image size that the user gives; keypoints that are shares of it are
    scaled. Says if they look like shares of an unknown size."""
    for clip in clips:
        if np.ndim(clip.keypoints) != 3 or np.shape(clip.keypoints)[-1] != 2:
            raise UserError(f"'keypoints' has shape {np.shape(clip.keypoints)}; give (frames, joints, 2).")
        if clip.keypoints.shape[1] != num_joints:
            raise UserError(f"'keypoints' has shape {clip.keypoints.shape} for {num_joints} joint names.")
        if clip.keypoints.dtype.kind not in "fiu":
            raise UserError(f"'keypoints' holds {clip.keypoints.dtype.name} values; give real numbers.")
    given = reading.image_size
    clips = [replace(clip, image_size=given) for clip in clips] if given else list(clips)
    extremes = [(np.nanmin(values), np.nanmax(values)) for clip in clips if np.isfinite(values := clip.keypoints).any()]
    if not extremes or min(low for low, _ in extremes) < -0.5 or not 0 < max(high for _, high in extremes) <= 1.5:
        return clips, ()
    unknown = [clip for clip in clips if clip.image_size is None]
    if unknown:
        return clips, ("Keypoints look like shares of the image's width and height: give --image-size WIDTH HEIGHT.",)
    return [replace(clip, keypoints=clip.keypoints * np.array(clip.image_size)) for clip in clips], ()


def ready_clip(clip: RawClip, raw: RawKeypoints, joints: Derivation, reading: FileReading, complete: Complete | None) -> Ready:
    """One clip with the 17 joints, sorted, filled, and without frames that are short of joints."""
    points, confidence, frame = checked(clip)
    lost = ~every_axis(np.abs(points) <= MAX_COORDINATE)  # NaN is not at most anything
    at_origin = every_axis(np.equal(points, 0))
    lost |= at_origin & ~at_origin.all(axis=0)  # in all frames: the origin of the coordinates
    lost |= at_origin.all(axis=-1, keepdims=True)
    if clip.filled is None:
        lost |= (confidence < reading.min_confidence) | (confidence <= 0)
    points[lost] = np.nan
    order = np.lexsort((lost.sum(axis=1), frame))
    first = np.ones(len(order), dtype=bool)
    first[1:] = frame[order][1:] != frame[order][:-1]
    order = order[first]
    whole, certain = joints.apply(points[order], confidence[order])
    frame = frame[order]
    whole[np.asarray(every_axis(whole == whole[:, :1]).all(axis=1))] = np.nan  # all joints at one point are nobody
    whole, certain = oriented(whole, raw), certain[:, OTHER_SIDE] if raw.sides == "swapped" else certain
    missing = ~seen(whole) | (certain <= 0)
    nobody = np.asarray(~seen(whole).any(axis=1))
    whole = fill_gaps(whole, frame, reading.max_gap) if reading.max_gap else whole
    whole = complete(whole).astype(np.float32) if complete else whole
    kept = np.asarray(seen(whole).all(axis=1))
    absent = ~kept & nobody
    short = ~kept & ~nobody
    unposed = np.zeros(len(kept), dtype=bool)
    arrays = {"confidence": np.where(missing, 0, certain).astype(np.float32), "missing": missing, "frame": frame}
    arrays["keypoints"] = whole
    if clip.positions is not None:
        with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 becomes infinite, which is no pose
            positions = np.asarray(clip.positions).astype(np.float32, copy=False)
        poses = joints.apply(positions[order], np.ones(lost.shape)[order])[0]
        unposed = kept & ~seen(poses).all(axis=1)
        arrays["positions"] = oriented(poses, raw)
    kept &= ~unposed
    chosen = kept & (np.arange(len(kept)) % reading.every_nth == 0)
    counts = (int(frames.sum()) for frames in (absent, short, unposed, ~first))
    return Ready({key: values[chosen] for key, values in arrays.items()}, *counts)


def checked(clip: RawClip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints (float64, a copy), confidences from 0 to 1 and numbers of a clip's frames."""
    points = clip.keypoints.astype(np.float64 if clip.keypoints.dtype == np.float64 else np.float32)
    confidence = np.ones(points.shape[:2]) if clip.confidence is None else np.asarray(clip.confidence, dtype=float)
    frame = np.arange(len(points)) if clip.frame is None else np.asarray(clip.frame)
    for field, values, shape in (("confidence", confidence, points.shape[:2]), ("frame", frame, points.shape[:1])):
        if values.shape != shape:
            raise UserError(f"{field!r} has shape {values.shape}; give {shape}.")
    if clip.positions is not None and np.shape(clip.positions) != (*points.shape[:2], 3):
        raise UserError(f"'positions' has shape {np.shape(clip.positions)}; give {(*points.shape[:2], 3)}.")
    return points, np.clip(np.nan_to_num(confidence, nan=0.0), 0, 1), frame.astype(np.int64)


def oriented(points: np.ndarray, raw: RawKeypoints) -> np.ndarray:
    """Points (frames, 17, 2 or 3) with y up and left and right as `raw.sides` says; with y, z
    turns, so that the axes stay right-handed."""
    points = points[:, OTHER_SIDE] if raw.sides == "swapped" else points
    if raw.up == "-y":
        points = points * np.array([1, -1, -1][: points.shape[-1]], dtype=np.float32)
    return points.astype(np.float32, copy=False)


def assembled(raw: RawKeypoints, ready: Sequence[Ready], joints: Derivation, name: str, estimated: bool) -> KeypointSet:
    """All clips in one set, with what is to be said of them."""
    frames = sum(len(clip.keypoints) for clip in raw.clips)
    lengths = [len(clip.arrays["keypoints"]) for clip in ready]
    reasons = {
        "without any joint": sum(clip.absent for clip in ready),
        "short of joints": sum(clip.short for clip in ready),
        "without a whole 3D pose": sum(clip.unposed for clip in ready),
        "of a number that the clip has twice": sum(clip.repeated for clip in ready),
    }
    reasons["not taken (--every-nth)"] = frames - sum(lengths) - sum(reasons.values())
    left_out = tuple((reason, count) for reason, count in reasons.items() if count > 0)
    if not sum(lengths):
        said = ", ".join(f"{count:,} {reason}" for reason, count in left_out) or "the file holds none"
        raise UserError(
            f"{raw.format} with no usable frame ({said}); lower --min-confidence, or fill gaps of some frames with --max-gap."
        )
    paired = all("positions" in clip.arrays for clip in ready)
    keys = ("keypoints", "confidence", "missing", "frame", *(("positions",) if paired else ()))
    arrays = {key: np.concatenate([clip.arrays[key] for clip in ready]) for key in keys}
    arrays["confidence"] = arrays["confidence"].astype(np.float32)
    labels = [labels_of(clip) for clip in raw.clips]
    subject, action, clip = (np.array(column) for column in zip(*labels, strict=True))
    action, takes = merge_takes(action)
    sizes = np.array([clip.image_size or (0, 0) for clip in raw.clips], dtype=np.int32)
    if paired:
        check_unit(arrays["positions"])
    filled = int(arrays["missing"].any(axis=1).sum())
    origin = Origin(raw.format, frames, raw.people or len(raw.clips), left_out, joints.derived)
    notes = [*raw.notes, *takes]
    notes += [f"Joints that the file lacks are derived: {', '.join(joints.derived)}."] if joints.derived else []
    notes += [f"{count:,} of {frames:,} frames left out: {reason}." for reason, count in left_out]
    notes += (
        ["--max-gap FRAMES fills joints that are missing in a few frames."] if reasons["short of joints"] > filled == 0 else []
    )
    source = "their neighbours or the other joints" if estimated else "their neighbours"
    notes += [f"Joints of {counted(filled, 'frame')} are filled from {source}."] if filled else []
    spread = {"subject": subject, "action": action, "clip": clip}
    return KeypointSet(
        **arrays,
        **{key: np.repeat(column, lengths) for key, column in spread.items()},
        image_size=np.repeat(sizes, lengths, axis=0),
        name=name,
        synthetic=raw.synthetic,
        notes=tuple(notes),
        origin=origin,
    )


def labels_of(clip: RawClip) -> tuple[str, str, str]:
    """Subject, action and clip as clean text."""
    name = clean_text(clip.clip) or "unnamed"
    return clean_text(clip.subject) or name, clean_text(clip.action) or "all", name


def check_upright(keypoints: KeypointSet) -> None:
    """Raise UserError if people stand on their heads in nearly all frames."""
    if upside_down(keypoints.keypoints):
        raise UserError(
            f"{keypoints.name}: people stand on their heads; if y points up in the file, say --up y, if down, --up=-y"
            " (the same again keeps them as they are)."
        )


def upside_down(points: np.ndarray) -> bool:
    """Whether people (frames, 17, 2), y up, stand on their heads in nearly all of many frames."""
    head, ankles = JOINTS.index("head"), [JOINTS.index("l_ankle"), JOINTS.index("r_ankle")]
    body = points[:, head] - points[:, ankles].mean(axis=1)
    upright = body[:, 1] / np.maximum(np.linalg.norm(body, axis=-1), 1e-9)
    return len(points) >= MIN_UPRIGHT_FRAMES and bool(np.median(upright) < -0.5)
