"""From a spec to poses, and from poses to a split without shared subjects."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.config import Data
from tips_ray.data import PoseSet, RawPoses, load_poses, make_poseset, split_by_subject
from tips_ray.data.dataset import prepare
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.load import last_quarter, leave_out

SHARED = Path(__file__).resolve().parents[3] / "shared/data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the real poses are not on this machine")


def poses_of(*subjects: str) -> PoseSet:
    """One pose for each name."""
    positions = np.random.default_rng(0).uniform(-800, 800, (len(subjects), 17, 3))
    return make_poseset(RawPoses(positions, "mine", subject=np.array(subjects)))


def test_synthetic_poses_follow_the_seed():
    first, other = (load_poses("synthetic", seed=seed) for seed in (0, 1))
    assert first.synthetic
    assert first.fingerprint != other.fingerprint


def test_npz_is_read(tmp_path):
    poses = poses_of("a", "b")
    write_npz(poses, tmp_path / "mine.npz")
    assert load_poses(str(tmp_path / "mine.npz")).fingerprint == poses.fingerprint


@needs_shared
def test_a_folder_of_cmu_files_is_read_and_thinned():
    poses = load_poses(str(SHARED / "cmu_asf_amc"))
    assert 100 < len(poses) < 1000  # of 2,582 frames


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nope", "'nope' does not exist; poses are"),
        ("x.npz", "does not exist"),
        (__file__, "is a file of another kind; .*npz file"),
    ],
)
def test_other_specs_are_told_what_is_accepted(spec, said):
    with pytest.raises(ValueError, match=said):
        load_poses(spec)


def test_a_folder_that_is_none_of_a_format_names_the_files_in_it(tmp_path):
    (tmp_path / "demo.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"give one file of the folder: demo\.csv"):
        load_poses(str(tmp_path))


@pytest.mark.parametrize("name", ["a.npz", "a.json", "a.csv"])
def test_an_empty_file_is_called_so(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match="is an empty file"):
        load_poses(str(tmp_path / name))


@given(st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=30).filter(lambda names: len(set(names)) > 1))
@settings(deadline=None, derandomize=True)
def test_a_split_shares_no_subject_and_loses_no_pose(names):
    poses = poses_of(*names)
    train, test = split_by_subject(poses)
    assert not set(train.subjects) & set(test.subjects)
    assert len(train) + len(test) == len(poses)
    assert train.subjects + test.subjects == poses.subjects
    assert 0 <= len(test.subjects) - len(poses.subjects) / 4 < 1


def test_named_subjects_are_held_out():
    train, test = split_by_subject(poses_of("1", "2", "3", "10"), ("10", "2"))
    assert (train.subjects, test.subjects) == (["1", "3"], ["2", "10"])


def test_the_default_split_of_human36m_tests_on_s9_and_s11():
    _, test = split_by_subject(poses_of("S1", "S11", "S5", "S6", "S7", "S8", "S9"))
    assert test.subjects == ["S9", "S11"]


@pytest.mark.parametrize(
    ("subjects", "held_out", "said"),
    [
        (("1", "2"), ("3",), "no subject '3' to test on; there are 1, 2"),
        (("1", "2"), ("1", "2"), "all 2 subjects are held out"),
        (("1", "1"), (), r"all poses are of one subject \('1'\)"),
        (("1", "1"), ("1",), "give poses of at least two"),
    ],
)
def test_splits_that_leave_nothing_are_refused(subjects, held_out, said):
    with pytest.raises(ValueError, match=said):
        split_by_subject(poses_of(*subjects), held_out)


@needs_shared
def test_the_split_of_the_real_poses():
    train, test = split_by_subject(load_poses(str(SHARED / "cmu17.npz")), ("6", "8", "9", "14", "35", "906"))
    assert (len(train), len(test)) == (28_445, 11_964)


@given(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=30), st.sets(st.sampled_from("abcdefghij")))
@settings(deadline=None, derandomize=True)
def test_subjects_that_are_left_out_are_gone_and_all_others_stay(names, left_out):
    poses = poses_of(*names)
    if not left_out <= set(names):
        with pytest.raises(ValueError, match=r"mine: no subject '.' to leave out; there are "):
            leave_out(poses, tuple(left_out))
    elif left_out == set(names):
        with pytest.raises(ValueError, match=f"all {len(left_out)} subjects are left out; leave some to train and test on"):
            leave_out(poses, tuple(left_out))
    else:
        kept = leave_out(poses, tuple(left_out))
        assert list(kept.subject) == [name for name in names if name not in left_out]


def test_a_dataset_knows_nothing_of_subjects_that_are_left_out():
    poses = poses_of(*"aabbccdd")
    dataset = prepare(poses, Data(test_subjects=("c",), left_out_subjects=("b", "d")))
    assert (dataset.train_poses.subjects, dataset.test_poses.subjects) == (["a"], ["c"])
    with pytest.raises(ValueError, match="no subject 'd' to test on"):
        prepare(poses, Data(test_subjects=("d",), left_out_subjects=("d",)))
    with pytest.raises(ValueError, match="no subject 'x' to leave out"):
        prepare(poses, Data(left_out_subjects=("x",)))


@given(st.lists(st.text(min_size=1), max_size=40, unique=True))
@settings(deadline=None, derandomize=True)
def test_the_last_quarter_is_rounded_up(subjects):
    held_out = last_quarter(subjects)
    assert list(held_out) == subjects[len(subjects) - len(held_out) :]
    assert 0 <= 4 * len(held_out) - len(subjects) < 4
