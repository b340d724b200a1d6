"""Where Optuna keeps a search's study: a file beside the search, a database, or a journal."""

from collections.abc import Mapping
from pathlib import Path

import optuna
from optuna.exceptions import OptunaError
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tips_ray.errors import UserError, sentence
from tips_ray.provenance import without_password
from tips_ray.search.objectives import OBJECTIVES
from tips_ray.search.plan import Search

OWNER = "search"
"""The study's attribute that says whose trials it holds: the id in the search's manifest."""
SECONDS_TO_CONNECT = 10
SECONDS_TO_WAIT = 60
"""How long SQLite waits while another process, such as optuna-dashboard, has the file locked."""
REDUCTION = 3
"""Of successive halving: one in three trials passes each of its rungs."""
DRIVERS = ("psycopg2", "psycopg", "pymysql", "mysqldb", "mysqlconnector")
"""Drivers known to take a `connect_timeout`."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_study(search: Search, url: str | None) -> optuna.Study:
    """Optuna's study of a search at this objective, number of seeds, number of epochs and pruner;
    made if there is none.

    `url` is any database that Optuna knows, or the path of a journal (`….log`); by default
    `study.db` in the search's folder, or where that is no folder of this machine, this process's
    memory, into which each execution enters the search anew. Raises ValueError, without passwords,
    for a storage that cannot be used.
    """
    if url is None and search.folder.is_local:
        url = f"sqlite:///{search.folder.path('study.db')}"
        Path(search.folder.path()).mkdir(parents=True, exist_ok=True)
    try:
        return optuna.create_study(
            study_name=study_name(search),
            storage=InMemoryStorage() if url is None else study_storage(url),
            directions=[StudyDirection.MINIMIZE] * len(OBJECTIVES[search.objective]),
            pruner=pruner(search),
            load_if_exists=True,
        )
    except ImportError as error:
        driver = getattr(error.__cause__, "name", None) or sentence(error)
        raise UserError(
            f"{without_password(url or '')!r} needs a Python package that is not installed ({driver}); install it with pip"
            " where the search runs: here, or on the head node of its cluster."
        ) from error
    except (OptunaError, SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, SQLAlchemyError) else error
        reason = " ".join(str(cause).split("[SQL")[0].split("(Background")[0].split())
        raise UserError(
            f"Cannot use {without_password(url or '')!r} as the storage of Optuna's study ({without_password(reason)}); give a"
            " URL with the user and password that it needs, such as postgresql://user:password@host/database, or the path of"
            " a journal, ending in .log."
        ) from error


def study_name(search: Search) -> str:
    """The name of a search's study, another one for whatever its trials were told by."""
    pruned = "" if search.pruner == "none" else f" {search.pruner}"
    return f"{search.name} {search.objective} {search.num_seeds}x{search.num_epochs}{pruned}"


def emptied(study: optuna.Study) -> optuna.Study:
    """The same study without its trials."""
    name, storage, owner = study.study_name, study._storage, study.user_attrs
    optuna.delete_study(study_name=name, storage=storage)
    empty = optuna.create_study(study_name=name, storage=storage, directions=study.directions, pruner=study.pruner)
    for key, value in owner.items():
        empty.set_user_attr(key, value)
    return empty


def claim_study(study: optuna.Study, owner: str) -> None:
    """Note whose study this is, by the id of a search; raises ValueError if it is another's."""
    before = study.user_attrs.get(OWNER)
    if before == owner:
        return
    if before is not None or study.get_trials(deepcopy=False):
        raise UserError(
            f"Optuna's study {study.study_name!r} belongs to another search in that storage; give another --campaign name or"
            " another --study-storage."
        )
    study.set_user_attr(OWNER, owner)


def study_storage(url: str) -> BaseStorage:
    """The storage that a URL, or a journal's path, names."""
    if "://" not in url:
        if not url.endswith(".log"):
            raise UserError("it is neither a URL nor the path of a journal")
        path = Path(url).expanduser().resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path)))
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": SECONDS_TO_WAIT}})
    limits = {"connect_timeout": SECONDS_TO_CONNECT} if parsed.get_driver_name() in DRIVERS else {}
    return RDBStorage(url, engine_kwargs={"connect_args": limits, "pool_pre_ping": True})


def pruner(search: Search) -> optuna.pruners.BasePruner:
    """Optuna's pruner of that name, for the search's number of epochs."""
    if search.pruner == "asha":
        return SuccessiveHalvingPruner(min_resource=first_rung(search), reduction_factor=REDUCTION)
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=search.num_epochs // 4)
    return NopPruner()


def first_rung(search: Search) -> int:
    """The epoch after which successive halving compares trials first: a ninth of all."""
    return max(1, search.num_epochs // REDUCTION**2)


def rungs(search: Search, seen: Mapping[int, float]) -> dict[str, float]:
    """What Optuna's successive halving notes of a trial as it passes its rungs, from the trial's
    value by epoch.

    Optuna keeps it among the trial's attributes, not among the values that it was told.
    """
    found: dict[str, float] = {}
    epoch = first_rung(search)
    while search.pruner == "asha" and epoch in seen:
        found[f"completed_rung_{len(found)}"] = seen[epoch]
        epoch *= REDUCTION
    return found
