"""Searches on a real Ray: what is trained, told, stopped, continued and confirmed."""

import io
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from rich.console import Console

from helpers import CONFIG, TIMES
from tips_ray.campaign.session import Session
from tips_ray.config import Config, Data, KeepWeights, Placement, WeightRanges, override
from tips_ray.data import RawPoses, make_poseset
from tips_ray.data.dataset import Sources, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.search.confirmation import BASELINE, CONFIRMATION
from tips_ray.search.export import study_name
from tips_ray.search.objectives import OBJECTIVES
from tips_ray.search.plan import FRESH_SEED, Budget, Search
from tips_ray.search.queue import PENALTY, TrialQueue
from tips_ray.search.run import SearchEnding, confirm, run_search, split_for_search
from tips_ray.search.space import parse_field, weight_space
from tips_ray.search.summary import summarise_search
from tips_ray.search.trials import ranked, read_tables
from tips_ray.store.curves import read_curves
from tips_ray.store.records import read_manifest, read_records, trial_name
from tips_ray.store.storage import Storage

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own, of which there are many

DASHBOARD = Path(sys.executable).with_name("optuna-dashboard")
POSES = synthesise(num_poses=400)
SEEN, UNSEEN = split_for_search(POSES, CONFIG.data, ())


def search_of(folder: Path, base: Config = CONFIG, **settings: Any) -> Search:
    given_ = {
        "space": weight_space(WeightRanges()),
        "num_seeds": 2,
        "num_epochs": 4,
        "keep_weights": KeepWeights(every=1000),
        **settings,
    }
    return Search("s", Storage(str(folder)), replace(base, data=SEEN), **given_)


ALONE, AS_ONE = Placement(), Placement(seeds_per_process=8)
EITHER = pytest.mark.parametrize("placement", [ALONE, AS_ONE], ids=["by themselves", "as one model"])


def conducted(search: Search, num_trials: int, placement: Placement = ALONE, **limits: Any) -> tuple[SearchEnding, str]:
    """Conduct a search; returns how it ended, and what it said."""
    said = io.StringIO()
    session = Session(Sources(POSES), "synthetic", placement, Console(file=said))
    return run_search(search, Budget(num_trials, **limits), None, session), said.getvalue()


