"""The trials of a search, without Ray: begun, their curves stored as runs store them, and ended, in
any order."""

import copy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState
from ray import cloudpickle

from tips_ray.campaign.tune import ARMS
from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC
from tips_ray.config import Config, WeightRanges
from tips_ray.search.objectives import OBJECTIVES
from tips_ray.search.plan import Budget, Search
from tips_ray.search.queue import PENALTY, TrialQueue
from tips_ray.search.space import weight_space
from tips_ray.search.suggest import PruningScheduler, QueueSearcher
from tips_ray.search.trials import ranked, read_scored, trial_table
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.records import TRIALS, Record, read_records, trial_name
from tips_ray.store.storage import Storage

SPACE = weight_space(WeightRanges()) | {"network.generator_norm": CategoricalDistribution(["batch", "layer"])}


def search_of(folder: Path, **settings: Any) -> Search:
    given = {"base": Config(), "space": SPACE, "num_seeds": 2, "num_epochs": 4, **settings}
    return Search("s", Storage(str(folder)), **given)


def queue_of(search: Search, num_trials: int = 8, **limits: Any) -> TrialQueue:
    return TrialQueue(search, Budget(num_trials, **limits))


def error_at(record: Record, seed: int, epoch: int) -> float:
    """An error with a valley in the weights, that falls with the epochs."""
    legs, torso = (np.log10(record.params[f"weights.{name}"]) for name in ("legs", "torso"))
    return 50 + 20 * (legs + 0.5) ** 2 + 10 * (torso + 1.5) ** 2 + seed + 30 / epoch


def store(search: Search, record: Record, num_epochs: int, diverges: bool = False, seeds: list[int] | None = None) -> None:
    """The curves of a trial's runs, as far as they would be."""
    for seed in search.seeds if seeds is None else seeds:
        rows = [
            {
                "arm": trial_name(record.number),
                "seed": seed,
                "epoch": epoch,
                "status": "diverged" if diverges and epoch == num_epochs else "ok",
                HEADLINE_METRIC: error_at(record, seed, epoch),
                **dict.fromkeys(CONSISTENCY, record.params["weights.legs"] / epoch),
            }
            for epoch in range(1, num_epochs + 1)
        ]
        search.folder.write_table(f"{RUNS}/{run_name(trial_name(record.number), seed)}/{CURVE}", pd.DataFrame(rows))


def train_all(queue: TrialQueue) -> list[int]:
    """Hand out, store and end trials until there are none; returns their numbers."""
    numbers = []
    while (record := queue.next()) is not None:
        store(queue.search, record, queue.search.num_epochs)
        assert queue.end(record.number) == "complete"
        numbers.append(record.number)
    return numbers


