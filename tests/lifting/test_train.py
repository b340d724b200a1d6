"""Runs: the same seed twice, continued, side by side, diverged, with every option, and against
recorded numbers.

A change that is meant to change numbers records them anew: TIPS_RAY_REMAKE_GOLDEN=1 pytest
tests/lifting/test_train.py
"""

import io
import itertools
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tips_ray.columns import DISAGREEMENTS, SIGNALS
from tips_ray.config import Config, Optimiser, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.evaluate import flat_errors
from tips_ray.lifting.optimise import rate_factor
from tips_ray.lifting.run import DamagedStateError, Run
from tips_ray.lifting.train import Epoch, fit
from tips_ray.poses.geometry import mirror_depth
from tips_ray.poses.skeleton import FIVE
from tips_ray.stability.regret import TRAIN_METRIC

GOLDEN = Path(__file__).with_name("golden.json")
TIMINGS = {"train_seconds", "evaluate_seconds", "poses_per_second"}
TINY = override(
    Config(),
    {
        "network": {"width": 16, "generator_blocks": 1, "discriminator_blocks": 1, "generator_dropout": 0.1},
        "optimiser": {"learning_rate": 1e-3, "batch_size": 128},
        "adversary": {"swap_labels": 0.3},
        "data": {"num_views": 2},
    },
)
FACTORS = [
    *({"weights": {name: 1.0}} for name in ("symmetry", "proportions", "knees", "facing", "rigidity")),
    {"weights": {"all_angles": 1.0}, "network": {"generator_norm": "layer"}},
    {"weights": {"augmented": 1.0}, "augmentation": {"stretched": 0.1, "bent": 0.1, "noise": 0.1}},
    {"network": {"start_depth": 0.1}},
    {"augmentation": {"mirror": True}},
    {"adversary": {"features": "bones"}},
    {"adversary": {"sees": "pair"}},
    {"adversary": {"sees": "pair", "features": "bones", "gap": None, "renormalise": True}, "augmentation": {"mirror": True}},
    {"adversary": {"elevation": "learnt"}},
    {"adversary": {"r1": 1.0}},
    {"adversary": {"r2": 1.0}},
    {"adversary": {"loss": "relativistic", "r1": 0.1, "r2": 0.1, "features": "bones", "sees": "pair"}},
    {"optimiser": {"cosine_epochs": 2, "averaging": 0.9}, "network": {"mirror_mean": True}},
]
"""Off by default: each is a run of its own, which continues bit for bit."""
NO_DROPOUT = {"network": {"generator_dropout": 0.0}}
"""Which unit of which view is dropped depends on the order of the views in memory, which is no
choice of the method."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return prepare(synthesise(num_poses=400), TINY.data)


def epochs(
    config: Config, dataset: Dataset, count: int, seed: int = 0, state: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of some epochs, each with the weights it left under "weights"."""
    return [kept(epoch) for epoch in itertools.islice(fit(config, dataset, seed, state), count)]


def kept(epoch: Epoch) -> dict[str, Any]:
    row = {name: value for name, value in epoch.row.items() if name not in TIMINGS}
    modules = (epoch.run.lifter, epoch.run.discriminator)
    weights = [value.clone().flatten().double() for module in modules for value in module.state_dict().values()]
    return {"epoch": epoch.number, **row, "weights": torch.cat(weights).tolist()}


def first(dataset: Dataset, count: int) -> Batch:
    """The first training views."""
    views = dataset.train
    return Batch(views.keypoints[:count], views.pose[:count, :, 2] / views.scale[:count, None], views.scale[:count])


def stored(state: dict[str, Any]) -> dict[str, Any]:
    """A state as it comes back from a file that is read without pickle."""
    sink = io.BytesIO()
    torch.save(state, sink)
    return torch.load(io.BytesIO(sink.getvalue()), weights_only=True)


@pytest.mark.parametrize("objective", ["adversarial", "supervised"])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(dataset, objective):
    config = override(TINY, {"objective": objective})
    torch.manual_seed(1)
    first = epochs(config, dataset, 2)
    torch.manual_seed(2)
    assert epochs(config, dataset, 2) == first
    other = epochs(config, dataset, 2, seed=1)
    assert other[0]["p_mpjpe_mm"] != first[0]["p_mpjpe_mm"]
    assert other[0]["weights"] != first[0]["weights"]


