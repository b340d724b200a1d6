"""MediaPipe's 33 pose landmarks of a video, as .csv with a row a landmark or a row a frame, or as
.json with a list of landmarks a frame."""

import re
from typing import Any

import numpy as np

from tips_ray.data.formats.opened import Opened, floats, whole
from tips_ray.data.formats.tables import frame_numbers, numbers, rows_of
from tips_ray.data.joint_sets import MEDIAPIPE
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "MediaPipe's landmarks (.csv or .json)"
LANDMARKS = len(MEDIAPIPE)
VALUES = ("x", "y", "visibility", "world_x", "world_y")
NUMBER_COLUMNS = ("landmark", "landmark_id", "landmark_index", "landmark_name", "id", "index", "joint", "name")
FRAME_COLUMNS = ("frame", "frame_id", "frame_index", "frame_number")
TIME_COLUMNS = ("timestamp", "timestamp_ms", "time", "time_ms")
"""Where no column numbers the frames, they are numbered in the order of their times."""
LISTS = ("landmarks", "pose_landmarks", "poseLandmarks")
WORLD_LISTS = ("world_landmarks", "worldLandmarks", "pose_world_landmarks", "poseWorldLandmarks")
NAMES = [
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
]
"""What MediaPipe calls its landmarks."""

ASPECTS = (16 / 9, 9 / 16, 4 / 3, 3 / 4, 5 / 4, 4 / 5, 3 / 2, 2 / 3, 1.0)
"""Usual shapes of images, width over height; an estimate is rounded to one within 4 %."""


def detect(file: Opened) -> bool:
    """Whether the file is a table of landmarks, or lists of 33 of them."""
    if file.looks_like_json:
        return bool(json_frames(file.json))
    first = file.head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace")
    header = [cell.strip(' "').lower() for cell in re.split(r"[,;\t]", first)]
    long = {"x", "y"} <= set(header) and bool(set(NUMBER_COLUMNS) & set(header))
    return long or wide_columns(header) is not None


def read(file: Opened) -> RawKeypoints:
    """One person; landmarks are shares of the image's width and height, so that its size must be
    given, or is estimated from the landmarks in metres."""
    values, frames = from_json(file) if file.looks_like_json else from_csv(file)
    points, confidence = values[..., :2], values[..., 2]
    notes = ["MediaPipe's world landmarks are a network's estimates, not measured poses: they are not read as labels."]
    size = file.reading.image_size
    shares = np.nanmax(np.abs(points), initial=0) < 10
    if size is None and shares:
        aspect = estimated_aspect(values)
        if aspect is None:
            raise UserError(
                f"{file.path}: MediaPipe landmarks are shares of the image's width and height; give its size with"
                " --image-size WIDTH HEIGHT."
            )
        size = (round(1000 * aspect), 1000)
        notes.append(
            f"The image is taken to be {aspect:.2f} times as wide as high, estimated from the world landmarks; better give"
            " --image-size WIDTH HEIGHT."
        )
    points = points * np.array(size) if shares and size is not None else points
    named = [joint or f"landmark {at}" for at, joint in enumerate(MEDIAPIPE)]
    confidence = np.where(np.isfinite(confidence), confidence, 1.0)
    clip = RawClip(points, file.path.stem, confidence=confidence, frame=frames, image_size=size)
    return RawKeypoints([clip], named, file.name, "MediaPipe landmarks", 1, notes=tuple(notes))


def estimated_aspect(values: np.ndarray) -> float | None:
    """Width over height of the image, from how landmarks in metres move against those in shares;
    None if there are none."""
    slopes = []
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are no landmarks
        for image, world in ((0, 3), (1, 4)):
            shares, metres = values[..., image], values[..., world]
            shares, metres = shares - shares.mean(axis=1, keepdims=True), metres - metres.mean(axis=1, keepdims=True)
            sound = np.isfinite(shares) & np.isfinite(metres)
            spread = float((metres[sound] ** 2).sum())
            slopes.append(float((shares[sound] * metres[sound]).sum()) / spread if spread > 1e-6 else 0.0)
    if not all(np.isfinite(slope) and slope > 1e-6 for slope in slopes):
        return None
    aspect = slopes[1] / slopes[0]
    usual = min(ASPECTS, key=lambda shape: abs(np.log(shape / aspect)))
    return usual if abs(np.log(usual / aspect)) < 0.04 else float(np.clip(aspect, 0.2, 5))


