"""What the readers of detectors' JSON share: rows of a person's joints, and which joints they
are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tips_ray.data.formats.opened import Opened, floats
from tips_ray.data.image_names import places
from tips_ray.data.joint_sets import DETECTED
from tips_ray.data.people import Person, Recording, chosen_clips, person
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError


@dataclass(frozen=True)
class Detection:
    """One person in one image, by the place of the image in a list."""

    image: int
    joints: np.ndarray
    """(joints, 3): x, y and confidence."""
    track: object = None


@dataclass(frozen=True)
class Image:
    """An image as a file names it."""

    name: str
    clip: str | None = None
    """None: what its name says."""
    frame: int | None = None
    size: tuple[int, int] | None = None


def joint_rows(values: Any, what: str, scores: Any = None) -> np.ndarray:
    """Joints (joints, 3) of a person from [x, y, c, x, y, c, ...], [[x, y, c], ...], or [[x, y],
    ...] with scores beside them; missing numbers are NaN."""
    array = floats(values, what)
    if scores is not None:
        array = array.reshape(-1, 2) if array.ndim == 1 and array.size % 2 == 0 else array
        confidence = floats(scores, f"the scores of {what}").ravel()
        if array.ndim != 2 or array.shape[1] < 2 or len(confidence) != len(array):
            raise UserError(f"{what} has {len(array)} joints and {len(confidence)} scores; give a score a joint")
        return np.column_stack([array[:, :2], confidence])
    if array.ndim == 1 and array.size % 3 == 0:
        array = array.reshape(-1, 3)
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise UserError(f"{what} has keypoints of shape {array.shape}; give x, y and a confidence for each joint")
    return array if array.shape[1] == 3 else np.column_stack([array, np.ones(len(array))])


def joint_names(counts: set[int], named: Sequence[str], file: Opened) -> Sequence[str]:
    """The joints of a file's people: as it names them, or as their number says."""
    if len(counts) > 1:
        raise UserError(f"{file.path}: people have {', '.join(map(str, sorted(counts)))} joints; give one number of joints.")
    number = next(iter(counts), len(named))
    if len(named) == number and number:
        return named
    if number in DETECTED:
        return DETECTED[number]
    if number and file.reading.joint_map is not None:
        return [str(joint) for joint in range(number)]
    raise UserError(
        f"{file.path}: {number} joints a person, of which no set of joints is known (known are"
        f" {', '.join(map(str, DETECTED))}); name them by their places, from 0, with --joint-map FILE."
        if number
        else f"{file.path}: nobody is seen in any frame."
    )


def keypoints_of(
    file: Opened,
    format: str,
    images: Sequence[Image],
    detections: Sequence[Detection],
    named: Sequence[str] = (),
    video: bool | None = None,
) -> RawKeypoints:
    """Recordings made of images and the people in them; `video`: as of `image_names.places`."""
    names = joint_names({len(detection.joints) for detection in detections}, named, file)
    placed = places([image.name for image in images], video)
    recordings: dict[str, list[int]] = defaultdict(list)
    numbers = []
    for at, (image, (clip, frame)) in enumerate(zip(images, placed, strict=True)):
        recordings[image.clip if image.clip is not None else clip or file.path.stem].append(at)
        numbers.append(frame if image.frame is None else image.frame)
    people: dict[int, list[Person]] = defaultdict(list)
    for detection in detections:
        people[detection.image].append(person(detection.joints, numbers[detection.image], detection.track))
    made = [
        Recording(
            clip,
            [numbers[at] for at in members],
            [one for at in members for one in people[at]],
            image_size=next((images[at].size for at in members if images[at].size), None),
        )
        for clip, members in recordings.items()
    ]
    chosen = chosen_clips(made, file.reading.person, len(names))
    return RawKeypoints(chosen.clips, names, file.name, format, chosen.people, notes=chosen.notes)


def size_in(entry: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height that an image's entry states."""
    width, height = entry.get("width"), entry.get("height")
    sound = all(isinstance(side, int | float) and 0 < side < 1e6 for side in (width, height))
    return (int(width), int(height)) if sound else None  # type: ignore[arg-type]


def dicts(values: Any, what: str) -> list[dict[str, Any]]:
    """A list of JSON objects; raises UserError for anything else."""
    if not isinstance(values, list) or not all(isinstance(entry, dict) for entry in values):
        raise UserError(f"{what} is no list of objects; write the file again")
    return values
