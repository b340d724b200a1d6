"""What is common to the forms in which Human3.6M travels: subjects, actions, and cameras from a
user's file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tips_ray.data.formats.opened import floats
from tips_ray.data.labels import clean_text
from tips_ray.errors import UserError
from tips_ray.store.atomic import read_file

CAMERA_IDS = ("54138969", "55011271", "58860488", "60457274")
"""In the order in which files list them."""

ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting"),
    *("SittingDown", "Smoking", "Waiting", "WalkDog", "WalkTogether", "Walking"),
)
"""Numbered from 2."""

CAMERAS_SHAPE = (
    '{"S1": [{"id": "54138969", "orientation": [w, x, y, z], "translation": [x, y, z], "resolution": [width, height]}, ...]},'
    " four cameras a subject in the order of the keypoints, translation in mm"
)


@dataclass(frozen=True)
class Camera:
    """Where a camera stands: a point X of the world (mm) is at `rotation` X + `translation` in its
    frame, x to the right, y down, z away."""

    name: str
    rotation: np.ndarray
    translation: np.ndarray
    resolution: tuple[int, int] | None = None

    def sees(self, positions: np.ndarray) -> np.ndarray:
        """Positions (..., 3) of the world, mm, in the camera's frame."""
        return (positions @ self.rotation.T + self.translation).astype(np.float32)


def image_size(camera: str) -> tuple[int, int] | None:
    """Width and height of a camera's images."""
    if camera not in CAMERA_IDS:
        return None
    return (1000, 1002) if camera in (CAMERA_IDS[0], CAMERA_IDS[-1]) else (1000, 1000)


def read_cameras(path: Path) -> dict[str, list[Camera]]:
    """The cameras of each subject, from JSON of one of two shapes: `CAMERAS_SHAPE`, where the
    orientation turns from the camera to the world and the translation is its place; or
    {"extrinsics": {"S1": {"54138969": {"R": 3 x 3, "t": 3 x 1}}}}, X_camera = R X + t."""
    try:
        content = json.loads(read_file(path).decode("utf-8-sig"))
        by_subject = content.get("extrinsics", content)
        cameras = {
            subject: [
                camera_from(camera if isinstance(camera, dict) else {}, name)
                for name, camera in (entries.items() if isinstance(entries, dict) else zip(CAMERA_IDS, entries, strict=False))
            ]
            for subject, entries in by_subject.items()
            if entries
        }
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{path}: no cameras of Human3.6M ({clean_text(error)[:100]}); give {CAMERAS_SHAPE}.") from error
    if not cameras:
        raise UserError(f"{path}: no cameras of Human3.6M in it; give {CAMERAS_SHAPE}.")
    return cameras


def camera_from(entry: dict[str, Any], name: str) -> Camera:
    """One camera from its JSON; raises ValueError for a shape that is not known."""
    size = entry.get("resolution")
    resolution = (int(size[0]), int(size[1])) if isinstance(size, list) and len(size) == 2 else image_size(name)
    name = str(entry.get("id", name))
    if "R" in entry:
        rotation, translation = floats(entry["R"], "R"), floats(entry["t"], "t").ravel()
    else:
        w, x, y, z = floats(entry["orientation"], "orientation") / np.linalg.norm(entry["orientation"])
        to_world = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        rotation = to_world.T
        place = floats(entry["translation"], "translation")
        if np.abs(place).max() < 20:
            raise UserError("the translation looks like metres; give millimetres")
        translation = -rotation @ place
    if rotation.shape != (3, 3) or translation.shape != (3,) or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise UserError("a rotation is no rotation, or a translation has not three numbers")
    return Camera(name, rotation, translation, resolution)
