"""What one process stores and reports of the seeds and arms that it trains."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import CONFIG
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.groups import SeedGroups
from tips_ray.campaign.seeds import (
    FAILURE,
    ArmRuns,
    EpochOfRun,
    Training,
    epoch_result,
    epochs_of,
    lacking,
    result_or_failure,
    train_arms,
)
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Placement, override
from tips_ray.data.dataset import Dataset
from tips_ray.errors import UserError
from tips_ray.lifting.run import Run
from tips_ray.stability.early import causal_rule
from tips_ray.store.curves import CURVE
from tips_ray.store.records import Record, trial_name, write_record
from tips_ray.store.storage import Storage


def advance(runs: list[StoredRun], number: int, groups: SeedGroups | None = None) -> list[EpochOfRun]:
    (groups or SeedGroups()).advance(lacking(runs, number))
    return epochs_of(runs, number)


def test_an_epoch_that_only_some_seeds_had_stored_is_reported_of_all(tmp_path: Path, dataset: Dataset) -> None:
    runs = [StoredRun(Storage(str(tmp_path)), "solo", Run(CONFIG, dataset, seed)) for seed in range(2)]
    runs[0].advance()  # as if the process had died after it
    epochs = advance(runs, 1)
    assert [(row["seed"], row["epoch"]) for row, _ in epochs] == [(0, 1), (1, 1)]
    expected = sum(row[HEADLINE_METRIC] for row, _ in epochs) / 2
    result = epoch_result("solo", 1, epochs)
    assert result["error_mm"] == pytest.approx(expected)
    one, other = (lifted for _, lifted in epochs)
    assert one is not None
    assert other is not None
    assert result["bound_mm"] == pytest.approx(math.sqrt(np.square(one - other).mean() / 2))
    assert [run.num_epochs for run in runs] == [1, 1]


def test_a_stop_rule_ends_a_run_which_goes_on_without_it(tmp_path: Path, dataset: Dataset) -> None:
    storage, rule = Storage(str(tmp_path)), causal_rule("epoch at 50 %", 2)
    runs = [StoredRun(storage, "solo", Run(CONFIG, dataset, seed), stop=rule if seed else None) for seed in range(2)]
    for number in (1, 2):
        epochs = advance(runs, number)
    assert [run.num_epochs for run in runs] == [2, 1]
    assert [run.ended for run in runs] == [False, True]
    assert [row["epoch"] for row, _ in epochs] == [2, 1]  # of the one that has ended its last
    again = StoredRun(storage, "solo", Run(CONFIG, dataset, 1), stop=causal_rule("epoch at 50 %", 4))
    assert not again.ended
    assert [row["epoch"] for row, _ in advance([again], 2)] == [2]
    assert again.ended


def test_seeds_that_train_at_once_are_stored_as_those_that_take_turns(tmp_path: Path, dataset: Dataset) -> None:
    """A campaign is continued with another number of seeds at once, and one of its runs is
    ahead."""

    def runs(folder: str) -> list[StoredRun]:
        return [StoredRun(Storage(str(tmp_path / folder)), "solo", Run(CONFIG, dataset, seed)) for seed in range(3)]

    turns, at_once = runs("turns"), runs("at_once")
    for number in (1, 2):
        expected = advance(turns, number)
    groups = SeedGroups(Placement(seeds_per_process=3))
    advance(at_once, 1, groups)
    assert [len(runs) for runs in groups.models] == [3]
    at_once = runs("at_once")
    assert [run.num_epochs for run in at_once] == [1, 1, 1]
    at_once[0].advance()  # as if the process had died after it
    epochs = advance(at_once, 2, SeedGroups(Placement(seeds_per_process=2)))
    assert [(row["seed"], row["epoch"]) for row, _ in epochs] == [(0, 2), (1, 2), (2, 2)]
    for (row, _), (other, _) in zip(expected, epochs, strict=True):
        assert other[HEADLINE_METRIC] == pytest.approx(row[HEADLINE_METRIC], rel=1e-3)
        assert other["loss_adversarial"] == pytest.approx(row["loss_adversarial"], rel=1e-4)


CALM = override(CONFIG, {"network": {"generator_norm": "none", "discriminator_blocks": 6}})
TRIALS = [
    CALM,
    override(CALM, {"optimiser": {"learning_rate": 1e30}}),
    override(CALM, {"weights": {"legs": 0.5}, "adversary": {"real_label": 1.0}}),
    override(CALM, {"optimiser": {"learning_rate": 1e-3}}),
]


def test_trials_of_a_search_share_a_model_and_leave_it_each_when_it_ends(tmp_path: Path, dataset: Dataset) -> None:
    """Of four, one is an epoch ahead, one diverges, one is pruned after its first epoch, and one
    cannot be stored; their rows are those that they have alone."""
    alone, shared = Storage(str(tmp_path / "alone")), Storage(str(tmp_path / "shared"))
    names, reports = [trial_name(number) for number in range(len(TRIALS))], []

    def stored(folder: Storage, number: int) -> ArmRuns:
        return ArmRuns(names[number], [StoredRun(folder, names[number], Run(TRIALS[number], dataset, 0))])

    def report(result: dict[str, Any]) -> None:
        reports.append(result)
        if (result["arm"], result["epoch"]) == (names[2], 1):
            write_record(shared, Record(2, {}, pruned_at=1))  # as the driver does, for which Tune lets a report wait

    for number in range(3):
        train_arms(
            Training(alone, [0], 2, Placement(), pruner="none"),
            [stored(alone, number)],
            lambda value: [value],
            lambda result: None,
        )
    arms = [stored(shared, number) for number in range(len(TRIALS))]
    for number in range(len(TRIALS)):
        write_record(shared, Record(number))
    SeedGroups().advance(arms[0].runs)
    (tmp_path / "shared" / "runs" / f"{names[3]}-seed0" / "weights").write_text("in the way of a folder")
    train_arms(Training(shared, [0], 2, Placement(seeds_per_process=10), pruner="asha"), arms, lambda value: [value], report)

    ended = {name: max(result["epoch"] for result in reports if result["arm"] == name) for name in names}
    assert (ended[names[0]], ended[names[2]], ended[names[3]]) == (2, 1, 0)
    assert [result["arm"] for result in reports if result["num_diverged"]] == [names[1]]
    assert [result["arm"] for result in reports if FAILURE in result] == [names[3]]
    for name in names[:3]:
        curve, expected = ((folder / "runs" / f"{name}-seed0").read_table(CURVE) for folder in (shared, alone))
        assert curve["epoch"].tolist() == list(range(1, ended[name] + 1))
        expected = expected[: len(curve)].dropna(axis="columns", how="all")
        assert set(curve.dropna(axis="columns", how="all")) == set(expected)
        assert curve["status"].tolist() == expected["status"].tolist()
        losses = expected.filter(like="loss_").columns
        assert curve[losses].to_numpy() == pytest.approx(expected[losses].to_numpy(), rel=1e-3, nan_ok=True)


def test_an_arm_whose_seeds_have_all_diverged_has_no_mean() -> None:
    result = epoch_result("solo", 3, [({"status": "diverged", "epoch": 3}, None)] * 2)
    assert result["num_diverged"] == 2
    assert all(math.isnan(result[name]) for name in ("error_mm", "spread_mm", "bound_mm", "consistency"))


def test_what_a_user_can_mend_is_a_sentence_and_a_crash_passes_through() -> None:
    def fail(error: Exception) -> list[Any]:
        raise error

    assert result_or_failure(fail, UserError("Give less.")) == ([], "Give less.")
    assert result_or_failure(fail, PermissionError(13, "Permission denied", "/x"))[1] == (
        "Cannot use '/x' (Permission denied); check the path and your rights to it."
    )
    with pytest.raises(RuntimeError, match="crash"):
        result_or_failure(fail, RuntimeError("crash"))
