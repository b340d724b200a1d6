"""The terms of anatomy, anthropometry and time: against sums written out, on bodies as they are,
and what leaves them unchanged."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.lifting.test_losses import keypoints, step_of
from tips_ray.data.poseset import root_centred
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.losses import TERMS, Step
from tips_ray.poses.bones import bone_vectors, stretch
from tips_ray.poses.geometry import View, lift, max_normalise, mirror_keypoints, mirror_sides, rotate
from tips_ray.poses.skeleton import BONES, JOINTS, LIFTED

BODY_TERMS = ("symmetry", "proportions", "knees", "facing", "rigidity")
POSES = synthesise(num_poses=400)


def step_with(pose: torch.Tensor, scale: torch.Tensor | None = None) -> Step:
    """A step whose lifter answers with the depths of some poses."""
    step = step_of(lambda seen: pose[..., 2].expand(len(seen), 16) if len(pose) == 1 else pose[: len(seen), :, 2], pose[..., :2])
    return step if scale is None else Step(step.lifter, step.keypoints, scale, *list(vars(step).values())[3:])


def term(name: str, pose: torch.Tensor, scale: torch.Tensor | None = None) -> float:
    return float(TERMS[name](step_with(pose, scale)))


def bodies(count: int = 40, seed: int = 0) -> torch.Tensor:
    """Poses of synthetic bodies in the networks' unit, from random azimuths."""
    rng = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(POSES), generator=rng)[:count].numpy()
    pose = torch.from_numpy(np.delete(root_centred(POSES.positions[chosen]), 0, axis=1)).double()
    azimuth = 2 * math.pi * torch.rand(count, generator=rng, dtype=torch.float64)
    pose = rotate(pose, View(azimuth, torch.zeros_like(azimuth)))
    return pose / max_normalise(pose[..., :2])[1][:, None, None]


def random_poses(seed: int, count: int = 6) -> torch.Tensor:
    return lift(keypoints(seed, count), keypoints(seed + 1, count)[..., 0])


def length(pose: np.ndarray, joint: str) -> float:
    """Of the bone that ends in a joint, as the terms have it: never 0."""
    parent = next(JOINTS[above] for above, child in BONES if JOINTS[child] == joint)
    start = np.zeros(3) if parent == "pelvis" else pose[LIFTED.index(parent)]
    return math.sqrt(((pose[LIFTED.index(joint)] - start) ** 2).sum() + 1e-6)


LEFTS = [joint for joint in LIFTED if joint.startswith("l_")]
SHARES = {"knee": 0.245, "ankle": 0.246, "elbow": 0.186, "wrist": 0.146}


def slow_symmetry(pose: np.ndarray) -> float:
    mean = np.mean([length(pose, joint) for joint in LIFTED])
    return float(np.mean([((length(pose, joint) - length(pose, "r_" + joint[2:])) / mean) ** 2 for joint in LEFTS]))


def slow_proportions(pose: np.ndarray) -> float:
    segments = {(side, joint): length(pose, f"{side}_{joint}") for side in "lr" for joint in SHARES}
    mean, share = np.mean(list(segments.values())), np.mean(list(SHARES.values()))
    return float(np.mean([(value / mean - SHARES[joint] / share) ** 2 for (_, joint), value in segments.items()]))


