"""Predictions of MMPose's inferencer (RTMPose, ViTPose, HRNet ...): `instance_info` by frame, or
the list of the people of an image; and YOLO's `to_json`, easy_ViTPose's output."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tips_ray.data.formats.detections import Detection, Image, joint_rows, keypoints_of
from tips_ray.data.formats.opened import Opened, whole
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "predictions of MMPose, YOLO or easy_ViTPose (.json)"
MMPOSE, YOLO, VITPOSE = "MMPose predictions", "YOLO results", "easy_ViTPose results"


def detect(file: Opened) -> bool:
    """Whether the file has one of the three forms."""
    return file.looks_like_json and form(file.json) is not None


def form(content: Any) -> str | None:
    """Which tool wrote the content."""
    if isinstance(content, dict):
        if "instance_info" in content:
            return MMPOSE
        return VITPOSE if isinstance(content.get("keypoints"), list) and "skeleton" in content else None
    for frame in content if isinstance(content, list) else ():
        for entry in frame if isinstance(frame, list) else [frame]:
            if not isinstance(entry, dict):
                return None
            if "instances" in entry or ("keypoints" in entry and "keypoint_scores" in entry):
                return MMPOSE
            if isinstance(entry.get("keypoints"), dict):
                return YOLO
            if "box" not in entry and "keypoints" not in entry:
                return None
    return None


def read(file: Opened) -> RawKeypoints:
    """Everyone in every frame."""
    kind = form(file.json)
    if kind == VITPOSE:
        frames, named = vitpose_frames(file.json), joint_texts(file.json["skeleton"])
    else:
        frames, named = list(listed_frames(file.json)), mmpose_names(file.json)
    images, detections = [], []
    for at, (number, people) in enumerate(frames):
        images.append(Image("", clip=file.path.stem, frame=number))
        for entry in people:
            joints = person_joints(entry, kind or MMPOSE, f"{file.path}: frame {number}")
            if joints is not None:
                track = entry.get("track_id", entry.get("instance_id", entry.get("track")))
                detections.append(Detection(at, joints, track))
    return keypoints_of(file, kind or MMPOSE, images, detections, named)


def listed_frames(content: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Numbers of frames, and the people in each."""
    if isinstance(content, dict):
        content = content["instance_info"]
    if not isinstance(content, list):
        raise UserError("'instance_info' is no list")
    frames = [entry for entry in content if isinstance(entry, dict) and "instances" in entry]
    if not frames and content and all(isinstance(entry, dict) for entry in content):
        content = [content]  # one image
    for at, entry in enumerate(content):
        number, people = at, entry
        if isinstance(entry, dict):
            number = whole(entry.get("frame_id", at), "a frame_id")
            people = entry.get("instances", [])
        if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
            raise UserError(f"frame {number} has no list of people")
        yield number, people


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
    points = points[0] if isinstance(points, list) and np.ndim(points[0] if points else 0) == 2 else points
    return joint_rows(points, what, entry.get("keypoint_scores"))


def vitpose_frames(content: dict[str, Any]) -> list[tuple[int, list[dict[str, Any]]]]:
    """Numbers of frames, and the people in each, by the id of their track."""
    frames = []
    for number, people in enumerate(content["keypoints"]):
        entries = people.items() if isinstance(people, dict) else ((None, one) for one in people or ())
        frames.append((number, [{"keypoints": joints, "track_id": track} for track, joints in entries]))
    return frames


def mmpose_names(content: Any) -> list[str]:
    """Names of the joints in MMPose's description of its data set, if it is there."""
    meta = content.get("meta_info") if isinstance(content, dict) else None
    return joint_texts(meta.get("keypoint_id2name")) if isinstance(meta, dict) else []


def joint_texts(names: Any) -> list[str]:
    """Names of joints from a list, or from a dict by number."""
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=lambda key: (len(key), key))]
    return [clean_text(name) for name in names] if isinstance(names, list) else []
