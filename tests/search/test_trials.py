"""The table of trials, the choice among them, and what became of a gain on fresh seeds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stored_search import NUM_EPOCHS, confirmed, search_in, store_run
from tips_ray.columns import CONSISTENCY
from tips_ray.search.confirmation import BASELINE, CONFIRMATION
from tips_ray.search.objectives import SCORED, TIMED
from tips_ray.search.summary import summarise_search
from tips_ray.search.trials import merge, ranked, read_scored, read_tables
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.records import SEARCH, Record, read_manifest, read_records, trial_name, write_record
from tips_ray.store.storage import Storage


def test_each_trial_is_a_row_with_what_became_of_it(tmp_path: Path) -> None:
    tables = read_tables(search_in(tmp_path))
    trials = tables.trials
    assert trials["state"].tolist() == ["complete", "complete", "pruned", "diverged", "failed"]
    assert trials["epochs"].tolist() == [6, 6, 3, 3, 3]
    assert trials["baseline"].tolist() == [True, False, False, False, False]
    assert trials["weights.legs"].tolist() == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25])
    assert trials["error_mm"].isna().tolist() == [False, False, False, True, False]
    assert trials["error_mm"][1] == pytest.approx(55.5 + np.mean([6 / 4, 6 / 5, 6 / 6]))
    assert ranked(trials, "error") == [trial_name(1), trial_name(0)]
    surface = tables.surface.set_index(["number", "epoch"])["error_mm"]
    assert surface[1, 2] == pytest.approx(55.5 + 3.0)
    assert surface.index.is_unique


def test_a_trial_without_curves_is_unfinished_and_one_without_trials_is_empty(tmp_path: Path) -> None:
    folder = search_in(tmp_path)
    write_record(folder, Record(5, {"weights.legs": 0.3}))
    row = read_tables(folder).trials.iloc[5]
    assert (row["state"], row["epochs"], row["seeds"]) == ("unfinished", 0, 0)
    for number in range(6):
        folder.delete(f"trials/{trial_name(number)}.json")
    tables = read_tables(folder)
    assert len(tables.trials) == len(tables.surface) == 0
    assert summarise_search(tables, folder).ranked == []


@pytest.mark.parametrize(("objective", "best"), [("error", 1), ("instability", 0), ("label_free", 2)])
def test_trials_are_ranked_by_their_objective(objective: str, best: int) -> None:
    trials = pd.DataFrame(
        {
            "trial": [trial_name(number) for number in range(4)],
            "state": ["complete", "complete", "complete", "pruned"],
            "error_mm": [60.0, 50.0, 55.0, 1.0],
            "instability_mm": [1.0, 3.0, 2.0, 0.0],
            "label_free": [3.0, 2.0, 1.0, 0.0],
        }
    )
    order = ranked(trials, objective)
    assert order[0] == trial_name(best)
    assert len(order) == 3
    assert ranked(trials, "pareto") == [trial_name(1), trial_name(2), trial_name(0)]  # all three, by error
    trials.loc[2, "instability_mm"] = 4.0
    assert ranked(trials, "pareto") == [trial_name(1), trial_name(0)]


def test_gains_are_paired_by_seed_and_scored_on_fresh_ones(tmp_path: Path) -> None:
    folder = confirmed(tmp_path, {BASELINE: 60.0, trial_name(1): 58.0})
    confirmation = summarise_search(read_tables(folder), folder).confirmation
    assert confirmation
    (gain,) = confirmation.gains
    assert (confirmation.seeds, confirmation.subjects, confirmation.num_epochs) == ([1000, 1001, 1002], ["S3"], NUM_EPOCHS)
    assert (gain.trial, gain.primary) == (trial_name(1), True)
    assert gain.search_gain.mean == pytest.approx(5.0)
    confirmed_gain = gain.confirmed_gain
    assert confirmed_gain.mean == pytest.approx(2.0)
    assert confirmed_gain.low == pytest.approx(confirmed_gain.high) == pytest.approx(2.0)  # though seeds differ by 10 mm
    assert confirmed_gain.n == 3
    # Instability: 10 mm between seeds, and 0.25 mm over the window's epochs.
    window = np.var([6 / 4, 6 / 5, 6 / 6], ddof=1)
    assert gain.instability_mm == pytest.approx(np.sqrt(100 + window))
    assert confirmation.baseline.instability_mm == pytest.approx(np.sqrt(100 + window))


def test_before_anything_is_confirmed_there_is_no_answer(tmp_path: Path) -> None:
    folder = search_in(tmp_path)
    assert summarise_search(read_tables(folder), folder).confirmation is None


def test_nothing_is_compared_before_all_runs_of_a_confirmation_have_ended(tmp_path: Path) -> None:
    folder = confirmed(tmp_path, {BASELINE: 60.0, trial_name(1): 58.0, trial_name(4): 59.0})
    own, best = folder / CONFIRMATION, [57.0] * NUM_EPOCHS
    for unfinished in (best[:-1], []):
        if unfinished:
            store_run(own, trial_name(4), 1001, unfinished)
        else:
            own.delete(f"{RUNS}/{run_name(trial_name(4), 1001)}/{CURVE}")
        confirmation = summarise_search(read_tables(folder), folder).confirmation
        assert confirmation
        assert (confirmation.complete, confirmation.gains, confirmation.baseline) == (False, [], None)
    store_run(own, trial_name(4), 1001, best)
    store_run(own, trial_name(3), 1000, best[:2])  # of an earlier confirmation, which was shorter
    store_run(own, BASELINE, 1007, best)  # a seed more than was asked for
    confirmation = summarise_search(read_tables(folder), folder).confirmation
    assert confirmation
    assert confirmation.complete
    assert [gain.trial for gain in confirmation.gains] == [trial_name(1), trial_name(4)]
    assert confirmation.baseline.score.n == 3
    assert confirmation.gains[1].search_gain.n == 0  # that trial failed in the search: it has no comparable error there


def test_fresh_seeds_that_diverge_are_counted(tmp_path: Path) -> None:
    folder = confirmed(tmp_path, {BASELINE: 60.0, trial_name(1): 58.0})
    store_run(folder / CONFIRMATION, trial_name(1), 1002, [58.0, 57.0], diverges=True)
    confirmation = summarise_search(read_tables(folder), folder).confirmation
    assert confirmation
    assert confirmation.complete
    assert (confirmation.gains[0].num_diverged, confirmation.baseline.num_diverged) == (1, 0)
    assert confirmation.gains[0].confirmed_gain.n == 2


def test_runs_without_consistency_terms_are_read_and_damaged_ones_left_out(tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    store_run(folder, trial_name(0), 0, [60.0, 59.0])  # supervised: no such terms
    store_run(folder, trial_name(0), 1, [61.0, 60.0], **dict.fromkeys(CONSISTENCY, 0.5))
    curves = read_scored(folder, [0, 1], 2)
    assert list(curves.columns) == [*SCORED, *TIMED]
    assert curves.groupby("seed")["epoch"].count().to_dict() == {0: 2, 1: 2}
    assert curves.loc[curves["seed"] == 0, list(CONSISTENCY)].isna().all(axis=None)
    name = f"{RUNS}/{run_name(trial_name(0), 1)}/{CURVE}"
    content = folder.read(name)
    for damaged in (b"", content[:100], content[:-5], b"\0" * len(content), content[:-40] + b"\xff" * 32 + content[-8:]):
        folder.write(name, damaged)
        assert set(read_scored(folder, [0, 1], 2)["seed"]) == {0}
    assert read_scored(folder, [], 2).empty


def test_searches_that_can_be_compared_are_merged(tmp_path: Path) -> None:
    first, second = (read_tables(search_in(tmp_path / name, name=name)) for name in ("a", "b"))
    merged = merge([first, second])
    assert len(merged.trials) == len(first.trials) + len(second.trials)
    assert summarise_search(merged).confirmation is None
    assert merged.manifest["name"] == "a + b"
    assert merged.trials["trial"].is_unique
    assert ranked(merged.trials, "error")[:2] == ["a/trial-00001", "b/trial-00001"]
    assert not merged.surface[["search", "number", "epoch"]].duplicated().any()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a"}, "have the same name"),
        ({"objective": "label_free"}, "differ in objective"),
        ({"num_epochs": 4}, r"differ in num_epochs \(6 and 4\)"),
        (
            {"data": {"fingerprint": "xyz", "train_subjects": ["S1"], "test_subjects": ["S2"]}},
            r"differ in their data \(fingerprint\)",
        ),
        ({"config": {"data": {"num_views": 2}}}, r"differ in their data \(data\)"),
        ({"evaluation": {"num_views": 2}}, r"differ in their data \(evaluation\)"),
    ],
)
def test_searches_that_cannot_be_compared_are_not_merged(tmp_path: Path, changes: dict, said: str) -> None:
    tables = [
        read_tables(search_in(tmp_path / "a", name="a")),
        read_tables(search_in(tmp_path / "b", **{"name": "b", **changes})),
    ]
    with pytest.raises(ValueError, match=said):
        merge(tables)


def test_records_are_read_in_order_and_a_folder_without_a_search_is_an_error(tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    for number in (11, 2, 0):
        write_record(folder, Record(number, {"weights.legs": 0.1}, pruned_at=number + 1))
    assert [record.number for record in read_records(folder)] == [0, 2, 11]
    with pytest.raises(ValueError, match=r"There is no search in .* \(no search\.json\)"):
        read_manifest(folder, SEARCH)
