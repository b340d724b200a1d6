"""What is measured of several runs as one model is what is measured of each by itself."""

import math

import pytest
import torch

from tests.lifting.test_train import TINY, NoWaiting
from tips_ray.columns import RAW_METRIC
from tips_ray.config import override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.evaluate import evaluate
from tips_ray.lifting.measured import lifted_now, measure_together, measured
from tips_ray.lifting.run import Run
from tips_ray.lifting.train import next_epochs

AVERAGED = {"optimiser": {"averaging": 0.9}}
SECONDS = "evaluate_seconds"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return prepare(synthesise(num_poses=400), TINY.data)


def trained_runs(dataset: Dataset, *changes: dict) -> list[Run]:
    runs = [Run(override(TINY, each), dataset, seed) for seed, each in enumerate(changes)]
    for run in runs:
        run.train_epoch()
    return runs


@pytest.mark.parametrize("changes", [{}, AVERAGED], ids=str)
def test_measuring_several_runs_never_waits_for_the_device(dataset, changes):
    runs = trained_runs(dataset, changes, changes)
    before = [lifted_now(run) for run in runs]
    measured(runs, {}, vmapped=True)  # makes what all epochs use
    with NoWaiting():
        values, lifted = measure_together(runs, before)
    assert lifted.shape == (2, *before[0].shape)
    assert {len(value) for value in values.values()} == {2}
    with pytest.raises(AssertionError, match="makes the host wait"), NoWaiting():
        torch.vmap(torch.linalg.eigvalsh)(values["frechet_2d"][:, 0, 1:])


def test_lifters_that_use_mirror_images_and_others_are_measured_at_once(dataset):
    """Trials of a search may differ in it."""
    runs = trained_runs(dataset, *({"network": {"mirror_mean": mirror_mean}} for mirror_mean in (True, False, True)))
    before = {run: lifted_now(run) for run in runs}
    alone, together = (measured(runs, before, vmapped) for vmapped in (False, True))
    for run in runs:
        assert list(alone[run]) == list(together[run])
        assert together[run] | {SECONDS: 0} == pytest.approx(alone[run] | {SECONDS: 0}, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("vmapped", [False, True])
@pytest.mark.parametrize("which", ["lifter", "trained"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_predictions_that_are_not_finite_have_no_row_and_spoil_no_other(dataset, vmapped, which, value):
    runs = trained_runs(dataset, AVERAGED, AVERAGED)
    expected = measured(runs[1:], {}, vmapped)[runs[1]]
    with torch.no_grad():
        for weights in getattr(runs[0], which).parameters():
            weights.fill_(value)
    rows = measured(runs, {}, vmapped)
    assert rows[runs[0]].keys() == {"status", SECONDS}
    assert rows[runs[0]]["status"] == "diverged"
    assert rows[runs[1]] | {SECONDS: 0} == pytest.approx(expected | {SECONDS: 0}, rel=1e-4, abs=1e-5)


def test_a_lifter_by_itself_is_measured_as_its_run(dataset):
    (run,) = trained_runs(dataset, AVERAGED)
    row, own = measured([run], {}, vmapped=False)[run], evaluate(run.lifter, dataset)
    beside = {"average_distance_mm", RAW_METRIC, SECONDS}
    assert {name: row[name] for name in own if name != SECONDS} == {name: own[name] for name in own if name != SECONDS}
    assert row.keys() - own.keys() == beside - {SECONDS}


@pytest.mark.parametrize(("changes", "lifts"), [({}, 3), (AVERAGED, 5)], ids=str)
def test_no_view_is_lifted_twice(dataset, changes, lifts):
    """In an epoch: the voters, the voters from elsewhere, and the test views; of the weights of an
    average, the voters and the test views."""
    run, seen = Run(override(TINY, changes), dataset, 0), []
    for lifter in {run.lifter, run.trained}:
        lifter.register_forward_hook(lambda lifter, *_: seen.append(1) if not lifter.training else None)
    next_epochs([run])
    assert len(seen) == lifts
    next_epochs([run])
    assert len(seen) == 2 * lifts
