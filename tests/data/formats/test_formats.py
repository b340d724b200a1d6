"""Each format against poses of which all files are made: the same keypoints come out of all."""

import json
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from tips_ray.config import FileReading
from tips_ray.data import KeypointSet, load_keypoints, load_poses
from tips_ray.data.formats.npz_keypoints import write_keypoints
from tips_ray.data.joint_sets import COCO
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

from . import made

SHARED = Path(__file__).resolve().parents[4] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the files of others are not on this machine")
LIMBS = [at for at, name in enumerate(JOINTS) if name[:2] in ("l_", "r_")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A file of each layout."""
    place = tmp_path_factory.mktemp("formats")
    made.write_all(place)
    return place


def expected(clip: int) -> np.ndarray:
    """Keypoints (12, 17, 2) of a clip, px, y up."""
    return made.pixels(made.clips()[clip][2]) * (1, -1)


def assert_limbs(keypoints: KeypointSet, clip: str, number: int, frames: list[int]) -> None:
    """The limbs of a clip are those of the poses that the file was made of."""
    own = keypoints.clip == clip
    np.testing.assert_allclose(keypoints.keypoints[own][:, LIMBS], expected(number)[frames][:, LIMBS], atol=0.02)


ALL = list(range(12))
CASES = [
    ("data_2d_custom_mine.npz", "S9_Walking 1.mp4/custom", 3, ALL),
    ("video.mp4.npz", "video.mp4", 0, [*range(3), *range(4, 12)]),
    ("h36m_test.npz", "S1/Walking 1/54138969", 1, ALL),
    ("data_test_3dhp.npz", "TS2", 1, [at for at in ALL if at % 5]),
    ("3dhp", "TS4", 3, [at for at in ALL if at % 5]),
    ("3dhp/TS1/annot_data.mat", "TS1", 0, [at for at in ALL if at % 5]),
    ("3dhp_train", "S1/Seq2/1", 1, ALL),
    ("fetch", "S9/Walking 1/55011271", 3, ALL),
    ("coco.json", "S1_Walking_1", 1, [0, 1, *range(3, 12)]),
    ("alphapose-results.json", "alphapose-results", 0, ALL),
    ("coco_results.json", "coco_results", 0, ALL),
    ("openpose", "clip", 0, [0, 1, *range(4, 12)]),
    ("mmpose.json", "mmpose", 0, [*range(3), *range(4, 12)]),
    ("yolo.json", "yolo", 0, [*range(3), *range(4, 12)]),
    ("vitpose.json", "vitpose", 0, [*range(3), *range(4, 12)]),
    ("yolo", "labels/clip", 0, [0, 1, *range(4, 12)]),
    ("deeplabcut.csv", "deeplabcut", 0, ALL),
    ("plain.npz", "1", 1, ALL),
]


@pytest.mark.parametrize(("name", "clip", "number", "frames"), CASES)
def test_keypoints_of_each_format_are_those_it_was_made_of(folder, name, clip, number, frames):
    assert_limbs(load_keypoints(str(folder / name)), clip, number, frames)


def test_deeplabcuts_hdf5_is_read_without_running_what_it_says(folder, tmp_path):
    whole = load_keypoints(str(folder / "deeplabcut.csv"), files=FileReading(person="ind1"))
    points = made.of_set(made.pixels(made.clips()[0][2]), COCO)
    columns = [("net", "ind1", name, axis) for name in COCO for axis in ("x", "y", "likelihood")]
    for name, axes in (("good.h5", columns), ("evil.h5", Evil())):
        table = np.zeros(made.FRAMES, dtype=[("index", "i8"), ("values_block_0", "f8", (len(columns),))])
        table["index"] = np.arange(made.FRAMES)
        table["values_block_0"] = np.concatenate([points, np.full((made.FRAMES, 17, 1), 0.9)], axis=-1).reshape(made.FRAMES, -1)
        with h5py.File(tmp_path / name, "w") as file:
            file["df_with_missing/table"] = table
            file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, axes)], protocol=0))
    np.testing.assert_allclose(load_keypoints(str(tmp_path / "good.h5")).keypoints, whole.keypoints, atol=0.01)
    with pytest.raises(UserError, match="a Python object"):
        load_keypoints(str(tmp_path / "evil.h5"))


@pytest.mark.parametrize("name", ["landmarks.csv", "landmarks.json"])
def test_mediapipe_needs_the_size_of_the_image_or_landmarks_in_metres(folder, name):
    sized = load_keypoints(str(folder / name), files=FileReading(image_size=(made.WIDTH, made.HEIGHT)))
    assert_limbs(sized, "landmarks", 0, ALL if name == "landmarks.json" else [*range(3), *range(4, 12)])
    if name == "landmarks.json":
        with pytest.raises(UserError, match="--image-size WIDTH HEIGHT"):
            load_keypoints(str(folder / name))
    else:
        guessed = load_keypoints(str(folder / name))
        np.testing.assert_allclose(guessed.keypoints * 0.8, sized.keypoints, rtol=1e-4)  # 1250 x 1000
        assert any("1.25 times as wide as high" in note for note in guessed.notes)


def test_yolos_labels_need_the_size_of_the_images(folder, tmp_path):
    tracked = str(folder / "yolo_tracked")
    with pytest.raises(UserError, match="there are no images beside them; give --image-size WIDTH HEIGHT"):
        load_keypoints(tracked)
    size = (made.WIDTH, made.HEIGHT)
    followed = load_keypoints(tracked, files=FileReading(image_size=size, person="7"))
    assert_limbs(followed, "clip", 0, [1, *range(4, 12)])
    assert followed.origin.people == 2  # who has no id in the first frame is left out
    alone = load_keypoints(str(folder / "yolo/labels/clip_0.txt"))
    np.testing.assert_allclose(alone.keypoints[0, LIMBS], expected(0)[0, LIMBS], atol=0.02)
    given = load_keypoints(str(folder / "yolo"), files=FileReading(image_size=(2 * made.WIDTH, made.HEIGHT)))
    np.testing.assert_allclose(given.keypoints, load_keypoints(str(folder / "yolo")).keypoints * (2, 1), rtol=1e-5)
    assert any("1 .txt file is no labels" in note for note in given.notes)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("0 0.5 0.5 0.2 0.8 0.9", "boxes without keypoints"),
        (f"0 0.5 0.5 0.2 0.8{' 0.5' * 30}\n0 0.5 0.5 0.2 0.8{' 0.5' * 51}", "outlines of segmentation"),
        (f"0 0.5 0.5 0.2 0.8{' 0.5' * 21}", "26 numbers a line.*--joint-map FILE"),
        (f"0 0.5 0.5 0.2 0.8{' 0.5' * 51}\n0 0.5 person", "line 2 holds what is no number"),
    ],
)
def test_labels_of_yolo_without_known_joints_are_refused(tmp_path, lines, sentence):
    (tmp_path / "a.txt").write_text(lines)
    with pytest.raises(UserError, match=sentence):
        load_keypoints(str(tmp_path), files=FileReading(image_size=(10, 10)))


@pytest.mark.parametrize("name", ["h36m_test.npz", "data_test_3dhp.npz", "3dhp", "3dhp_train", "fetch"])
def test_poses_that_come_with_keypoints_are_those_that_are_seen(folder, name):
    paired = load_keypoints(str(folder / name))
    assert paired.positions is not None
    seen = paired.positions * (1, -1, -1)
    np.testing.assert_allclose(1100 * seen[..., :2] / seen[..., 2:] + (500, 400), paired.keypoints * (1, -1), atol=0.05)
    alone = load_poses(str(folder / name))
    np.testing.assert_allclose(alone.positions, paired.positions, atol=0.01)


def test_human36m_is_paired_by_the_users_cameras(folder, tmp_path):
    for name in ("data_3d_h36m.npz", "data_2d_h36m_gt.npz"):
        shutil.copy(folder / name, tmp_path / name)
    keypoints = str(tmp_path / "data_2d_h36m_gt.npz")
    alone = load_keypoints(keypoints)
    assert alone.positions is None
    assert any("--cameras FILE" in note for note in alone.notes)
    (tmp_path / "h36m_cameras.json").write_text(json.dumps({who: [made.CAMERA] * 2 for who in ("S1", "S9")}))
    paired = load_keypoints(keypoints)
    assert paired.positions is not None
    expected_poses = np.concatenate([made.camera_frame(mm) for _, _, mm in made.clips()[:1]]) * (1, -1, -1)
    np.testing.assert_allclose(paired.positions[:12], expected_poses, atol=0.01)
    rotation = [[0, 1, 0], [0, 0, -1], [-1, 0, 0]]
    by_matrix = {"extrinsics": {who: {n: {"R": rotation, "t": [[0], [1000], [4000]]} for n in "12"} for who in ("S1", "S9")}}
    (tmp_path / "matrices.json").write_text(json.dumps(by_matrix))
    same = load_keypoints(keypoints, files=FileReading(cameras=tmp_path / "matrices.json"))
    assert same.positions is not None
    np.testing.assert_allclose(same.positions, paired.positions, atol=0.01)
    world = load_poses(str(tmp_path / "data_3d_h36m.npz"))
    assert (world.subjects, world.actions, len(world)) == (["S1", "S9"], ["Walking"], 48)
    np.testing.assert_allclose(world.positions[:12], made.clips()[0][2], atol=0.01)


@pytest.mark.parametrize("scale", [0.01, 1 / 2.54, 1.0, 10.0])
def test_bvh_is_read_in_mm_whatever_its_unit_without_its_rest_pose(tmp_path, scale):
    (tmp_path / "walk.bvh").write_text(made.bvh_text(scale), newline="")
    poses = load_poses(str(tmp_path / "walk.bvh"))
    assert len(poses) == 12
    thigh = np.linalg.norm(poses.positions[:, JOINTS.index("l_knee")] - poses.positions[:, JOINTS.index("l_hip")], axis=-1)
    np.testing.assert_allclose(thigh, 430, atol=0.1)
    assert poses.origin.format == "BVH"


def test_motions_of_different_skeletons_are_read_by_the_joints_that_all_have(tmp_path):
    (tmp_path / "a.bvh").write_text(made.bvh_text(), newline="")
    (tmp_path / "b.bvh").write_text(made.bvh_text().replace("rig:", "other:").replace("Spine2", "Tail"), newline="")
    poses = load_poses(str(tmp_path))
    assert (poses.subjects, len(poses)) == (["a", "b"], 24)
    np.testing.assert_allclose(poses.positions[12:], load_poses(str(tmp_path / "b.bvh")).positions, atol=1e-3)
    assert any("2 different skeletons" in note for note in poses.notes)


@pytest.mark.parametrize(
    ("names", "subjects"),
    [
        (("walk1_subject1", "run1_subject2", "run2_subject2"), ["subject1", "subject2"]),
        (("01_01", "01_02", "35_01"), ["01", "35"]),
        (("S1_sit", "S2_sit"), ["S1", "S2"]),
        (("ann/walk", "ann/run", "bo/walk"), ["ann", "bo"]),
        (("steps1", "steps2"), ["steps1", "steps2"]),
        (("subject1", "walk"), ["subject1", "walk"]),
    ],
)
def test_the_subject_of_a_motion_is_told_by_its_folder_or_name(tmp_path, names, subjects):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.bvh").write_text(made.bvh_text(), newline="")
    assert load_poses(str(tmp_path)).subjects == subjects


def test_a_joint_map_reads_motions_of_unknown_bones(tmp_path):
    (tmp_path / "odd.bvh").write_text(made.bvh_text().replace("Leg", "Qeg"), newline="")
    with pytest.raises(UserError, match=r"unknown joints: .*--joint-map FILE"):
        load_poses(str(tmp_path / "odd.bvh"))
    bones = {"pelvis": "Hips", "thorax": "Neck", "neck": "Head", "head": "rig:Head end", "spine": "Spine2"}
    ends = {"hip": "UpQeg", "knee": "Qeg", "ankle": "Foot", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}
    bones |= {f"{side[0].lower()}_{joint}": f"{side}{bone}" for side in ("Left", "Right") for joint, bone in ends.items()}
    named = {joint: bone if ":" in bone else f"rig:{bone}" for joint, bone in bones.items()}
    (tmp_path / "map.json").write_text(json.dumps(named))
    mapped = load_poses(str(tmp_path / "odd.bvh"), files=FileReading(joint_map=tmp_path / "map.json"))
    (tmp_path / "plain.bvh").write_text(made.bvh_text(), newline="")
    limbs = mapped.positions[:, LIMBS] - load_poses(str(tmp_path / "plain.bvh")).positions[:, LIMBS]
    np.testing.assert_allclose(limbs, 0, atol=0.01)


def test_a_track_the_largest_the_nearest_the_most_confident_or_all_people(folder):
    def taken(person: str, name: str = "openpose") -> KeypointSet:
        return load_keypoints(str(folder / name), files=FileReading(person=person))

    for person in ("largest", "nearest"):
        assert_limbs(taken(person), "clip", 0, [0, 1, *range(4, 12)])
    confident = taken("confident")
    np.testing.assert_allclose(confident.keypoints[confident.frame == 5][0, 1], expected(0)[5, 1] / 3, atol=0.1)
    everyone = taken("all")
    assert len(everyone) == len(confident) + 1
    assert everyone.subjects == ["clip"]  # without tracks, nobody knows who is who
    assert any("without ids of tracks" in note for note in everyone.notes)
    assert len(taken("all", "coco.json").subjects) == 8
    assert set(taken("all", "mmpose.json").clip.tolist()) == {"mmpose"}  # one person a frame
    assert len(taken("1", "coco.json")) == 4  # one frame of each clip
    with pytest.raises(UserError, match=r"nobody has the track 'eve'.*tracks 0, 1"):
        taken("eve", "coco.json")


def test_frames_short_of_joints_are_left_out_or_filled_over_small_gaps(folder):
    left_out = load_keypoints(str(folder / "openpose"))
    assert dict(left_out.origin.left_out) == {"without any joint": 1, "short of joints": 1}
    short = load_keypoints(str(folder / "openpose"), files=FileReading(max_gap=1))
    assert short.frame.tolist() == left_out.frame.tolist()  # the wrist is missing in two frames
    whole = load_keypoints(str(folder / "openpose"), files=FileReading(max_gap=2))
    assert len(whole) == 12
    wrist = JOINTS.index("r_wrist")
    assert np.argwhere(whole.missing)[:1].tolist() == [[2, wrist]]
    between = (2 * whole.keypoints[1, wrist] + whole.keypoints[4, wrist]) / 3
    np.testing.assert_allclose(whole.keypoints[2, wrist], between, rtol=1e-5)
    assert not whole.confidence[whole.missing].any()


def test_written_keypoints_are_read_again(folder, tmp_path):
    for name in ("coco.json", "fetch", "plain.npz", "openpose"):
        keypoints = load_keypoints(str(folder / name), files=FileReading(max_gap=2, min_confidence=0.1))
        write_keypoints(keypoints, tmp_path / "out.npz")
        assert load_keypoints(str(tmp_path / "out.npz")).fingerprint == keypoints.fingerprint


class Evil:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_no_pickle_of_anything_but_arrays_is_opened(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("data_3d_h36m.npz", positions_3d=np.array({"S1": Evil()}, dtype=object))
    Path("x.pkl").write_bytes(pickle.dumps({"cam_poses": Evil()}))
    for name, said in (("data_3d_h36m.npz", r"a Python object \(pathlib"), ("x.pkl", "3DPW")):
        with pytest.raises(UserError, match=said):
            load_poses(name)
    assert not Path("evil").exists()


def test_the_frames_of_a_sequence_of_mpi_inf_3dhp_are_of_the_activity_that_each_names(folder, tmp_path):
    path = tmp_path / "TS1" / "annot_data.mat"
    path.parent.mkdir()
    path.write_bytes((folder / "3dhp/TS1/annot_data.mat").read_bytes())
    with h5py.File(path, "r+") as file:
        activities = file["activity_annotation"]
        assert isinstance(activities, h5py.Dataset)
        activities[:] = np.repeat([3.0, 1.0], made.FRAMES // 2)[:, None]
    whole, split = load_keypoints(str(folder / "3dhp/TS1")), load_keypoints(str(tmp_path))
    assert set(whole.clip.tolist()) == {"TS1"}
    assert dict(zip(split.clip.tolist(), split.action.tolist(), strict=True)) == {
        "TS1/Sitting": "Sitting",
        "TS1/Standing/Walking": "Standing/Walking",
    }
    assert split.subjects == ["TS1"]
    order = np.argsort(split.frame)
    np.testing.assert_array_equal(split.keypoints[order], whole.keypoints)
    np.testing.assert_array_equal(split.action[order] == "Sitting", whole.frame < made.FRAMES // 2)


def test_formats_without_joints_are_named_with_what_to_do(tmp_path):
    np.savez(tmp_path / "amass.npz", poses=np.zeros((2, 156)), trans=np.zeros((2, 3)), betas=np.zeros(16))
    (tmp_path / "a.trc").write_text("PathFileType\t4\t(X/Y/Z)\ta.trc\n")
    (tmp_path / "a.c3d").write_bytes(b"\x02\x50" + bytes(510))
    for name, said in (("amass.npz", "AMASS.*smplx"), ("a.trc", "TRC.*markers"), ("a.c3d", "C3D.*markers")):
        with pytest.raises(UserError, match=f"{name}: {said}.*numpy.savez"):
            load_poses(str(tmp_path / name))


@needs_shared
@pytest.mark.parametrize(
    ("name", "frames", "people"),
    [
        ("mmpose/test_coco.json", 3, 14),
        ("mmpose/test_halpe.json", 3, 14),
        ("mmpose/test_posetrack18_val.json", 2, 14),
        ("mmpose/test_h36m_body3d.npz", 4, 4),
        ("mmpose/test_3dhp_train.npz", 2, 2),
        ("openpose/treadmill_27_000.json", 1, 1),
        ("mediapipe/demo_landmarks.csv", 53, 1),
    ],
)
def test_real_files_are_read(name, frames, people):
    keypoints = load_keypoints(str(SHARED / "data/real" / name))
    assert (len(keypoints), keypoints.origin.people) == (frames, people)


@needs_shared
@pytest.mark.parametrize(("name", "frames"), [("test_freebvh.bvh", 69), ("walk01.bvh", 101)])
def test_real_motion_files_stand_upright(name, frames):
    poses = load_poses(str(SHARED / "data/real/bvh" / name))
    assert len(poses) == frames
    heights = poses.positions[:, JOINTS.index("head"), 1] - poses.positions[:, JOINTS.index("l_ankle"), 1]
    assert 1200 < heights.mean() < 1900
