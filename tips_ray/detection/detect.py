"""Keypoints of the people in a video or photo, by a detector: MediaPipe, RTMPose or YOLO.

    detector/bin/python detect.py clip.mp4 clip.json --detector mediapipe

Runs alone, in the environment of the detector: it imports nothing of tips-ray, which needs other
versions of what detectors need. Writes COCO's form of JSON, with the names of the joints, the size
of the images, the people's tracks where there are any, and the frames a second.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

PARTS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
JOINTS = ["nose", *(f"{side}_{part}" for part in PARTS for side in ("left", "right"))]
MEDIAPIPE_PLACES = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Of these joints among MediaPipe's 33 landmarks."""
PACKAGES = {"mediapipe": "mediapipe", "rtmpose": "rtmlib", "yolo": "ultralytics"}
"""By detector; the first that is installed is taken."""
FRAMES_BETWEEN_NEWS = 50

Person = tuple[list[list[float]], int | None]
"""x, y in pixels and confidence of each joint; the id of the track."""
Detector = Callable[[Any], list[Person]]
"""The people in an image (height, width, 3), blue first."""


def mediapipe(is_video: bool) -> Detector:
    """One person, with the model that MediaPipe's package brings along (up to its version
    0.10.21)."""
    pose = import_module("mediapipe").solutions.pose.Pose(static_image_mode=not is_video)

    def people(image: Any) -> list[Person]:
        height, width = image.shape[:2]
        found = pose.process(image[:, :, ::-1]).pose_landmarks
        if found is None:
            return []
        landmarks = [found.landmark[place] for place in MEDIAPIPE_PLACES]
        return [([[each.x * width, each.y * height, each.visibility] for each in landmarks], None)]

    return people


def rtmpose(is_video: bool) -> Detector:
    """Everyone in each image; downloads its models."""
    body = import_module("rtmlib").Body()

    def people(image: Any) -> list[Person]:
        keypoints, scores = body(image)
        return [
            ([[x, y, min(score, 1.0)] for (x, y), score in zip(joints.tolist(), of_joints.tolist(), strict=True)], None)
            for joints, of_joints in zip(keypoints, scores, strict=True)
        ]

    return people


def yolo(is_video: bool) -> Detector:
    """Everyone in each image, in videos by their tracks; downloads its model."""
    model = import_module("ultralytics").YOLO("yolo11n-pose.pt")

    def people(image: Any) -> list[Person]:
        result = (model.track(image, persist=True, verbose=False) if is_video else model(image, verbose=False))[0]
        joints = result.keypoints.data.tolist()
        tracks = [None] * len(joints) if result.boxes.id is None else result.boxes.id.int().tolist()
        return [(each, track) for each, track in zip(joints, tracks, strict=True) if each]

    return people


DETECTORS = {"mediapipe": mediapipe, "rtmpose": rtmpose, "yolo": yolo}


def refuse(sentence: str) -> NoReturn:
    """End the program, and say why."""
    print(sentence, file=sys.stderr)
    sys.exit(2)


def chosen(name: str) -> str:
    """The detector of this name, or with `any` the first that is installed; ends the program where
    there is none."""
    installed = [detector for detector, package in PACKAGES.items() if find_spec(package)]
    if name == "any" and installed:
        return installed[0]
    if name in installed:
        return name
    what = "No detector (MediaPipe, RTMPose's rtmlib or YOLO's ultralytics)" if name == "any" else f"The detector {name}"
    state = f"{'is' if name == 'any' else 'is not'} installed for {sys.executable}"
    there = f"; there is {', '.join(installed)}" if installed else ""
    refuse(f"{what} {state}{there}. MediaPipe: python3.11 -m venv detector && detector/bin/pip install mediapipe==0.10.21")


def footage(path: Path) -> tuple[Iterator[Any], float | None]:
    """The images of a video, or of a photo, and a video's frames a second; ends the program for
    anything else."""
    cv2 = import_module("cv2")
    photo = cv2.imread(str(path))
    if photo is not None:
        return iter([photo]), None
    video = cv2.VideoCapture(str(path))
    read, first = video.read()
    if not read:
        refuse(f"{path} is no video and no photo that OpenCV reads, or is damaged.")

    def images() -> Iterator[Any]:
        more, image = True, first
        while more:
            yield image
            more, image = video.read()

    return images(), video.get(cv2.CAP_PROP_FPS) or None


def main() -> None:
    """Detect, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path, help="a video or photo")
    parser.add_argument("out", type=Path, help="the .json file to write")
    parser.add_argument("--detector", choices=["any", *DETECTORS], default="any")
    options = parser.parse_args()
    name = chosen(options.detector)
    images, fps = footage(options.footage)
    detector = DETECTORS[name](fps is not None)
    listed, annotations = [], []
    for number, image in enumerate(images):
        height, width = image.shape[:2]
        place = {"id": number, "video_id": options.footage.stem, "frame_id": number, "width": width, "height": height}
        listed.append({**place, "file_name": options.footage.name})
        for joints, track in detector(image):
            tracked = {} if track is None else {"track_id": track}
            numbers = [round(value, 3) for joint in joints for value in joint]
            annotations.append({"image_id": number, "category_id": 1, "keypoints": numbers, **tracked})
        if number % FRAMES_BETWEEN_NEWS == FRAMES_BETWEEN_NEWS - 1:
            print(f"{name}: {number + 1} frames", flush=True)
    if not annotations:
        refuse(f"{options.footage}: {name} sees nobody in any of its {len(listed)} frames.")
    content = {
        "info": {"description": f"keypoints by {name}", "fps": fps},
        "categories": [{"id": 1, "name": "person", "keypoints": JOINTS}],
        "images": listed,
        "annotations": annotations,
    }
    options.out.write_text(json.dumps(content))
    seen = len({entry["image_id"] for entry in annotations})
    print(f"{name}: somebody in {seen} of {len(listed)} frames", flush=True)


if __name__ == "__main__":
    main()
