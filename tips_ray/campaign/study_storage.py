"""Where Optuna keeps a search's study: a file beside the search, a database, or a journal."""

import re
from pathlib import Path

import optuna
from optuna.exceptions import OptunaError
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tips_ray.campaign.search_plan import Search
from tips_ray.errors import sentence
from tips_ray.stability.objectives import OBJECTIVES

OWNER = "search"
"""The study's attribute that says whose trials it holds: the id in the search's manifest."""
SECONDS_TO_CONNECT = 10
SECONDS_TO_WAIT = 60
"""How long SQLite waits while another process, such as optuna-dashboard, has the file locked."""
DRIVERS = ("psycopg2", "psycopg", "pymysql", "mysqldb", "mysqlconnector")
"""Drivers known to take a `connect_timeout`."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_study(search: Search, url: str | None) -> optuna.Study:
    """Optuna's study of a search at this objective, number of seeds and number of epochs; made if there is none.

    `url` is any database that Optuna knows, or the path of a journal (`….log`); by default `study.db` in the search's folder, or
    where that is no folder of this machine, this process's memory, into which each execution enters the search anew.
    Raises ValueError, without passwords, for a storage that cannot be used.
    """
    if url is None and search.folder.is_local:
        url = f"sqlite:///{search.folder.path('study.db')}"
        Path(search.folder.path()).mkdir(parents=True, exist_ok=True)
    try:
        return optuna.create_study(
            study_name=f"{search.name} {search.objective} {search.num_seeds}x{search.num_epochs}",
            storage=InMemoryStorage() if url is None else study_storage(url),
            directions=[StudyDirection.MINIMIZE] * len(OBJECTIVES[search.objective]),
            pruner=pruner(search),
            load_if_exists=True,
        )
    except ImportError as error:
        driver = getattr(error.__cause__, "name", None) or sentence(error)
        raise ValueError(
            f"{without_password(url or '')!r} needs a Python package that is not installed ({driver}); install it with pip"
            " where the search runs: here, or on the head node of its cluster."
        ) from error
    except (OptunaError, SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, SQLAlchemyError) else error
        reason = " ".join(str(cause).split("[SQL")[0].split("(Background")[0].split())
        raise ValueError(
            f"Cannot use {without_password(url or '')!r} as the storage of Optuna's study ({without_password(reason)}); give a"
            " URL with the user and password that it needs, such as postgresql://user:password@host/database, or the path of"
            " a journal, ending in .log."
        ) from error


def claim_study(study: optuna.Study, owner: str) -> None:
    """Note whose study this is, by the id of a search; raises ValueError if it is another's."""
    before = study.user_attrs.get(OWNER)
    if before == owner:
        return
    if before is not None or study.get_trials(deepcopy=False):
        raise ValueError(
            f"Optuna's study {study.study_name!r} belongs to another search in that storage; give another --campaign name or"
            " another --study-storage."
        )
    study.set_user_attr(OWNER, owner)


def study_storage(url: str) -> BaseStorage:
    """The storage that a URL, or a journal's path, names."""
    if "://" not in url:
        if not url.endswith(".log"):
            raise ValueError("it is neither a URL nor the path of a journal")
        path = Path(url).expanduser().resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path)))
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": SECONDS_TO_WAIT}})
    limits = {"connect_timeout": SECONDS_TO_CONNECT} if parsed.get_driver_name() in DRIVERS else {}
    return RDBStorage(url, engine_kwargs={"connect_args": limits, "pool_pre_ping": True})


def without_password(text: str) -> str:
    """A URL, or a text that may hold one, as it may be shown."""
    text = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(password|passwd|pwd)=[^&\s]*", r"\1=***", text, flags=re.IGNORECASE)


def pruner(search: Search) -> optuna.pruners.BasePruner:
    """Optuna's pruner of that name, for the search's number of epochs."""
    if search.pruner == "asha":
        return SuccessiveHalvingPruner(min_resource=max(1, search.num_epochs // 9), reduction_factor=3)
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=search.num_epochs // 4)
    return NopPruner()
