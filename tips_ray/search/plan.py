"""What a search is to do, and the record that keeps its name from meaning two different things."""

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tips_ray.campaign.plan import Plan, check_version, differences
from tips_ray.config import MAX_EPOCHS, MAX_TRIALS, Config
from tips_ray.errors import UserError
from tips_ray.search.objectives import BY_EPOCH, OBJECTIVES, check_objective
from tips_ray.search.space import Space, check_space, described, value_at
from tips_ray.store.records import MANIFEST, SEARCH, holds, read_manifest

PRUNERS = ("none", "asha", "median")
FRESH_SEED = 1000
"""Seeds of a search are below it, those of its confirmation from it on."""


@dataclass(frozen=True)
class Budget:
    """When a search has had enough, by whichever comes first."""

    num_trials: int
    """Trials in all, those of earlier executions among them."""
    max_run_epochs: int | None = None
    """Epochs trained in all, summed over the runs (trials x seeds): no trial is begun that could
    exceed it."""
    max_hours: float | None = None
    """Wall time of this execution; trials that are under way then go on in the next."""
    asked: str = ""
    """How `num_trials` was asked for, such as +20, by which an execution that goes on with it is
    known."""

    def __post_init__(self) -> None:
        if not 0 < self.num_trials <= MAX_TRIALS:
            raise UserError(f"The number of trials is {self.num_trials:,}; give 1 to {MAX_TRIALS:,}.")
        for name, limit in (("max_run_epochs", self.max_run_epochs), ("max_hours", self.max_hours)):
            if limit is not None and not 0 < limit < math.inf:
                raise UserError(f"{name} is {limit}; give more than 0, or leave it out for no limit.")


@dataclass(frozen=True)
class Search(Plan):
    """A space of configs around a base config, searched for an objective."""

    base: Config
    """The config of the first trial; its `data` says on which subjects trials are trained and
    scored."""
    space: Space
    num_seeds: int
    num_epochs: int
    objective: Literal["error", "instability", "pareto", "label_free", "signals"] = "error"
    pruner: Literal["none", "asha", "median"] = "none"
    seed: int = 0
    """Of Optuna's sampler."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_objective(self.objective)
        check_space(self.space, self.base)
        if self.pruner not in PRUNERS:
            raise UserError(f"There is no pruner {self.pruner!r}; there are {', '.join(PRUNERS)}.")
        if self.pruner != "none" and not BY_EPOCH.keys() >= set(OBJECTIVES[self.objective]):
            raise UserError(
                f"The objective {self.objective!r} cannot be pruned: what is stopped early has had less time to be unstable,"
                " and would look better than it is. Give --pruner none."
            )
        if self.base.teacher:
            raise UserError("A search has no teachers for a distilled config; search an adversarial or a supervised one.")
        if self.objective == "label_free" and self.base.objective != "adversarial":
            raise UserError(
                f"The objective 'label_free' is the sum of consistency losses, which a {self.base.objective} config has none of;"
                " search for error, instability or signals, or an adversarial config."
            )
        if not 1 <= self.num_seeds < FRESH_SEED or not 1 <= self.num_epochs <= MAX_EPOCHS:
            raise UserError(
                f"num_seeds = {self.num_seeds} and num_epochs = {self.num_epochs}; give 1 to {FRESH_SEED - 1} seeds and 1 to"
                f" {MAX_EPOCHS:,} epochs."
            )

    @property
    def seeds(self) -> list[int]:
        """Seeds of each trial's runs, the same for all trials, so that trials can be compared in
        pairs."""
        return list(range(self.num_seeds))

    @property
    def baseline(self) -> dict[str, Any]:
        """The searched fields' values in the base config."""
        return {path: value_at(self.base, path) for path in self.space}


def agree_search(search: Search, data: dict[str, Any], references: dict[str, Any]) -> dict[str, Any]:
    """The record of a search with what is asked for now; nothing is written.

    A search of this name may be continued, given more trials, seeds and epochs, another objective
    or pruner. Raises ValueError, saying what differs, if its data, base config or space is another.
    """
    manifest = search.record(data, references) | {
        "id": uuid.uuid4().hex,
        "config": asdict(search.base),
        "space": json.loads(json.dumps({path: described(values) for path, values in search.space.items()})),
        "baseline": search.baseline,
        "objective": search.objective,
        "pruner": search.pruner,
        "num_seeds": search.num_seeds,
        "num_epochs": search.num_epochs,
        "confirmed_at": None,
        "asked": None,
    }
    if holds(search.folder, MANIFEST):
        raise UserError(f"The campaign {str(search.folder)!r} is a study, not a search; give another --campaign name.")
    if not holds(search.folder, SEARCH):
        return manifest
    before = read_manifest(search.folder, SEARCH)
    check_version("search", search.folder, before)
    changed = differences(what_must_agree(before), what_must_agree(manifest))
    if changed:
        raise UserError(
            f"The search {str(search.folder)!r} was made with another space, config or data: {'; '.join(changed)}."
            " Give the same options to continue it, or another --campaign name."
        )
    return manifest | {name: before[name] for name in ("id", "confirmed_at", "executions") if name in before}


def what_must_agree(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What cannot change within a search, since its trials would not be comparable."""
    return {
        "data fingerprint": manifest["data"]["fingerprint"],
        **{name: manifest[name] for name in ("config", "evaluation", "space")},
    }
