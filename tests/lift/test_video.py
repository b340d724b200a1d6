"""From videos and photos to poses: what a real detector saw is lifted; without a detector one
sentence says so."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import refusal
from tips_ray.cli import main
from tips_ray.data.load import load_keypoints
from tips_ray.detection import SCRIPT
from tips_ray.poses.anatomy import depth_sign
from tips_ray.poses.skeleton import JOINTS

SEEN = Path(__file__).with_name("video_keypoints.json")
"""Of a person who waves, walks and turns, as MediaPipe saw it in a video."""
JOINTS_BY_HEIGHT = (("head",), ("l_knee", "r_knee"), ("l_ankle", "r_ankle"))


def test_what_mediapipe_saw_in_a_video_is_lifted(tmp_path, capsys):
    keypoints = load_keypoints(str(SEEN))
    assert (keypoints.image_size == [1768, 994]).all()
    assert main(["lift", str(SEEN), "--out", str(tmp_path), "--noise", "0.02"]) == 0
    lifted = np.load(tmp_path / "poses.npz")
    poses = lifted["positions"] - lifted["positions"][:, :1]
    assert len(poses) == 22
    assert set(lifted["clip"]) == {"demo"}
    assert 700 < np.median(np.abs(poses[..., :2]).max(axis=(1, 2))) < 860
    head, knees, ankles = (poses[:, [JOINTS.index(name) for name in names]] for names in JOINTS_BY_HEIGHT)
    assert np.median(ankles[..., 1]) < np.median(knees[..., 1]) < 0 < np.median(head[..., 1])
    assert depth_sign(torch.from_numpy(poses[:, 1:])) > 0  # knees bend forwards, elbows backwards
    shins, images = (np.linalg.norm(knees[..., :axes] - ankles[..., :axes], axis=-1) for axes in (3, 2))
    assert np.std(shins) / shins.mean() < np.std(images) / images.mean()  # bones change less than their images


def test_footage_needs_a_detector(tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    out = tmp_path / "out"
    without = ["--detector-python", sys.executable, "--out", str(out)]
    said = refusal(capsys, "lift", str(photo), *without)
    assert "photo.png" in said
    assert "pip install mediapipe" in said
    assert "The detector yolo is not installed" in refusal(capsys, "lift", str(photo), "--detector", "yolo", *without)
    assert "no Python" in refusal(capsys, "lift", str(photo), "--detector-python", str(tmp_path / "python"))
    assert "no file" in refusal(capsys, "lift", str(tmp_path / "clip.mp4"), *without)
    assert not out.exists()


@pytest.mark.parametrize("option", ["--help", "--detector=none"])
def test_the_script_runs_alone(option, tmp_path):
    ran = subprocess.run([sys.executable, "-I", str(SCRIPT), option], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "{any,mediapipe,rtmpose,yolo}" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
