"""A lifter lifts what a user has, and says what is wrong with files that are none."""

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers import run_python
from tips_ray import Lifter
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints, make_keypointset
from tips_ray.errors import UserError
from tips_ray.lift.lifter import turn
from tips_ray.poses.skeleton import JOINTS

ALIASES = [
    *("Hips", "RightUpLeg", "RightLeg", "RightFoot", "LeftUpLeg", "LeftLeg", "LeftFoot", "Spine"),
    *("thorax", "neck", "head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
]


def test_poses_are_about_the_pelvis_in_the_unit_of_the_keypoints(lifter, pixels, views):
    poses = lifter.lift(pixels)
    assert poses.shape == (600, 17, 3)
    assert poses.dtype == np.float32
    np.testing.assert_allclose(poses[..., :2], (pixels - pixels[:, :1]) * [1, -1], atol=1e-3)
    expected = lifter.network.depths(views.keypoints.numpy(), mirror_mean=True) * 200
    np.testing.assert_allclose(poses[:, 1:, 2], expected, atol=1e-2)
    np.testing.assert_allclose(lifter.lift(pixels * 3 + 50), poses * 3, atol=1e-2)


def test_joints_are_found_by_name_and_lacking_ones_are_derived(lifter, pixels):
    poses = lifter.lift(pixels)
    order = np.random.default_rng(0).permutation(len(JOINTS))
    np.testing.assert_allclose(lifter.lift(pixels[:, order], joint_names=[ALIASES[at] for at in order]), poses, atol=1e-3)
    kept = [at for at, name in enumerate(JOINTS) if name not in ("pelvis", "spine")]
    fewer = lifter.lift(pixels[:, kept], joint_names=[JOINTS[at] for at in kept])
    assert fewer.shape == poses.shape


def test_y_may_point_up(lifter, pixels):
    np.testing.assert_allclose(lifter.lift(pixels * [1, -1], y_down=False), lifter.lift(pixels), atol=1e-3)


def test_people_on_their_heads_are_refused_unless_they_are_said_to_be_so(lifter, pixels):
    with pytest.raises(UserError, match="stand on their heads: give y_down=False"):
        lifter.lift(pixels * [1, -1])
    assert (lifter.lift(pixels * [1, -1], y_down=True)[:, JOINTS.index("head"), 1] < 0).mean() > 0.5


def test_loaded_keypoints_are_lifted_as_they_are(lifter, pixels):
    loaded = make_keypointset(RawKeypoints([RawClip(pixels, "clip")], JOINTS, "mine", "plain"))
    np.testing.assert_allclose(lifter.lift(loaded), lifter.lift(pixels), atol=1e-3)


def test_a_lifter_is_shown_by_its_name(lifter):
    assert repr(lifter) == f"Lifter({lifter.card.name!r})"


def test_a_missing_joint_is_estimated_whether_it_is_nan_or_not_sure(lifter, pixels):
    whole, lacking, confidence = lifter.lift(pixels), pixels.copy(), np.ones(pixels.shape[:2])
    lacking[:, JOINTS.index("r_wrist")] = 0
    confidence[:, JOINTS.index("r_wrist")] = 0.1
    estimated = lifter.lift(lacking, confidence)
    trusted = lifter.lift(lacking)
    assert np.abs(estimated - whole).mean() < 0.2 * np.abs(trusted - whole).mean()
    lacking[:, JOINTS.index("r_wrist")] = np.nan
    np.testing.assert_array_equal(lifter.lift(lacking), estimated)


def test_a_frame_with_too_few_joints_has_no_pose(lifter, pixels):
    pixels[3, 4:] = np.nan
    poses = lifter.lift(pixels)
    assert np.isnan(poses[3]).any()
    assert np.isfinite(np.delete(poses, 3, axis=0)).all()


def test_a_pose_of_one_point_is_lifted_to_one_point(lifter):
    assert (lifter.lift(np.full((2, 17, 2), 7.0)) == 0).all()


def test_joints_move_between_views_as_the_lifter_is_inconsistent(lifter, pixels):
    poses = lifter.lift(pixels)
    spread = lifter.spread(poses)
    assert spread.shape == (600, 17)
    assert (spread[:, 0] < 1e-4).all()
    assert (spread.mean(axis=1) > 0).all()
    np.testing.assert_allclose(turn(turn(poses, 0.4), -0.4), poses, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"keypoints": np.zeros((5, 16, 2))}, "shape"),
        ({"keypoints": np.zeros((17, 2))}, "shape"),
        ({"keypoints": np.zeros((0, 17, 2))}, "shape"),
        ({"keypoints": np.full((2, 17, 2), np.nan)}, "No frame"),
        ({"keypoints": np.zeros((2, 17, 2)), "confidence": np.ones((2, 16))}, "confidence"),
        ({"keypoints": np.zeros((2, 3, 2)), "joint_names": ["a", "b", "c"]}, "joints"),
    ],
)
def test_keypoints_that_are_none_are_refused(lifter, arguments, said):
    with pytest.raises(UserError, match=said):
        lifter.lift(**arguments)