def test_a_row_holds_what_a_curve_needs(dataset):
    row = epochs(TINY, dataset, 1)[0]
    assert row["status"] == "ok"
    terms = {"loss_adversarial", "loss_reprojection", "loss_ninety_degree", "loss_discriminator"}
    assert row.keys() >= terms | {"real_accuracy", "fake_accuracy", "generator_gradient_norm", "discriminator_gradient_norm"}
    assert row.keys() >= {"p_mpjpe_mm", "p_mpjpe_reflected_mm", "p_mpjpe_signed_mm", "n_mpjpe_mm", "part_sign_agreement"}
    assert row.keys() >= {f"p_mpjpe_signed_mm/{action}" for action in dataset.test.actions}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"objective": "supervised", "optimiser": {"decay": 0.5}},
        {"data": {"new_views_each_epoch": True}, "optimiser": {"decay": 0.9}},
        {"data": {"epoch_views": 300}, "adversary": {"rotation": "batch"}},
    ],
    ids=["adversarial", "supervised", "new views", "part of the views"],
)
@pytest.mark.parametrize("stop", [1, 2])
def test_a_continued_run_is_the_run_that_was_never_stopped(dataset, changes, stop):
    config = override(TINY, changes)
    whole = epochs(config, dataset, 4)
    *_, last = itertools.islice(fit(config, dataset, 0), stop)
    assert epochs(config, dataset, 4 - stop, state=stored(last.run.state())) == whole[stop:]


VARIED = {"augmentation": {"mirror": True, "turned": 0.5, "stretched": 0.1, "bent": 0.1, "noise": 0.1}}


@pytest.mark.parametrize("changes", [*FACTORS, {"objective": "supervised", **VARIED}], ids=str)
def test_a_run_with_any_factor_continues_as_if_never_stopped(dataset, changes):
    config = override(TINY, changes)
    whole = epochs(config, dataset, 3)
    *_, last = itertools.islice(fit(config, dataset, 0), 1)
    assert epochs(config, dataset, 2, state=stored(last.run.state())) == whole[1:]


def test_a_new_use_of_chance_moves_no_other(dataset):
    plain = Run(TINY, dataset, 0)
    for changes in (*FACTORS, {"objective": "supervised", **VARIED}):
        run = Run(override(TINY, changes), dataset, 0)
        assert set(plain.rng) <= set(run.rng)
        assert all(torch.equal(rng.get_state(), run.rng[name].get_state()) for name, rng in plain.rng.items())


def test_a_supervised_run_learns_from_turned_and_stretched_poses(dataset):
    changes = {"network": {"generator_dropout": 0.0}, "optimiser": {"batch_size": 32, "learning_rate": 3e-3}, **VARIED}
    rows = epochs(override(TINY, {"objective": "supervised", "partition": "solo", **changes}), dataset, 10)
    assert rows[-1]["p_mpjpe_mm"] < 0.9 * flat_errors(dataset.test)["p_mpjpe_mm"]
    assert rows[-1]["loss_supervised"] < 0.5 * rows[0]["loss_supervised"]


def test_runs_side_by_side_do_not_disturb_each_other(dataset):
    others = [TINY, override(TINY, {"partition": "solo"}), override(TINY, {"data": {"new_views_each_epoch": True}})]
    separate = [epochs(config, dataset, 3, seed) for seed, config in enumerate(others)]
    runs = [fit(config, dataset, seed) for seed, config in enumerate(others)]
    together = [[kept(next(run)) for run in runs] for _ in range(3)]
    assert [list(rows) for rows in zip(*together, strict=True)] == separate


@pytest.mark.parametrize(
    "changes",
    [
        {"network": {"width": 8}},
        {"partition": "five"},
        {"optimiser": {"learning_rate": 5e-4}},
        {"weights": {"reprojection": 9.0}},
        {"adversary": {"loss": "least_squares"}},
    ],
    ids=str,
)
def test_a_state_of_another_config_is_refused(dataset, changes):
    state = Run(TINY, dataset, 0).state()
    with pytest.raises(ValueError, match=r"This state is of config \w+, seed 0, but the run is of config \w+, seed 0; continue"):
        next(fit(override(TINY, changes), dataset, 0, state))


