"""Clips are lifted whole, and written so that others read the same poses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.load import load_poses
from tips_ray.errors import UserError
from tips_ray.lift.bvh import LONGEST_GAP, bvh_text, every_frame
from tips_ray.lift.clips import LiftedClip, bone_lengths, lift_clips, posed, smoothed, with_constant_bones
from tips_ray.lift.write import write_clips
from tips_ray.poses.skeleton import JOINTS, PARENTS


@pytest.fixture
def keypoints(pixels) -> KeypointSet:
    """Two clips, one of which lacks frames."""
    count = 40
    frame = np.concatenate([np.arange(20), np.arange(10), np.arange(14, 24)])
    return KeypointSet(
        (pixels[:count] * [1, -1]).astype(np.float32),
        np.ones((count, 17), dtype=np.float32),
        np.zeros((count, 17), dtype=bool),
        np.repeat(["a", "b"], 20),
        np.repeat("walk", count),
        np.repeat(["first", "second: <b>"], 20),
        frame,
        np.repeat([[1280, 720]], count, axis=0).astype(np.int32),
        "made",
    )


@pytest.fixture
def clips(lifter, keypoints) -> list[LiftedClip]:
    """The clips, lifted."""
    return lift_clips(lifter, keypoints)


def test_clips_are_as_large_as_adults_and_move_as_in_the_image(clips, keypoints, lifter):
    assert [clip.name for clip in clips] == ["first", "second: <b>"]
    clip = clips[0]
    relative = clip.poses - clip.poses[:, :1]
    assert np.median(np.abs(relative[..., :2]).max(axis=(1, 2))) == pytest.approx(780, rel=1e-4)
    way, seen = clip.poses[:, 0, :2], keypoints.keypoints[:20, 0]
    scale = np.abs(relative[..., :2]).max() / np.abs(seen[:, None] - keypoints.keypoints[:20]).max()
    np.testing.assert_allclose(way, (seen - seen[0]) * scale, rtol=1e-3, atol=0.1)
    pose = lifter.lift_whole(keypoints.keypoints[:20])
    np.testing.assert_allclose(relative, pose * scale, rtol=1e-3, atol=0.2)


def test_bones_made_constant_keep_their_directions(clips):
    clip = with_constant_bones(clips[0])
    bones = clip.poses - clip.poses[:, PARENTS]
    lengths = np.linalg.norm(bones, axis=-1)[:, 1:]
    np.testing.assert_allclose(lengths, np.repeat(lengths[:1], len(lengths), axis=0), atol=0.01)
    left, right = (JOINTS.index(f"{side}_knee") - 1 for side in "lr")
    assert lengths[0, left] == pytest.approx(lengths[0, right], abs=0.01)
    before = clips[0].poses - clips[0].poses[:, PARENTS]
    cosine = ((bones * before).sum(-1) / np.maximum(np.linalg.norm(before, axis=-1) * np.linalg.norm(bones, axis=-1), 1e-9))[
        :, 1:
    ]
    np.testing.assert_allclose(cosine, 1, atol=1e-4)


def test_smoothing_takes_noise_away_and_does_not_cross_gaps(clips):
    way = np.linspace(0, 1000, 20)[:, None, None] * np.ones((20, 17, 3))
    noise = np.random.default_rng(0).normal(0, 20, way.shape)
    clip = replace(clips[1], poses=(way + noise).astype(np.float32))  # of frames 0 to 9 and 14 to 23
    smooth = smoothed(clip, 7)
    assert np.std(smooth.poses - way) < 0.7 * np.std(noise)
    alone = smoothed(replace(clip, poses=clip.poses[:10], frame=clip.frame[:10]), 7)
    np.testing.assert_array_equal(smooth.poses[:10], alone.poses)
    np.testing.assert_array_equal(smoothed(clip, 11).poses, clip.poses)  # no run is so long
    every_other = replace(clip, frame=2 * clip.frame)
    np.testing.assert_array_equal(smoothed(every_other, 7).poses, smooth.poses)
    with pytest.raises(UserError, match="odd"):
        smoothed(clip, 8)


def test_another_program_reads_the_same_joints_from_bvh(clips, tmp_path):
    bvhio = pytest.importorskip("bvhio")
    clip = clips[1]
    (tmp_path / "clip.bvh").write_text(bvh_text(clip, fps=25))
    skeleton = bvhio.readAsHierarchy(str(tmp_path / "clip.bvh"))
    names = {"Hips": "pelvis", "LeftUpLeg": "l_hip", "RightFoot": "r_ankle", "Neck": "thorax", "HeadTop": "head"}
    names |= {"LeftForeArm": "l_elbow", "RightHand": "r_wrist", "Spine": "spine", "Head": "neck", "LeftLeg": "l_knee"}
    expected = posed(every_frame(clip, 1), bone_lengths(clip.poses)) / 10
    assert len(expected) == 24
    for frame in (0, 9, 11, 23):
        skeleton.loadPose(frame)
        for name, joint in names.items():
            place = np.array(next(node for node in skeleton.filter(name) if node.Name == name).PositionWorld)
            np.testing.assert_allclose(place, expected[frame, JOINTS.index(joint)], atol=0.1, err_msg=joint)


def test_frames_of_bvh_are_as_far_apart_as_the_clip_takes_them_and_gaps_are_not_endless(clips):
    clip = replace(clips[0], frame=2 * clips[0].frame)
    every_other, whole = (bvh_text(shown, fps=50).split("MOTION")[1].splitlines() for shown in (clip, clips[0]))
    assert every_other[1:3] == ["Frames: 20", "Frame Time: 0.0400000"]
    assert whole[2] == "Frame Time: 0.0200000"
    assert every_other[3:] == whole[3:]
    times = clips[0].frame.astype(np.int64) * 40
    times[10:] += 10**12
    assert bvh_text(replace(clip, frame=times), fps=50).split("MOTION")[1].splitlines()[1] == f"Frames: {20 + LONGEST_GAP - 1}"


def test_files_hold_the_poses_with_their_labels(clips, tmp_path):
    files = write_clips(clips, tmp_path, fps=30)
    assert all(file.exists() for file in files)
    assert sorted(path.name for path in (tmp_path / "bvh").iterdir()) == ["first.bvh", "second- -b-.bvh"]
    read = load_poses(str(tmp_path / "poses.npz"), up="y", sides="named")
    np.testing.assert_allclose(read.positions, np.concatenate([clip.poses for clip in clips]), atol=1e-3)
    assert read.clip.tolist() == ["first"] * 20 + ["second: <b>"] * 20
    table = pd.read_csv(tmp_path / "poses.csv")
    assert len(table) == 40 * 17
    row = table[(table["clip"] == "first") & (table["frame"] == 3) & (table["joint"] == "l_wrist")].iloc[0]
    np.testing.assert_allclose(
        row[["x_mm", "y_mm", "z_mm"]].to_numpy(float), clips[0].poses[3, JOINTS.index("l_wrist")], atol=0.06
    )
