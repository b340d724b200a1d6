"""Teachers: the mean of what they say; and students: what they learn, from whom, and that they look
at nothing else."""

import io
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tips_ray.config import Config, Network, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.epoch import step_inputs
from tips_ray.lifting.evaluate import lift_views
from tips_ray.lifting.networks import Lifter, initialise
from tips_ray.lifting.run import Run
from tips_ray.lifting.train import fit
from tips_ray.poses.geometry import mirror_depth, mirror_keypoints, mirror_sides
from tips_ray.poses.skeleton import LEGS, LEGS_TORSO, PARTITIONS, SOLO, TORSO, Part
from tips_ray.seeding import stream
from tips_ray.stability.regret import TRAIN_METRIC

TIMINGS = {"train_seconds", "evaluate_seconds", "poses_per_second"}
SMALL = Network(width=16, generator_blocks=1, discriminator_blocks=1, generator_dropout=0.1)
TINY = override(Config(), {"network": SMALL, "optimiser": {"learning_rate": 3e-3, "batch_size": 64}, "data": {"num_views": 2}})
SWAPPED = (Part("legs", TORSO), Part("torso", LEGS))
STUDENT = override(TINY, {"objective": "distilled", "teacher": {}, "partition": "solo"})


def make_lifter(seed: int = 0, parts: tuple[Part, ...] = LEGS_TORSO, **changes: Any) -> Lifter:
    lifter = Lifter(parts, replace(SMALL, **changes))
    initialise(lifter, stream(seed, "initialise"))
    return lifter


def make_teachers(signs: Sequence[float] = (1.0,), identity: str = "a") -> Teachers:
    return Teachers([make_lifter(seed) for seed in range(len(signs))], signs, identity)


