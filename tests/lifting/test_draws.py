"""What a step draws: from the streams of its run alone, and all that it uses."""

import math

import pytest
import torch

from tests.lifting.test_train import FACTORS, TINY, VARIED, first
from tips_ray.config import override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting import draws
from tips_ray.lifting.augment import Batch, stretch_factors
from tips_ray.lifting.draws import draw_steps
from tips_ray.lifting.run import Run
from tips_ray.lifting.step import Networks, discriminator_losses, generator_losses, scores, see_anew, what_is_shown
from tips_ray.lifting.streams import make_streams
from tips_ray.poses.bones import bend, stretch
from tips_ray.poses.geometry import View, lift, max_normalise, rotate

PAIRS = override(TINY, {"adversary": {"sees": "pair"}, "augmentation": {"mirror": True}})
SUPERVISED = override(TINY, {"objective": "supervised", **VARIED})
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return prepare(synthesise(num_poses=400), TINY.data)


@pytest.mark.parametrize("changes", [{}, {"adversary": {"rotation": "batch"}}, *FACTORS, {"objective": "supervised"}], ids=str)
def test_a_step_uses_all_numbers_of_dropout_and_draws_none(dataset, changes):
    run = Run(override(override(TINY, changes), {"network": {"generator_dropout": 0.2}}), dataset, 0)
    numbers, before = run.draw(64), {name: rng.get_state() for name, rng in run.rng.items()}
    shared = torch.get_rng_state()
    run.step(first(dataset, 64), numbers)
    assert len(run.networks.numbers.left) == 0
    assert torch.equal(torch.get_rng_state(), shared)
    assert all(torch.equal(rng.get_state(), before[name]) for name, rng in run.rng.items())


@pytest.mark.parametrize("config", [TINY, PAIRS, SUPERVISED], ids=["adversarial", "pairs", "supervised"])
@pytest.mark.parametrize("at_once", [1, 100_000])
def test_numbers_do_not_depend_on_how_many_steps_are_drawn_at_once_nor_on_other_runs(config, at_once, monkeypatch):
    expected = list(draw_steps(config, 64, [make_streams(config, 3, CPU)], 5))
    monkeypatch.setattr(draws, "AT_ONCE", at_once)
    others = [make_streams(config, seed, CPU) for seed in (1, 3, 2)]
    for step, alone in zip(draw_steps(config, 64, others, 5), expected, strict=True):
        assert step.keys() == alone.keys()
        assert all(torch.equal(step[name][1], values[0]) for name, values in alone.items())
        assert not torch.equal(step["dropout_lift"][0], step["dropout_lift"][1])


WITHOUT_AUTOCAST = [changes for changes in FACTORS if changes.get("adversary", {}).get("features") != "bones"]
"""Products of bones are exempt from autocast, which the meta device does not know."""


@pytest.mark.parametrize("changes", [{}, *WITHOUT_AUTOCAST], ids=str)
def test_a_step_stays_on_its_device(changes):
    """On the meta device, which refuses tensors of others and has no values to read: as for a CUDA
    graph."""
    config, meta = override(override(TINY, {"network": {"generator_dropout": 0.2}}), changes), torch.device("meta")
    networks = Networks(config, 0).to(meta)
    (numbers,) = draw_steps(config, 64, [make_streams(config, 0, CPU)], 1)
    given = {name: values[0].to(meta) for name, values in numbers.items()}
    batch = Batch(torch.empty(64, 16, 2, device=meta), torch.empty(64, 16, device=meta), torch.empty(64, device=meta))
    seen = see_anew(networks, batch, given)
    judged = discriminator_losses(networks, *scores(networks, *what_is_shown(networks, seen), given), given)
    losses = judged | generator_losses(networks, seen, given)
    assert {value.device for value in losses.values()} == {meta}
    assert all(gradient.device == meta for gradient in torch.autograd.grad(losses["loss"], list(networks.lifter.parameters())))


def test_augmented_poses_are_lifted_again_and_held_against_the_depths_that_they_have(dataset):
    """Without batch norm, which would mix the poses of a batch; the lifted poses are no way to make
    the term smaller."""
    plain = {"generator_norm": "none", "generator_dropout": 0.0, "discriminator_dropout": 0.0}
    changes = {"network": plain, "weights": {"augmented": 1.0}, "augmentation": {"stretched": 0.2, "bent": 0.3}}
    run = Run(override(TINY, changes), dataset, 0)
    numbers, batch = run.draw(64), first(dataset, 64)
    seen = see_anew(run.networks, batch, numbers)
    term = generator_losses(run.networks, seen, numbers)["loss_augmented"]
    (by_depth,) = torch.autograd.grad(term, [seen.depth], retain_graph=True)
    assert not by_depth.any()
    bent = bend(lift(batch.keypoints, seen.depth.detach()), 0.3 * numbers["bend"])
    azimuth, elevation = 2 * numbers["turn"] - 1
    turned = rotate(
        stretch(bent, stretch_factors(numbers["stretch"], 0.2)), View(math.pi * azimuth, math.radians(10.0) * elevation)
    )
    keypoints, size = max_normalise(turned[..., :2])
    found = run.trained(keypoints)
    expected = (found - turned[..., 2] / size[:, None]).square().mean()
    assert term.item() == pytest.approx(expected.item(), rel=1e-4)
    assert term.item() > 1e-4