def test_a_state_of_another_seed_or_of_nothing_is_refused(dataset):
    state = Run(TINY, dataset, 0).state()
    with pytest.raises(ValueError, match=r"seed 0, but the run is of .* seed 1"):
        next(fit(TINY, dataset, 1, state))
    with pytest.raises(ValueError, match="an unknown run"):
        next(fit(TINY, dataset, 0, {"epoch": 3}))
    for damaged in ({"rng": None}, {"lifter": {}}, {"lifter": [1]}, {"lifter_optimiser": {"state": {}}}, {"rng": {"shuffle": 3}}):
        with pytest.raises(DamagedStateError, match=r"is damaged: .*; start the run anew"):
            next(fit(TINY, dataset, 0, state | damaged))


def with_streams(state: dict[str, Any], num_bytes: int) -> dict[str, Any]:
    """A state whose random streams have states of so many bytes: 16 are those of a CUDA device."""
    return {**state, "rng": {name: torch.zeros(num_bytes, dtype=torch.uint8) for name in state["rng"]}}


def test_a_state_of_another_kind_of_device_is_continued_on_streams_made_anew(dataset):
    first, second = itertools.islice(fit(TINY, dataset, 0), 2)
    state = stored(next(fit(TINY, dataset, 0)).run.state())
    moved = epochs(TINY, dataset, 2, state=with_streams(stored(state), 16))
    assert "streams_renewed" not in {**first.row, **second.row, **moved[1]}
    assert moved[0]["epoch"] == 2
    assert moved[0]["streams_renewed"] == 1.0
    assert moved[0]["p_mpjpe_mm"] != second.row["p_mpjpe_mm"]
    assert epochs(TINY, dataset, 2, state=with_streams(stored(state), 16)) == moved
    again = next(fit(TINY, dataset, 0, with_streams(stored(state), 16)))
    assert epochs(TINY, dataset, 1, state=stored(again.run.state())) == moved[1:]


@pytest.mark.parametrize("num_bytes", [0, 17, 5055])
def test_random_streams_of_no_device_are_damage(dataset, num_bytes):
    state = Run(TINY, dataset, 0).state()
    with pytest.raises(DamagedStateError, match=r"is damaged: .*; start the run anew"):
        next(fit(TINY, dataset, 0, with_streams(state, num_bytes)))


def test_a_diverged_run_ends_and_keeps_its_row(dataset):
    found = list(itertools.islice(fit(override(TINY, {"optimiser": {"learning_rate": 1e6}}), dataset, 0), 20))
    assert len(found) < 20
    assert found[-1].diverged
    assert found[-1].row["status"] == "diverged"
    assert "loss_adversarial" in found[-1].row
    assert all(epoch.row["status"] == "ok" for epoch in found[:-1])


def test_weights_that_break_in_an_epoch_s_last_step_are_divergence(dataset):
    """All losses of the epoch are finite: they were computed before its only step; what the lifter
    answers now is not."""
    changes = {"objective": "supervised", "optimiser": {"learning_rate": 1e30, "batch_size": 128}, "data": {"epoch_views": 128}}
    found = list(itertools.islice(fit(override(TINY, changes), dataset, 0), 2))
    assert len(found) == 1
    assert found[0].diverged
    assert math.isfinite(found[0].row["loss_supervised"])
    assert "p_mpjpe_mm" not in found[0].row


def test_the_supervised_arm_learns(dataset):
    changes = {"network": {"generator_dropout": 0.0}, "optimiser": {"batch_size": 32, "learning_rate": 3e-3}}
    rows = epochs(override(TINY, {"objective": "supervised", "partition": "solo", **changes}), dataset, 10)
    flat = flat_errors(dataset.test)
    assert rows[-1]["p_mpjpe_mm"] < 0.9 * flat["p_mpjpe_mm"]
    assert rows[-1]["mpjpe_mm"] < 0.9 * flat["mpjpe_mm"]
    assert rows[-1]["loss_supervised"] < 0.5 * rows[0]["loss_supervised"]


def test_the_generators_become_consistent(dataset):
    rows = epochs(override(TINY, {"network": {"generator_dropout": 0.0}}), dataset, 6)
    for term in ("loss_reprojection", "loss_ninety_degree"):
        assert rows[-1][term] < 0.5 * rows[0][term]


