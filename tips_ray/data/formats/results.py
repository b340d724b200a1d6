"""Lists of people, one an image and person: AlphaPose's results, and COCO's form of results, which
ViTPose, YOLO's validation and MMPose's evaluation write; and AlphaPose's lists of people by
image."""

from typing import Any

from tips_ray.data.formats.detections import Detection, Image, dicts, joint_rows, keypoints_of
from tips_ray.data.formats.opened import Opened
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawKeypoints

ACCEPTS = "AlphaPose's or COCO's results (.json)"


def detect(file: Opened) -> bool:
    """Whether the file is a list of people with an image and keypoints each."""
    first = next((entry for entry in listed(file.json) if isinstance(entry, dict)), {})
    return "image_id" in first and isinstance(first.get("keypoints"), list) and "keypoint_scores" not in first


def listed(content: Any) -> list[Any]:
    """The entries of a list, or of lists by the names of their images; nothing of anything else."""
    if not isinstance(content, dict) or not all(isinstance(people, list) for people in content.values()):
        return content if isinstance(content, list) else []
    return [
        {**entry, "image_id": image} if isinstance(entry, dict) else entry
        for image, people in content.items()
        if any(letter.isdecimal() for letter in image)
        for entry in people
    ]


def read(file: Opened) -> RawKeypoints:
    """Everyone in every image; a confidence above 1 counts as 1."""
    entries = dicts(listed(file.json), f"{file.path}: the list")
    places: dict[str, int] = {}
    detections = []
    for number, entry in enumerate(entries):
        image = places.setdefault(clean_text(entry.get("image_id")), len(places))
        joints = joint_rows(entry.get("keypoints"), f"{file.path}: entry {number}")
        detections.append(Detection(image, joints, entry.get("idx", entry.get("track_id"))))
    alphapose = any("idx" in entry or "box" in entry or is_file_name(entry.get("image_id")) for entry in entries)
    format = "AlphaPose results" if alphapose else "COCO results"
    return keypoints_of(file, format, [Image(name) for name in places], detections, video=True if alphapose else None)


def is_file_name(image: Any) -> bool:
    """Whether an image is named by its file, as AlphaPose does, and not by a number."""
    return isinstance(image, str) and not image.isdecimal()
