"""The plain format: what is written is read again, and nothing else gets in."""

from pathlib import Path

import numpy as np
import pytest

from tips_ray.data import load_keypoints
from tips_ray.data.formats import npz
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

CMU17 = Path(__file__).resolve().parents[4] / "shared/data/cmu17.npz"


def read_npz(path: Path) -> PoseSet:
    """The file as a set of poses."""
    return make_poseset(npz.read_npz(path))


def plain(**changes) -> dict[str, np.ndarray]:
    """The least a file must hold, with changes."""
    positions = np.random.default_rng(0).uniform(-800, 800, (6, 17, 3)).astype(np.float32)
    return {"positions": positions, "joint_names": np.array(JOINTS)} | changes


def saved(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A file of these arrays."""
    np.savez(folder / "poses.npz", **arrays)
    return folder / "poses.npz"


@pytest.mark.parametrize("synthetic", [False, True])
def test_written_poses_are_read_again(tmp_path, synthetic):
    poses = make_poseset(
        RawPoses(
            plain()["positions"],
            "mine",
            subject=np.arange(6) // 2,
            action=np.array(list("aabbcé")),
            clip=np.arange(6),
            synthetic=synthetic,
        )
    )
    write_npz(poses, tmp_path / "new" / "out.npz")
    again = read_npz(tmp_path / "new" / "out.npz")
    assert (again.fingerprint, again.synthetic, again.name) == (poses.fingerprint, synthetic, "out.npz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.npz"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    poses = make_poseset(RawPoses(plain()["positions"], "mine"))
    write_npz(poses, tmp_path / "out.npz")
    before = (tmp_path / "out.npz").read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_npz(poses, tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_writing_needs_an_npz_name_and_not_a_folder(tmp_path):
    poses = make_poseset(RawPoses(plain()["positions"], "mine"))
    with pytest.raises(ValueError, match=r"ends in \.npz"):
        write_npz(poses, tmp_path / "out.npy")
    (tmp_path / "out.npz").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write_npz(poses, tmp_path / "out.npz")


def test_labels_by_clip_are_looked_up(tmp_path):
    clip = np.array([1, 1, 0, 0, 2, 2])
    arrays = plain(clip=clip, clip_names=np.array(["x", "y", "z"]), clip_action=np.array(["walk", "sit", "walk"]))
    poses = read_npz(saved(tmp_path, arrays))
    assert poses.clip.tolist() == list("yyxxzz")
    assert poses.action.tolist() == ["sit", "sit", "walk", "walk", "walk", "walk"]
    own_action = read_npz(saved(tmp_path, {**arrays, "action": np.array(list("abcdef"))}))
    assert own_action.action.tolist() == list("abcdef")


def test_axes_and_sides_are_read_also_with_blanks_around_them(tmp_path):
    raw = npz.read_npz(saved(tmp_path, plain(up=np.array("-z "), sides=np.array(["swapped"]))))
    assert (raw.up, raw.sides) == ("-z", "swapped")


def test_other_keys_are_named_and_misspelt_ones_are_refused(tmp_path):
    raw = npz.read_npz(saved(tmp_path, plain(confidence=np.zeros(6), fps=np.array(25))))
    assert raw.notes == ("The file's confidence, fps are not read.",)
    assert npz.read_npz(saved(tmp_path, plain(subject=np.arange(6), subjects=np.arange(6)))).notes  # a list beside the labels
    for key, meant in {"subjects": "subject", "Action": "action", "clip_name": "clip_names", "side": "sides"}.items():
        with pytest.raises(ValueError, match=f"'{key}' is not a key of the plain format; rename it to '{meant}'"):
            npz.read_npz(saved(tmp_path, plain(**{key: np.arange(6)})))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subject": np.array(["a", 1, None, 2, 3, 4], dtype=object)}, "'subject' needs pickle"),
        ({"positions": np.array({"S1": 1}, dtype=object)}, "'positions' needs pickle"),
        ({"clip_names": np.array(["x"])}, "'clip_names' need 'clip'"),
        ({"clip": np.arange(6), "clip_names": np.array(["x"] * 5)}, "'clip' must point into it, from 0 to 4"),
        ({"clip": np.arange(6) - 1, "clip_names": np.array(["x"] * 6)}, "'clip' must point into it"),
        ({"clip": np.array(list("abcdef")), "clip_action": np.array(["x"])}, "'clip_action' need 'clip', a whole number"),
        ({"up": np.array(["y", "z"])}, "'up' has shape"),
        ({"up": np.array("up")}, "up axis 'up' is not known; give one of y, z, -y, -z, x, -x"),
        ({"sides": np.array("left")}, "sides 'left' is not known; give one of named, swapped"),
        ({"joint_names": np.array(JOINTS[:-1])}, "for 16 joint names"),
        ({"positions": np.full((6, 17, 3), np.nan)}, "NaN"),
        ({"positions": plain()["positions"] / 1000}, "metres: multiply by 1000"),
    ],
)
def test_bad_arrays_are_named(tmp_path, changes, said):
    with pytest.raises(ValueError, match=said) as error:
        read_npz(saved(tmp_path, plain(**changes)))
    assert "poses.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_npz_are_named(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_npz(tmp_path / "missing.npz")
    with pytest.raises(ValueError, match="a folder, not a file"):
        read_npz(tmp_path)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match=r"not an \.npz file"):
        read_npz(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", positions_3d=np.zeros(3))
    with pytest.raises(ValueError, match="no 'positions' and no 'joint_names'"):
        read_npz(tmp_path / "other.npz")


def test_a_damaged_file_is_named(tmp_path):
    path = saved(tmp_path, plain())
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        read_npz(path)


@pytest.mark.skipif(not CMU17.exists(), reason="the real poses of cmu17.npz are not on this machine")
def test_real_poses_are_read():
    poses = read_npz(CMU17)
    with np.load(CMU17) as file:
        names, actions, clip, frame = file["clip_names"], file["clip_action"], file["clip"], 12_345
        assert (poses.clip[frame], poses.action[frame]) == (names[clip[frame]], actions[clip[frame]])
    assert len(poses) == 40_409
    assert not poses.synthetic
    assert len(set(poses.clip.tolist())) == 208


def test_numbers_of_frames_are_whole(tmp_path):
    keypoints = {"keypoints": plain()["positions"][..., :2], "joint_names": np.array(JOINTS)}
    with pytest.raises(UserError, match="give whole numbers"):
        load_keypoints(str(saved(tmp_path, keypoints | {"frame": np.arange(6) / 30})))
    assert load_keypoints(str(saved(tmp_path, keypoints | {"frame": np.arange(6.0)}))).frame.tolist() == list(range(6))
