"""A search summed up: what its report and its `summary.json` are made of. No Optuna here, and no
torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.search.confirmation import Confirmation, confirmation
from tips_ray.search.objectives import OBJECTIVES, ORACLES
from tips_ray.search.trials import SearchTables, ranked
from tips_ray.stability.statistics import Correlation, rank_correlation
from tips_ray.stability.summary import origin, strict
from tips_ray.store.storage import Storage

SCHEMA_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class SearchSummary:
    """What reports say of a search, and what its `summary.json` holds (documented in
    `reports/README.md`)."""

    kind: str = "search"
    schema_version: int = SCHEMA_VERSION
    campaign: str
    """Its name."""
    objective: str
    objective_columns: list[str]
    """Scores that are minimised."""
    oracle: bool
    """Whether the objective needs 3D labels."""
    labelled: bool = True
    """Whether errors were measured; else no number in the summary is one."""
    score: str = "error_mm"
    """What is shown by epoch, confirmed, and compared: the error, or without labels what is
    minimised."""
    metric: str | None = HEADLINE_METRIC
    """The error behind `error_mm`; None without labels."""
    window: tuple[int, int]
    """First and last epoch of the stop window."""
    num_seeds: int
    num_epochs: int
    pruner: str
    space: dict[str, dict[str, Any]]
    """What was searched, by path: `kind`, and `choices` or `low` and `high`."""
    baseline: dict[str, Any]
    """The searched fields of the config from which the search started."""
    data: Mapping[str, Any]
    flat: float | None
    """Error of the flat prediction."""
    counts: dict[str, int]
    """Trials by state."""
    ranked: list[str]
    """Names of the complete trials, best first; of a Pareto search the front alone."""
    label_free_and_error: Correlation
    signals_and_error: Correlation
    trials: pd.DataFrame
    """One row a trial, as `trial_table` makes them."""
    confirmation: Confirmation | None
    provenance: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain values of strict JSON."""
        return strict({**vars(self), "trials": self.trials.drop(columns="baseline").to_dict("records")})


def summarise_search(tables: SearchTables, folder: Storage | None = None) -> SearchSummary:
    """Sum up a search, with the confirmation in its folder, if one is given."""
    manifest, trials = tables.manifest, tables.trials
    objective, num_epochs = manifest["objective"], manifest["num_epochs"]
    order, complete = ranked(trials, objective), trials[trials["state"] == "complete"]
    return SearchSummary(
        campaign=manifest["name"],
        objective=objective,
        objective_columns=list(OBJECTIVES[objective]),
        oracle=objective in ORACLES,
        labelled=tables.labelled,
        score=tables.score,
        metric=HEADLINE_METRIC if tables.labelled else None,
        window=(num_epochs // 2 + 1, num_epochs),
        **{key: manifest[key] for key in ("num_seeds", "num_epochs", "pruner", "space", "baseline", "data")},
        flat=manifest["references"].get("flat", {}).get(HEADLINE_METRIC),
        counts={str(state): count for state, count in trials["state"].value_counts().items()},
        ranked=order,
        label_free_and_error=with_error(complete, "label_free"),
        signals_and_error=with_error(complete, "signals"),
        trials=trials,
        confirmation=confirmation(folder, tables, order) if folder else None,
        provenance=origin(manifest["executions"], manifest["config"]),
    )


def with_error(complete: pd.DataFrame, score: str) -> Correlation:
    """The rank correlation of a label-free score with the error; none without labels."""
    return rank_correlation(complete[score], complete.get("error_mm", pd.Series(float("nan"), complete.index)))
