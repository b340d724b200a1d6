"""The terms of the losses against sums written out, what leaves them unchanged, and how they are
weighted."""

import math
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.columns import LABEL_FREE
from tips_ray.config import Adversary, Network, Weights
from tips_ray.lifting.losses import (
    TERMS,
    Step,
    accuracies,
    consistency_terms,
    discriminator_loss,
    generator_adversarial_loss,
    generator_loss,
    gradient_penalty,
    ninety_degree_loss,
    part_means,
    part_weights,
    reprojection_loss,
    weigh_gradient,
)
from tips_ray.lifting.networks import Discriminator, Lifter, initialise
from tips_ray.poses.geometry import View, lift, max_normalise, quarter_turns, reproject, rotate, rotate_back
from tips_ray.poses.skeleton import FIVE, LEFT_RIGHT, LEGS_TORSO, PARTITIONS, SOLO
from tips_ray.seeding import stream

SMALL = Network(width=16, generator_blocks=1, discriminator_blocks=1, generator_norm="layer", discriminator_dropout=0.0)
ADVERSARIES = [Adversary(), Adversary(loss="least_squares")]


class InsideOut(Lifter):
    """Answers the depths of `Lifter` with the other sign."""

    def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
        return -super().forward(keypoints)


class Consistent(Lifter):
    """z = A x with A = [[0, 1], [-1, 0]] on pairs of joints: right from every azimuth, though no
    joint tells its own depth."""

    def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
        first, second = keypoints[..., 0::2, 0], keypoints[..., 1::2, 0]
        return torch.stack([second, -first], dim=-1).flatten(-2)


def make(kind: type[Lifter], parts=LEGS_TORSO, **network) -> Lifter:
    lifter = kind(parts, replace(SMALL, **network))
    initialise(lifter, stream(0, "initialise"))
    return lifter.double()


def make_discriminator() -> Discriminator:
    discriminator = Discriminator(SMALL)
    initialise(discriminator, stream(1, "initialise"))
    return discriminator.double()


