"""Poses whose axes or sides are not what their file says are refused, with the right cure."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from tips_ray.data import PoseSet, load_poses, make_poseset
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.orientation import ACCEPTED, INVERTED, REFUSED, check_orientation, measure
from tips_ray.data.poseset import root_centred
from tips_ray.data.raw import OTHER_SIDE, UP_AXES, RawPoses
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import render_views
from tips_ray.lifting.evaluate import errors
from tips_ray.poses.anatomy import depth_sign, sign_votes
from tips_ray.poses.skeleton import LEGS_TORSO, UpAxis

SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared poses are not on this machine")
CURES = {
    "good": {},
    "left_right_swapped": {"sides": "swapped"},
    "ydown_mirrored": {"up": "-y", "sides": "swapped"},
    "ydown_rotated": {"up": "-y"},
    "zup_unsaid": {"up": "z"},
}


@pytest.fixture(scope="module")
def upright() -> PoseSet:
    return synthesise(num_poses=2000)


def stored(poses: PoseSet, up: str, exchanged: bool, folder: Path) -> str:
    """A file whose axis `up` points up, and whose sides may be exchanged, without a word of it."""
    axes, signs = UP_AXES[up]
    positions = np.empty_like(poses.positions)
    positions[..., axes] = poses.positions * np.array(signs)
    write_npz(replace(poses, positions=positions[:, OTHER_SIDE] if exchanged else positions), folder / "poses.npz")
    return str(folder / "poses.npz")


def error_of_a_perfect_lifter(poses: PoseSet) -> float:
    """P-MPJPE in mm, with the sign that the truth itself votes for."""
    views = render_views(poses, 1, 0)
    return errors(views.pose, views, depth_sign(views.pose))["p_mpjpe_signed_mm"]


@pytest.mark.parametrize("up", get_args(UpAxis))
@pytest.mark.parametrize("exchanged", [False, True])
def test_every_unsaid_axis_and_exchange_is_named_and_its_cure_is_right(upright, tmp_path, up, exchanged):
    spec = stored(upright, up, exchanged, tmp_path)
    cure = ({"up": up} if up != "y" else {}) | ({"sides": "swapped"} if exchanged else {})
    if cure:
        words = " ".join(f"--{name}={value}" for name, value in cure.items())
        with pytest.raises(ValueError, match=rf"Give {words} \(in a study ") as error:
            load_poses(spec)
        assert "To keep the poses as they are, give --up=y" in str(error.value)
        kept = load_poses(spec, up="y")
        assert f"Give {words} (" in kept.notes[-1]
    poses = load_poses(spec, **cure)
    assert poses.fingerprint == upright.fingerprint
    assert poses.notes == ()


@needs_shared
@pytest.mark.parametrize(("name", "cure"), CURES.items())
def test_after_the_cure_a_perfect_lifter_has_no_error(name, cure):
    spec = str(SHARED / "cases/01-camera-convention" / f"{name}.npz")
    if cure:
        with pytest.raises(ValueError, match=" ".join(f"--{key}={value}" for key, value in cure.items())):
            load_poses(spec)
    assert error_of_a_perfect_lifter(load_poses(spec, **cure)) < 0.01


def test_a_wrong_cure_is_refused_and_the_right_one_named(upright, tmp_path):
    spec = stored(upright, "y", False, tmp_path)
    with pytest.raises(ValueError, match="with up=y they do") as error:
        load_poses(spec, up="-z")
    assert "To keep" not in str(error.value)


def test_one_subject_that_is_mirrored_beside_others_is_named(upright):
    positions = upright.positions.copy()
    of_one = upright.subject == "S3"
    positions[of_one] = positions[of_one][:, OTHER_SIDE]
    mixed = replace(upright, positions=positions)
    with pytest.raises(ValueError, match="subject 'S3' is turned or mirrored beside the others"):
        check_orientation(mixed, "y", "named")
    assert "S3" in check_orientation(mixed, "y", "named", insist=True)[0]


def test_what_cannot_be_told_is_a_caution(upright):
    lying = replace(upright, positions=upright.positions[..., [1, 0, 2]] * np.array([1, -1, 1], dtype=np.float32))
    assert "cannot be told" in check_orientation(lying.select(np.arange(len(lying)) < 40), "y", "named")[0]
    rng = np.random.default_rng(0)
    noise = make_poseset(RawPoses(rng.uniform(-800, 800, (200, 17, 3)), "noise"))
    assert "cannot be told" in check_orientation(noise, "y", "named")[0]
    stiff = upright.positions.copy()
    for side, (root, hinge, end) in product((0, 3), ((1, 2, 3),)):
        stiff[:, hinge + side] = (stiff[:, root + side] + stiff[:, end + side]) / 2
    assert "knees are hardly bent" in check_orientation(replace(upright, positions=stiff), "y", "named")[0]
    arms = upright.positions.copy()
    arms[:, 11:] = arms[:, [14, 15, 16, 11, 12, 13]]
    assert "left and right arms may be exchanged" in check_orientation(replace(upright, positions=arms), "y", "named")[0]


def test_the_margins_of_synthetic_people_by_subject(upright):
    fits = [measure(upright.positions[upright.subject == subject]).fit for subject in upright.subjects]
    assert min(fits) > ACCEPTED + 0.4
    mirrored = [measure(upright.positions[upright.subject == subject][:, OTHER_SIDE]).fit for subject in upright.subjects]
    assert max(mirrored) < INVERTED - 0.4


@needs_shared
@pytest.mark.parametrize("name", ["cmu17.npz", "cmu_asf_amc"])
def test_the_margins_of_real_people(name):
    poses = load_poses(str(SHARED / "data" / name))
    assert measure(poses.positions).fit > ACCEPTED + 0.4
    for subject in poses.subjects:
        assert measure(poses.positions[poses.subject == subject]).fit > REFUSED


def test_votes_are_those_of_the_lifted_poses(upright):
    pose = torch.from_numpy(np.delete(root_centred(upright.positions), 0, axis=1))
    anatomy = measure(upright.positions)
    for part, share in zip(LEGS_TORSO, (anatomy.legs, anatomy.torso), strict=True):
        votes = sign_votes(pose, part)
        assert share == pytest.approx(float(votes.sum() / votes.abs().sum()), abs=0.15)