@pytest.mark.parametrize(
    "changes",
    [
        *({"network": {"generator_norm": norm}} for norm in ("layer", "affine", "none")),
        *({"network": {"discriminator_norm": norm}} for norm in ("batch", "layer", "affine")),
        *({"partition": name} for name in ("solo", "left_right", "five")),
        {"partition": json.dumps({part.name + "_own": part.joints for part in FIVE})},
        {"adversary": {"loss": "least_squares"}},
        {"adversary": {"rotation": "batch"}},
        {"adversary": {"renormalise": True}},
        {"adversary": {"swap_labels": 1.0, "real_label": 1.0}},
        {"network": {"generator_dropout": 0.5, "discriminator_dropout": 0.0}},
        {"network": {"generator_blocks": 0, "discriminator_blocks": 0}},
        {"optimiser": {"discriminator_learning_rate": 1e-4, "decay": 0.9, "beta1": 0.5}},
        {"data": {"new_views_each_epoch": True}},
        {"data": {"epoch_views": 256}},
        {"weights": {"legs": 0.0, "torso": 0.0}},
        {"numerics": {"bf16": True}},
        *FACTORS,
    ],
    ids=str,
)
def test_every_option_trains_and_changes_the_run(dataset, changes):
    (row,) = epochs(override(TINY, changes), dataset, 1)
    assert row["status"] == "ok"
    assert all(math.isfinite(value) for name, value in row.items() if name not in ("status", "weights"))
    assert row["weights"] != epochs(TINY, dataset, 1)[0]["weights"]


SMOOTH = {"network": {"generator_dropout": 0.0, "discriminator_dropout": 0.0}, "data": {"epoch_views": 256}}
"""No dropout, whose order in memory is not the same everywhere."""


def numbers(rows: list[dict[str, Any]]) -> list[float]:
    return [
        value for row in rows for name, value in row.items() if name.startswith("loss") or name.endswith(("norm", "mpjpe_mm"))
    ]


def test_deterministic_algorithms_are_left_as_they_were(dataset):
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        epochs(override(TINY, {"numerics": {"deterministic": True}}), dataset, 1)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@pytest.mark.parametrize(("numerics", "tolerance"), [("bf16", 0.05), ("deterministic", 0.0)])
def test_numerics_change_an_epoch_by_rounding_only(dataset, numerics, tolerance):
    plain = override(TINY, SMOOTH)
    rows = epochs(override(plain, {"numerics": {numerics: True}}), dataset, 1)
    assert numbers(rows) == pytest.approx(numbers(epochs(plain, dataset, 1)), rel=tolerance, abs=0.0)


@pytest.mark.parametrize("norm", ["batch", "layer", "affine", "none"])
@pytest.mark.parametrize("objective", ["adversarial", "supervised"])
def test_gradients_lie_in_memory_as_their_parameters_do(dataset, norm, objective):
    """Fused Adam on a CPU reads gradients as if they did, and would take a transposed one for
    another (PyTorch 2.13)."""
    changes = {"objective": objective, "network": {"generator_norm": norm, "discriminator_norm": norm}}
    run = Run(override(TINY, changes), dataset, 0)
    run.step(first(dataset, 64), run.draw(64))
    modules = [run.lifter] if objective == "supervised" else [run.lifter, run.discriminator]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    assert [parameter.grad.stride() for parameter in parameters] == [parameter.stride() for parameter in parameters]


