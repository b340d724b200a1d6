"""Optuna's study of a search, made in memory by each execution from what the search's folder
holds."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tips_ray.search.objectives import OBJECTIVES
from tips_ray.search.plan import Search
from tips_ray.seeding import derived_seed

STARTUP_TRIALS = 10
"""Trials drawn at random before the sampler models those that have ended."""
REDUCTION = 3
"""Of successive halving: one in three trials passes each of its rungs."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def empty_study(search: Search, storage: optuna.storages.BaseStorage | None = None, name: str | None = None) -> optuna.Study:
    """A study with the objectives and the pruner of a search; the one of that name, if the storage
    has it."""
    return optuna.create_study(
        study_name=name or search.name,
        storage=storage or InMemoryStorage(),
        directions=[StudyDirection.MINIMIZE] * len(OBJECTIVES[search.objective]),
        pruner=pruner_of(search),
        load_if_exists=True,
    )


def pruner_of(search: Search) -> BasePruner:
    """Optuna's pruner of that name, for the search's number of epochs."""
    if search.pruner == "asha":
        return SuccessiveHalvingPruner(min_resource=first_rung(search), reduction_factor=REDUCTION)
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=search.num_epochs // 4)
    return NopPruner()


def first_rung(search: Search) -> int:
    """The epoch after which successive halving compares trials first: a ninth of all."""
    return max(1, search.num_epochs // REDUCTION**2)


def rungs(search: Search, values: Mapping[int, float]) -> dict[str, float]:
    """The attributes in which Optuna's successive halving notes that a trial has passed its rungs,
    from the trial's value by epoch."""
    attributes: dict[str, float] = {}
    epoch = first_rung(search)
    while search.pruner == "asha" and epoch in values:
        attributes[f"completed_rung_{len(attributes)}"] = values[epoch]
        epoch *= REDUCTION
    return attributes


def suggest(study: optuna.Study, search: Search, number: int) -> dict[str, Any]:
    """Values for a trial; they depend only on the search's seed, the trial's number and the trials
    in the study.

    `study.ask` would add the trial before its record is stored.
    """
    seed = derived_seed(search.seed, "suggest", number) % 2**32
    # Optuna's constant liar would write attributes of the trial, which is not in the study yet.
    sampler = TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=False)
    fresh = optuna.load_study(study_name=study.study_name, storage=study._storage)  # a study caches what a sampler has read
    trial = create_trial(state=TrialState.RUNNING)
    values = sampler.sample_relative(fresh, trial, sampler.infer_relative_search_space(fresh, trial))
    for path, distribution in search.space.items():
        if path not in values:
            values[path] = sampler.sample_independent(fresh, trial, path, distribution)
    return {path: plain(values[path]) for path in search.space}


def plain(value: Any) -> Any:
    """A number of plain Python; NaN as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value
