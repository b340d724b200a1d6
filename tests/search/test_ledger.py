"""The books of a search, without Ray: trials are begun, their curves stored as runs store them, and
ended, in any order."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC
from tips_ray.config import Config, WeightRanges
from tips_ray.search.ledger import PENALTY, Ledger
from tips_ray.search.objectives import OBJECTIVES
from tips_ray.search.optuna_study import claim_study, open_study, study_storage
from tips_ray.search.plan import Budget, Search
from tips_ray.search.space import weight_space
from tips_ray.search.trials import ranked, read_scored, trial_table
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.records import TRIALS, Record, read_records, trial_name
from tips_ray.store.storage import Storage

SPACE = weight_space(WeightRanges()) | {"network.generator_norm": CategoricalDistribution(["batch", "layer"])}


def search_of(folder: Path, **settings: Any) -> Search:
    given = {"base": Config(), "space": SPACE, "num_seeds": 2, "num_epochs": 4, **settings}
    return Search("s", Storage(str(folder)), **given)


def ledger_of(search: Search, num_trials: int = 8, url: str | None = None, **limits: Any) -> Ledger:
    return Ledger(search, Budget(num_trials, **limits), open_study(search, url), lambda *_: None)


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


def train_all(ledger: Ledger) -> list[int]:
    """Hand out, store and end trials until there are none; returns their numbers."""
    numbers = []
    while (record := ledger.next()) is not None:
        store(ledger.search, record, ledger.search.num_epochs)
        assert ledger.end(record.number) == "complete"
        numbers.append(record.number)
    return numbers


def agrees(search: Search, url: str | None = None) -> pd.DataFrame:
    """The table of trials, once Optuna's study was found to say the same of each of them as the
    curves."""
    records = read_records(search.folder)
    curves = read_scored(search.folder, range(len(records)), search.num_seeds)
    manifest = {"name": "s", "space": SPACE, "num_seeds": search.num_seeds, "num_epochs": search.num_epochs}
    table = trial_table(manifest, records, curves).set_index("number")
    known = open_study(search, url).get_trials()
    assert [trial.number for trial in known] == list(table.index) == list(range(len(records)))
    told = {"complete": TrialState.COMPLETE, "diverged": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    columns = OBJECTIVES[search.objective]
    for trial, record in zip(known, records, strict=True):
        row = table.loc[trial.number]
        assert trial.params == record.params
        assert trial.state == told.get(row["state"], TrialState.RUNNING)
        if row["state"] == "complete":
            assert trial.values == [row[column] for column in columns]
            assert trial.user_attrs["scores"]["error_mm"] == row["error_mm"]
        if row["state"] == "diverged":
            assert trial.values == [PENALTY] * len(columns)
    return table


def test_the_first_trial_is_the_config_that_the_search_starts_from(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    ledger = ledger_of(search)
    record = ledger.next()
    assert record == Record(0, search.baseline)
    assert search.baseline["weights.torso"] == 0.08
    assert read_records(search.folder) == [record]  # before anything is trained


def test_suggestions_follow_the_seed_and_what_is_known_alone(tmp_path: Path) -> None:
    """14 trials, of which the sampler models the last four: at one go, resumed, rebuilt, and in a
    database of another kind."""
    searches = [search_of(tmp_path / str(place)) for place in range(4)]
    train_all(ledger_of(searches[0], 14))
    train_all(ledger_of(searches[1], 11))
    ledger_of(searches[1], 14).next()  # begun, and its process ends
    train_all(ledger_of(searches[1], 14))
    train_all(ledger_of(searches[2], 12))
    searches[2].folder.delete("study.db")
    train_all(ledger_of(searches[2], 14))
    journal = str(tmp_path / "journal" / "study.log")
    train_all(ledger_of(searches[3], 14, journal))
    first, *others = ([record.params for record in read_records(search.folder)] for search in searches)
    assert all(other == first for other in others)
    assert len({tuple(params.values()) for params in first}) == 14
    other_seed = search_of(tmp_path / "other", seed=1)
    train_all(ledger_of(other_seed, 3))
    assert read_records(other_seed.folder)[1].params != first[1]
    agrees(searches[3], journal)


def test_a_trial_that_was_begun_goes_on_before_new_ones(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    ledger = ledger_of(search, 5)
    begun = [ledger.next() for _ in range(3)]
    store(search, begun[1], 4)  # ended, but its process died before it could say so
    store(search, begun[2], 2)
    again = ledger_of(search, 5)
    assert again.open == [0, 2]
    assert train_all(again) == [0, 2, 3, 4]
    assert agrees(search)["state"].eq("complete").all()
    assert train_all(ledger_of(search, 5)) == []
    assert train_all(ledger_of(search, 7)) == [5, 6]


@pytest.mark.parametrize("extension", [{"num_epochs": 8}, {"num_seeds": 3}, {"num_epochs": 8, "num_seeds": 3}])
def test_more_epochs_or_seeds_make_all_trials_go_on_in_another_study(tmp_path: Path, extension: dict) -> None:
    short, longer = search_of(tmp_path), search_of(tmp_path, **extension)
    train_all(ledger_of(short, 4))
    before = agrees(short)
    assert train_all(ledger_of(longer, 4)) == [0, 1, 2, 3]
    assert agrees(longer)["state"].eq("complete").all()
    assert agrees(short)["error_mm"].tolist() == before["error_mm"].tolist()  # the shorter one is as it was


@pytest.mark.parametrize("objective", ["instability", "pareto", "label_free"])
def test_another_objective_is_told_without_training(tmp_path: Path, objective: str) -> None:
    train_all(ledger_of(search_of(tmp_path), 4))
    other = search_of(tmp_path, objective=objective)
    assert train_all(ledger_of(other, 4)) == []
    assert train_all(ledger_of(other, 6)) == [4, 5]
    assert train_all(ledger_of(search_of(tmp_path), 6)) == []  # and what it added, the first one takes in
    assert len(agrees(other)) == len(agrees(search_of(tmp_path))) == 6


def test_a_score_beyond_the_penalty_is_told_as_the_penalty_and_is_never_the_best(tmp_path: Path) -> None:
    search = search_of(tmp_path, objective="label_free")
    ledger = ledger_of(search, 1)
    record = ledger.next()
    rows = {"arm": trial_name(0), "epoch": range(1, 5), "status": "ok", HEADLINE_METRIC: 99.0, **dict.fromkeys(CONSISTENCY, 1e9)}
    for seed in search.seeds:
        search.folder.write_table(f"{RUNS}/{run_name(trial_name(0), seed)}/{CURVE}", pd.DataFrame({**rows, "seed": seed}))
    assert ledger.end(record.number) == "complete"
    assert ledger.study.get_trials()[0].values == [PENALTY]
    assert ledger.best() is None


def test_diverged_trials_are_told_a_finite_penalty_and_not_ranked(tmp_path: Path) -> None:
    for objective in ("error", "pareto"):
        search = search_of(tmp_path / objective, objective=objective)
        ledger = ledger_of(search, 4)
        train_all(ledger_of(search, 2))
        ledger = ledger_of(search, 4)
        store(search, ledger.next(), 2, diverges=True)
        assert ledger.end(2) == "diverged"
        train_all(ledger)
        table = agrees(search)
        assert table["state"].tolist() == ["complete", "complete", "diverged", "complete"]
        assert trial_name(2) not in ranked(table.reset_index(), objective)
        assert ledger_of(search, 4).best() == ledger.best() != (PENALTY, 2)


def test_a_trial_whose_process_failed_stays_open_and_is_tried_again(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    ledger = ledger_of(search, 3)
    failed, other = ledger.next(), ledger.next()
    store(search, failed, 1)
    assert ledger.end(failed.number) not in ("complete", "pruned", "diverged")
    ledger.fail(failed.number, "RuntimeError: out of memory")
    store(search, other, 4)
    ledger.end(other.number)
    assert agrees(search)["state"].tolist() == ["failed", "complete"]
    assert read_records(search.folder)[0].error == "RuntimeError: out of memory"
    again = ledger_of(search, 3)
    assert train_all(again) == [0, 2]
    assert read_records(search.folder)[0].error is None
    assert agrees(search)["state"].eq("complete").all()


def race(ledger: Ledger, level: Callable[[int], float]) -> None:
    """Train trials epoch by epoch at an error of their own, as far as the pruner lets them."""
    search = ledger.search
    while (record := ledger.next()) is not None:
        for epoch in range(1, search.num_epochs + 1):
            rows = {"arm": trial_name(record.number), "epoch": range(1, epoch + 1), "status": "ok"}
            rows |= {HEADLINE_METRIC: level(record.number), **dict.fromkeys(CONSISTENCY, level(record.number))}
            for seed in search.seeds:
                name = run_name(trial_name(record.number), seed)
                search.folder.write_table(f"{RUNS}/{name}/{CURVE}", pd.DataFrame({**rows, "seed": seed}))
            if ledger.should_prune(record.number, epoch, level(record.number)):
                break
        ledger.end(record.number)


@pytest.mark.parametrize("objective", ["error", "label_free"])
@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_poor_trials_are_pruned_but_never_the_first(tmp_path: Path, pruner: str, objective: str) -> None:
    """The first trial is the worst of all; of the others, every second is bad."""
    search = search_of(tmp_path, pruner=pruner, objective=objective, num_epochs=9)
    race(ledger_of(search, 14), lambda number: 90.0 if number == 0 else 60.0 - number if number % 2 else 80.0 + number)
    table = agrees(search)
    assert table["state"][0] == "complete"
    pruned = table[table["state"] == "pruned"]
    assert len(pruned) >= 3
    assert (pruned.index % 2 == 0).all()
    assert (pruned["epochs"] < 9).all()
    assert not set(pruned["trial"]) & set(ranked(table.reset_index(), objective))
    assert [record.pruned_at for record in read_records(search.folder) if record.pruned_at] == pruned["epochs"].tolist()
    # They stay pruned in a longer search, and are no trials of one for another objective.
    longer = ledger_of(search_of(tmp_path, pruner=pruner, objective=objective, num_epochs=12), 14)
    assert longer.open == table.index[table["state"] == "complete"].tolist()
    assert ledger_of(search_of(tmp_path, objective="pareto", num_epochs=9), 14).open == []
    # One that had enough epochs for a shorter search counts there.
    enough = search_of(tmp_path, objective=objective, num_epochs=int(pruned["epochs"].min()))
    assert ledger_of(enough, 14).open == []
    assert agrees(enough)["state"].eq("complete").all()


def test_a_pruner_knows_the_curves_of_a_study_that_was_lost(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="median", num_epochs=8)
    race(ledger_of(search, 6), lambda number: 60.0 + number)
    search.folder.delete("study.db")
    ledger = ledger_of(search, 8)
    bad, good = ledger.next(), ledger.next()
    assert ledger.should_prune(bad.number, 3, 99.0)
    assert not ledger.should_prune(good.number, 3, 50.0)


def test_successive_halving_goes_on_where_it_was_in_a_study_that_was_lost(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="asha", num_epochs=9)
    race(ledger_of(search, 10), lambda number: 60.0 + number % 4)
    noted = {trial.number: trial.system_attrs for trial in open_study(search, None).get_trials()}
    assert any("completed_rung_1" in attributes for attributes in noted.values())
    search.folder.delete("study.db")
    ledger = ledger_of(search, 12)
    assert {trial.number: trial.system_attrs for trial in open_study(search, None).get_trials()} == noted
    bad, good = ledger.next(), ledger.next()
    assert ledger.should_prune(bad.number, 1, 99.0)
    assert not ledger.should_prune(good.number, 1, 50.0)


def test_successive_halving_of_a_longer_search_compares_trials_at_its_own_epochs(tmp_path: Path) -> None:
    """Trials that were whole at 9 epochs pass the rungs of 27 epochs with what they had there, not
    with what they have now."""
    train_all(ledger_of(search_of(tmp_path, num_epochs=9), 4))
    longer = search_of(tmp_path, pruner="asha", num_epochs=27)
    ledger = ledger_of(longer, 5)
    curves = read_scored(longer.folder, range(4), 2)
    for trial in open_study(longer, None).get_trials():
        own = curves[curves["arm"] == trial_name(trial.number)].groupby("epoch")[HEADLINE_METRIC].mean()
        assert trial.system_attrs == {"completed_rung_0": own[3], "completed_rung_1": own[9]}
    assert ledger.open == [0, 1, 2, 3]


def test_a_pruned_trial_whose_workers_trained_on_is_pruned(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="median", num_epochs=8)
    race(ledger_of(search, 6), lambda number: 60.0 + number)
    ledger = ledger_of(search, 7)
    late = ledger.next()
    assert ledger.should_prune(late.number, 3, 99.0)
    store(search, late, 8)
    assert ledger.end(late.number) == "pruned"
    assert agrees(search)["state"].iloc[-1] == "pruned"


def test_no_trial_is_begun_that_could_exceed_the_epochs_in_all(tmp_path: Path) -> None:
    search = search_of(tmp_path)  # 2 seeds x 4 epochs
    ledger = ledger_of(search, 100, max_run_epochs=31)
    assert train_all(ledger) == [0, 1, 2]
    assert train_all(ledger_of(search, 100, max_run_epochs=32)) == [3]
    assert train_all(ledger_of(search, 100, max_run_epochs=8)) == []  # less than there is: nothing to do
    with pytest.raises(
        ValueError, match="max_run_epochs = 40, but the 4 trials that were begun come to 64 epochs at 2 seeds x 8"
    ):
        ledger_of(search_of(tmp_path, num_epochs=8), 100, max_run_epochs=40)


def test_a_pruned_trial_costs_what_it_trained(tmp_path: Path) -> None:
    search = search_of(tmp_path, pruner="median", num_epochs=8)
    race(ledger_of(search, 5), lambda number: 60.0 + number)
    ledger = ledger_of(search, 100, max_run_epochs=5 * 16 + 2 * 3 + 16)
    assert ledger.should_prune(ledger.next().number, 3, 99.0)
    assert ledger.next() is not None
    assert ledger.next() is None


@pytest.mark.parametrize("lost", [0, 2, 3])
def test_a_lost_record_is_restored_from_the_study(tmp_path: Path, lost: int) -> None:
    search = search_of(tmp_path)
    train_all(ledger_of(search, 4))
    before = read_records(search.folder)
    search.folder.delete(f"{TRIALS}/{trial_name(lost)}.json")
    assert train_all(ledger_of(search, 4)) == []
    assert read_records(search.folder) == before
    agrees(search)


@pytest.mark.parametrize("lost", [0, 2, 3])
def test_a_record_that_is_lost_with_the_study_is_an_error(tmp_path: Path, lost: int) -> None:
    search = search_of(tmp_path)
    train_all(ledger_of(search, 4))
    for name in (f"{TRIALS}/{trial_name(lost)}.json", "study.db"):
        search.folder.delete(name)
    with pytest.raises(ValueError, match=f"The record of {trial_name(lost)} is missing"):
        ledger_of(search, 4)


@pytest.mark.parametrize("content", [b"", b'{"number": 1, "par', b'{"numbers": 1}', b"[1]", b"\xff\x00"])
def test_a_damaged_record_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    search = search_of(tmp_path)
    train_all(ledger_of(search, 3))
    before = read_records(search.folder)
    damaged = f"{TRIALS}/{trial_name(1)}.json"
    search.folder.write(damaged, content)
    with pytest.raises(ValueError, match=f"{damaged} is damaged .* delete the file, and the next execution"):
        ledger_of(search, 3)
    search.folder.delete(damaged)
    ledger_of(search, 3)
    assert read_records(search.folder) == before


@pytest.mark.parametrize("known", [True, False], ids=["study", "no study"])
@pytest.mark.parametrize("damage", ["gone", "empty", "truncated"])
def test_a_curve_that_was_damaged_makes_its_trial_go_on(tmp_path: Path, damage: str, known: bool) -> None:
    search = search_of(tmp_path)
    train_all(ledger_of(search, 3))
    if not known:
        search.folder.delete("study.db")
    curve = f"{RUNS}/{run_name(trial_name(1), 0)}/{CURVE}"
    content = search.folder.read(curve)
    search.folder.delete(curve) if damage == "gone" else search.folder.write(curve, content[: 0 if damage == "empty" else 300])
    assert ledger_of(search, 3).open == [1]
    assert train_all(ledger_of(search, 3)) == [1]
    assert agrees(search)["state"].eq("complete").all()


def test_the_study_of_another_search_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    mine, other = search_of(tmp_path / "mine"), search_of(tmp_path / "other")
    claim_study(open_study(mine, url), "mine")
    train_all(ledger_of(mine, 3, url))
    claim_study(open_study(mine, url), "mine")
    with pytest.raises(ValueError, match="belongs to another search in that storage; give another --campaign name or"):
        claim_study(open_study(other, url), "other")
    optuna.create_study(study_name="s error 2x5", storage=url).add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(ValueError, match="belongs to another search"):
        claim_study(open_study(search_of(tmp_path / "other", num_epochs=5), url), "other")


def test_a_study_with_other_values_is_refused(tmp_path: Path) -> None:
    mine, other = search_of(tmp_path / "mine"), search_of(tmp_path / "other", seed=1)
    train_all(ledger_of(mine, 3))
    train_all(ledger_of(other, 3))
    mine.folder.write("study.db", other.folder.read("study.db"))
    with pytest.raises(ValueError, match=r"holds other trials than '.+/mine/s' \(first at number 1\)"):
        ledger_of(mine, 3)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("study", "neither a URL nor the path of a journal"),
        ("nosuch://host/database", "nosuch"),
        ("postgresql://user:pass-word@host:port/database", "invalid literal"),
        ("sqlite:////no/such/folder/study.db", "unable to open database file"),
        ("/proc/no/such/journal.log", "No such file"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_clear_error_without_its_password(tmp_path: Path, url: str, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"as the storage of Optuna's study .*give a URL with the user and password") as error:
        open_study(search_of(tmp_path), url)
    assert said in str(error.value)
    assert "pass-word" not in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(("scheme", "driver"), [("mysql+pymysql", "pymysql"), ("postgresql+psycopg2", "psycopg2")])
def test_a_driver_that_is_missing_is_named(tmp_path: Path, scheme: str, driver: str) -> None:
    url = f"{scheme}://user:pass-word@127.0.0.1:1/database"
    with pytest.raises(
        ValueError, match=rf"'{re.escape(scheme)}://user:\*\*\*@.+ not installed \({driver}\); install it with pip"
    ):
        open_study(search_of(tmp_path), url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, but some text of mine\n" * 100)
    with pytest.raises(ValueError, match="file is not a database"):
        open_study(search_of(tmp_path), f"sqlite:///{tmp_path}/notes.db")


@pytest.mark.long
def test_a_reader_with_the_database_locked_delays_the_search_and_does_not_break_it(tmp_path: Path) -> None:
    """Longer than the five seconds that SQLite waits by default."""
    search = search_of(tmp_path)
    ledger = ledger_of(search, 2)
    ledger.next()
    hold = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('begin exclusive');"
    hold += "print('locked', flush=True); time.sleep(7); c.execute('rollback')"
    command = [sys.executable, "-c", hold, search.folder.path("study.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == "locked\n"
        started = time.monotonic()
        assert ledger.next() is not None
        assert time.monotonic() - started > 5
    assert reader.returncode == 0
    assert len(open_study(search, None).get_trials()) == 2


def test_a_search_in_memory_is_entered_anew_by_each_execution(tmp_path: Path) -> None:
    """As on storage that is no folder of this machine."""
    search = search_of(tmp_path)
    study = optuna.create_study(study_name="s", storage=optuna.storages.InMemoryStorage())
    train_all(Ledger(search, Budget(3), study, lambda *_: None))
    study = optuna.create_study(study_name="s", storage=optuna.storages.InMemoryStorage())
    ledger = Ledger(search, Budget(4), study, lambda *_: None)
    assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE] * 3
    assert train_all(ledger) == [3]


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_ledger import ledger_of, search_of, train_all
url = sys.argv[2] or None
ledger = ledger_of(search_of(Path(sys.argv[1])), 400, url)
print("ready", flush=True)
train_all(ledger)
"""


