"""The same person as the tools of many people write it: the same keypoints come out of all."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tips_ray.config import FileReading
from tips_ray.data import KeypointSet, load_keypoints
from tips_ray.data.formats.mediapipe import NAMES
from tips_ray.data.joint_sets import COCO, DETECTED, MEDIAPIPE
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

from . import made

LIMBS = [at for at, name in enumerate(JOINTS) if name[:2] in ("l_", "r_")]
PIXELS = made.pixels(made.clips()[0][2])
POINTS = made.of_set(PIXELS, COCO)
"""(frames, 17, 2), y down."""
OPENPOSE = made.of_set(PIXELS, DETECTED[18])
SCORES = [0.9] * 17
SIZE = (made.WIDTH, made.HEIGHT)


def flat(points: np.ndarray) -> list[float]:
    return [float(value) for x, y in points for value in (x, y, 0.9)]


def mmpose(points: np.ndarray) -> dict[str, Any]:
    return {"keypoints": points.tolist(), "keypoint_scores": SCORES, "bbox": [[0, 0, 9, 9]]}


def yolo(points: np.ndarray) -> dict[str, Any]:
    x, y = points.T.tolist()
    return {"name": "person", "box": {"x1": 0}, "keypoints": {"x": x, "y": y, "visible": SCORES}}


def web(points: np.ndarray) -> dict[str, Any]:
    return {
        "keypoints": [{"x": x, "y": y, "score": 0.9, "name": name} for name, (x, y) in zip(COCO, points.tolist(), strict=True)]
    }


def landmarks(at: int) -> list[dict[str, float]]:
    shares = made.of_set(PIXELS, MEDIAPIPE)[at] / SIZE
    return [{"x": float(x), "y": float(y), "z": 0.0, "visibility": 0.9} for x, y in np.nan_to_num(shares)]


def written(frames: list[Any]) -> dict[str, Any]:
    return {f"walk_{at:04d}.jpg": frame for at, frame in enumerate(frames)}


FILES: dict[str, Any] = {
    "mmpose, an image a file": written([[mmpose(points)] for points in POINTS]),
    "mmpose, by frame": [{"frame_id": at, "instances": [mmpose(points)]} for at, points in enumerate(POINTS)],
    "yolo, an image a file": written([[yolo(points)] for points in POINTS]),
    "yolo, by frame": {str(at): [yolo(points)] for at, points in enumerate(POINTS)},
    "yolo, texts in a list": [json.dumps([yolo(points)]) for points in POINTS],
    "transformers": [[{"keypoints": points.tolist(), "scores": SCORES}] for points in POINTS],
    "rtmlib": [{"frame": at, "keypoints": [points.tolist()], "scores": [SCORES]} for at, points in enumerate(POINTS)],
    "tensorflow.js": [web(points) for points in POINTS],
    "tensorflow.js, several": [[web(points)] for points in POINTS],
    "alphapose, cmu": written([{"bodies": [{"joints": flat(points)}]} for points in OPENPOSE]),
    "alphapose, open": written([{"people": [{"pose_keypoints_2d": flat(points)}]} for points in OPENPOSE]),
    "alphapose, posetrack": written([[{"keypoints": flat(points), "idx": 1, "scores": 2.5}] for points in POINTS]),
    "mediapipe tasks": [{"landmarks": [landmarks(at)], "worldLandmarks": []} for at in range(made.FRAMES)],
    "mediapipe results": {"results": [{"landmarks": [landmarks(at)]} for at in range(made.FRAMES)]},
    "mediapipe by frame": {str(at): landmarks(at) for at in range(made.FRAMES)},
    "mediapipe by name": [
        {"landmarks": dict(zip(map(str.upper, NAMES), landmarks(at), strict=True))} for at in range(made.FRAMES)
    ],
}


def assert_as_made(keypoints: KeypointSet) -> None:
    assert (len(keypoints), keypoints.origin.people) == (made.FRAMES, 1)
    np.testing.assert_allclose(keypoints.keypoints[:, LIMBS], (PIXELS * (1, -1))[:, LIMBS], atol=0.02)


@pytest.mark.parametrize("name", FILES)
def test_each_tools_files_give_the_same_keypoints(tmp_path: Path, name: str):
    content, path = FILES[name], tmp_path / "video.json"
    if name.endswith("an image a file"):
        path = tmp_path / "predictions"
        path.mkdir()
        for image, people in content.items():
            (path / f"{image}.json").write_text(json.dumps(people))
        (path / "walk_0100.jpg.json").write_text("[]")  # nobody is seen
    else:
        path.write_text(json.dumps(content))
    assert_as_made(load_keypoints(str(path), files=FileReading(image_size=SIZE)))


def test_a_json_text_a_line_is_a_list_of_them(tmp_path: Path):
    (tmp_path / "video.jsonl").write_text("\n".join(json.dumps([yolo(points)]) for points in POINTS))
    assert_as_made(load_keypoints(str(tmp_path / "video.jsonl")))


def test_a_table_of_landmarks_may_have_times_for_frames_and_scores_by_another_name(tmp_path: Path):
    rows = [
        f"{at / 30},{number},{entry['x']},{entry['y']}" for at in range(made.FRAMES) for number, entry in enumerate(landmarks(at))
    ]
    (tmp_path / "long.csv").write_text("\n".join(["timestamp,landmark_name,x,y", *rows]))
    assert_as_made(load_keypoints(str(tmp_path / "long.csv"), files=FileReading(image_size=SIZE)))
    names = [re.sub("^r_", "right_", re.sub("^l_", "left_", name)) for name in COCO]
    named = ",".join(f"{name}_{value}" for name in names for value in ("x", "y", "conf"))
    rows = [
        ",".join(str(0.1 if at == 0 and place % 3 == 2 else value) for place, value in enumerate(flat(points)))
        for at, points in enumerate(POINTS)
    ]
    (tmp_path / "wide.csv").write_text("\n".join([named, *rows]))
    assert len(load_keypoints(str(tmp_path / "wide.csv"))) == made.FRAMES - 1  # the first is not confident


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([{"frame_id": 0, "instances": [{"keypoints": [[0.1, 0.2, 0.3]] * 17, "keypoint_scores": SCORES}]}], "has 3D poses"),
        ({"a1.jpg": [mmpose(POINTS[0])], "a2.jpg": "nobody"}, "a2.jpg has no list of people"),
        ([{"frame": "x", "keypoints": POINTS[0].tolist(), "scores": SCORES}], "the number of a frame is 'x'"),
        ({"a1.jpg": {"people": []}, "a2.jpg": {"person": []}}, "no list of 'people'"),
        ([["[1"]], "is a file of another kind; poses and keypoints are a folder of OpenPose"),
        (["[1"], "the JSON is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, content: Any, sentence: str):
    (tmp_path / "video.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=sentence):
        load_keypoints(str(tmp_path / "video.json"))


def test_a_folder_with_other_files_in_it_is_named_as_such(tmp_path: Path):
    for name, content in (("1.json", [mmpose(POINTS[0])]), ("2.json", {"fps": 30})):
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(
        UserError, match=r"2\.json: no predictions of MMPose, YOLO or ViTPose; the folder must hold such files alone"
    ):
        load_keypoints(str(tmp_path))
