"""How batches are varied: mirrored and turned poses have exactly the depths that they are given."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.config import Augmentation
from tips_ray.lifting.augment import Batch, mirror_half, stretch_factors, turn_share, with_noise
from tips_ray.lifting.draws import Draws
from tips_ray.poses.bones import bend, bone_vectors, smooth_lengths
from tips_ray.poses.geometry import lift, max_normalise, mirror_keypoints, mirror_sides
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.poses.skeleton import BONES, JOINTS, LIFTED
from tips_ray.seeding import stream

LIMIT = math.radians(10.0)


def make_batch(seed: int, count: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    keypoints, size = max_normalise(2 * torch.rand(count, 16, 2, generator=rng, dtype=torch.float64) - 1)
    return Batch(keypoints, 2 * torch.rand(count, 16, generator=rng, dtype=torch.float64) - 1, 500 * size)


def draws(seed: int, turned: float) -> Draws:
    count = round(8 * turned)
    normal = {
        name: torch.randn(count, 16, *more, generator=stream(seed, name)) for name, more in {"stretch": (), "bend": (3,)}.items()
    }
    return {"turn": torch.rand(2, count, generator=stream(seed, "turn"))} | normal


def test_each_pose_has_noise_as_it_was_asked_for():
    keypoints = 3 * make_batch(0, 4000).keypoints
    spread = torch.linspace(0, 0.1, 4000, dtype=torch.float64)
    moved = with_noise(keypoints, spread, torch.randn(4000, 16, 2, generator=stream(0, "noise"), dtype=torch.float64)) - keypoints
    assert not moved[0].any()
    assert moved[-1000:].square().mean().sqrt().item() == pytest.approx(3 * spread[-1000:].square().mean().sqrt(), rel=0.02)


@given(seed=st.integers(0, 1000))
def test_noise_moves_keypoints_and_leaves_the_pose(seed):
    """What a lifter is to answer is the pose that was there, at the size of what is seen."""
    numbers = draws(seed, 1.0) | {
        "noisy": torch.ones(8),
        "noise": torch.randn(8, 16, 2, generator=stream(seed, "noise"), dtype=torch.float64),
    }
    plain, noisy = (turn_share(make_batch(seed), Augmentation(turned=1.0, noise=most), LIMIT, numbers) for most in (0.0, 0.1))
    torch.testing.assert_close(noisy.depth * noisy.scale[:, None], plain.depth * plain.scale[:, None])
    assert (noisy.keypoints - plain.keypoints).abs().amax((1, 2)).min() > 1e-3
    torch.testing.assert_close(noisy.keypoints.abs().amax((1, 2)), torch.ones(8, dtype=torch.float64))


@given(seed=st.integers(0, 1000))
def test_a_mirror_negates_x_and_swaps_the_sides(seed):
    batch = make_batch(seed)
    seen = mirror_keypoints(batch.keypoints)
    for joint in LIFTED:
        other = joint.replace("l_", "R_").replace("r_", "l_").replace("R_", "r_") if joint[1] == "_" else joint
        assert torch.equal(seen[:, LIFTED.index(joint), 0], -batch.keypoints[:, LIFTED.index(other), 0])
        assert torch.equal(seen[:, LIFTED.index(joint), 1], batch.keypoints[:, LIFTED.index(other), 1])
        assert torch.equal(mirror_sides(batch.depth)[:, LIFTED.index(joint)], batch.depth[:, LIFTED.index(other)])
    assert torch.equal(mirror_keypoints(seen), batch.keypoints)
    assert torch.equal(mirror_sides(mirror_sides(batch.depth)), batch.depth)


@pytest.mark.parametrize("in_pairs", [False, True])
def test_half_of_the_views_are_mirrored_pairs_alike(in_pairs):
    batch = make_batch(0, 2000)
    seen = mirror_half(batch, torch.rand(1000 if in_pairs else 2000, generator=stream(0, "mirror")), in_pairs)
    mirrored = (seen.keypoints == mirror_keypoints(batch.keypoints)).all(-1).all(-1)
    kept = (seen.keypoints == batch.keypoints).all(-1).all(-1)
    assert torch.equal(mirrored, ~kept)
    assert 900 < int(mirrored.sum()) < 1100
    assert torch.equal(seen.depth[mirrored], mirror_sides(batch.depth)[mirrored])
    assert torch.equal(seen.depth[kept], batch.depth[kept])
    assert bool(torch.equal(mirrored[:1000], mirrored[1000:])) == in_pairs


@given(seed=st.integers(0, 1000), turned=st.floats(0, 1))
def test_turned_poses_are_the_same_poses_from_elsewhere(seed, turned):
    batch = make_batch(seed)
    seen = turn_share(batch, Augmentation(turned=turned), LIMIT, draws(seed, turned))
    count = round(8 * turned)
    for before, after in zip(batch, seen, strict=True):
        assert torch.equal(after[count:], before[count:])
    torch.testing.assert_close(seen.keypoints.abs().amax((1, 2)), torch.ones(8, dtype=torch.float64))
    before, after = (lift(each.keypoints, each.depth) * each.scale[:, None, None] for each in (batch, seen))
    if count:
        assert float(p_mpjpe(after[:count], before[:count]).max()) < 1e-4 * 500
        torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1))
        assert (after - before)[:count].abs().amax((1, 2)).min() > 1e-6


@given(seed=st.integers(0, 1000))
def test_stretched_bones_are_as_much_longer_on_both_sides(seed):
    batch = make_batch(seed)
    seen = turn_share(batch, Augmentation(turned=1.0, stretched=0.1), LIMIT, draws(seed, 1.0))
    before, after = (smooth_lengths(lift(each.keypoints, each.depth) * each.scale[:, None, None]) for each in (batch, seen))
    factor = after / before
    torch.testing.assert_close(factor, stretch_factors(draws(seed, 1.0)["stretch"], 0.1).double(), rtol=1e-5, atol=1e-5)
    for left in [joint for joint in LIFTED if joint.startswith("l_")]:
        bones = [
            next(place for place, (_, child) in enumerate(BONES) if JOINTS[child] == name) for name in (left, "r_" + left[2:])
        ]
        torch.testing.assert_close(factor[:, bones[0]], factor[:, bones[1]], rtol=1e-5, atol=1e-5)


@given(seed=st.integers(0, 1000))
def test_bent_limbs_keep_the_lengths_of_their_bones(seed):
    batch = make_batch(seed)
    before, slightly, much = (
        lift(each.keypoints, each.depth) * each.scale[:, None, None]
        for each in (
            batch,
            *(turn_share(batch, Augmentation(turned=1.0, bent=noise), LIMIT, draws(seed, 1.0)) for noise in (0.02, 0.3)),
        )
    )
    for after in (slightly, much):
        torch.testing.assert_close(smooth_lengths(after), smooth_lengths(before), rtol=1e-5, atol=1e-5)
    assert (p_mpjpe(much, before) > 2 * p_mpjpe(slightly, before)).all()
    assert float(p_mpjpe(slightly, before).min()) > 0.1


def test_bones_are_bent_by_as_much_as_was_asked_for():
    pose = lift(make_batch(0, 5000).keypoints, make_batch(1, 5000).depth)
    noise = 0.2 * torch.randn(5000, 16, 3, generator=stream(0, "bend"), dtype=torch.float64)
    before, after = bone_vectors(pose), bone_vectors(bend(pose, noise))
    angle = torch.arccos(torch.cosine_similarity(before, after, dim=-1).clamp(-1, 1))
    assert angle.square().mean().sqrt().item() == pytest.approx(0.2 * math.sqrt(2), rel=0.05)  # in two directions across the bone
    assert torch.isfinite(bend(torch.zeros(2, 16, 3), torch.zeros(2, 16, 3))).all()


def test_factors_have_the_spread_that_was_asked_for():
    logs = stretch_factors(torch.randn(20_000, 16, generator=stream(0, "stretch")), 0.1).log()
    assert logs.std(dim=0).sub(0.1).abs().max() < 0.004
    assert logs.mean(dim=0).abs().max() < 0.004


def test_what_is_turned_stays_as_it_was_without_stretching():
    """A stream of its own for each use: stretching moves no azimuth."""
    batch = make_batch(3)
    plain, stretched = (
        turn_share(batch, Augmentation(turned=1.0, stretched=spread), LIMIT, draws(0, 1.0)) for spread in (0.0, 1e-6)
    )
    torch.testing.assert_close(plain.keypoints, stretched.keypoints, rtol=0, atol=1e-4)
