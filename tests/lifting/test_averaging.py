"""The moving average of a lifter: its numbers, and that it is what a run shows and keeps."""

import itertools

import pytest
import torch

from tests.lifting.test_train import TINY, epochs, stored
from tips_ray.columns import RAW_METRIC
from tips_ray.config import override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.averaging import decay_at
from tips_ray.lifting.evaluate import evaluate, lift_views
from tips_ray.lifting.run import Run
from tips_ray.lifting.train import fit

AVERAGED = override(TINY, {"optimiser": {"averaging": 0.9}})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return prepare(synthesise(num_poses=400), TINY.data)


def test_it_is_the_average_written_out_statistics_of_batch_norm_included(dataset):
    run, shadow = Run(AVERAGED, dataset, 0), Run(AVERAGED, dataset, 0)
    average = {name: value.clone().double() for name, value in run.lifter.state_dict().items()}
    assert any("running_var" in name for name in average)
    step, seen = shadow.step, []
    shadow.step = lambda batch, draws: (
        seen.append(step(batch, draws))
        or weights.append({name: value.clone().double() for name, value in shadow.trained.state_dict().items()})
        or seen[-1]
    )
    weights: list[dict[str, torch.Tensor]] = []
    for _ in range(3):
        run.train_epoch()
        shadow.train_epoch()
    for number, trained in enumerate(weights):
        keep = min(0.9, (1 + number) / (10 + number))
        average = {name: keep * value + (1 - keep) * trained[name] for name, value in average.items()}
    assert len(weights) == 12
    for name, value in run.lifter.state_dict().items():
        torch.testing.assert_close(value.double(), average[name], rtol=1e-5, atol=1e-6)


def test_the_decay_warms_up():
    assert [decay_at(step, 0.998) for step in (0, 8, 5000)] == pytest.approx([0.1, 0.5, 0.998])


def test_averaging_changes_nothing_in_training(dataset):
    plain, averaged = (list(itertools.islice(fit(config, dataset, 0), 2))[-1] for config in (TINY, AVERAGED))
    for name, value in plain.run.lifter.state_dict().items():
        assert torch.equal(value, averaged.run.trained.state_dict()[name])
    assert plain.row["loss_adversarial"] == averaged.row["loss_adversarial"]
    assert averaged.row[RAW_METRIC] == plain.row["p_mpjpe_signed_mm"]
    assert RAW_METRIC not in plain.row
    assert plain.run.trained is plain.run.lifter


def test_the_average_is_what_is_evaluated(dataset):
    *_, epoch = itertools.islice(fit(AVERAGED, dataset, 0), 2)
    assert not epoch.run.lifter.training
    assert evaluate(epoch.run.lifter, dataset)["p_mpjpe_signed_mm"] == epoch.row["p_mpjpe_signed_mm"]
    assert epoch.row["p_mpjpe_signed_mm"] != epoch.row[RAW_METRIC]
    assert epoch.row["average_distance_mm"] > 0
    trained, average = (lift_views(lifter, dataset.test) for lifter in (epoch.run.trained, epoch.run.lifter))
    assert not torch.equal(trained, average)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_continued_average_is_the_one_that_was_never_stopped(dataset, stop):
    whole = epochs(AVERAGED, dataset, 3)
    *_, last = itertools.islice(fit(AVERAGED, dataset, 0), stop)
    assert epochs(AVERAGED, dataset, 3 - stop, state=stored(last.run.state())) == whole[stop:]


def test_an_average_of_a_run_that_diverges_diverges(dataset):
    config = override(AVERAGED, {"optimiser": {"learning_rate": 1e6}})
    found = list(itertools.islice(fit(config, dataset, 0), 20))
    assert found[-1].diverged