def random_keypoints(count: int = 7, seed: int = 0) -> Tensor:
    return 2 * torch.rand(count, 16, 2, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return prepare(synthesise(num_poses=400), TINY.data)


@pytest.fixture(scope="module")
def schooled(dataset) -> Teachers:
    """Teachers who know something, one of them inside out."""
    runs = [Run(override(TINY, {"objective": "supervised"}), dataset, seed) for seed in (0, 1)]
    for run in runs:
        for _ in range(3):
            run.train_epoch()
    inside_out = runs[1].lifter
    with torch.no_grad():
        for network in inside_out.generators.values():
            network[-1].weight.neg_()
            network[-1].bias.neg_()
    return Teachers([runs[0].lifter, inside_out], [1.0, -1.0], "schooled")


def epochs(
    dataset: Dataset,
    count: int,
    teachers: Teachers,
    config: Config = STUDENT,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The rows of some epochs, each with the weights it left under "weights"."""
    found = []
    for epoch in itertools.islice(fit(config, dataset, seed, state, teachers), count):
        row = {name: value for name, value in epoch.row.items() if name not in TIMINGS}
        weights = [value.double().flatten() for value in epoch.run.lifter.state_dict().values()]
        found.append({"epoch": epoch.number, **row, "weights": torch.cat(weights).tolist()})
    return found


@settings(max_examples=20)
@given(signs=st.lists(st.sampled_from([1.0, -1.0]), min_size=1, max_size=4), seed=st.integers(0, 10_000))
def test_teachers_say_the_mean_of_depths_with_their_signs_put_right(signs, seed):
    teachers, seen = make_teachers(signs), random_keypoints(seed=seed)
    slow = np.zeros((7, 16))
    with torch.no_grad():
        for number, sign in enumerate(signs):
            lifter = make_lifter(number).eval()
            for pose in range(7):
                slow[pose] += sign * lifter(seen[[pose]])[0].numpy().astype(float) / len(signs)
    torch.testing.assert_close(teachers(seen).double(), torch.from_numpy(slow), rtol=1e-5, atol=1e-6)
    assert np.abs(slow).max() > 1e-3
    turned = Teachers(list(teachers.lifters), [-sign for sign in signs], "a")
    assert torch.equal(turned(seen), -teachers(seen))


def test_one_teacher_says_what_it_says_and_opposites_cancel():
    lifter, seen = make_lifter(), random_keypoints()
    assert torch.equal(Teachers([lifter], [1.0], "a")(seen), lifter(seen))
    assert torch.equal(Teachers([lifter, lifter], [1.0, -1.0], "a")(seen), torch.zeros(7, 16))


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_teachers_use_no_chance_no_batch_and_no_gradients(norm):
    lifter = make_lifter(generator_norm=norm, generator_dropout=0.5).train()
    teachers, seen = Teachers([lifter], [1.0], "a"), random_keypoints().requires_grad_()
    before = {name: value.clone() for name, value in teachers.state_dict().items()}
    depth = teachers(seen)
    assert not depth.requires_grad
    assert torch.equal(depth, teachers(seen))
    torch.testing.assert_close(depth[:3], teachers(seen[:3]))
    assert all(torch.equal(value, before[name]) for name, value in teachers.state_dict().items())


@pytest.mark.parametrize(("count", "signs"), [(0, []), (0, [1.0]), (1, []), (2, [1.0]), (1, [1.0, -1.0])])
def test_teachers_need_a_sign_each(count, signs):
    with pytest.raises(
        ValueError, match=rf"{count} teachers and {len(signs)} depth signs; give at least one, and a sign for each"
    ):
        Teachers([make_lifter(seed) for seed in range(count)], signs, "a")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"parts": SOLO}, r"partitions \(body, legs \+ torso\)"),
        ({"parts": PARTITIONS["left_right"]}, r"partitions \(left \+ right, legs \+ torso\)"),
        ({"parts": SWAPPED}, r"partitions \(legs \+ torso\)"),
        ({"width": 8}, "networks or normalisations"),
        ({"generator_blocks": 2}, "networks or normalisations"),
        ({"generator_norm": "layer"}, "networks or normalisations"),
        ({"generator_norm": "affine"}, "networks or normalisations"),
        ({"negative_slope": 0.2}, "networks or normalisations"),
    ],
    ids=str,
)
def test_teachers_are_runs_of_one_arm(other, said):
    with pytest.raises(ValueError, match=rf"The teachers have different {said}; an ensemble is made of runs of one arm"):
        Teachers([make_lifter(), make_lifter(1), make_lifter(2, **other)], [1.0] * 3, "a")


@pytest.mark.parametrize("partition", ["solo", "legs_torso"])
def test_a_step_descends_the_mean_squared_distance_from_the_teachers(dataset, partition):
    """Equation 10, whatever the true depths are."""
    teachers, seen = make_teachers([1.0, -1.0]), dataset.train.keypoints[:64]
    runs = [Run(override(STUDENT, {"partition": partition}), dataset, 0, teachers) for _ in range(2)]
    runs[0].networks.use(runs[0].draw(64), "lift")
    squares = (runs[0].trained(seen) - teachers(seen)).detach().numpy().astype(float) ** 2
    row = runs[1].step(Batch(seen, teachers.depths_of(dataset.train)[:64], torch.ones(64)), runs[1].draw(64))
    assert row.keys() == {"loss_distillation", "generator_gradient_norm"}
    assert float(row["loss_distillation"].detach()) == pytest.approx(squares.sum() / (64 * 16), rel=1e-5)


@pytest.mark.parametrize("changes", [{}, {"new_views_each_epoch": True}], ids=str)
def test_a_student_is_given_what_its_teachers_say_of_each_view(dataset, changes):
    config = override(STUDENT, {"data": changes})
    teachers = [make_teachers([1.0, -1.0]), make_teachers()]
    for epoch in range(2):
        streams = [Run(config, dataset, seed, own).rng for seed, own in enumerate(teachers)]
        batches = [batch for batch, _ in step_inputs(config, dataset, epoch, streams, teachers)]
        for batch in batches:
            for own, keypoints, depth in zip(teachers, batch.keypoints, batch.depth, strict=True):
                torch.testing.assert_close(depth, own(keypoints))
        assert torch.cat([batch.keypoints[0] for batch in batches]).unique(dim=0).shape[0] > 64


def test_a_student_comes_close_to_its_teachers(dataset, schooled):
    """Closer than an untrained student, and than a flat answer; on poses that neither saw, too."""
    network = {"generator_dropout": 0.0, "generator_norm": "layer", "width": 32}
    config = override(STUDENT, {"network": network, "optimiser": {"decay": 0.95}})
    found = list(itertools.islice(fit(config, dataset, 0, teachers=schooled), 20))
    losses = [epoch.row["loss_distillation"] for epoch in found]
    assert losses[-1] == min(losses) < 0.05 * losses[0]
    fresh, taught = Run(config, dataset, 0, schooled).lifter, found[-1].run.lifter
    for views in (dataset.train, dataset.test):
        known, before, after = (lift_views(lifter, views) for lifter in (schooled, fresh, taught))
        flat = known[..., 2].square().mean().sqrt()
        distance = (after - known)[..., 2].square().mean().sqrt()
        assert distance < 0.35 * (before - known)[..., 2].square().mean().sqrt()
        assert distance < 0.5 * flat
    assert found[-1].row["depth_sign"] == 1.0


def test_the_same_seed_and_teachers_give_the_same_student(dataset, schooled):
    torch.manual_seed(1)
    first = epochs(dataset, 2, schooled)
    torch.manual_seed(2)
    assert epochs(dataset, 2, schooled) == first
    assert epochs(dataset, 1, schooled, seed=1)[0]["weights"] != first[0]["weights"]
    assert epochs(dataset, 1, make_teachers())[0]["weights"] != first[0]["weights"]


@pytest.mark.parametrize("changes", [{}, {"data": {"new_views_each_epoch": True}, "optimiser": {"decay": 0.9}}], ids=str)
def test_a_continued_student_is_the_student_that_was_never_stopped(dataset, schooled, changes):
    config = override(STUDENT, changes)
    whole = epochs(dataset, 3, schooled, config)
    for stop in (1, 2):
        *_, last = itertools.islice(fit(config, dataset, 0, teachers=schooled), stop)
        sink = io.BytesIO()
        torch.save(last.run.state(), sink)
        state = torch.load(io.BytesIO(sink.getvalue()), weights_only=True)
        assert epochs(dataset, 3 - stop, schooled, config, state=state) == whole[stop:]


VARIED = {"augmentation": {"mirror": True, "turned": 0.5, "stretched": 0.1}, "optimiser": {"averaging": 0.9}}


def test_a_varied_student_continues_as_if_never_stopped(dataset, schooled):
    config = override(STUDENT, VARIED)
    whole = epochs(dataset, 3, schooled, config)
    *_, last = itertools.islice(fit(config, dataset, 0, teachers=schooled), 1)
    sink = io.BytesIO()
    torch.save(last.run.state(), sink)
    assert epochs(dataset, 2, schooled, config, state=torch.load(io.BytesIO(sink.getvalue()), weights_only=True)) == whole[1:]


def test_a_varied_student_learns_the_teachers_poses_from_all_sides_and_no_others(dataset, schooled):
    """Its targets are what the teachers lift of the observed views, seen elsewhere with longer or
    shorter bones: true depths have no say."""
    config = override(STUDENT, {**VARIED, "network": {"generator_dropout": 0.0}})
    other = replace(dataset, train=replace(dataset.train, pose=mirror_depth(dataset.train.pose)))
    rows, others = (epochs(each, 6, schooled, config) for each in (dataset, other))
    for row in (*rows, *others):
        row.pop(TRAIN_METRIC)
    assert rows == others
    assert rows[-1]["loss_distillation"] < 0.6 * rows[0]["loss_distillation"]


def test_teachers_answer_with_the_mirror_mean_if_their_networks_do():
    teacher, seen = make_lifter(mirror_mean=True), random_keypoints()
    answered = Teachers([teacher], [1.0], "a")(seen)
    torch.testing.assert_close(Teachers([teacher], [1.0], "a")(mirror_keypoints(seen)), mirror_sides(answered))
    assert not torch.allclose(answered, Teachers([make_lifter()], [1.0], "a")(seen))


def test_a_student_does_not_change_its_teachers(dataset, schooled):
    before = {name: value.clone() for name, value in schooled.state_dict().items()}
    epochs(dataset, 2, schooled)
    assert all(torch.equal(value, before[name]) for name, value in schooled.state_dict().items())
    assert all(not lifter.training for lifter in schooled.lifters)
    run = Run(STUDENT, dataset, 0, schooled)
    known = [value.data_ptr() for value in schooled.parameters()]
    assert not {value.data_ptr() for value in run.lifter.parameters()} & set(known)


def test_a_student_does_not_look_at_depths(dataset, schooled):
    """Training poses turned inside out change neither weights nor signals: nothing but the error on
    themselves."""
    other = replace(dataset, train=replace(dataset.train, pose=mirror_depth(dataset.train.pose)))
    rows, others = epochs(dataset, 2, schooled), epochs(other, 2, schooled)
    assert all(one.pop(TRAIN_METRIC) != two.pop(TRAIN_METRIC) for one, two in zip(rows, others, strict=True))
    assert others == rows


def test_a_state_of_other_teachers_is_refused(dataset):
    state = Run(STUDENT, dataset, 0, make_teachers(identity="a")).state()
    assert len(epochs(dataset, 1, make_teachers(identity="a"), state=state)) == 1
    with pytest.raises(ValueError, match=r"seed 0, teachers a, but the run is of config .* seed 0, teachers b; continue"):
        epochs(dataset, 1, make_teachers(identity="b"), state=state)
    with pytest.raises(ValueError, match=r"seed 0, but the run is of config .* seed 0, teachers a; continue"):
        epochs(dataset, 1, make_teachers(identity="a"), state=Run(TINY, dataset, 0).state())


def test_who_needs_teachers_and_who_has_none(dataset):
    with pytest.raises(ValueError, match="objective 'distilled' needs teachers"):
        next(fit(STUDENT, dataset, 0))
    for objective in ("adversarial", "supervised"):
        with pytest.raises(ValueError, match=f"objective '{objective}' has no teachers"):
            next(fit(override(TINY, {"objective": objective}), dataset, 0, teachers=make_teachers()))