class NoWaiting(TorchDispatchMode):
    """Refuses every operation for which a host must wait for its device: reading a value, a shape
    that depends on values, a solver that checks its success, or a tensor of numbers of the host."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        by_mask = func.overloadpacket is aten.index and any(at is not None and at.dtype == torch.bool for at in args[1])
        assert not by_mask, f"{func} by a mask makes the host wait"
        assert func.overloadpacket not in WAITS, f"{func} makes the host wait"
        return func(*args, **(kwargs or {}))


aten = torch.ops.aten
WAITS = {
    *(aten._local_scalar_dense, aten.item, aten.nonzero, aten.masked_select, aten.is_nonzero, aten.equal),
    *(aten.bincount, aten._unique2, aten.unique_consecutive, aten.unique_dim, aten.lift_fresh),
    *(aten._linalg_check_errors, aten._linalg_eigh, aten._linalg_svd),
}


@pytest.mark.parametrize(
    "changes",
    [{"adversary": {"renormalise": True}}, *FACTORS, *({"objective": "supervised", **more} for more in ({}, VARIED))],
    ids=str,
)
def test_a_step_never_waits_for_the_device(dataset, changes):
    run = Run(override(TINY, changes), dataset, 0)
    views = dataset.train
    batch, draws = first(dataset, 64), run.draw(64)
    run.step(batch, draws)  # makes what all steps use
    with NoWaiting():
        run.step(batch, draws)
    with pytest.raises(AssertionError, match="makes the host wait"), NoWaiting():
        float(views.scale[0])


def test_an_epoch_is_whole_batches_of_the_views_asked_for(dataset):
    steps = [(None, 4), (256, 2), (300, 2), (10_000, 4)]  # 600 views in batches of 128
    for epoch_views, expected in steps:
        run = Run(override(TINY, {"data": {"epoch_views": epoch_views}}), dataset, 0)
        row = run.train_epoch()
        assert row["poses_per_second"] * row["train_seconds"] == pytest.approx(expected * 128)
        assert int(run.lifter_optimiser.state_dict()["state"][0]["step"]) == expected


def test_the_learning_rate_decays_by_epoch(dataset):
    config = override(TINY, {"optimiser": {"decay": 0.5, "discriminator_learning_rate": 4e-3}})
    run = Run(config, dataset, 0)
    for _ in range(2):
        run.train_epoch()
    assert [group["lr"] for group in run.lifter_optimiser.param_groups] == pytest.approx([1e-3 / 4])
    assert [group["lr"] for group in run.discriminator_optimiser.param_groups] == pytest.approx([4e-3 / 4])


def test_learning_rates_along_a_cosine_stay_low_once_it_has_ended(dataset):
    settings = Optimiser(cosine_epochs=4, decay=0.9)
    shares = [rate_factor(settings, epoch) / 0.9**epoch for epoch in range(8)]
    assert shares == pytest.approx([1.0, *(0.01 + 0.99 * (1 + math.cos(math.pi * at / 4)) / 2 for at in (1, 2, 3)), *4 * [0.01]])
    run = Run(override(TINY, {"optimiser": {"cosine_epochs": 2}}), dataset, 0)
    rates = []
    for _ in range(3):
        rates.append(run.lifter_optimiser.param_groups[0]["lr"])
        run.train_epoch()
    assert rates == pytest.approx([1e-3, 1e-3 * 0.505, 1e-5])


@pytest.mark.parametrize("changes", [{}, *FACTORS], ids=str)
def test_an_unsupervised_run_does_not_look_at_depths(dataset, changes):
    """Training poses turned inside out change neither weights nor signals: nothing but the error on
    themselves."""
    train, config = dataset.train, override(TINY, changes)
    other = replace(dataset, train=replace(train, pose=mirror_depth(train.pose)))
    rows, others = epochs(config, dataset, 2), epochs(config, other, 2)
    assert all(one.pop(TRAIN_METRIC) != two.pop(TRAIN_METRIC) for one, two in zip(rows, others, strict=True))
    assert others == rows
    assert set(SIGNALS) - {"average_distance_mm", *DISAGREEMENTS} <= set(rows[1])  # nothing is averaged here
    supervised = override(TINY, {"objective": "supervised"})
    assert epochs(supervised, other, 1)[0]["weights"] != epochs(supervised, dataset, 1)[0]["weights"]


def golden_rows(dataset: Dataset) -> dict[str, list[dict[str, float]]]:
    """Losses, gradient norms and errors of some arms; shares of poses are left out, since one pose
    may move them by rounding."""
    arms = {
        "layer norm": {"network": {"generator_norm": "layer"}},
        "supervised, affine": {"objective": "supervised", "network": {"generator_norm": "affine"}},
        "solo, least squares": {"partition": "solo", "adversary": {"loss": "least_squares"}},
    }
    return {
        arm: [
            {name: value for name, value in row.items() if name.startswith("loss") or name.endswith(("norm", "mpjpe_mm"))}
            for row in epochs(override(override(TINY, NO_DROPOUT), changes), dataset, 3)
        ]
        for arm, changes in arms.items()
    }


def test_a_run_has_the_numbers_on_record(dataset):
    found = golden_rows(dataset)
    if os.environ.get("TIPS_RAY_REMAKE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    recorded = json.loads(GOLDEN.read_text())
    assert found.keys() == recorded.keys()
    for arm, rows in recorded.items():
        assert len(found[arm]) == len(rows)
        for row, expected in zip(found[arm], rows, strict=True):
            assert row == pytest.approx(expected, rel=1e-4)