def agrees(search: Search) -> pd.DataFrame:
    """The table of trials, once Optuna's study was found to have the same of each of them as the
    curves."""
    records = read_records(search.folder)
    curves = read_scored(search.folder, range(len(records)), search.num_seeds)
    manifest = {"name": "s", "data": {"labelled": True}, "space": SPACE}
    manifest |= {"num_seeds": search.num_seeds, "num_epochs": search.num_epochs}
    table = trial_table(manifest, records, curves).set_index("number")
    trials = queue_of(search).study.get_trials()
    assert [trial.number for trial in trials] == list(table.index) == list(range(len(records)))
    states = {"complete": TrialState.COMPLETE, "diverged": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    columns = OBJECTIVES[search.objective]
    for trial, record in zip(trials, records, strict=True):
        row = table.loc[trial.number]
        assert trial.params == record.params
        assert trial.state == states.get(row["state"], TrialState.RUNNING)
        if row["state"] == "complete":
            assert trial.values == [row[column] for column in columns]
            assert trial.user_attrs["scores"]["error_mm"] == row["error_mm"]
        if row["state"] == "diverged":
            assert trial.values == [PENALTY] * len(columns)
    return table


def test_the_first_trial_is_the_config_that_the_search_starts_from(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    queue = queue_of(search)
    record = queue.next()
    assert record == Record(0, search.baseline)
    assert search.baseline["weights.torso"] == 0.08
    assert read_records(search.folder) == [record]  # before anything is trained


def test_tune_may_copy_and_pickle_what_it_is_given(tmp_path: Path) -> None:
    searcher = QueueSearcher(queue_of(search_of(tmp_path)))
    assert copy.deepcopy(searcher) is searcher
    assert copy.deepcopy(PruningScheduler(searcher)).searcher is searcher
    cloudpickle.dumps((searcher, PruningScheduler(searcher)))


def test_trials_that_can_share_a_model_are_suggested_at_once(tmp_path: Path) -> None:
    """Those with the same normalisation, which is searched too; the others come first for the next
    model."""
    search = search_of(tmp_path)
    searcher = QueueSearcher(queue_of(search, 9), at_once=4)
    models = []
    while isinstance(suggested := searcher.suggest(f"tune {len(models)}"), dict):
        models.append(suggested[ARMS])
        assert len(read_records(search.folder)) <= sum(map(len, models)) + 3
    assert sorted(arm["name"] for model in models for arm in model) == [trial_name(number) for number in range(9)]
    assert all(len({arm["config"]["network"]["generator_norm"] for arm in model}) == 1 for model in models)
    assert max(map(len, models)) > 1
    assert queue_of(search, 9).open == list(range(9))  # continued one by one, or in other models


def test_a_trial_that_ends_early_leaves_its_model_and_the_last_one_ends_it(tmp_path: Path) -> None:
    search = search_of(tmp_path, space=weight_space(WeightRanges()))
    searcher = QueueSearcher(queue_of(search, 3), at_once=3)
    scheduler, tune_trial = PruningScheduler(searcher), SimpleNamespace(trial_id="tune")
    searcher.suggest("tune")
    records = read_records(search.folder)

    def reported(number: int, num_diverged: int) -> str:
        result = {"arm": trial_name(number), "epoch": 2, "num_diverged": num_diverged}
        return scheduler.on_trial_result(None, tune_trial, result)

    store(search, records[1], 2, diverges=True)
    assert reported(0, 0) == PruningScheduler.CONTINUE
    assert reported(1, 1) == PruningScheduler.CONTINUE
    assert searcher.queue.unfinished == [0, 2]
    store(search, records[0], 4)
    store(search, records[2], 2, diverges=True)
    assert reported(2, 1) == PruningScheduler.CONTINUE
    assert reported(2, 1) == PruningScheduler.CONTINUE  # as Tune repeats its last result
    searcher.on_trial_complete("tune")
    assert searcher.queue.unfinished == []
    assert [trial.values[0] == PENALTY for trial in searcher.queue.study.get_trials()] == [False, True, True]


def test_suggestions_follow_the_seed_and_the_trials_alone(tmp_path: Path) -> None:
    """14 trials, of which the sampler models the last four: at one go, and resumed."""
    whole, resumed, other_seed = (
        search_of(tmp_path / name, seed=len(name) // 10) for name in ("whole", "resumed", "another seed")
    )
    train_all(queue_of(whole, 14))
    train_all(queue_of(resumed, 11))
    queue_of(resumed, 14).next()  # begun, and its process ends
    train_all(queue_of(resumed, 14))
    first, second = ([record.params for record in read_records(search.folder)] for search in (whole, resumed))
    assert first == second
    assert len({tuple(params.values()) for params in first}) == 14
    train_all(queue_of(other_seed, 3))
    assert read_records(other_seed.folder)[1].params != first[1]


def test_a_trial_that_was_begun_goes_on_before_new_ones(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    queue = queue_of(search, 5)
    begun = [queue.next() for _ in range(3)]
    store(search, begun[1], 4)  # ended, but its process died before it could say so
    store(search, begun[2], 2)
    again = queue_of(search, 5)
    assert again.open == [0, 2]
    assert train_all(again) == [0, 2, 3, 4]
    assert agrees(search)["state"].eq("complete").all()
    assert train_all(queue_of(search, 5)) == []
    assert train_all(queue_of(search, 7)) == [5, 6]


@pytest.mark.parametrize("extension", [{"num_epochs": 8}, {"num_seeds": 3}, {"num_epochs": 8, "num_seeds": 3}])
def test_more_epochs_or_seeds_make_all_trials_go_on_in_another_study(tmp_path: Path, extension: dict) -> None:
    short, longer = search_of(tmp_path), search_of(tmp_path, **extension)
    train_all(queue_of(short, 4))
    before = agrees(short)
    assert train_all(queue_of(longer, 4)) == [0, 1, 2, 3]
    assert agrees(longer)["state"].eq("complete").all()
    assert agrees(short)["error_mm"].tolist() == before["error_mm"].tolist()  # the shorter one is as it was


@pytest.mark.parametrize("objective", ["instability", "pareto", "label_free"])
def test_another_objective_needs_no_training(tmp_path: Path, objective: str) -> None:
    train_all(queue_of(search_of(tmp_path), 4))
    other = search_of(tmp_path, objective=objective)
    assert train_all(queue_of(other, 4)) == []
    assert train_all(queue_of(other, 6)) == [4, 5]
    assert train_all(queue_of(search_of(tmp_path), 6)) == []  # and what it added, the first one takes in
    assert len(agrees(other)) == len(agrees(search_of(tmp_path))) == 6


def test_a_score_beyond_the_penalty_counts_as_the_penalty_and_is_never_the_best(tmp_path: Path) -> None:
    search = search_of(tmp_path, objective="label_free")
    queue = queue_of(search, 1)
    record = queue.next()
    rows = {"arm": trial_name(0), "epoch": range(1, 5), "status": "ok", HEADLINE_METRIC: 99.0, **dict.fromkeys(CONSISTENCY, 1e9)}
    for seed in search.seeds:
        search.folder.write_table(f"{RUNS}/{run_name(trial_name(0), seed)}/{CURVE}", pd.DataFrame({**rows, "seed": seed}))
    assert queue.end(record.number) == "complete"
    assert queue.study.get_trials()[0].values == [PENALTY]
    assert queue.best() is None


def test_diverged_trials_have_a_finite_penalty_and_are_not_ranked(tmp_path: Path) -> None:
    for objective in ("error", "pareto"):
        search = search_of(tmp_path / objective, objective=objective)
        queue = queue_of(search, 4)
        train_all(queue_of(search, 2))
        queue = queue_of(search, 4)
        store(search, queue.next(), 2, diverges=True)
        assert queue.end(2) == "diverged"
        train_all(queue)
        table = agrees(search)
        assert table["state"].tolist() == ["complete", "complete", "diverged", "complete"]
        assert trial_name(2) not in ranked(table.reset_index(), objective)
        assert queue_of(search, 4).best() == queue.best() != (PENALTY, 2)


def test_a_trial_whose_process_failed_stays_open_and_is_tried_again(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    queue = queue_of(search, 3)
    failed, other = queue.next(), queue.next()
    store(search, failed, 1)
    assert queue.end(failed.number) not in ("complete", "pruned", "diverged")
    queue.fail(failed.number, "RuntimeError: out of memory")
    store(search, other, 4)
    queue.end(other.number)
    assert agrees(search)["state"].tolist() == ["failed", "complete"]
    assert read_records(search.folder)[0].error == "RuntimeError: out of memory"
    again = queue_of(search, 3)
    assert train_all(again) == [0, 2]
    assert read_records(search.folder)[0].error is None
    assert agrees(search)["state"].eq("complete").all()


def race(queue: TrialQueue, level: Callable[[int], float]) -> None:
    """Train trials epoch by epoch at an error of their own, as far as the pruner lets them."""
    search = queue.search
    while (record := queue.next()) is not None:
        for epoch in range(1, search.num_epochs + 1):
            rows = {"arm": trial_name(record.number), "epoch": range(1, epoch + 1), "status": "ok"}
            rows |= {HEADLINE_METRIC: level(record.number), **dict.fromkeys(CONSISTENCY, level(record.number))}
            for seed in search.seeds:
                name = run_name(trial_name(record.number), seed)
                search.folder.write_table(f"{RUNS}/{name}/{CURVE}", pd.DataFrame({**rows, "seed": seed}))
            if queue.should_prune(record.number, epoch, level(record.number)):
                break
        queue.end(record.number)


@pytest.mark.parametrize("objective", ["error", "label_free"])
@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_poor_trials_are_pruned_but_never_the_first(tmp_path: Path, pruner: str, objective: str) -> None:
    """The first trial is the worst of all; of the others, every second is bad."""
    search = search_of(tmp_path, pruner=pruner, objective=objective, num_epochs=9)
    race(queue_of(search, 14), lambda number: 90.0 if number == 0 else 60.0 - number if number % 2 else 80.0 + number)
    table = agrees(search)
    assert table["state"][0] == "complete"
    pruned = table[table["state"] == "pruned"]
    assert len(pruned) >= 3
    assert (pruned.index % 2 == 0).all()
    assert (pruned["epochs"] < 9).all()
    assert not set(pruned["trial"]) & set(ranked(table.reset_index(), objective))
    assert [record.pruned_at for record in read_records(search.folder) if record.pruned_at] == pruned["epochs"].tolist()
    # They stay pruned in a longer search, and are no trials of one for another objective.
    longer = queue_of(search_of(tmp_path, pruner=pruner, objective=objective, num_epochs=12), 14)
    assert longer.open == table.index[table["state"] == "complete"].tolist()
    assert queue_of(search_of(tmp_path, objective="pareto", num_epochs=9), 14).open == []
    # One that had enough epochs for a shorter search counts there.
    enough = search_of(tmp_path, objective=objective, num_epochs=int(pruned["epochs"].min()))
    assert queue_of(enough, 14).open == []
    assert agrees(enough)["state"].eq("complete").all()


def test_a_pruner_compares_with_the_curves_of_earlier_executions(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="median", num_epochs=8)
    race(queue_of(search, 6), lambda number: 60.0 + number)
    queue = queue_of(search, 8)
    bad, good = queue.next(), queue.next()
    assert queue.should_prune(bad.number, 3, 99.0)
    assert not queue.should_prune(good.number, 3, 50.0)


def test_successive_halving_goes_on_where_an_earlier_execution_ended(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="asha", num_epochs=9)
    before = queue_of(search, 10)
    race(before, lambda number: 60.0 + number % 4)
    rungs = {trial.number: trial.system_attrs for trial in before.study.get_trials()}
    assert any("completed_rung_1" in attributes for attributes in rungs.values())
    queue = queue_of(search, 12)
    assert {trial.number: trial.system_attrs for trial in queue.study.get_trials()} == rungs
    bad, good = queue.next(), queue.next()
    assert queue.should_prune(bad.number, 1, 99.0)
    assert not queue.should_prune(good.number, 1, 50.0)


def test_successive_halving_of_a_longer_search_compares_trials_at_its_own_epochs(tmp_path: Path) -> None:
    """Trials that were whole at 9 epochs pass the rungs of 27 epochs with what they had there, not
    with what they have now."""
    train_all(queue_of(search_of(tmp_path, num_epochs=9), 4))
    longer = search_of(tmp_path, pruner="asha", num_epochs=27)
    queue = queue_of(longer, 5)
    curves = read_scored(longer.folder, range(4), 2)
    for trial in queue.study.get_trials():
        own = curves[curves["arm"] == trial_name(trial.number)].groupby("epoch")[HEADLINE_METRIC].mean()
        assert trial.system_attrs == {"completed_rung_0": own[3], "completed_rung_1": own[9]}
    assert queue.open == [0, 1, 2, 3]


def test_a_pruned_trial_whose_workers_trained_on_is_pruned(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="median", num_epochs=8)
    race(queue_of(search, 6), lambda number: 60.0 + number)
    queue = queue_of(search, 7)
    late = queue.next()
    assert queue.should_prune(late.number, 3, 99.0)
    store(search, late, 8)
    assert queue.end(late.number) == "pruned"
    assert agrees(search)["state"].iloc[-1] == "pruned"


def test_no_trial_is_begun_that_could_exceed_the_epochs_in_all(tmp_path: Path) -> None:
    search = search_of(tmp_path)  # 2 seeds x 4 epochs
    queue = queue_of(search, 100, max_run_epochs=31)
    assert train_all(queue) == [0, 1, 2]
    assert train_all(queue_of(search, 100, max_run_epochs=32)) == [3]
    assert train_all(queue_of(search, 100, max_run_epochs=8)) == []  # less than there is: nothing to do
    with pytest.raises(
        ValueError, match="max_run_epochs = 40, but the 4 trials that were begun come to 64 epochs at 2 seeds x 8"
    ):
        queue_of(search_of(tmp_path, num_epochs=8), 100, max_run_epochs=40)


def test_a_pruned_trial_costs_what_it_trained(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="median", num_epochs=8)
    race(queue_of(search, 5), lambda number: 60.0 + number)
    queue = queue_of(search, 100, max_run_epochs=5 * 16 + 2 * 3 + 16)
    assert queue.should_prune(queue.next().number, 3, 99.0)
    assert queue.next() is not None
    assert queue.next() is None


@pytest.mark.parametrize("lost", [0, 2, 3])
def test_a_record_that_is_lost_is_an_error(tmp_path: Path, lost: int) -> None:
    search = search_of(tmp_path)
    train_all(queue_of(search, 4))
    search.folder.delete(f"{TRIALS}/{trial_name(lost)}.json")
    with pytest.raises(ValueError, match=f"The record of {trial_name(lost)} is missing"):
        queue_of(search, 4)


@pytest.mark.parametrize("damage", ["gone", "empty", "truncated"])
def test_a_curve_that_was_damaged_makes_its_trial_go_on(tmp_path: Path, damage: str) -> None:
    search = search_of(tmp_path)
    train_all(queue_of(search, 3))
    curve = f"{RUNS}/{run_name(trial_name(1), 0)}/{CURVE}"
    content = search.folder.read(curve)
    search.folder.delete(curve) if damage == "gone" else search.folder.write(curve, content[: 0 if damage == "empty" else 300])
    assert queue_of(search, 3).open == [1]
    assert train_all(queue_of(search, 3)) == [1]
    assert agrees(search)["state"].eq("complete").all()


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_queue import queue_of, search_of, train_all
queue = queue_of(search_of(Path(sys.argv[1])), 400)
print("ready", flush=True)
train_all(queue)
"""


@pytest.mark.parametrize("delays", [[0.13, 0.31], pytest.param([0.02 * i for i in range(1, 20)], marks=pytest.mark.nightly)])
def test_killed_at_any_moment_no_trial_is_lost_or_counted_twice(tmp_path: Path, delays: list[float]) -> None:
    search = search_of(tmp_path / "killed")
    code = CHILD.format(tests=str(Path(__file__).parent))
    for delay in delays:
        command = [sys.executable, "-c", code, str(tmp_path / "killed")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            time.sleep(delay)
            child.kill()
        assert child.returncode == -signal.SIGKILL
    begun = len(read_records(search.folder))
    assert begun > 0
    train_all(queue_of(search, begun + 2))
    assert agrees(search)["state"].eq("complete").all()
    whole = search_of(tmp_path / "whole")
    train_all(queue_of(whole, begun + 2))
    assert read_records(search.folder) == read_records(whole.folder)
