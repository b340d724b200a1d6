"""Runs whose configs differ in weights, labels and learning rates train as one model, each as it
does by itself."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from tests.lifting.test_together import ROUNDING, SMALL, assert_same, doubled, numbers
from tests.lifting.test_train import stored
from tips_ray.config import Config, override
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.errors import UserError
from tips_ray.lifting.run import Run
from tips_ray.lifting.sharing import sharing_key
from tips_ray.lifting.together import Together
from tips_ray.lifting.train import next_epochs
from tips_ray.search.space import changes

NUM_COMBINED = 2
"""Configs to which all changes that can share a model are dealt: each is trained in one of them."""
ALL_TERMS = dict.fromkeys(("symmetry", "proportions", "knees", "facing", "rigidity", "augmented"), 0.5)
BENT = {"stretched": 0.1, "bent": 0.1, "noise": 0.1}
BASES = {
    "all weights": {
        "weights": ALL_TERMS,
        "adversary": {"r1": 0.2, "r2": 0.2},
        "augmentation": BENT,
        "optimiser": {"averaging": 0.5},
    },
    "all angles": {
        "weights": {"all_angles": 0.5},
        "network": {"generator_norm": "layer"},
        "adversary": {"loss": "least_squares"},
        "optimiser": {"decay": 0.5, "cosine_epochs": 3},
    },
    "supervised": {"objective": "supervised", "augmentation": {"mirror": True, "turned": 0.5, **BENT}},
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    dataset = prepare(synthesise(num_poses=400), SMALL.data)
    assert dataset.test is not None
    return replace(dataset, train=doubled(dataset.train), test=doubled(dataset.test))


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def others(kind: Any, value: Any) -> list[Any]:
    """Further values of a field of some type."""
    if get_origin(kind) is Literal:
        return [option for option in get_args(kind) if option != value]
    if options := get_args(kind):  # a union, or a tuple of texts
        return [("S1",)] if get_origin(kind) is tuple else [other for option in options for other in others(option, value)]
    number = value if isinstance(value, (int, float)) and value else 0.5
    return {bool: [not value], int: [int(2 * number)], float: [number / 2, 0.0], str: ["solo"], NoneType: [None]}.get(kind, [])


def single_changes(config: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every field of a config by its path, each with other values."""
    kinds = get_type_hints(type(config))
    for entry in fields(config):
        value, place = getattr(config, entry.name), (*path, entry.name)
        if is_dataclass(value):
            yield from single_changes(value, place)
        else:
            yield from ((".".join(place), other) for other in others(kinds[entry.name], value) if other != value)


def variants(base: Config) -> Iterator[tuple[str, Any, Config]]:
    """All configs that differ from one in a single field, as far as there are such."""
    for path, value in single_changes(base):
        try:
            yield path, value, override(base, changes({path: value}))
        except UserError:
            continue


@pytest.mark.parametrize(
    ("name", "record", "vmapped"),
    [("all weights", True, True), ("all angles", False, False), ("supervised", False, True)],
)
def test_each_field_of_a_config_may_differ_within_a_model_or_makes_another_model(
    dataset: Dataset, name: str, record: bool, vmapped: bool
) -> None:
    """Losses, weights, averages, optimisers and streams: after an epoch of each by itself, one of
    all as one model, and one of the last by itself again, continued from its state."""
    base = override(SMALL, BASES[name])
    shared = [{path: value} for path, value, config in variants(base) if sharing_key(config) == sharing_key(base)]
    assert {"weights.reprojection", "optimiser.learning_rate", "adversary.real_label"} <= {
        path for change in shared for path in change
    }
    combined: list[dict[str, Any]] = [{} for _ in range(NUM_COMBINED)]
    for change in shared:
        min((taken for taken in combined if change.keys().isdisjoint(taken)), key=len).update(change)
    configs = [base, *(override(base, changes(taken)) for taken in combined)]
    separate, joint = ([Run(config, dataset, seed % 2) for seed, config in enumerate(configs)] for _ in range(2))
    for alone, run in zip(separate, joint, strict=True):
        alone.train_epoch()
        run.load_state(stored(alone.state()))
    rows, together = [run.train_epoch() for run in separate], Together(joint, record, vmapped).train_epoch()
    for row, other in zip(rows, together, strict=True):
        assert other.keys() == row.keys()
        losses = [column for column in row if column.startswith("loss_")]
        assert {column: other[column] for column in losses} == pytest.approx({column: row[column] for column in losses})
    assert_same(separate, joint)
    continued = Run(configs[-1], dataset, joint[-1].seed)
    continued.load_state(stored(joint[-1].state()))
    continued.train_epoch()
    separate[-1].train_epoch()
    assert_same(separate[-1:], [continued])


def test_a_config_that_diverges_disturbs_no_other(dataset: Dataset) -> None:
    base = override(SMALL, {"network": {"generator_norm": "none", "discriminator_blocks": 6}})
    wild = {"optimiser": {"learning_rate": 1e30, "discriminator_learning_rate": 1e30}}
    configs = [base, override(base, wild), override(base, {"weights": {"legs": 0.5}})]
    separate, joint = ([Run(config, dataset, 0) for config in configs] for _ in range(2))
    model = Together(joint, vmapped=True)
    for _ in range(2):
        expected, epochs = next_epochs(separate), next_epochs(joint, model)
    assert [epoch.diverged for epoch in epochs] == [epoch.diverged for epoch in expected] == [False, True, False]
    for epoch, alone in ((epochs[0], expected[0]), (epochs[2], expected[2])):
        assert numbers([epoch]) == [pytest.approx(numbers([alone])[0], rel=ROUNDING, abs=ROUNDING)]
    assert_same([separate[0], separate[2]], [joint[0], joint[2]])