def from_csv(file: Opened) -> tuple[np.ndarray, np.ndarray]:
    """Values (frames, 33, 5) in the order of `VALUES`, NaN where missing, and frame numbers."""
    header, *rows = rows_of(file.text, file.path)
    header = [cell.lower() for cell in header]
    frame_column = next((header.index(name) for name in FRAME_COLUMNS if name in header), None)
    if not rows or any(len(row) != len(header) for row in rows):
        raise UserError(f"{file.path}: MediaPipe landmarks with rows of different lengths, or none; write the file again.")
    wide = wide_columns(header)
    if wide is not None:
        cells = numbers([[row[place] for place in wide.ravel() if place >= 0] for row in rows], str(file.path))
        values = np.full((len(rows), wide.size), np.nan)
        values[:, wide.ravel() >= 0] = cells
        column = None if frame_column is None else numbers([[row[frame_column]] for row in rows], str(file.path))[:, 0]
        frames = np.arange(len(rows)) if column is None else frame_numbers(column, str(file.path))
        return values.reshape(len(rows), LANDMARKS, len(VALUES)), frames
    time_column = next((header.index(name) for name in TIME_COLUMNS if name in header), None)
    moment_column = time_column if frame_column is None else frame_column
    if moment_column is None:
        raise UserError(f"{file.path}: MediaPipe landmarks without a column 'frame'; add the number of the frame to each row.")
    number_column = next(header.index(name) for name in NUMBER_COLUMNS if name in header)
    own = [[row[moment_column], landmark_number(row[number_column])] for row in rows]
    place = numbers(own, str(file.path))
    if frame_column is None:
        place[:, 0] = np.unique(place[:, 0], return_inverse=True)[1]
    distinct, frame = np.unique(frame_numbers(place[:, 0], str(file.path)), return_inverse=True)
    landmark = frame_numbers(place[:, 1], str(file.path))
    if landmark.min() < 0 or landmark.max() >= LANDMARKS:
        raise UserError(
            f"{file.path}: landmarks are numbered {landmark.min()} to {landmark.max()}; MediaPipe's pose has 0 to 32."
        )
    used = [at for at, name in enumerate(VALUES) if name in header]
    values = np.full((len(distinct), LANDMARKS, len(VALUES)), np.nan)
    cells = numbers([[row[header.index(VALUES[at])] for at in used] for row in rows], str(file.path))
    for at, column in zip(used, cells.T, strict=True):
        values[frame, landmark, at] = column
    return with_gaps(values, distinct)


def landmark_number(cell: str) -> str:
    """A landmark's number, from its name or number."""
    name = cell.lower().removeprefix("poselandmark.")
    return str(NAMES.index(name)) if name in NAMES else cell


def wide_columns(header: list[str]) -> np.ndarray | None:
    """Places (33, 5) of the columns of a table with a row a frame, such as "nose_x" or "x0", -1 for
    those that are not there; None if it is no such table."""
    places = np.full((LANDMARKS, len(VALUES)), -1)
    patterns = (
        r"(?P<name>[a-z_]+)[_. ](?P<value>x|y|visibility|v|c|conf|confidence|score|likelihood)",
        r"(?P<value>x|y|visibility|v)[_. ]?(?P<number>[0-9]{1,2})",
        r"(?:landmark[_. ]?|lm[_. ]?)?(?P<number>[0-9]{1,2})[_. ](?P<value>x|y|visibility|v)",
    )
    counted_from_1 = any(re.fullmatch(r"x[_. ]?33", name) for name in header)
    for place, name in enumerate(header):
        match = next(filter(None, (re.fullmatch(pattern, name) for pattern in patterns)), None)
        if match is None:
            continue
        groups = match.groupdict()
        if groups.get("name") is not None and groups["name"] not in NAMES:
            continue
        landmark = NAMES.index(groups["name"]) if groups.get("name") else int(groups["number"]) - counted_from_1
        if 0 <= landmark < LANDMARKS:
            places[landmark, VALUES.index(groups["value"] if groups["value"] in VALUES else "visibility")] = place
    used = [at for at, joint in enumerate(MEDIAPIPE) if joint]
    return places if (places[used, :2] >= 0).all() else None