def slow_knees(pose: np.ndarray) -> float:
    place = {joint: pose[LIFTED.index(joint)] for joint in LIFTED}
    across = place["l_hip"] - place["r_hip"]
    forwards = np.cross(across, [0.0, 1.0, 0.0]) / np.hypot(across[0], across[2])
    lacking = []
    for side in "lr":
        hip, knee, ankle = (place[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        line = (ankle - hip) / np.linalg.norm(ankle - hip)
        bend = knee - hip - np.dot(knee - hip, line) * line
        lacking.append(max(0.0, 0.02 - np.dot(bend, forwards)))
    return float(np.mean(lacking))


def slow_facing(pose: np.ndarray) -> float:
    hips, shoulders = (pose[LIFTED.index(f"l_{joint}")] - pose[LIFTED.index(f"r_{joint}")] for joint in ("hip", "shoulder"))
    hips, shoulders = hips[[0, 2]], shoulders[[0, 2]]
    return max(0.0, 0.8 - np.dot(hips, shoulders) / math.sqrt((hips @ hips + 1e-6) * (shoulders @ shoulders + 1e-6)))


SLOW = {"symmetry": slow_symmetry, "proportions": slow_proportions, "knees": slow_knees, "facing": slow_facing}


@pytest.mark.parametrize("name", SLOW)
@given(seed=st.integers(0, 10_000))
def test_a_term_is_the_mean_over_poses_of_what_is_written_out(name, seed):
    pose = random_poses(seed)
    assert term(name, pose) == pytest.approx(np.mean([SLOW[name](one) for one in pose.numpy()]), rel=1e-9)


@given(seed=st.integers(0, 10_000))
def test_rigidity_compares_the_frames_of_each_pair_at_their_size(seed):
    pose, scale = random_poses(seed), 1 + keypoints(seed + 2)[:, 0, 0].abs()
    by_hand = []
    for one in range(3):
        first, second = (
            np.array([length(pose[view].numpy(), joint) * float(scale[view]) for joint in LIFTED]) for view in (one, one + 3)
        )
        by_hand += (((first - second) / ((first + second) / 2).mean()) ** 2).tolist()
    assert term("rigidity", pose, scale) == pytest.approx(np.mean(by_hand), rel=1e-9)


def test_bodies_as_they_are_have_next_to_none():
    pose, flat = bodies(), bodies() * torch.tensor([1.0, 1.0, 0.0])
    for name, most in {"symmetry": 1e-6, "proportions": 0.02, "knees": 0.01, "facing": 0.02}.items():
        assert term(name, pose) < most
        assert term(name, flat) > 2 * term(name, pose), name


def test_a_body_that_turns_is_rigid_at_one_scale():
    body = bodies(1)[0]
    turned = rotate(body.expand(6, 16, 3), View(torch.linspace(0, 5, 6).double(), torch.zeros(6).double()))
    keypoints_seen, size = max_normalise(turned[..., :2])
    pose = lift(keypoints_seen, turned[..., 2] / size[:, None])
    assert term("rigidity", pose, size) < 1e-9
    assert term("rigidity", pose, size * torch.linspace(1, 2, 6).double()) > 1e-3
    grown = stretch(pose, torch.linspace(1, 2, 6).double()[:, None].expand(6, 16))
    assert term("rigidity", grown, size) > 1e-2


@pytest.mark.parametrize("name", ["symmetry", "proportions", "facing", "rigidity"])
@given(seed=st.integers(0, 10_000), size=st.floats(1.0, 50.0))
def test_size_does_not_matter(name, seed, size):
    pose = 50 * random_poses(seed)
    assert term(name, size * pose) == pytest.approx(term(name, pose), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", BODY_TERMS)
@given(seed=st.integers(0, 10_000), azimuth=st.floats(-3.1, 3.1))
def test_neither_azimuth_nor_a_mirror_changes_a_term(name, seed, azimuth):
    pose = random_poses(seed)
    turned = rotate(pose, View(torch.full((6,), azimuth, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)))
    mirrored = lift(mirror_keypoints(pose[..., :2]), mirror_sides(pose[..., 2]))
    for other in (turned, mirrored):
        assert term(name, other) == pytest.approx(term(name, pose), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["symmetry", "proportions", "rigidity"])
def test_lengths_do_not_tell_the_depth_sign_but_knees_do(name):
    pose = bodies()
    inside_out = pose * torch.tensor([1.0, 1.0, -1.0])
    assert term(name, inside_out) == pytest.approx(term(name, pose))
    assert term("knees", inside_out) > 5 * term("knees", pose)


def test_facing_ties_the_sign_of_the_torso_to_that_of_the_legs():
    pose = bodies()
    flipped = pose.clone()
    torso = [place for place, joint in enumerate(LIFTED) if not joint.endswith(("hip", "knee", "ankle"))]
    flipped[:, torso, 2] *= -1
    assert term("facing", flipped) > 0.2
    assert term("facing", pose * torch.tensor([1.0, 1.0, -1.0])) == pytest.approx(term("facing", pose))


@pytest.mark.parametrize("name", ["proportions", "knees", "facing"])  # the others have no gradient through the mean length
@given(seed=st.integers(0, 500))
def test_a_small_step_against_the_gradient_lowers_a_term(name, seed):
    pose = random_poses(seed)
    depth = pose[..., 2].clone().requires_grad_()
    loss = TERMS[name](step_with(lift(pose[..., :2], depth)))
    (gradient,) = torch.autograd.grad(loss, depth)
    assert gradient.isfinite().all()
    if gradient.abs().max() > 1e-6:
        after = depth.detach() - 1e-4 * gradient / gradient.norm()
        assert term(name, lift(pose[..., :2], after)) < loss.detach()


@pytest.mark.parametrize("name", BODY_TERMS)
def test_a_body_of_one_point_has_a_finite_gradient(name):
    depth = torch.zeros(4, 16, dtype=torch.float64, requires_grad=True)
    loss = TERMS[name](step_with(lift(torch.zeros(4, 16, 2, dtype=torch.float64), depth)))
    (gradient,) = torch.autograd.grad(loss, depth)
    assert gradient.isfinite().all()


@given(seed=st.integers(0, 10_000))
def test_stretching_multiplies_lengths_and_keeps_directions(seed):
    pose, factors = random_poses(seed), 1 + keypoints(seed + 5)[..., 0].abs()
    before, after = bone_vectors(pose), bone_vectors(stretch(pose, factors))
    torch.testing.assert_close(after, before * factors[..., None])
    torch.testing.assert_close(stretch(pose, torch.ones_like(factors)), pose)
