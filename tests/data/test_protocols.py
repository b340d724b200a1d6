"""Human3.6M and MPI-INF-3DHP by their protocols, in each layout, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from data.formats import made
from helpers import refusal
from tips_ray.config import Data, FileReading, Reading
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.protocols import Frames, load_human36m, load_mpi_inf_3dhp, load_training_set, orthographic
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import labelled_views
from tips_ray.errors import UserError
from tips_ray.poses.geometry import reproject

READING = FileReading()
CLIPS = made.recordings(300, num_actions=2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of Human3.6M in each layout, and one of MPI-INF-3DHP."""
    names = ("videopose3d", "mmpose", "fetch", "mpi")
    place = {name: tmp_path_factory.mktemp(name) for name in names}
    made.videopose3d(place["videopose3d"], CLIPS, made.AROUND)
    made.cameras(place["videopose3d"])
    for file, of in (("h36m_train.npz", CLIPS[:10]), ("h36m_test.npz", CLIPS[10:])):
        made.mmpose_npz(place["mmpose"], of, file)
    made.h36m_fetch(place["fetch"], CLIPS)
    made.mpi_inf_3dhp_test(place["mpi"], CLIPS[:6])
    return place | {"fetch": place["fetch"] / "fetch", "mpi": place["mpi"] / "3dhp"}


@pytest.mark.parametrize(("layout", "views"), [("videopose3d", 4), ("mmpose", 1), ("fetch", 2)])
@pytest.mark.parametrize("keypoints", ["orthographic", "file"])
def test_human36m_is_split_by_its_subjects_in_each_layout(folders, layout: str, views: int, keypoints: str):
    train, test = load_human36m(str(folders[layout]), keypoints, READING)
    assert (train.subjects, test.subjects) == (["S1", "S5", "S6", "S7", "S8"], ["S9", "S11"])
    assert train.actions == test.actions == ["Directions", "Discussion"]
    assert len(train) == views * sum(len(mm) for who, _, mm in CLIPS if who in train.subjects)
    seen = labelled_views(test, 1, Data())
    off = (seen.keypoints * seen.scale[:, None, None] - reproject(seen.pose)).abs().amax()
    assert off < 0.1 if keypoints == "orthographic" else 1 < off < 400


def test_each_camera_of_the_file_sees_what_its_keypoints_show(folders):
    train, _ = load_human36m(str(folders["videopose3d"]), "gt", READING)
    assert train.positions is not None
    camera = train.positions * (1, -1, -1)
    np.testing.assert_allclose(1100 * camera[..., :2] / camera[..., 2:] + (500, 400), train.keypoints * (1, -1), atol=0.05)


def test_the_papers_keypoints_need_poses_and_cameras_alone(folders, tmp_path):
    for name in ("data_3d_h36m.npz", "h36m_cameras.json"):
        shutil.copy(folders["videopose3d"] / name, tmp_path / name)
    from_poses = load_human36m(str(tmp_path), "orthographic", READING)
    for alone, paired in zip(from_poses, load_human36m(str(folders["videopose3d"]), "orthographic", READING), strict=True):
        assert alone.clip.tolist() == paired.clip.tolist()
        np.testing.assert_array_equal(alone.keypoints, paired.keypoints)
        np.testing.assert_array_equal(alone.positions, paired.positions)
    assert any("There is no file of keypoints" in note for note in from_poses[0].notes)
    set_of_table_2 = load_training_set(str(tmp_path), "orthographic", Frames("all"), Reading(), READING)
    np.testing.assert_array_equal(set_of_table_2.positions, from_poses[0].positions)
    with pytest.raises(UserError, match="without keypoints or cameras"):
        load_human36m(str(tmp_path), "gt", READING)


def test_orthographic_keypoints_are_whole_and_exact(folders):
    _, test = load_human36m(str(folders["fetch"]), "file", READING)
    exact = orthographic(test)
    assert exact.positions is not None
    np.testing.assert_array_equal(exact.keypoints, exact.positions[..., :2])
    assert not exact.missing.any()
    assert exact.fingerprint != test.fingerprint


