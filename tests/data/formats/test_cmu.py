"""CMU's own files: against an independent reader, by laws, and what is said of broken ones."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tips_ray.data.formats.amc import bone_ends, read_amc
from tips_ray.data.formats.asf import read_asf
from tips_ray.data.formats.cmu import moved, read_cmu
from tips_ray.data.raw import make_poseset

CMU = Path(__file__).resolve().parents[4] / "shared/data/cmu_asf_amc"
needs_cmu = pytest.mark.skipif(not CMU.exists(), reason="CMU's original files are not on this machine")

ASF = """# a two-bone arm
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name upper
     direction 1 0 0
     length 2
     axis 10 20 30 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name lower
     direction 0 1 0
     length 1
     axis 0 0 90 XYZ
    dof rz rx
  end
:hierarchy
  begin
    upper lower
    root upper
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 20 30
upper 40 50 60
lower 70 -15
2
root 0 0 0 0 0 0
upper 0 0 0
lower 0 0
"""


@pytest.fixture
def arm(tmp_path):
    """A folder with a skeleton of two bones and one clip of two frames."""
    (tmp_path / "07.asf").write_text(ASF)
    (tmp_path / "07_01.amc").write_text(AMC)
    return tmp_path


def turn(x: float, y: float, z: float) -> np.ndarray:
    """Rz·Ry·Rx, degrees, one axis at a time."""
    one = [Rotation.from_rotvec(np.radians(angle) * axis).as_matrix() for angle, axis in zip((x, y, z), np.eye(3), strict=True)]
    return one[2] @ one[1] @ one[0]


def test_two_bones_follow_the_formula(arm):
    skeleton = read_asf(arm / "07.asf")
    ends = bone_ends(skeleton, read_amc(arm / "07_01.amc", skeleton), ("lower", "upper"))
    upper_axes, lower_axes = turn(10, 20, 30), turn(0, 0, 90)
    upper = turn(10, 20, 30) @ upper_axes @ turn(40, 50, 60) @ upper_axes.T
    lower = upper @ lower_axes @ turn(-15, 0, 70) @ lower_axes.T
    expected = np.array([1.0, 2, 3]) + upper @ [2, 0, 0]
    np.testing.assert_allclose(ends["upper"][0], expected * 25.4 / 0.45, rtol=1e-12)
    np.testing.assert_allclose(ends["lower"][0], (expected + lower @ [0, 1, 0]) * 25.4 / 0.45, rtol=1e-12)
    np.testing.assert_allclose(ends["lower"][1], np.array([2.0, 1, 0]) * 25.4 / 0.45, atol=1e-10)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("07_01.amc", "upper 40 50 60\n", "", r"07_01.amc, line 7: frame 2 begins, but the one before it lacks 'upper'"),
        ("07_01.amc", "upper 40 50 60", "upper 40 50", r"07_01.amc, line 6: 'upper' needs 3 finite numbers, here are '40 50'"),
        ("07_01.amc", "upper 40 50 60", "upper 40 fifty 60", r"line 6: 'upper' needs 3 finite numbers"),
        ("07_01.amc", "upper 40 50 60", "upper 40 nan 60", r"line 6: 'upper' needs 3 finite numbers"),
        (
            "07_01.amc",
            "upper 40 50 60",
            "hand 40 50 60",
            r"line 6: the skeleton has no moving bone 'hand'; it has 'root', 'upper', 'lower'",
        ),
        ("07_01.amc", "upper 40 50 60", "root 1 2 3 4 5 6", r"line 6: 'root' is here twice"),
        ("07_01.amc", "lower 0 0\n", "", r"line 10: the file ends early; 'lower' is missing"),
        ("07_01.amc", AMC, "", r"07_01.amc, line 1: the file ends early; every frame is missing"),
        ("07_01.amc", "upper 0 0 0\nlower 0 0", "lower 0 0\nupper 0 0 0", r"07_01.amc: the order of the bones changes"),
        ("07_01.amc", "\n2\n", "\n1\n", r"07_01.amc, line 8: frame 1 is here twice"),
        ("07_01.amc", "\n1\n", "\n11\n", r"07_01.amc, line 8: frame 2 comes after frame 11; give each frame once"),
        ("07_01.amc", "\n2\n", "\ntwo\n", r"07_01.amc, line 8: the skeleton has no moving bone 'two'"),
        ("07_01.amc", ":DEGREES", ":RADIANS", r"07_01.amc: angles are said to be radians, but reach 70; they look like degrees"),
        (
            "07.asf",
            "root upper",
            "root upper\n    lower upper",
            r"07.asf, line 36: 'upper' is the child of 'lower', but has its place",
        ),
        ("07.asf", "upper lower", "root root", r"07.asf, line 34: 'root' is the child of 'root', but has its place already"),
        ("07.asf", "name lower", "name upper", r"07.asf, line 31: a second bone is called 'upper'"),
        ("07.asf", "direction 1 0 0", "direction 1 0", r"07.asf, line 16: three finite numbers are needed, here are '1 0'"),
        ("07.asf", "length 2\n", "", r"07.asf, line 22: the bone 'upper' that ends here has no 'length'"),
        ("07.asf", "axis 10 20 30 XYZ", "axis 10 20 30 XYW", r"07.asf, line 18: an axis ends with its order"),
        ("07.asf", "dof rx ry rz", "dof rx l", r"07.asf, line 19: the degree of freedom 'l' is not read"),
        ("07.asf", "TX TY TZ RX", "RX TY TZ TX", r"07.asf, line 8: the root's order"),
        ("07.asf", "root upper", "root shoulder", r"07.asf, line 35: no bone 'shoulder' in :bonedata"),
        ("07.asf", "    root upper\n", "", r"07.asf: :hierarchy does not join 'lower' to the root"),
        ("07.asf", "length 0.45", "length 0", r"07.asf, line 5: a positive number is needed, here is '0'"),
        ("07.asf", ASF, "hello\n", r"07.asf: no :bonedata and :hierarchy"),
        ("07.asf", "begin", "begin", r"07.asf: no bone lhipjoint, rhipjoint"),
    ],
)
def test_broken_files_are_named_with_their_line(arm, file, old, new, said):
    text = (arm / file).read_text()
    assert old in text
    (arm / file).write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=said) as error:
        read_amc(arm / "07_01.amc", read_asf(arm / "07.asf")) if "hipjoint" not in said else read_cmu(arm)
    assert "\n" not in str(error.value)


def test_radians_a_mark_and_gaps_in_the_numbers_are_read(arm):
    bones = ("upper", "lower")
    skeleton = read_asf(arm / "07.asf")
    expected = bone_ends(skeleton, read_amc(arm / "07_01.amc", skeleton), bones)
    text = AMC.replace(":DEGREES", ":RADIANS").replace("\n2\n", "\n7\n")
    for angles in ("10 20 30", "40 50 60", "70 -15"):
        text = text.replace(angles, " ".join(map(str, np.radians(list(map(float, angles.split()))))))
    (arm / "07_01.amc").write_text("\ufeff" + text, encoding="utf-8")
    (arm / "07.asf").write_text("\ufeff" + ASF, encoding="utf-8")
    read = bone_ends(skeleton, read_amc(arm / "07_01.amc", read_asf(arm / "07.asf")), bones)
    for bone in bones:
        np.testing.assert_allclose(read[bone], expected[bone], rtol=1e-9, atol=1e-9)


def test_folders_without_whole_clips_are_named(arm):
    (arm / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no \.amc files"):
        read_cmu(arm / "empty")
    with pytest.raises(ValueError, match="no such folder"):
        read_cmu(arm / "nowhere")
    shutil.copy(arm / "07_01.amc", arm / "empty" / "07_01.amc")
    with pytest.raises(ValueError, match="the same clip is also"):
        read_cmu(arm)
    (arm / "empty" / "07_01.amc").rename(arm / "empty" / "08_01.amc")
    with pytest.raises(ValueError, match=r"08_01.amc: no skeleton 08.asf for it"):
        read_cmu(arm)


@needs_cmu
def test_real_clips_agree_with_an_independent_reader():
    poses = make_poseset(read_cmu(CMU))
    with np.load(CMU / "expected.npz") as expected:
        assert sorted(expected.files) == sorted(set(poses.clip.tolist()))
        for clip in expected.files:
            ours = poses.positions[poses.clip == clip][::60]
            assert ours.shape == expected[clip].shape
            assert np.linalg.norm(ours - expected[clip], axis=-1).max() < 0.5
    assert poses.subjects == ["2", "16", "35"]
    assert poses.actions == ["all"]


@needs_cmu
def test_sub_folders_and_an_index_are_read(tmp_path):
    for name in ("16.asf", "16_15.amc", "35.asf", "35_01.amc"):
        folder = tmp_path / "subjects" / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(CMU / name, folder / name)
    (tmp_path / "cmu-mocap-index-text.txt").write_text('Subject #16 (walks)\n16_15\twalk, veer left\n35_01,"walk"\n')
    poses = make_poseset(read_cmu(tmp_path, min_displacement_mm=15.0))
    assert dict(zip(poses.clip.tolist(), poses.action.tolist(), strict=True)) == {"16_15": "walk, veer left", "35_01": "walk"}
    every_frame = make_poseset(read_cmu(tmp_path))
    for clip in ("16_15", "35_01"):
        frames = every_frame.positions[every_frame.clip == clip]
        np.testing.assert_array_equal(poses.positions[poses.clip == clip], frames[moved(frames, 15.0)])
    with pytest.raises(ValueError, match="no such file; give an index"):
        read_cmu(tmp_path, index=tmp_path / "none.csv")


@pytest.mark.parametrize("scale", [0.3, 3.0, 30.0])
def test_thinning_agrees_with_a_loop_over_frames(scale):
    steps = np.random.default_rng(1).normal(size=(500, 17, 3)) * scale
    positions = np.random.default_rng(2).uniform(-800, 800, (17, 3)) + np.cumsum(steps, axis=0)
    last, expected = 0, [0]
    for frame in range(1, 500):
        relative = (positions[frame] - positions[frame, 0]) - (positions[last] - positions[last, 0])
        if np.mean([np.sqrt(sum(d * d for d in joint)) for joint in relative]) >= 15.0:
            last = frame
            expected.append(frame)
    np.testing.assert_array_equal(np.flatnonzero(moved(positions, 15.0)), expected)


def test_thinning_does_not_look_at_the_path_walked():
    walked = np.random.default_rng(0).uniform(-800, 800, (17, 3)) + np.arange(8)[:, None, None] * (100, 0, 0)
    assert np.flatnonzero(moved(walked, 15.0)).tolist() == [0]
    assert moved(walked, 0.0).all()
    with pytest.raises(ValueError, match="give 0"):
        moved(walked, -1.0)
