"""Predictions of MMPose's inferencer (RTMPose, ViTPose, HRNet ...): `instance_info` by frame, or
the list of the people of an image; and what YOLO's `to_json`, transformers' ViTPose, TensorFlow.js
and easy_ViTPose write. One file, or a folder with a file an image or a video."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tips_ray.data.formats.detections import Detection, Image, joint_rows, keypoints_of
from tips_ray.data.formats.opened import Opened, whole
from tips_ray.data.formats.openpose import frames_in
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "predictions of MMPose, YOLO, ViTPose or TensorFlow.js (.json, or a folder of them)"
MMPOSE, YOLO, VITPOSE, TENSORFLOW = "MMPose predictions", "YOLO results", "easy_ViTPose results", "TensorFlow.js poses"
SCORED = "keypoints with scores (transformers, RTMLib)"
FRAME_KEYS = ("frame_id", "frame", "frame_index")
MOST_EMPTY = 100
"""Files of a folder in which nobody is seen, before the first by which its format is known."""


def detect(file: Opened) -> bool:
    """Whether the file has one of these forms, or the first in a folder with anybody in it."""
    if file.path.is_dir():
        return any(form(Opened(path).json) for path in frames_in(file.path)[:MOST_EMPTY])
    return file.looks_like_json and form(file.json) is not None


def form(content: Any) -> str | None:
    """Which tool wrote the content."""
    if isinstance(content, dict):
        if "instance_info" in content:
            return MMPOSE
        if isinstance(content.get("keypoints"), list) and "skeleton" in content:
            return VITPOSE
    for frame in by_frame(content):
        for entry in frame if isinstance(frame, list) else [frame]:
            if not isinstance(entry, dict):
                return None
            points = entry.get("keypoints")
            if "instances" in entry or (points is not None and "keypoint_scores" in entry):
                return MMPOSE
            if isinstance(points, dict):
                return YOLO
            if isinstance(points, list) and points and isinstance(points[0], dict):
                return TENSORFLOW
            if isinstance(points, list) and isinstance(entry.get("scores"), list):
                return SCORED
            if "box" not in entry and points is None:
                return None
    return None


def by_frame(content: Any) -> list[Any]:
    """The entries of a list, or of a dict by frames: all its names have a number."""
    if isinstance(content, dict):
        return list(content.values()) if all(any(map(str.isdecimal, name)) for name in content) else []
    return content if isinstance(content, list) else []


def read(file: Opened) -> RawKeypoints:
    """Everyone in every frame."""
    folder = file.path.is_dir()
    images: list[Image] = []
    detections: list[Detection] = []
    kind, named = "", []
    for path in frames_in(file.path) if folder else [file.path]:
        content = Opened(path).json if folder else file.json
        own = form(content)
        if own is None and content not in ([], {}):
            raise UserError(f"{path}: no predictions of MMPose, YOLO or ViTPose; the folder must hold such files alone.")
        kind, named = kind or own or "", named or names_in(content, own)
        still = path.relative_to(file.path).with_suffix("").as_posix() if folder else None
        for image, people in frames_of(content, own, path.stem, still):
            images.append(image)
            for entry in people:
                joints = person_joints(entry, own or MMPOSE, f"{path}: {image.name or f'frame {image.frame}'}")
                if joints is not None:
                    track = entry.get("track_id", entry.get("instance_id", entry.get("track")))
                    detections.append(Detection(len(images) - 1, joints, track))
    return keypoints_of(file, kind, images, detections, named, video=True if folder else None)


def frames_of(content: Any, kind: str | None, clip: str, still: str | None) -> Iterator[tuple[Image, list[dict[str, Any]]]]:
    """Images, and the people in each; `still` is what an image is called that is all of a file."""
    if kind == VITPOSE:
        for number, entries in enumerate(content["keypoints"]):
            people = entries.items() if isinstance(entries, dict) else ((None, one) for one in entries or ())
            yield Image("", clip, number), [{"keypoints": joints, "track_id": track} for track, joints in people]
        return
    if isinstance(content, dict) and "instance_info" not in content:
        for name, people in content.items():
            yield Image("", clip, int(name)) if name.isdecimal() else Image(name), people_in(people, name)
        return
    content = content["instance_info"] if isinstance(content, dict) else content
    if not isinstance(content, list):
        raise UserError("'instance_info' is no list")
    if content and all(isinstance(entry, dict) and "keypoints" in entry and frame_key(entry) for entry in content):
        numbers = [whole(entry[frame_key(entry)], "the number of a frame") for entry in content]
        for number in dict.fromkeys(numbers):
            people = [entry for entry, own in zip(content, numbers, strict=True) if own == number]
            yield Image("", clip, number), people_in(people, f"frame {number}")
        return
    if all(isinstance(entry, dict) and "instances" not in entry for entry in content) and kind != TENSORFLOW:
        yield Image(still) if still is not None else Image("", clip, 0), people_in(content, still or "the image")
        return
    for at, entry in enumerate(content):
        number, people = at, entry
        if isinstance(entry, dict):  # of TensorFlow.js the one person of a frame
            number = whole(entry.get(frame_key(entry), at), "the number of a frame")
            people = [entry] if "keypoints" in entry else entry.get("instances", [])
        yield Image("", clip, number), people_in(people, f"frame {number}")


def people_in(people: Any, what: str) -> list[dict[str, Any]]:
    """The people of a frame, also where an entry has several; raises UserError for anything but a
    list of them."""
    if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
        raise UserError(f"{clean_text(what)} has no list of people")
    return [one for entry in people for one in separate(entry)]


def separate(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The people of an entry whose keypoints are (people, joints, 2), an entry each; else the
    entry."""
    points, key = entry.get("keypoints"), "keypoint_scores" if "keypoint_scores" in entry else "scores"
    if not (isinstance(points, list) and points and isinstance(points[0], list) and points[0] and isinstance(points[0][0], list)):
        return [entry]
    scores = entry.get(key)
    one_each = isinstance(scores, list) and len(scores) == len(points) and isinstance(scores[0], list)
    own = scores if isinstance(scores, list) and one_each else [scores] * len(points)
    return [{**entry, "keypoints": joints, key: confidence} for joints, confidence in zip(points, own, strict=True)]