def test_a_saved_lifter_is_the_same(lifter, pixels, tmp_path):
    lifter.save(tmp_path / "mine")
    for source in (tmp_path / "mine", str(tmp_path / "mine" / "lifter.safetensors"), tmp_path / "mine" / "lifter.json"):
        again = Lifter.open(source)
        np.testing.assert_allclose(again.lift(pixels), lifter.lift(pixels), atol=1e-4)
    assert replace(again.card, weights_sha256="") == lifter.card


def broken_json(card: dict) -> str:
    return json.dumps(card)[:-5]


def of_another_version(card: dict) -> str:
    return json.dumps(card | {"version": 7})


def with_other_parts(card: dict) -> str:
    return json.dumps(card | {"parts": {"body": [*card["parts"]["legs"], *card["parts"]["torso"]]}})


def of_other_weights(card: dict) -> str:
    return json.dumps(card | {"weights_sha256": "0" * 64})


def lacking(card: dict) -> str:
    return json.dumps({name: value for name, value in card.items() if name != "parts"})


def with_unknown_joint(card: dict) -> str:
    return json.dumps(card | {"parts": {"legs": ["tail"]}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (broken_json, "is no card"),
        (of_another_version, "version 7"),
        (with_other_parts, "parts that its card names"),
        (of_other_weights, "damaged, or of another lifter"),
        (lacking, "parts"),
        (with_unknown_joint, "tail"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(change, said, lifter, tmp_path):
    lifter.save(tmp_path)
    card = json.loads((tmp_path / "lifter.json").read_text())
    (tmp_path / "lifter.json").write_text(change(card))
    with pytest.raises(UserError, match=said) as refused:
        Lifter.open(tmp_path)
    assert "\n" not in str(refused.value)


def test_files_that_are_damaged_or_missing_are_named(lifter, tmp_path):
    lifter.save(tmp_path)
    weights = tmp_path / "lifter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"lifter\.safetensors.*damaged"):
        Lifter.open(tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match=r"has no lifter\.safetensors"):
        Lifter.open(tmp_path)
    with pytest.raises(UserError, match="no lifter and no campaign"):
        Lifter.open(tmp_path / "nowhere")


def test_lifting_needs_neither_torch_nor_ray(lifter, tmp_path):
    lifter.save(tmp_path)
    program = (
        "import sys; from tips_ray import Lifter; import numpy as np; "
        f"Lifter.open({str(tmp_path)!r}).lift(np.random.rand(3, 17, 2)); "
        "print([name for name in ('torch', 'ray', 'optuna', 'pandas') if name in sys.modules])"
    )
    ended = run_python("-c", program)
    assert ended.stdout.strip() == "[]", ended.stderr
