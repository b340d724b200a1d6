"""Slopes of lifters against slow ways to the same slopes, and what part generators cannot see."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tips_ray.config import Network
from tips_ray.lifting.codependence import outside_share, sensitivity
from tips_ray.lifting.networks import Affine, BatchNorm, Lifter, initialise
from tips_ray.poses.skeleton import LEGS_TORSO, LIFTED, PARTITIONS, SOLO, Part, partition
from tips_ray.seeding import stream

NORMS = ["batch", "layer", "affine", "none"]
SMALL = Network(width=16, generator_blocks=1)


def make_lifter(parts: tuple[Part, ...] = SOLO, **changes) -> Lifter:
    """A lifter as after some training: no norm is the identity, no slope of a norm the same for all
    features."""
    lifter = Lifter(parts, replace(SMALL, **changes))
    initialise(lifter, stream(0, "initialise"))
    rng = stream(0, "norms")
    for layer in lifter.modules():
        if isinstance(layer, BatchNorm | Affine | nn.LayerNorm):
            for name, values in layer.state_dict().items():
                low, high = (0.5, 2.0) if name in ("weight", "running_var") else (-0.5, 0.5)
                nn.init.uniform_(values, low, high, generator=rng)
    return lifter


def keypoints(count: int = 7, seed: int = 0) -> Tensor:
    return 2 * torch.rand(count, 16, 2, generator=torch.Generator().manual_seed(seed)) - 1


def looped_reverse(lifter: Lifter, seen: Tensor) -> Tensor:
    slopes = [torch.autograd.functional.jacobian(lambda one: lifter(one[None])[0], pose) for pose in seen]
    return torch.stack(slopes).abs().sum(-1).mean(0)


def finite_differences(lifter: Lifter, seen: Tensor, step: float = 1e-6) -> Tensor:
    slopes = torch.zeros(16, 16, dtype=torch.float64)
    for joint in range(16):
        for axis in range(2):
            moved = torch.zeros_like(seen)
            moved[:, joint, axis] = step
            with torch.no_grad():
                slopes[:, joint] += ((lifter(seen + moved) - lifter(seen - moved)) / (2 * step)).abs().mean(0)
    return slopes


@pytest.mark.parametrize("name", ["solo", "legs_torso", "five"])
@pytest.mark.parametrize("norm", NORMS)
def test_slopes_are_those_of_reverse_mode_and_of_finite_differences(norm, name):
    lifter, seen = make_lifter(PARTITIONS[name], generator_norm=norm).double().eval(), keypoints().double()
    found = sensitivity(lifter, seen)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, looped_reverse(lifter, seen), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found, finite_differences(lifter, seen), rtol=1e-6, atol=1e-8)
    assert found.diagonal().min() > 1e-3  # there is something to agree on
    single = sensitivity(lifter.float(), seen.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), found, rtol=1e-4, atol=1e-6)


def test_a_linear_lifter_s_slopes_are_its_weights_by_the_slope_of_the_tanh():
    lifter = make_lifter(generator_blocks=0, generator_norm="none", negative_slope=1.0).double()
    first, last = (layer for layer in lifter.modules() if isinstance(layer, nn.Linear))
    seen = keypoints(20).double()
    hidden = seen.flatten(1) @ first.weight.T + first.bias
    steepness = 1 - torch.tanh(hidden @ last.weight.T + last.bias).square().mean(0)
    weights = (last.weight @ first.weight).view(16, 16, 2)
    torch.testing.assert_close(sensitivity(lifter, seen), (steepness[:, None] * weights.abs().sum(-1)).detach())


@given(labels=st.lists(st.sampled_from("abc"), min_size=16, max_size=16), norm=st.sampled_from(NORMS))
def test_part_generators_see_nothing_outside_their_part(labels, norm):
    dealt: dict[str, Sequence[str]] = {name: [] for name in labels}
    for joint, name in zip(LIFTED, labels, strict=True):
        dealt[name] = [*dealt[name], joint]
    parts = partition(dealt)
    found = sensitivity(make_lifter(parts, width=8, generator_norm=norm), keypoints(3))
    same = torch.tensor([[one == other for other in labels] for one in labels])
    assert found[~same].eq(0).all()
    assert found[same].gt(0).float().mean() > 0.9
    assert outside_share(found, parts) == 0.0


@pytest.mark.parametrize("name", ["legs_torso", "left_right", "five"])
def test_solo_depends_on_what_is_outside_a_part_and_the_part_s_generators_do_not(name):
    parts = PARTITIONS[name]
    assert outside_share(sensitivity(make_lifter(parts), keypoints()), parts) == 0.0
    assert outside_share(sensitivity(make_lifter(SOLO), keypoints()), parts) > 0.3
    assert outside_share(sensitivity(make_lifter(SOLO), keypoints()), SOLO) == 0.0


def test_parts_are_measured_by_any_partition():
    found = sensitivity(make_lifter(LEGS_TORSO), keypoints())
    assert outside_share(found) == outside_share(found, LEGS_TORSO) == 0.0
    assert 0.1 < outside_share(found, PARTITIONS["left_right"]) < outside_share(found, PARTITIONS["five"])


@given(seed=st.integers(0, 2**32 - 1), dead=st.sets(st.integers(0, 15)), name=st.sampled_from(sorted(PARTITIONS)))
def test_the_share_outside_is_the_mean_over_depths_of_their_shares(seed, dead, name):
    slopes = np.random.default_rng(seed).exponential(size=(16, 16))
    slopes[list(dead)] = 0.0
    shares = []
    for depth in range(16):
        own = next(part.indices for part in PARTITIONS[name] if depth in part.indices)
        outside = sum(slopes[depth, joint] for joint in range(16) if joint not in own)
        shares.append(0.0 if depth in dead else outside / sum(slopes[depth]))
    found = outside_share(torch.from_numpy(slopes), PARTITIONS[name])
    assert found == pytest.approx(sum(shares) / 16)
    assert outside_share(torch.from_numpy(3 * slopes), PARTITIONS[name]) == pytest.approx(found)


def test_the_share_outside_where_all_count_alike_where_none_counts_and_where_one_is_nan():
    assert outside_share(torch.ones(16, 16)) == pytest.approx((6 * 10 / 16 + 10 * 6 / 16) / 16)
    assert outside_share(torch.zeros(16, 16)) == 0.0
    broken = torch.ones(16, 16)
    broken[0, 0] = math.nan
    assert math.isnan(outside_share(broken))


@pytest.mark.parametrize("norm", NORMS)
def test_neither_how_many_at_once_nor_the_order_of_poses_matters(norm):
    lifter, seen = make_lifter(generator_norm=norm).double(), keypoints(11).double()
    found = sensitivity(lifter, seen)
    for at_once in (1, 4, 11):
        torch.testing.assert_close(sensitivity(lifter, seen, at_once), found, rtol=1e-12, atol=0)
    shuffled = seen[torch.randperm(11, generator=torch.Generator().manual_seed(0))]
    assert not torch.equal(shuffled, seen)
    torch.testing.assert_close(sensitivity(lifter, shuffled, 4), found, rtol=1e-12, atol=0)
    mean = torch.stack([sensitivity(lifter, pose[None]) for pose in seen]).mean(0)
    torch.testing.assert_close(mean, found, rtol=1e-12, atol=0)


def test_a_lifter_in_training_is_probed_as_it_lifts_and_left_as_it_was():
    lifter, seen = make_lifter(LEGS_TORSO, generator_dropout=0.5), keypoints()
    as_it_lifts = sensitivity(lifter.eval(), seen)
    assert not any(module.training for module in lifter.modules())
    lifter.train().generators["legs"].eval()  # modes of single modules too
    modes = [module.training for module in lifter.modules()]
    state = {name: values.clone() for name, values in lifter.state_dict().items()}
    assert any(isinstance(module, BatchNorm) and module.training for module in lifter.modules())
    found = sensitivity(lifter, seen)
    assert torch.equal(found, as_it_lifts)
    assert [module.training for module in lifter.modules()] == modes
    assert all(torch.equal(values, state[name]) for name, values in lifter.state_dict().items())
    assert not found.requires_grad
    assert all(parameter.grad is None and parameter.requires_grad for parameter in lifter.parameters())


def test_all_is_computed_on_the_device_of_the_poses():
    lifter, seen = make_lifter(), keypoints()
    share = outside_share(sensitivity(lifter, seen))
    with torch.device("meta"):  # what is made without naming a device would have no values
        assert outside_share(sensitivity(lifter, seen)) == share


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_lifter_that_answers_nan_is_refused_and_left_in_its_mode(bad):
    lifter = make_lifter().train()
    with torch.no_grad():
        next(iter(lifter.parameters())).fill_(bad)
    with pytest.raises(ValueError, match="lifter answers with NaN or infinity"):
        sensitivity(lifter, keypoints())
    assert all(module.training for module in lifter.modules())


@pytest.mark.parametrize("answer", [lambda x: x + math.inf, torch.sqrt], ids=["infinite depths", "infinite slopes"])
def test_a_lifter_whose_depths_or_slopes_alone_are_infinite_is_refused(answer):
    class Extreme(Lifter):
        def forward(self, keypoints: Tensor) -> Tensor:
            return answer(keypoints.sum(-1))

    with pytest.raises(ValueError, match="lifter answers with NaN or infinity"):
        sensitivity(Extreme(SOLO, SMALL), torch.zeros(2, 16, 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_keypoints_that_are_not_finite_are_refused(bad):
    seen = keypoints()
    seen[3, 4, 1] = bad
    with pytest.raises(ValueError, match="keypoints hold NaN or infinity"):
        sensitivity(make_lifter(), seen)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("shape", [(0, 16, 2), (3, 17, 2), (3, 16, 3), (16, 2), (2, 3, 16, 2), ()])
def test_keypoints_of_another_shape_or_none_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"keypoints have the shape \(.*\); give at least one pose, in the shape \(poses, 16, 2\)"
    ):
        sensitivity(make_lifter(), torch.ones(shape))


def test_parts_that_leave_joints_out_are_refused():
    with pytest.raises(ValueError, match="joints left out"):
        outside_share(torch.ones(16, 16), LEGS_TORSO[:1])