def frame_key(entry: dict[str, Any]) -> str:
    """By which name an entry has the number of its frame; empty if it has none."""
    return next((key for key in FRAME_KEYS if key in entry), "")


def person_joints(entry: dict[str, Any], kind: str, what: str) -> np.ndarray | None:
    """Joints of a person; None for what has none, such as a car that YOLO sees."""
    points = entry.get("keypoints")
    if points is None:
        return None
    if kind == YOLO:
        if not isinstance(points, dict) or not {"x", "y"} <= set(points):
            raise UserError(f"{what} has keypoints without x and y")
        columns = [points["x"], points["y"]]
        if not all(isinstance(column, list) for column in columns) or len(columns[0]) != len(columns[1]):
            raise UserError(f"{what} has keypoints with {'x and y of different lengths'}")
        scores = points.get("visible", points.get("confidence"))
        scores = scores if scores is not None else [1.0] * len(columns[0])
        return joint_rows([list(pair) for pair in zip(*columns, strict=True)], what, scores)
    if kind == VITPOSE:
        return joint_rows(points, what)[:, [1, 0, 2]]  # it writes y before x
    if kind == TENSORFLOW:
        if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
            raise UserError(f"{what} has keypoints that are no objects with x and y")
        return joint_rows([[point.get("x"), point.get("y"), point.get("score", 1.0)] for point in points], what)
    scores = entry.get("keypoint_scores", entry.get("scores"))
    if scores is not None and isinstance(points, list) and points and isinstance(points[0], list) and len(points[0]) == 3:
        raise UserError(f"{what} has 3D poses, as MMPose's 3D inferencer lifts them; give the predictions of a 2D model")
    return joint_rows(points, what, scores)


def names_in(content: Any, kind: str | None) -> list[str]:
    """Names of the joints where the content has them."""
    if kind == VITPOSE:
        return joint_texts(content["skeleton"])
    if kind == TENSORFLOW:
        entries = next((frame for frame in by_frame(content) if frame), {})
        points = (entries[0] if isinstance(entries, list) else entries)["keypoints"]
        return joint_texts([point.get("name") for point in points if isinstance(point, dict) and "name" in point])
    meta = content.get("meta_info") if isinstance(content, dict) else None
    return joint_texts(meta.get("keypoint_id2name")) if isinstance(meta, dict) else []


def joint_texts(names: Any) -> list[str]:
    """Names of joints from a list, or from a dict by number."""
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=lambda key: (len(key), key))]
    return [clean_text(name) for name in names] if isinstance(names, list) else []