def killed_and_continued(tmp_path: Path, delays: list[float], url: str | None) -> None:
    """Kill a process that keeps the books at these moments after it began to; then compare with an
    undisturbed search."""
    search = search_of(tmp_path / "killed")
    code = CHILD.format(tests=str(Path(__file__).parent))
    for delay in delays:
        command = [sys.executable, "-c", code, str(tmp_path / "killed"), url or ""]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            time.sleep(delay)
            child.kill()
        assert child.returncode == -signal.SIGKILL
    begun = len(read_records(search.folder))
    assert begun > 0
    train_all(ledger_of(search, begun + 2, url))
    assert agrees(search, url)["state"].eq("complete").all()
    whole = search_of(tmp_path / "whole")
    train_all(ledger_of(whole, begun + 2))
    assert read_records(search.folder) == read_records(whole.folder)


def test_killed_at_any_moment_no_trial_is_lost_or_counted_twice(tmp_path: Path) -> None:
    killed_and_continued(tmp_path, [0.13, 0.31], None)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["database", "journal"])
def test_killed_at_many_moments_no_trial_is_lost_or_counted_twice(tmp_path: Path, kind: str) -> None:
    url = None if kind == "database" else str(tmp_path / "study.log")
    killed_and_continued(tmp_path, np.random.default_rng(0).uniform(0.0, 0.4, 12).tolist(), url)


def test_a_journals_folder_is_made(tmp_path: Path) -> None:
    assert study_storage(str(tmp_path / "new" / "study.log")).get_all_studies() == []
    assert (tmp_path / "new").is_dir()
