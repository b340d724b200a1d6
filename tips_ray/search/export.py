"""A copy of a search's ended trials in a storage of Optuna's, for optuna-dashboard to show.

Nothing is read from it but which trials it has: a copy that is locked, lost or damaged costs the
search nothing.
"""

from copy import copy
from pathlib import Path

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from rich.console import Console
from rich.markup import escape
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tips_ray.errors import UserError, sentence
from tips_ray.search.optuna_study import empty_study
from tips_ray.search.plan import Search
from tips_ray.secrets import without_secrets

TRIAL = "trial"
"""The attribute of a copied trial that holds its number in the search."""
SECONDS_TO_CONNECT = 10
"""How long to wait for a database, or for a program that has SQLite's file locked."""
DRIVERS = ("psycopg2", "psycopg", "pymysql", "mysqldb", "mysqlconnector")
"""Drivers known to take a `connect_timeout`."""


class StudyExport:
    """Copies trials as they end; those that could not be copied are tried again with the next."""

    def __init__(self, search: Search, search_id: str, url: str | None, console: Console) -> None:
        """`url` is any database that Optuna knows, or the path of a journal (`….log`); by default
        `study.db` in the search's folder, where that is a folder of this machine.

        Raises UserError, without passwords, for a URL that cannot be used.
        """
        self.search, self.console = search, console
        default = f"sqlite:///{search.folder.path('study.db')}" if search.folder.is_local else None
        self.url = default if url is None else url
        self.name = f"{study_name(search)} ({search_id[:6]})"  # several searches may share a database
        self.waiting: list[FrozenTrial] = []
        """Trials that have ended and were not copied yet."""
        self.study = None if url is None else opened(search, url, self.name)
        self.copied: set[int] | None = None
        self.warned = False

    def add(self, *trials: FrozenTrial) -> None:
        """Copy trials that have ended; on failure, say so once and go on."""
        self.waiting += trials
        if self.url is None or not self.waiting:
            return
        try:
            if self.study is None:
                self.study = opened(self.search, self.url, self.name)
            if self.copied is None:
                self.copied = {trial.user_attrs[TRIAL] for trial in self.study.get_trials(deepcopy=False)}
            while self.waiting:
                trial = self.waiting[0]
                if trial.number not in self.copied:
                    self.study.add_trial(with_number(trial))
                    self.copied.add(trial.number)
                self.waiting.pop(0)
        except Exception as error:  # whatever has become of the copy, the search is whole
            if not self.warned:
                self.console.print(
                    f"[yellow]optuna-dashboard will show less than there is[/]: {escape(without_secrets(self.url))} cannot be"
                    f" written now ({escape(without_secrets(gist(error)))}). The search goes on; its trials are copied later.",
                    soft_wrap=True,
                    highlight=False,
                )
            self.warned = True


def with_number(trial: FrozenTrial) -> FrozenTrial:
    """The trial with its number among its attributes: trials are copied in the order in which they
    end."""
    labelled = copy(trial)
    labelled.user_attrs = {TRIAL: trial.number, **trial.user_attrs}
    return labelled


def study_name(search: Search) -> str:
    """The name of a search's study, another one wherever trials have other scores."""
    pruned = "" if search.pruner == "none" else f" {search.pruner}"
    return f"{search.name} {search.objective} {search.num_seeds}x{search.num_epochs}{pruned}"


def opened(search: Search, url: str, name: str) -> optuna.Study:
    """The study of a name in the storage that a URL, or a journal's path, names; made if there is
    none. Raises UserError, without passwords, for a storage that cannot be used."""
    try:
        return empty_study(search, storage_at(url), name)
    except ImportError as error:
        driver = getattr(error.__cause__, "name", None) or sentence(error)
        raise UserError(
            f"{without_secrets(url)!r} needs a Python package that is not installed ({driver}); install it with pip where the"
            " search runs: here, or on the head node of its cluster."
        ) from error
    except (OptunaError, SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"Cannot use {without_secrets(url)!r} as --study-storage ({without_secrets(gist(error))}); give a URL with the user"
            " and password that it needs, such as postgresql://user:password@host/database, or the path of a journal, ending"
            " in .log."
        ) from error


def gist(error: Exception) -> str:
    """An error of a database on one line, without its SQL."""
    cause = error.__cause__ if isinstance(error.__cause__, SQLAlchemyError) else error
    return " ".join(str(cause).split("[SQL")[0].split("(Background")[0].split()) or type(cause).__name__


def storage_at(url: str) -> BaseStorage:
    """The storage that a URL, or a journal's path, names."""
    if "://" not in url:
        if not url.endswith(".log"):
            raise ValueError("it is neither a URL nor the path of a journal")
        path = Path(url).expanduser().resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path)))
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": SECONDS_TO_CONNECT}})
    limits = {"connect_timeout": SECONDS_TO_CONNECT} if parsed.get_driver_name() in DRIVERS else {}
    return RDBStorage(url, engine_kwargs={"connect_args": limits, "pool_pre_ping": True})