def test_frames_are_taken_clip_by_clip(folders):
    train, _ = load_human36m(str(folders["fetch"]), "orthographic", READING)
    clips = list(dict.fromkeys(train.clip.tolist()))
    every = Frames("every=5").of(train)
    assert [(every.clip == clip).sum() for clip in clips] == [-(-(train.clip == clip).sum() // 5) for clip in clips]
    assert Frames("all").of(train) is train
    apart = Frames("moved=40").of(train)
    assert clips == list(dict.fromkeys(apart.clip.tolist()))
    assert len(clips) < len(apart) < len(train)
    assert apart.positions is not None
    for clip in clips:
        steps = np.diff(apart.positions[apart.clip == clip], axis=0)
        assert len(steps) == 0 or np.linalg.norm(steps, axis=-1).max(axis=-1).min() >= 40


def test_one_set_is_trained_on_and_mpi_inf_3dhp_is_tested_on(folders):
    test = load_mpi_inf_3dhp(str(folders["mpi"]), "orthographic", READING)
    assert test.subjects == [f"TS{number}" for number in range(1, 7)]
    assert len(test.actions) == 7
    train = load_training_set(str(folders["mmpose"]), "orthographic", Frames("every=2"), Reading(), READING)
    assert train.subjects == ["S1", "S5", "S6", "S7", "S8"]
    assert "Human3.6M" in train.name
    assert load_training_set("synthetic", "orthographic", Frames("all"), Reading(), READING).synthetic


def test_subjects_that_are_lacking_are_said(folders, tmp_path):
    made.mmpose_npz(tmp_path, [clip for clip in CLIPS if clip[0] in ("S1", "S9")], "h36m.npz")
    train, _ = load_human36m(str(tmp_path), "orthographic", READING)
    assert "no S5, S6, S7, S8, S11 in it" in train.notes[-1]


def cut(path: Path, to: Path) -> None:
    to.write_bytes(path.read_bytes()[:-3000])


def test_what_is_not_human36m_is_refused(folders, tmp_path, capsys):
    (empty := tmp_path / "empty").mkdir()
    (three := tmp_path / "three").mkdir()
    (two := tmp_path / "two").mkdir()
    (half := tmp_path / "half").mkdir()
    (damaged := tmp_path / "damaged").mkdir()
    (annotated := tmp_path / "annotated").mkdir()
    source = folders["videopose3d"]
    (three / "data_3d_h36m.npz").write_bytes((source / "data_3d_h36m.npz").read_bytes())
    (two / "data_2d_h36m_gt.npz").write_bytes((source / "data_2d_h36m_gt.npz").read_bytes())
    (half / "h36m_train.npz").write_bytes((folders["mmpose"] / "h36m_train.npz").read_bytes())
    cut(source / "data_2d_h36m_gt.npz", damaged / "data_2d_h36m_gt.npz")
    cut(next(folders["fetch"].rglob("annot.h5")), annotated / "annot.h5")
    cameras = tmp_path / "cameras.json"
    cameras.write_text(json.dumps({"extrinsics": {}}))
    for words, said in (
        (["--data", str(empty)], "is no folder of Human3.6M; give VideoPose3D's"),
        (["--data", str(tmp_path / "nowhere")], "does not exist"),
        ([], "'synthetic'"),
        (["--data", str(three)], "has 3D poses of VideoPose3D's without keypoints"),
        (["--data", str(three / "data_3d_h36m.npz")], "has 3D poses of VideoPose3D's without keypoints"),
        (["--data", str(two)], "2D keypoints without 3D poses"),
        (["--data", str(half)], "no subject to test on: Human3.6M's protocol has S9, S11"),
        (["--data", str(damaged)], "is damaged"),
        (["--data", str(annotated)], "annot.h5"),
        (["--data", str(source), "--keypoints", "cpn"], "no keypoints 'cpn'; give --keypoints orthographic or gt"),
        (["--data", str(source), "--reading.cameras", str(cameras)], "cameras"),
        (["--data", str(source), "--frames", "some"], "names no frames"),
        (["--data", str(source), "--test-data", "x.npz"], "leave out --test-data"),
    ):
        assert said in refusal(capsys, "human36m", *words, "--storage", str(tmp_path / "reports")), words
    assert not (tmp_path / "reports").exists()


def test_what_is_not_mpi_inf_3dhp_is_refused(folders, tmp_path, capsys):
    write_npz(synthesise(num_poses=200), tmp_path / "poses.npz")
    for test_data, said in (
        ([], "give --test-data, the folder of TS1"),
        (["--test-data", str(tmp_path / "poses.npz")], "not MPI-INF-3DHP's test set"),
        (["--test-data", str(folders["fetch"])], "is Human3.6M of h36m-fetch, not MPI-INF-3DHP's test set"),
        (["--test-data", str(tmp_path)], "without such files"),
    ):
        assert said in refusal(capsys, "mpi-inf-3dhp", *test_data, "--storage", str(tmp_path / "reports")), test_data
    assert not (tmp_path / "reports").exists()


def test_new_views_of_keypoints_alone_are_refused(tmp_path, capsys):
    made.coco(tmp_path)
    words = ["stability", "--data", str(tmp_path / "coco.json"), "--arms", "parts_new_views", "--optimiser.batch-size", "8"]
    assert "(the arm parts_new_views) needs 3D poses" in refusal(capsys, *words, "--storage", str(tmp_path / "reports"))


@pytest.mark.parametrize("policy", ["", "every=0", "every=x", "moved", "moved=-1", "ALL"])
def test_frames_that_are_none_are_refused(policy: str):
    with pytest.raises(UserError, match="give all, every=N, or moved=MM"):
        Frames(policy)