def agrees(search: Search) -> pd.DataFrame:
    """The table of trials, once Optuna's study was found to have the same of each of them as the
    curves."""
    trials = read_tables(search.folder).trials.set_index("number")
    states = {"complete": TrialState.COMPLETE, "diverged": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    columns = list(OBJECTIVES[search.objective])
    study = TrialQueue(search, Budget(1)).study.get_trials()
    assert [trial.number for trial in study] == trials.index.tolist() == list(range(len(study)))
    for trial in study:
        row = trials.loc[trial.number]
        assert trial.state == states.get(row["state"], TrialState.RUNNING)
        if trial.state == TrialState.COMPLETE:
            assert trial.values == [PENALTY if row["state"] == "diverged" else row[column] for column in columns]
    ended = [trial.number for trial in study if trial.state.is_finished()]
    if not ended:  # nothing was copied yet
        return trials
    storage = f"sqlite:///{search.folder.path('study.db')}"  # what optuna-dashboard shows
    name = next(name for name in optuna.get_all_study_names(storage) if name.startswith(f"{study_name(search)} ("))
    copied = optuna.load_study(study_name=name, storage=storage).get_trials()
    assert sorted(trial.user_attrs["trial"] for trial in copied) == ended
    return trials


def rows_of(search: Search) -> pd.DataFrame:
    rows = read_curves(search.folder, "s").drop(columns=TIMES)
    assert not rows[["arm", "seed", "epoch"]].duplicated().any()
    return rows


@pytest.fixture(scope="module")
def undisturbed(ray_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A finished search of 4 trials x 2 seeds x 4 epochs."""
    search = search_of(tmp_path_factory.mktemp("undisturbed"))
    ending, said = conducted(search, 4)
    assert ending == SearchEnding({}, [], False, False)
    assert "trial 3 complete" in said
    return search


def copy_of(search: Search, folder: Path, **settings: Any) -> Search:
    shutil.copytree(search.storage.path(), folder, dirs_exist_ok=True)
    return search_of(folder, **settings)


def test_all_trials_are_trained_and_start_from_the_base_config(undisturbed: Search) -> None:
    trials = agrees(undisturbed)
    assert trials["state"].eq("complete").all()
    assert len(trials) == 4
    rows = rows_of(undisturbed)
    assert rows.groupby(["arm", "seed"])["epoch"].agg(list).tolist() == [[1, 2, 3, 4]] * 8
    assert read_records(undisturbed.folder)[0].params == undisturbed.baseline


def test_there_is_nothing_left_to_do_for_the_same_search(undisturbed: Search) -> None:
    ending, said = conducted(undisturbed, 4)
    assert ending == SearchEnding({}, [], False, False)
    assert "Starting Ray" not in said
    assert "4 of 4 trials, best " in said
    assert "(oracle, trial " in said


def test_a_longer_search_with_more_seeds_and_trials_goes_on_where_it_stopped(undisturbed: Search, tmp_path: Path) -> None:
    before = rows_of(undisturbed)
    longer = copy_of(undisturbed, tmp_path, num_seeds=3, num_epochs=6)
    ending, said = conducted(longer, 5)
    assert ending == SearchEnding({}, [], False, False)
    assert "0 of 5 trials; 4 more were begun and will go on" in said
    assert agrees(longer)["state"].tolist() == ["complete"] * 5
    now = rows_of(longer)
    assert now.groupby("arm")["epoch"].count().tolist() == [18] * 5
    same = now[(now["epoch"] <= 4) & (now["seed"] < 2) & (now["arm"] != trial_name(4))].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, before, check_exact=True)


def test_another_objective_needs_no_training(undisturbed: Search, tmp_path: Path) -> None:
    other = copy_of(undisturbed, tmp_path, objective="pareto")
    ending, said = conducted(other, 4)
    assert ending == SearchEnding({}, [], False, False)
    assert "Starting Ray" not in said
    assert agrees(other)["state"].eq("complete").all()


def test_trials_that_share_models_are_those_of_trials_by_themselves(undisturbed: Search, tmp_path: Path) -> None:
    """A search is begun with several trials at once, and continued with one after the other."""
    search = search_of(tmp_path)
    ending, said = conducted(search, 4, AS_ONE)
    assert ending == SearchEnding({}, [], False, False)
    assert "trial 3 complete" in said
    assert read_records(search.folder) == read_records(undisturbed.folder)
    rows, expected = rows_of(search), rows_of(undisturbed)
    assert rows.columns.tolist() == expected.columns.tolist()
    losses = [column for column in rows if column.startswith("loss_")]
    pd.testing.assert_frame_equal(rows[losses], expected[losses], rtol=1e-3)
    assert conducted(search, 5)[0] == SearchEnding({}, [], False, False)
    assert agrees(search)["state"].tolist() == ["complete"] * 5
    pd.testing.assert_frame_equal(rows_of(search).loc[rows.index], rows, check_exact=True)


@EITHER
def test_diverged_trials_stop_with_all_their_seeds_and_are_listed(ray_folder: Path, tmp_path: Path, placement: Placement) -> None:
    calm = override(CONFIG, {"network": {"generator_norm": "none"}})
    space = dict([parse_field("optimiser.learning_rate=0.0002,1e12", calm)])
    search = search_of(tmp_path, calm, space=space, num_epochs=20)
    ending, said = conducted(search, 5, placement)
    assert ending == SearchEnding({}, [], False, False)
    trials = agrees(search)
    wild = trials["optimiser.learning_rate"] == 1e12
    assert wild.any()
    assert (trials["state"] == "diverged").tolist() == wild.tolist()
    assert (rows_of(search).groupby("arm")["epoch"].max().to_numpy() < 20).tolist() == wild.tolist()
    assert trial_name(0) in ranked(trials.reset_index(), "error")
    assert not set(trials.loc[wild, "trial"]) & set(ranked(trials.reset_index(), "error"))
    assert "diverged after epoch" in said


@EITHER
def test_pruned_trials_end_early_and_are_not_ranked(ray_folder: Path, tmp_path: Path, placement: Placement) -> None:
    search = search_of(tmp_path, num_seeds=1, num_epochs=9, pruner="asha")
    ending, said = conducted(search, 8, placement)
    assert ending == SearchEnding({}, [], False, False)
    trials = agrees(search)
    pruned = trials["state"] == "pruned"
    assert pruned.any()
    assert trials["state"][0] == "complete"
    assert (trials["epochs"] < 9).tolist() == pruned.tolist()
    assert not set(trials.loc[pruned, "trial"]) & set(ranked(trials.reset_index(), "error"))
    assert "pruned after epoch" in said


def test_too_few_cpus_are_refused_and_nothing_stays(ray_folder: Path, tmp_path: Path) -> None:
    search = search_of(tmp_path / "storage")
    with pytest.raises(ValueError, match="One arm needs 1 x 640 CPUs at once"):
        run_search(
            search, Budget(2), None, Session(Sources(POSES), "synthetic", Placement(cpus_per_worker=640), Console(quiet=True))
        )
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_fails_leaves_the_others_alone_and_is_tried_again(ray_folder: Path, tmp_path: Path) -> None:
    search = search_of(tmp_path, num_seeds=1, num_epochs=2)
    record, blocked = (tmp_path / "s" / name for name in ("trials/trial-00001.json", "runs/trial-00001-seed0/weights"))

    def block() -> None:
        while not record.exists():
            time.sleep(0.005)
        blocked.parent.mkdir(parents=True)
        blocked.write_text("in the way of the folder of this run's weights")

    blocker = threading.Thread(target=block)
    blocker.start()
    ending, _ = conducted(search, 3)
    blocker.join()
    assert list(ending.failures) == ending.unfinished == [trial_name(1)]
    assert not ending.interrupted
    assert agrees(search)["state"].tolist() == ["complete", "failed", "complete"]
    assert read_records(search.folder)[1].error
    blocked.unlink()
    assert conducted(search, 3)[0] == SearchEnding({}, [], False, False)
    assert agrees(search)["state"].tolist() == ["complete"] * 3


def test_when_time_is_up_trials_stay_open(ray_folder: Path, tmp_path: Path) -> None:
    search = search_of(tmp_path, num_epochs=100_000)
    ending, _ = conducted(search, 8, max_hours=10 / 3600)
    assert ending.ran_out
    assert not ending.interrupted
    assert not ending.failures
    assert ending.unfinished == [trial_name(record.number) for record in read_records(search.folder)]
    assert agrees(search)["state"].eq("unfinished").all()
    short = search_of(tmp_path, num_epochs=2)
    ending, _ = conducted(short, len(ending.unfinished))
    assert ending == SearchEnding({}, [], False, False)
    assert agrees(short)["state"].eq("complete").all()


def test_choices_are_confirmed_on_fresh_seeds_and_unseen_subjects(undisturbed: Search, tmp_path: Path) -> None:
    search = copy_of(undisturbed, tmp_path)
    session = Session(Sources(POSES), "synthetic", Placement(), Console(quiet=True))
    ending = confirm(search, UNSEEN, 2, 2, session)
    assert ending is not None
    assert (ending.failures, ending.unfinished) == ({}, [])
    tables = read_tables(search.folder)
    confirmation = summarise_search(tables, search.folder).confirmation
    assert confirmation
    assert confirmation.seeds == [FRESH_SEED, FRESH_SEED + 1]
    assert not set(confirmation.seeds) & set(tables.curves["seed"])
    own = read_manifest(search.folder / CONFIRMATION)["data"]
    scored, seen = set(own["test_subjects"]), read_tables(search.folder).manifest["data"]
    assert scored == set(confirmation.subjects) == set(UNSEEN.test_subjects)
    assert not scored & {*seen["train_subjects"], *seen["test_subjects"]}
    assert own["train_subjects"] == seen["train_subjects"]
    order = [trial for trial in ranked(tables.trials, "error") if trial != trial_name(0)]
    assert [gain.trial for gain in confirmation.gains] == order[:2]
    assert confirmation.gains[0].primary
    curves = read_curves(search.folder / CONFIRMATION, CONFIRMATION)
    window = curves[curves["epoch"] > 2].groupby(["arm", "seed"])["p_mpjpe_signed_mm"].mean().unstack()
    for gain in confirmation.gains:
        paired = window.loc[BASELINE] - window.loc[gain.trial]
        assert gain.confirmed_gain.mean == pytest.approx(paired.mean())
        assert gain.confirmed_gain.std == pytest.approx(paired.std())

    # A search that goes on is confirmed again: what was trained stays, what is new is added.
    conducted(search, 6)
    confirm(search, UNSEEN, 3, 2, session)
    again = summarise_search(read_tables(search.folder), search.folder).confirmation
    assert again
    assert again.num_trials_searched == 6
    best = [trial for trial in ranked(read_tables(search.folder).trials, "error") if trial != trial_name(0)][:3]
    assert set(best) | set(order[:2]) == {gain.trial for gain in again.gains}
    now = read_curves(search.folder / CONFIRMATION, CONFIRMATION)
    same = now[now["arm"].isin(curves["arm"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, curves, check_exact=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.nightly
@pytest.mark.skipif(not DASHBOARD.exists(), reason="optuna-dashboard is not installed")
def test_a_dashboard_shows_the_study_while_the_search_runs(ray_folder: Path, tmp_path: Path) -> None:
    search = search_of(tmp_path, num_seeds=1, num_epochs=60)
    port, seen, over = free_port(), [], threading.Event()

    def ask(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=30) as answer:
            return json.load(answer)

    def watch() -> None:
        while not (tmp_path / "s" / "study.db").exists() and not over.wait(0.1):
            pass
        command = [str(DASHBOARD), f"sqlite:///{tmp_path}/s/study.db", "--host", "127.0.0.1", "--port", str(port)]
        dashboard = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 240
            while time.monotonic() < until:
                last = over.is_set()
                try:
                    study = ask("studies")["study_summaries"][0]
                    trials = ask(f"studies/{study['study_id']}?after=0")["trials"]
                    seen.append((last, study["study_name"], [trial["state"] for trial in trials]))
                except (urllib.error.URLError, IndexError):  # it has not started
                    continue
                finally:
                    time.sleep(0.05)
                if last and len(seen[-1][2]) == 6:  # it keeps what it read for some seconds
                    return
        finally:
            dashboard.kill()
            dashboard.wait()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ending, _ = conducted(search, 6)
    finally:
        over.set()
        watcher.join()
    assert ending == SearchEnding({}, [], False, False)
    agrees(search)
    assert any(0 < len(states) < 6 for last, _, states in seen if not last)
    assert seen[-1][2] == ["Complete"] * 6


@given(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=25), st.data())
def test_a_split_for_search_gives_each_subject_one_role(names: list[str], rng: st.DataObject) -> None:
    positions = np.random.default_rng(0).uniform(-800, 800, (len(names), 17, 3))
    poses = make_poseset(RawPoses(positions, "mine", subject=np.array(names)))
    some = st.lists(st.sampled_from("abcdefghij"), max_size=3, unique=True).map(tuple)
    test, left_out, validation = (rng.draw(some) for _ in range(3))
    roles = [set(test), set(left_out), set(validation)]
    overlap = any(one & other for place, one in enumerate(roles) for other in roles[:place])
    unknown = (roles[0] | roles[1] | roles[2]) - set(names)
    few = len(set(names) - roles[0] - roles[1] - roles[2]) < 1 + (not test) + (not validation)
    asked = Data(test_subjects=test, left_out_subjects=left_out)
    if overlap or unknown or few:
        with pytest.raises(ValueError, match=r"mine: no subject|has one role in a search"):
            split_for_search(poses, asked, validation)
        return
    seen, unseen = split_for_search(poses, asked, validation)
    assert (seen.test_subjects, unseen.test_subjects) == (validation or seen.test_subjects, test or unseen.test_subjects)
    searched, confirmed = (prepare(poses, data) for data in (seen, unseen))
    train, validated, tested = (set(part.subjects) for part in (searched.train_poses, searched.test_poses, confirmed.test_poses))
    assert set(confirmed.train_poses.subjects) == train
    assert train | validated | tested == set(names) - set(left_out)
    assert len(train) + len(validated) + len(tested) == len(train | validated | tested)
    assert min(len(train), len(validated), len(tested)) > 0


@pytest.mark.parametrize(
    ("test", "validation", "said"),
    [
        (("S1",), ("S1",), "Subject 'S1' is one to test on and one to validate on; a subject has one role in a search"),
        (("S9",), (), "no subject 'S9' to test on; there are S1"),
        ((), ("S9",), "no subject 'S9' to validate on"),
        (("S1", "S2", "S3", "S4"), ("S5", "S6", "S7", "S8"), "no subject is left to train on"),
    ],
)
def test_subjects_that_cannot_be_split_are_refused(test: tuple, validation: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split_for_search(POSES, Data(test_subjects=test), validation)


def test_an_extreme_that_cannot_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    space = dict([parse_field("optimiser.batch_size=64..100000", CONFIG)])
    with pytest.raises(ValueError, match="batch size 100000 is larger"):
        conducted(search_of(tmp_path, space=space), 2)
    assert list(tmp_path.iterdir()) == []