def json_frames(content: Any) -> list[Any]:
    """The frames of a .json file, if they are MediaPipe's: a list under "frames" or "results", the
    content itself, or landmarks by the numbers of their frames."""
    frames = (
        next((content[key] for key in ("frames", "results") if key in content), None) if isinstance(content, dict) else content
    )
    if isinstance(content, dict) and content and all(key.isdecimal() and len(key) < 16 for key in content):
        frames = [
            {**(frame if isinstance(frame, dict) else {"landmarks": frame}), "frame": int(key)} for key, frame in content.items()
        ]
    if not isinstance(frames, list):
        return []
    return frames if any(len(landmarks_in(frame, LISTS)) == LANDMARKS for frame in frames) else []


def landmarks_in(frame: Any, names: tuple[str, ...]) -> list[Any]:
    """The landmarks of the first person of a frame."""
    if isinstance(frame, dict):
        frame = next((frame[name] for name in names if name in frame), [])
    if isinstance(frame, dict):  # by name, or MediaPipe's own message as JSON
        by_name = {name.lower(): entry for name, entry in frame.items()}
        frame = [by_name[name] for name in NAMES] if by_name.keys() >= set(NAMES) else frame.get("landmark", [])
    if isinstance(frame, list) and len(frame) and isinstance(frame[0], list) and len(frame[0]) == LANDMARKS:
        frame = frame[0]
    return frame if isinstance(frame, list) else []


def from_json(file: Opened) -> tuple[np.ndarray, np.ndarray]:
    """As `from_csv`."""
    frames = json_frames(file.json)
    values = np.full((len(frames), LANDMARKS, len(VALUES)), np.nan)
    numbers_of_frames = []
    for at, frame in enumerate(frames):
        number = (
            next((frame[key] for key in ("frame", "frame_id", "frame_index") if key in frame), at)
            if isinstance(frame, dict)
            else at
        )
        numbers_of_frames.append(whole(number, f"{file.path}: the number of a frame"))
        for names, first in ((LISTS, 0), (WORLD_LISTS, 3)):
            landmarks = landmarks_in(frame, names) if first == 0 or isinstance(frame, dict) else []
            if len(landmarks) == LANDMARKS:
                rows = [coordinates(entry) for entry in landmarks]
                values[at, :, first : first + 2] = floats([row[:2] for row in rows], f"{file.path}: frame {number}")
                if first == 0:
                    values[at, :, 2] = floats([row[2] for row in rows], f"{file.path}: frame {number}")
    return with_gaps(values, np.array(numbers_of_frames, dtype=np.int64))


def coordinates(entry: Any) -> tuple[Any, Any, Any]:
    """x, y and visibility of a landmark."""
    if isinstance(entry, dict):
        return entry.get("x"), entry.get("y"), entry.get("visibility", 1.0)
    if isinstance(entry, list) and len(entry) >= 2:
        return entry[0], entry[1], entry[3] if len(entry) > 3 else 1.0
    return None, None, None


def with_gaps(values: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with the frames in between, in which nobody was seen, unless these are most."""
    wanted = np.arange(frames.min(), frames.max() + 1) if np.ptp(frames) < 100 * len(frames) else frames
    lacking = np.setdiff1d(wanted, frames)
    nobody = np.full((len(lacking), *values.shape[1:]), np.nan)
    return np.concatenate([values, nobody]), np.concatenate([frames, lacking])
