"""What the networks see, how they start, and that chance in them is the run's own."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tips_ray.config import Adversary, Network
from tips_ray.lifting.networks import (
    Affine,
    BatchNorm,
    Discriminator,
    Dropout,
    DropoutNumbers,
    Elevation,
    Layer,
    Lifter,
    bone_products,
    initialise,
    residual_network,
    start_flat,
)
from tips_ray.poses.geometry import mirror_keypoints, mirror_sides
from tips_ray.poses.skeleton import BONES, LIFTED, PARTITIONS, partition
from tips_ray.seeding import stream

SMALL = Network(width=16, generator_blocks=1, discriminator_blocks=1, generator_norm="none")


def make_lifter(parts, network: Network = SMALL, seed: int = 0) -> Lifter:
    lifter = Lifter(parts, network)
    initialise(lifter, stream(seed, "initialise"))
    return lifter


def keypoints(count: int = 5, seed: int = 0) -> torch.Tensor:
    return 2 * torch.rand(count, 16, 2, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.mark.parametrize("name", PARTITIONS)
def test_a_depth_depends_on_the_keypoints_of_its_own_part_alone(name):
    parts = PARTITIONS[name]
    lifter = make_lifter(parts)
    influence = torch.autograd.functional.jacobian(lambda seen: lifter(seen[None])[0], keypoints(1)[0]).abs().sum(-1)
    own = torch.zeros(16, 16, dtype=torch.bool)
    for part in parts:
        own[torch.tensor(part.indices)[:, None], torch.tensor(part.indices)] = True
    assert torch.equal(influence > 0, own)


@given(labels=st.lists(st.sampled_from("abc"), min_size=16, max_size=16))
def test_each_part_s_generator_answers_for_its_joints_in_any_partition(labels):
    dealt = {label: [joint for joint, mine in zip(LIFTED, labels, strict=True) if mine == label] for label in set(labels)}
    parts = partition(dealt)
    lifter, seen = make_lifter(parts), keypoints()
    depth = lifter(seen)
    for part in parts:
        indices = list(part.indices)
        campaign_lock = torch.tanh(lifter.generators[part.name](seen[:, indices].flatten(1)))
        torch.testing.assert_close(depth[:, indices], campaign_lock)


@pytest.mark.parametrize("norm", ["batch", "layer", "affine", "none"])
def test_depths_are_bounded_and_logits_are_one_a_pose(norm):
    network = Network(width=16, generator_blocks=1, discriminator_blocks=1, generator_norm=norm, discriminator_norm=norm)
    depth = make_lifter(PARTITIONS["legs_torso"], network)(100 * keypoints(7))
    assert depth.shape == (7, 16)
    assert depth.abs().max() <= 1
    assert Discriminator(network).eval()(keypoints(7)).shape == (7,)


@pytest.mark.parametrize("name", PARTITIONS)
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_the_mirror_mean_is_the_mean_over_a_pose_and_its_mirror_image(name, norm):
    network = replace(SMALL, generator_norm=norm)
    plain, mean = (make_lifter(PARTITIONS[name], replace(network, mirror_mean=on)) for on in (False, True))
    seen = keypoints()
    torch.testing.assert_close(mean.train()(seen), plain.train()(seen), rtol=0, atol=0)
    plain.eval()
    mean.eval()
    by_hand = (plain(seen) + mirror_sides(plain(mirror_keypoints(seen)))) / 2
    torch.testing.assert_close(mean(seen), by_hand)
    torch.testing.assert_close(mean(mirror_keypoints(seen)), mirror_sides(mean(seen)))
    assert (mean(seen) - plain(seen)).abs().max() > 1e-3


@pytest.mark.parametrize("name", PARTITIONS)
def test_a_flat_start_divides_what_the_last_layers_say_first(name):
    lifter, flat = make_lifter(PARTITIONS[name]), make_lifter(PARTITIONS[name])
    start_flat(flat, 0.1)
    torch.testing.assert_close(flat(keypoints()).atanh(), 0.1 * lifter(keypoints()).atanh(), rtol=1e-4, atol=1e-6)
    start_flat(lifter, 1.0)
    assert all(torch.equal(value, make_lifter(PARTITIONS[name]).state_dict()[key]) for key, value in lifter.state_dict().items())


def test_bone_products_are_all_inner_products_of_bones_in_full_precision():
    seen = keypoints(3)
    by_hand = []
    for pose in torch.cat([torch.zeros(3, 1, 2), seen], dim=1).double():
        bones = [pose[child] - pose[parent] for parent, child in BONES]
        by_hand.append([float(4 * bones[one] @ bones[other]) for one in range(16) for other in range(one, 16)])
    with torch.autocast("cpu", torch.bfloat16):
        products = bone_products(seen)
    torch.testing.assert_close(products.double(), torch.tensor(by_hand, dtype=torch.float64), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(bone_products(mirror_keypoints(seen)).square().sum(-1), products.square().sum(-1))


def test_a_discriminator_of_pairs_sees_both_frames_and_their_bones():
    adversary = Adversary(sees="pair", features="bones")
    discriminator = Discriminator(replace(SMALL, discriminator_dropout=0.0), adversary)
    assert discriminator.network[0].linear.in_features == 2 * (32 + 136)
    pairs = torch.cat([keypoints(4), keypoints(4, 1)], dim=1).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(pairs).sum(), pairs)
    assert (gradient.abs().sum(-1) > 0).all()


def test_a_learnt_elevation_is_one_that_cameras_have():
    elevation = Elevation(SMALL, math.radians(10.0))
    angles = elevation(1e6 * keypoints(20))
    assert angles.shape == (20,)
    assert angles.abs().max() <= math.radians(10) + 1e-6
    assert angles.abs().max() > math.radians(9)


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_network_has_its_blocks_of_two_layers_between_two_ends(blocks):
    network = residual_network(12, 6, blocks, 8, partial(Layer, norm="batch", dropout=0.0, slope=0.2, numbers=DropoutNumbers()))
    linears = [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert linears == [(12, 8)] + [(8, 8)] * (2 * blocks) + [(8, 6)]
    assert sum(isinstance(layer, BatchNorm) for layer in network.modules()) == 1 + 2 * blocks


def test_a_block_adds_to_what_it_is_given():
    network = residual_network(4, 4, 1, 4, partial(Layer, norm="none", dropout=0.0, slope=1.0, numbers=DropoutNumbers()))
    first, last = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[0].linear.weight.copy_(first)
        network[-1].weight.copy_(last)
    x = torch.rand(3, 4)
    torch.testing.assert_close(network(x), x @ first.T @ last.T)


@pytest.mark.parametrize("training", [True, False])
def test_views_in_one_call_are_views_in_calls_of_their_own(training):
    """Depths, gradients and running statistics of four views at once, against one call a view."""
    network = Network(width=16, generator_blocks=1, discriminator_blocks=0, generator_norm="batch")
    together, apart = (make_lifter(PARTITIONS["legs_torso"], network).double().train(training) for _ in range(2))
    views = torch.stack([keypoints(7, seed) for seed in range(4)], dim=1).double()
    depth = together(views)
    by_view = torch.stack([apart(view) for view in views.unbind(1)], dim=1)
    torch.testing.assert_close(depth, by_view)
    loss, other = depth.cos().sum(), by_view.cos().sum()
    gradients, others = (
        torch.autograd.grad(value, list(lifter.parameters())) for value, lifter in ((loss, together), (other, apart))
    )
    torch.testing.assert_close(gradients, others)
    torch.testing.assert_close(together.state_dict(), apart.state_dict())


def test_batch_norm_is_pytorch_s_on_one_view():
    ours, theirs, x = BatchNorm(6), nn.BatchNorm1d(6), torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
    assert ours.running_mean.abs().min() > 0


def test_a_norm_changes_no_weight_that_others_start_from():
    started = [
        dict(make_lifter(PARTITIONS["solo"], Network(width=8, generator_norm=norm)).named_parameters())
        for norm in ("batch", "layer")
    ]
    shared = [name for name in started[0] if name.endswith(".linear.weight")]
    assert len(shared) == 9
    assert all(torch.equal(started[0][name], started[1][name]) for name in shared)


def test_affine_is_batch_norm_in_inference_mode():
    batch, affine = nn.BatchNorm1d(6, eps=0.0).eval(), Affine(6)
    with torch.no_grad():
        for norm in (batch, affine):
            norm.weight.copy_(torch.arange(1.0, 7.0))
            norm.bias.copy_(torch.arange(-3.0, 3.0))
    x = torch.rand(4, 6)
    torch.testing.assert_close(affine(x), batch(x))


def test_dropout_zeroes_its_share_and_keeps_the_mean():
    numbers, x = DropoutNumbers(), torch.ones(200, 500)
    dropout, numbers.left = Dropout(0.3, numbers), torch.rand(100_000, generator=stream(0, "dropout"))
    dropped = dropout(x)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropout.eval()(x), x)
    assert torch.equal(Dropout(0.0, numbers)(x), x)


def test_dropout_uses_the_numbers_that_it_is_given_in_the_order_of_its_calls():
    x, numbers = torch.ones(4, 50), DropoutNumbers()
    given = torch.rand(400, generator=stream(0, "dropout"))
    dropout, numbers.left = Dropout(0.5, numbers), given
    before = torch.random.get_rng_state()
    first, second = dropout(x), dropout(x)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(torch.cat([first, second]).flatten(), 2.0 * (given < 0.5))
    with pytest.raises(RuntimeError):
        dropout(x)


def test_weights_start_within_their_bound_and_from_the_stream_alone():
    torch.manual_seed(1)
    one = make_lifter(PARTITIONS["five"], Network(width=32), seed=3)
    torch.manual_seed(2)
    same, other = (
        make_lifter(PARTITIONS["five"], Network(width=32), seed=3),
        make_lifter(PARTITIONS["five"], Network(width=32), seed=4),
    )
    for layer in one.modules():
        if isinstance(layer, nn.Linear):
            limit = layer.in_features**-0.5
            assert layer.weight.abs().max() <= limit
            assert layer.weight.abs().max() > 0.8 * limit
            assert layer.bias is None or layer.bias.abs().max() <= limit
    weights = [torch.cat([parameter.flatten() for parameter in lifter.parameters()]) for lifter in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
