"""Pairs of frames: of one clip and one camera, near each other, and at one scale."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.config import Config, override
from tips_ray.data.dataset import prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import render_views
from tips_ray.lifting.pairs import Partners, in_frames
from tips_ray.lifting.run import Run
from tips_ray.lifting.step import random_view
from tips_ray.poses.geometry import max_normalise
from tips_ray.seeding import stream


@settings(max_examples=50)
@given(clip=st.lists(st.integers(0, 4), min_size=1, max_size=40), gap=st.none() | st.integers(1, 5), seed=st.integers(0, 1000))
def test_a_partner_is_another_near_frame_of_the_clip_wherever_its_frames_lie(clip, gap, seed):
    codes = torch.tensor(clip)
    views = torch.arange(len(clip)).repeat(5)
    partners = Partners(codes).of(views, gap, torch.rand(len(views), generator=stream(seed, "pairs")))
    for view, partner in zip(views.tolist(), partners.tolist(), strict=True):
        frames = [place for place, code in enumerate(clip) if code == clip[view]]
        assert partner in frames
        assert (partner == view) == (len(frames) == 1)
        assert gap is None or abs(frames.index(partner) - frames.index(view)) <= gap


def test_all_partners_within_reach_are_alike():
    drawn = Partners(torch.zeros(10, dtype=torch.long)).of(
        torch.full((9000,), 2), 3, torch.rand(9000, generator=stream(0, "pairs"))
    )
    counts = torch.bincount(drawn, minlength=10)
    assert counts.nonzero().flatten().tolist() == [0, 1, 3, 4, 5]
    assert (counts[counts > 0] - 1800).abs().max() < 5 * 1800**0.5


def test_two_cameras_of_one_pose_never_make_a_pair():
    """They would be stereo, which is 3D."""
    poses = synthesise(num_poses=400)
    views = render_views(poses, 4, seed=0)
    camera, pose = torch.arange(len(views)) // len(poses), torch.arange(len(views)) % len(poses)
    clips = np.unique(poses.clip, return_inverse=True)[1]
    everyone = torch.arange(len(views))
    for gap in (None, 1, 8):
        partner = Partners(views.clip).of(everyone, gap, torch.rand(len(views), generator=stream(1, "pairs")))
        assert torch.equal(camera[partner], camera)
        assert np.array_equal(clips[pose[partner].numpy()], clips[pose.numpy()])
        assert (pose[partner] != pose).float().mean() > 0.9


@given(seed=st.integers(0, 1000))
def test_both_frames_are_at_one_scale_at_which_the_largest_observed_coordinate_is_1(seed):
    rng = torch.Generator().manual_seed(seed)
    images = (2 * torch.rand(6, 16, 2, generator=rng) - 1) * (1 + 99 * torch.rand(6, 1, 1, generator=rng))
    keypoints, scale = max_normalise(images)
    both = in_frames(keypoints, scale, 2)
    for pair in range(3):
        as_seen = torch.cat([images[pair], images[pair + 3]])
        torch.testing.assert_close(both[pair], as_seen / as_seen.abs().max())
    assert in_frames(keypoints, scale, 1) is keypoints


def test_reprojected_pairs_keep_their_relative_size():
    """Each frame normalised alone would hide which of the two is larger."""
    changes = {"adversary": {"sees": "pair", "renormalise": True}, "optimiser": {"batch_size": 64}, "network": {"width": 16}}
    config = override(Config(), changes)
    run = Run(config, prepare(synthesise(num_poses=400), config.data), 0)
    reprojected = 2 * torch.rand(8, 16, 2, generator=stream(0, "x")) - 1
    scale = torch.linspace(100, 300, 8)
    shown = run.networks.shown(reprojected, scale)
    one, other = (reprojected * scale[:, None, None]).chunk(2)
    ratio = one.flatten(1).norm(dim=1) / other.flatten(1).norm(dim=1)
    torch.testing.assert_close(shown[:, :16].flatten(1).norm(dim=1) / shown[:, 16:].flatten(1).norm(dim=1), ratio)
    torch.testing.assert_close(shown.abs().amax((1, 2)), torch.ones(4))


def test_a_pair_is_turned_as_one():
    config = override(Config(), {"adversary": {"sees": "pair"}, "optimiser": {"batch_size": 64}, "network": {"width": 16}})
    run = Run(config, prepare(synthesise(num_poses=400), config.data), 0)
    for angles in random_view(run.networks, run.draw(64))[:2]:
        assert torch.equal(angles[:32], angles[32:])
        assert len(angles.unique()) == 32


@pytest.mark.parametrize("changes", [{"weights": {"rigidity": 1.0}}, {"adversary": {"sees": "pair"}}], ids=str)
def test_a_batch_of_pairs_is_even(changes):
    odd = {**changes, "optimiser": {"batch_size": 63}}
    with pytest.raises(ValueError, match=r"--optimiser.batch-size is 63, but .* a batch is made of pairs; give an even one"):
        override(Config(), odd)
    assert not override(Config(), {**odd, "objective": "supervised"}).has_pairs
