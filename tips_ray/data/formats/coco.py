"""COCO's keypoints and the sets that are written alike: COCO-WholeBody, Halpe, CrowdPose and
PoseTrack."""

from typing import Any

from tips_ray.data.formats.detections import Detection, Image, dicts, joint_rows, keypoints_of, size_in
from tips_ray.data.formats.opened import Opened, whole
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "a COCO-like .json of keypoints"


def detect(file: Opened) -> bool:
    """Whether the file has annotations of images."""
    return file.looks_like_json and isinstance(file.json, dict) and "annotations" in file.json


def read(file: Opened) -> RawKeypoints:
    """Everyone in every image who is no crowd; joints with visibility 0 are missing."""
    annotations = dicts(file.json["annotations"], f"{file.path}: 'annotations'")
    listed = dicts(file.json.get("images", []), f"{file.path}: 'images'")
    annotations = [entry for entry in annotations if isinstance(entry.get("keypoints"), list) and entry["keypoints"]]
    if not annotations:
        raise UserError(
            f"{file.path}: COCO annotations without keypoints; give the file of keypoints, such as person_keypoints_*.json."
        )
    known = {clean_text(entry.get("id")): entry for entry in listed}
    for entry in annotations:  # some files list no images
        known.setdefault(clean_text(entry.get("image_id")), {"file_name": clean_text(entry.get("image_id"))})
    places = {name: at for at, name in enumerate(known)}
    people = [entry for entry in annotations if not entry.get("iscrowd")]
    detections = []
    for number, entry in enumerate(people):
        joints = joint_rows(entry["keypoints"], f"{file.path}: annotation {number}")
        detections.append(Detection(places[clean_text(entry.get("image_id"))], joints, entry.get("track_id")))
    video = True if any("track_id" in entry for entry in people) else None
    return keypoints_of(
        file, kind(file.json, people), [image_of(entry) for entry in known.values()], detections, named(file.json), video
    )


def image_of(entry: dict[str, Any]) -> Image:
    """An image of the list; PoseTrack says which video it is of."""
    name = clean_text(entry.get("file_name", entry.get("id", "")))
    video = entry.get("vid_id", entry.get("video_id"))
    frame = entry.get("frame_id", entry.get("frame_index")) if video is not None else None
    return Image(
        name,
        clip=None if video is None else clean_text(video),
        frame=None if frame is None else whole(frame, f"the frame of {name}"),
        size=size_in(entry),
    )


def named(content: dict[str, Any]) -> list[str]:
    """The joints that the first category with joints names."""
    categories = content.get("categories")
    for category in categories if isinstance(categories, list) else ():
        joints = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(joints, list) and joints:
            return [clean_text(joint) for joint in joints]
    return []


def kind(content: dict[str, Any], people: list[dict[str, Any]]) -> str:
    """The name of the set, as far as the file shows it."""
    joints = named(content)
    first = people[0] if people else {}
    if "head_bottom" in joints:
        return "PoseTrack (COCO-like)"
    if "foot_kpts" in first:
        return "COCO-WholeBody"
    number = len(first.get("keypoints", ())) // 3
    return {14: "CrowdPose (COCO-like)", 26: "Halpe (COCO-like)", 136: "Halpe (COCO-like)"}.get(number, "COCO keypoints")
