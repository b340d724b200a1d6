"""OpenPose's folder with a JSON file a frame, or one such file. AlphaPose writes the same, also all
frames in one file, by the names of their images."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tips_ray.data.formats.detections import Detection, Image, joint_rows, keypoints_of
from tips_ray.data.formats.opened import Opened
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError
from tips_ray.natural import natural_key
from tips_ray.store.atomic import read_file

ACCEPTS = "a folder of OpenPose's .json files"
SUFFIX = "_keypoints"
LISTS, JOINTS = ("people", "bodies"), ("pose_keypoints_2d", "pose_keypoints", "joints")
LARGEST_FILE = 64 << 20


def detect(file: Opened) -> bool:
    """Whether the path names a file of OpenPose's, or a folder whose first .json file is one."""
    if file.path.is_dir():
        first = next(iter(frames_in(file.path)), None)
        return first is not None and is_openpose(Opened(first))
    return is_openpose(file)


def is_openpose(file: Opened) -> bool:
    """Whether the content is a list of people, as OpenPose writes it."""
    start = file.head[:400]
    return file.looks_like_json and (b'"people"' in start or b'"bodies"' in start)


def frames_in(folder: Path) -> list[Path]:
    """The .json files under a folder, in the order of their numbers."""
    return sorted(folder.rglob("*.json"), key=lambda path: natural_key(str(path)))


def read(file: Opened) -> RawKeypoints:
    """Everyone in every frame: BODY_25, COCO's 18 or MPI's 15 joints; joints at 0 0 0 are
    missing."""
    paths = [file.path] if file.path.is_file() else frames_in(file.path)
    images, detections = [], []
    for path in paths:
        name = path.relative_to(file.path).as_posix() if file.path.is_dir() else path.name
        for image, people in frames_of(path, name.removesuffix(".json").removesuffix(SUFFIX)):
            images.append(Image(image))
            for number, person in enumerate(people):
                points = next((person[key] for key in JOINTS if person.get(key)), None)
                if points is None:
                    continue
                joints = joint_rows(points, f"{path}: person {number}")
                joints[(joints == 0).all(axis=1)] = np.nan
                detections.append(Detection(len(images) - 1, joints, person.get("person_id")))
    return keypoints_of(file, "OpenPose", images, detections, video=True)


def frames_of(path: Path, name: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Names of images, and the people in each: of a file with one frame, `name` and its people."""
    try:
        content = json.loads(read_file(path, LARGEST_FILE).decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"{path}: the JSON is damaged ({clean_text(error)[:100]}); write the file again.") from error
    content = content if isinstance(content, dict) else {}
    by_name = content if content and all(isinstance(frame, dict) for frame in content.values()) else {name: content}
    frames = []
    for image, frame in by_name.items():
        people = next((frame[key] for key in LISTS if key in frame), None)
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise UserError(f"{path}: no list of 'people' in it; the folder must hold OpenPose's files alone.")
        frames.append((clean_text(image), people))
    return frames