def keypoints(seed: int, count: int = 6) -> torch.Tensor:
    return 2 * torch.rand(count, 16, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


def random_view(seed: int, count: int = 6, elevation: float = math.pi / 18) -> View:
    azimuth, tilt = 2 * torch.rand(2, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    return View(math.pi * azimuth, elevation * tilt)


def terms(lifter: Lifter, seen: torch.Tensor, view: View, adversary: Adversary) -> dict[str, torch.Tensor]:
    """The terms of equations 2 to 6 of one step of section 3.2."""
    depth = lifter(seen)
    turned = reproject(rotate(lift(seen, depth), view))
    cycled = reproject(rotate_back(lift(turned, lifter(turned)), view))
    adversarial = generator_adversarial_loss(make_discriminator()(turned), adversary)
    return {"adversarial": adversarial, **consistency_terms(step_of(lifter, seen, turned, cycled), Weights())}


def step_of(lifter: Callable[[torch.Tensor], torch.Tensor], seen: torch.Tensor, reprojected=None, cycled=None) -> Step:
    depth = lifter(seen)
    turned, expected = zip(*quarter_turns(seen, depth), strict=True)
    reprojected, cycled = (seen if given is None else given for given in (reprojected, cycled))
    scale, again = torch.ones_like(seen[:, 0, 0]), lifter(reprojected)
    return Step(lifter, seen, scale, depth, tuple(map(lifter, turned)), expected, reprojected, again, cycled)


@pytest.mark.parametrize("adversary", ADVERSARIES)
@given(seed=st.integers(0, 10_000))
def test_no_term_tells_a_lifter_from_its_inside_out_twin(adversary, seed):
    seen, view = keypoints(seed), random_view(seed + 1)
    mirrored = View(-view.azimuth, -view.elevation)
    one, twin = terms(make(Lifter), seen, view, adversary), terms(make(InsideOut), seen, mirrored, adversary)
    torch.testing.assert_close(one, twin, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 10_000))
def test_a_consistent_lifter_has_no_consistency_loss(seed):
    lifter = make(Consistent, SOLO)
    found = terms(lifter, keypoints(seed), random_view(seed + 1, elevation=0.0), Adversary())
    assert found["reprojection"].abs().max() < 1e-24
    assert found["ninety_degree"].abs().max() < 1e-24
    another = terms(make(Lifter, SOLO), keypoints(seed), random_view(seed + 1, elevation=0.0), Adversary())
    assert another["reprojection"].min() > 1e-6
    assert another["ninety_degree"].min() > 1e-6


def test_reprojection_is_the_mean_over_poses_and_coordinates():
    predicted, target = keypoints(0), keypoints(1)
    looped = [
        sum((predicted[n, joint, c] - target[n, joint, c]) ** 2 for n in range(6) for c in range(2)) / 12 for joint in range(16)
    ]
    step = step_of(lambda seen: seen[..., 0], target, cycled=predicted)
    torch.testing.assert_close(reprojection_loss(step), torch.stack(looped))


def test_ninety_degree_is_the_sum_of_equations_3_to_5():
    lifter, seen = make(Lifter), keypoints(0)
    depth = lifter(seen)
    x, y = seen.unbind(-1)

    def generator(first, second):
        return lifter(torch.stack([first, second], dim=-1))

    by_hand = (generator(depth, y) + x) ** 2 + (generator(-depth, y) - x) ** 2 + (generator(x, y) + generator(-x, y)) ** 2
    torch.testing.assert_close(ninety_degree_loss(step_of(lifter, seen)), by_hand.mean(0))


def test_every_term_has_a_weight_and_a_column():
    weights = {entry.name for entry in fields(Weights)} - {"legs", "torso"}
    assert set(TERMS) == weights
    assert {f"loss_{name}" for name in TERMS} <= set(LABEL_FREE)


def test_a_term_of_weight_0_is_not_computed():
    lifter, seen = make(Lifter), keypoints(0)
    step = step_of(lifter, seen)
    assert set(consistency_terms(step, Weights(reprojection=0.0))) == {"ninety_degree"}


def test_a_term_of_the_whole_body_is_weighed_as_it_is_and_one_of_joints_by_parts():
    whole, joints = torch.tensor(0.3), torch.rand(16, generator=torch.Generator().manual_seed(0))
    weights = {"symmetry": torch.tensor(5.0), "reprojection": torch.tensor(10.0)}
    for parts in PARTITIONS.values():
        loss = generator_loss(torch.tensor(0.7), {"symmetry": whole, "reprojection": joints}, weights, part_means(parts))
        of_parts = sum(float(joints[list(part.indices)].mean()) for part in parts)
        assert float(loss) == pytest.approx(0.7 + 5.0 * 0.3 + 10.0 * of_parts, rel=1e-5)


def softplus(values: np.ndarray) -> float:
    return float(np.mean(np.log(1 + np.exp(values))))


def test_the_relativistic_loss_compares_each_pose_with_its_own_reprojection():
    adversary = Adversary(loss="relativistic")
    real, fake = keypoints(0, 1)[0].flatten() * 3, keypoints(1, 1)[0].flatten() * 3
    lead = (real - fake).numpy()
    assert float(discriminator_loss(real, fake, adversary)) == pytest.approx(softplus(-lead))
    assert float(discriminator_loss(real, fake, adversary, torch.tensor(True))) == pytest.approx(softplus(lead))
    assert float(generator_adversarial_loss(fake, adversary, real)) == pytest.approx(softplus(lead))
    for shift in (-5.0, 5.0):
        assert float(discriminator_loss(real + shift, fake + shift, adversary)) == pytest.approx(softplus(-lead))
    shares = accuracies(real, fake, adversary)
    assert float(shares["real_accuracy"]) == float(shares["fake_accuracy"]) == pytest.approx(float((lead > 0).mean()))


def test_a_gradient_penalty_is_half_the_squared_slope_of_the_logit():
    discriminator, shown = make_discriminator(), keypoints(0).requires_grad_()
    slopes = [torch.autograd.functional.jacobian(lambda one: discriminator(one[None])[0], pose) for pose in shown.detach()]
    by_hand = sum(float(slope.square().sum()) for slope in slopes) / 6 / 2
    penalty = gradient_penalty(discriminator(shown), shown)
    assert float(penalty.detach()) == pytest.approx(by_hand)
    assert any(
        slope.abs().max() > 0
        for slope in torch.autograd.grad(penalty, list(discriminator.parameters()), allow_unused=True)
        if slope is not None
    )


def cross_entropy(logits: torch.Tensor, label: float) -> float:
    probability = 1 / (1 + np.exp(-logits.numpy()))
    return float(-np.mean(label * np.log(probability) + (1 - label) * np.log(1 - probability)))


def squares(logits: torch.Tensor, label: float) -> float:
    return float(np.mean((logits.numpy() - label) ** 2))


@pytest.mark.parametrize(("loss", "score"), [("non_saturating", cross_entropy), ("least_squares", squares)])
@pytest.mark.parametrize("real_label", [0.8, 1.0])
def test_the_adversarial_terms_are_those_written_out(loss, score, real_label):
    adversary = Adversary(loss=loss, real_label=real_label)
    real, fake = keypoints(0, 1)[0].flatten() * 3, keypoints(1, 1)[0].flatten() * 3
    assert float(discriminator_loss(real, fake, adversary)) == pytest.approx((score(real, real_label) + score(fake, 0.0)) / 2)
    assert float(discriminator_loss(real, fake, adversary, torch.tensor(True))) == pytest.approx(
        (score(real, 0.0) + score(fake, real_label)) / 2
    )
    assert float(generator_adversarial_loss(fake, adversary)) == pytest.approx(
        score(fake, 1.0)
    )  # smoothed on the discriminator's side only


@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_logits_beyond_measure_give_finite_losses(adversary):
    logits = torch.tensor([-1e4, 1e4])
    assert generator_adversarial_loss(logits, adversary).isfinite()
    assert discriminator_loss(logits, logits, adversary).isfinite()


def test_a_part_weighs_the_sum_of_its_joints_shares():
    weights = Weights(legs=0.06, torso=0.1)
    legs, torso = (list(part.indices) for part in LEGS_TORSO)
    weight = part_weights(LEGS_TORSO, weights)
    assert weight[legs].tolist() == pytest.approx([0.06] * 6)
    assert weight[torso].tolist() == pytest.approx([0.1] * 10)
    assert part_weights(SOLO, weights).tolist() == pytest.approx([0.16] * 16)
    five = {part.name: float(part_weights(FIVE, weights)[part.indices[0]]) for part in FIVE}
    assert five == pytest.approx({"left_leg": 0.03, "right_leg": 0.03, "left_arm": 0.03, "right_arm": 0.03, "trunk": 0.04})
    left, right = (float(part_weights(LEFT_RIGHT, weights)[part.indices[0]]) for part in LEFT_RIGHT)
    assert (left, right) == pytest.approx((0.03 + 0.03, 0.03 + 0.07))


@pytest.mark.parametrize("name", PARTITIONS)
def test_whatever_the_partition_parts_weigh_the_same_together(name):
    parts = PARTITIONS[name]
    weight = part_weights(parts, Weights())
    assert sum(float(weight[part.indices[0]]) for part in parts) == pytest.approx(0.05 + 0.08)
    errors = torch.rand(16, generator=torch.Generator().manual_seed(0))
    by_part = sum(float(errors[list(part.indices)].mean()) for part in parts)
    assert float((errors * part_means(parts)).sum()) == pytest.approx(by_part)


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize("parts", [LEGS_TORSO, FIVE, SOLO], ids=lambda parts: f"{len(parts)} parts")
def test_one_backward_pass_gives_each_generator_its_own_weight(parts, renormalise):
    lifter, discriminator, view = make(Lifter, parts), make_discriminator(), random_view(2)
    weight = part_weights(parts, Weights(legs=0.05, torso=0.08)).double()

    def seen() -> torch.Tensor:
        found = keypoints(0)
        return reproject(rotate(lift(found, lifter(found)), view))

    def shown(pose: torch.Tensor) -> torch.Tensor:
        return max_normalise(pose)[0] if renormalise else pose

    assert torch.equal(weigh_gradient(seen(), weight), seen())
    together = generator_adversarial_loss(discriminator(shown(weigh_gradient(seen(), weight))), Adversary())
    gradients = torch.autograd.grad(together, list(lifter.parameters()))
    plain = torch.autograd.grad(generator_adversarial_loss(discriminator(shown(seen())), Adversary()), list(lifter.parameters()))
    own = {part.name: float(weight[part.indices[0]]) for part in parts}
    for (name, _), gradient, unweighted in zip(lifter.named_parameters(), gradients, plain, strict=True):
        part = name.split(".")[1]
        assert unweighted.abs().max() > 0
        torch.testing.assert_close(gradient, own[part] * unweighted, rtol=1e-6, atol=1e-12)
