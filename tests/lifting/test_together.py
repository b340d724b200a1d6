"""Runs that train as one model are those that train by themselves, whoever shares the model."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.lifting.test_train import TIMINGS, TINY, stored
from tips_ray.config import override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import Views
from tips_ray.ingredients import CLIPS, SINGLE, together
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.recorded import RecordedStep
from tips_ray.lifting.run import Run
from tips_ray.lifting.together import Together
from tips_ray.lifting.train import Epoch, next_epochs

ROUNDING = 1e-7
"""The Fréchet distance has roots of eigenvalues that are nearly 0."""
EXACT_RATES = {"learning_rate": 2.0**-10, "discriminator_learning_rate": 2.0**-9}
"""Float32 holds them exactly: recorded steps have their learning rates in float32."""
SMALL = override(TINY, {"data": {"epoch_views": 64}, "optimiser": {**EXACT_RATES, "batch_size": 32}})
DROPOUT = {"network": {"generator_dropout": 0.1, "discriminator_dropout": 0.3}, "optimiser": EXACT_RATES}
OPTIONS = {
    "the paper's": {},
    "single": together(SINGLE),
    "clips": together(CLIPS),
    "penalties": {"adversary": {"r1": 0.1, "r2": 0.1, "loss": "relativistic"}, "network": {"discriminator_norm": "batch"}},
    "all angles": {"weights": {"all_angles": 1.0}, "network": {"generator_norm": "layer"}},
    "learnt elevation": {"adversary": {"elevation": "learnt"}, "partition": "solo"},
    "supervised": {"objective": "supervised", "augmentation": {"mirror": True, "turned": 0.5, "stretched": 0.1}},
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """In float64."""
    dataset = prepare(synthesise(num_poses=400), TINY.data)
    assert dataset.test is not None
    return replace(dataset, train=doubled(dataset.train), test=doubled(dataset.test))


@pytest.fixture(autouse=True)
def _double() -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def doubled(views: Views) -> Views:
    return replace(views, keypoints=views.keypoints.double(), pose=views.pose.double(), scale=views.scale.double())


def numbers(epochs: list[Epoch]) -> list[dict[str, float]]:
    return [
        {name: value for name, value in epoch.row.items() if isinstance(value, float) and name not in TIMINGS} for epoch in epochs
    ]


def assert_same(some: list[Run], others: list[Run]) -> None:
    for one, other in zip(some, others, strict=True):
        state, same = one.state(), other.state()
        for name in set(state) - {"identity", "epoch", "rng"}:
            torch.testing.assert_close(state[name], same[name], rtol=1e-9, atol=1e-9)
        assert all(torch.equal(rng, same["rng"][name]) for name, rng in state["rng"].items())


@pytest.mark.parametrize(
    ("option", "record", "vmapped"),
    [
        *((option, False, True) for option in OPTIONS),
        ("single", True, True),
        ("single", False, False),
        ("supervised", True, False),
    ],
)
def test_each_of_several_runs_is_the_run_by_itself(dataset: Dataset, option: str, record: bool, vmapped: bool) -> None:
    """Curves, weights, averages, both optimisers and streams, over two epochs."""
    config = override(override(SMALL, OPTIONS[option]), DROPOUT)
    separate, joint = ([Run(config, dataset, seed) for seed in (0, 1)] for _ in range(2))
    model = Together(joint, record, vmapped)
    for _ in range(2):
        rows, others = numbers(next_epochs(separate)), numbers(next_epochs(joint, model))
        assert [row.keys() for row in rows] == [row.keys() for row in others]
        for row, other in zip(rows, others, strict=True):
            assert other == pytest.approx(row, rel=ROUNDING, abs=ROUNDING)
    assert_same(separate, joint)


def test_who_shares_a_model_changes_no_run_and_a_state_moves_between_them(dataset: Dataset) -> None:
    """Three epochs with other companies: alone, as one of two, as one of three."""
    alone = Run(SMALL, dataset, 1)
    for _ in range(3):
        next_epochs([alone])
    moving = Run(SMALL, dataset, 1)
    for seeds in ((1, 0), (5, 6, 1), (1,)):
        runs = [moving if seed == 1 else Run(SMALL, dataset, seed) for seed in seeds]
        for run in runs:
            while run.epoch < moving.epoch:
                next_epochs([run])
        next_epochs(runs, Together(runs, vmapped=True))
        state = stored(moving.state())
        moving = Run(SMALL, dataset, 1)
        moving.load_state(state)
    assert_same([alone], [moving])


def test_a_run_that_diverges_disturbs_no_other(dataset: Dataset) -> None:
    healthy, (broken, joint) = Run(SMALL, dataset, 1), (Run(SMALL, dataset, seed) for seed in (0, 1))
    with torch.no_grad():
        next(broken.trained.parameters()).fill_(math.nan)
    (expected,) = next_epochs([healthy])
    ended, other = next_epochs([broken, joint], Together([broken, joint], vmapped=True))
    assert ended.diverged
    assert numbers([other]) == [pytest.approx(numbers([expected])[0], rel=ROUNDING, abs=ROUNDING)]
    assert_same([healthy], [joint])


@pytest.mark.parametrize("runs_learn", ["from one", "each from its own"])
def test_students_learn_together_from_their_teachers(dataset: Dataset, runs_learn: str) -> None:
    config = override(SMALL, {"objective": "distilled", "teacher": {"arm": "parts"}})

    def teachers(seed: int) -> Teachers:
        return Teachers([Run(SMALL, dataset, seed if runs_learn == "each from its own" else 9).lifter], [1.0], "t")

    separate, joint = ([Run(config, dataset, seed, teachers(seed)) for seed in (0, 1)] for _ in range(2))
    next_epochs(separate)
    next_epochs(joint, Together(joint, vmapped=True))
    assert_same(separate, joint)


def test_bfloat16_trains_together_as_it_does_alone(dataset: Dataset) -> None:
    """To the precision of bfloat16: products of several runs are added in another order."""
    torch.set_default_dtype(torch.float32)
    single = prepare(synthesise(num_poses=400), TINY.data)
    config = override(SMALL, {"numerics": {"bf16": True}})
    separate, joint = ([Run(config, single, seed) for seed in (0, 1)] for _ in range(2))
    rows, others = numbers(next_epochs(separate)), numbers(next_epochs(joint, Together(joint, vmapped=True)))
    for row, other in zip(rows, others, strict=True):
        assert other["loss_reprojection"] == pytest.approx(row["loss_reprojection"], rel=0.05)


def test_a_step_that_cannot_be_recorded_is_taken_and_says_why() -> None:
    total = torch.zeros(())

    def add(value: torch.Tensor) -> torch.Tensor:
        return total.add_(value).clone()

    step = RecordedStep(add, [total])
    given = torch.ones(())
    assert [float(step(given)), float(step(given * 2))] == [1.0, 3.0]
    assert given == 1.0
    assert step.reason == "the runs train on a CPU"
    assert step.graph is None
