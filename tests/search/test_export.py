"""The copy of a search's trials for optuna-dashboard: what it holds, and that its faults are not
the search's."""

import io
import re
import sqlite3
import time
from pathlib import Path

import optuna
import pytest
from rich.console import Console

import tips_ray.search.export
from tips_ray.config import Config, WeightRanges
from tips_ray.search.export import StudyExport
from tips_ray.search.plan import Search
from tips_ray.search.space import weight_space
from tips_ray.store.storage import Storage


def search_of(folder: Path) -> Search:
    (folder / "s").mkdir(parents=True, exist_ok=True)
    return Search("s", Storage(str(folder)), Config(), weight_space(WeightRanges()), num_seeds=2, num_epochs=4)


def trials_of(search: Search, count: int) -> list[optuna.trial.FrozenTrial]:
    """Trials that have ended."""
    study = optuna.create_study()
    for number in range(count):
        study.add_trial(optuna.create_trial(value=50.0 + number, params=search.baseline, distributions=dict(search.space)))
    return study.get_trials()


def copied(url: str) -> list[int]:
    return [trial.user_attrs["trial"] for trial in optuna.load_study(study_name=None, storage=url).get_trials()]


def test_each_trial_is_copied_once_in_the_order_in_which_they_end(tmp_path: Path) -> None:
    search, url = search_of(tmp_path), f"sqlite:///{tmp_path}/s/study.db"
    trials, console = trials_of(search, 4), Console(file=io.StringIO())
    StudyExport(search, "abcdef", None, console).add(trials[1], trials[0])
    again = StudyExport(search, "abcdef", None, console)
    again.add(*trials[:3])
    again.add(trials[3])
    assert copied(url) == [1, 0, 2, 3]
    study = optuna.load_study(study_name=None, storage=url)
    assert study.study_name == "s error 2x4 (abcdef)"
    assert (study.best_value, study.best_params) == (50.0, search.baseline)


@pytest.mark.parametrize("fault", ["locked", "no database", "other rows"])
def test_a_copy_that_cannot_be_written_is_said_once_and_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(tips_ray.search.export, "SECONDS_TO_CONNECT", 0.1)
    search, output = search_of(tmp_path), io.StringIO()
    trials, path = trials_of(search, 3), tmp_path / "s" / "study.db"
    StudyExport(search, "abcdef", None, Console(quiet=True)).add(trials[0])
    before = path.read_bytes()
    with sqlite3.connect(path, isolation_level=None) as other:
        if fault == "locked":
            other.execute("begin exclusive")
        elif fault == "other rows":
            other.execute("insert into trials (number, study_id, state) values (7, 1, 'COMPLETE')")
        else:
            path.write_text("some text of another program\n" * 1000)
        export = StudyExport(search, "abcdef", None, Console(file=output, width=1000))
        export.add(trials[1])
        export.add(trials[2])
        if fault == "locked":
            other.execute("rollback")
    other.close()
    path.write_bytes(before)
    export = StudyExport(search, "abcdef", None, Console(file=output))
    export.add(*trials)
    assert copied(f"sqlite:///{path}") == [0, 1, 2]
    text = output.getvalue()
    assert text.count("optuna-dashboard will show less than there is") == 1
    assert "Traceback" not in text
    assert fault != "locked" or "database is locked" in text


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("study", "neither a URL nor the path of a journal"),
        ("nosuch://host/database", "nosuch"),
        ("postgresql://user:pass-word@host:port/database", "invalid literal"),
        ("sqlite:////no/such/folder/study.db", "unable to open database file"),
        ("/proc/no/such/journal.log", "No such file"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_clear_error_without_its_password(tmp_path: Path, url: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"as --study-storage .*give a URL with the user and password") as error:
        StudyExport(search_of(tmp_path), "abcdef", url, Console(quiet=True))
    assert reason in str(error.value)
    assert "pass-word" not in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(("scheme", "driver"), [("mysql+pymysql", "pymysql"), ("postgresql+psycopg2", "psycopg2")])
def test_a_driver_that_is_missing_is_named(tmp_path: Path, scheme: str, driver: str) -> None:
    url = f"{scheme}://user:pass-word@127.0.0.1:1/database"
    pattern = rf"'{re.escape(scheme)}://user:\*\*\*@.+ not installed \({driver}\); install it with pip"
    with pytest.raises(ValueError, match=pattern):
        StudyExport(search_of(tmp_path), "abcdef", url, Console(quiet=True))


def test_a_journals_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "study.log"
    search = search_of(tmp_path)
    StudyExport(search, "abcdef", str(path), Console(quiet=True)).add(*trials_of(search, 2))
    assert path.exists()
