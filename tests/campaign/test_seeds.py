"""What one process reports of the seeds that it trains."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import CONFIG
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.seeds import SeedGroups, advance, epoch_result, result_or_failure
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Placement
from tips_ray.data.dataset import Dataset
from tips_ray.errors import UserError
from tips_ray.lifting.run import Run
from tips_ray.stability.early import causal_rule
from tips_ray.store.storage import Storage


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
    assert [list(seeds) for seeds in groups.models] == [[0, 1, 2]]
    at_once = runs("at_once")
    assert [run.num_epochs for run in at_once] == [1, 1, 1]
    at_once[0].advance()  # as if the process had died after it
    epochs = advance(at_once, 2, SeedGroups(Placement(seeds_per_process=2)))
    assert [(row["seed"], row["epoch"]) for row, _ in epochs] == [(0, 2), (1, 2), (2, 2)]
    for (row, _), (other, _) in zip(expected, epochs, strict=True):
        assert other[HEADLINE_METRIC] == pytest.approx(row[HEADLINE_METRIC], rel=1e-3)
        assert other["loss_adversarial"] == pytest.approx(row["loss_adversarial"], rel=1e-4)


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
