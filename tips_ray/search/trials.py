"""The trials of a search as one table. No Optuna here, and no torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tips_ray.errors import UserError
from tips_ray.search.objectives import (
    LABEL_FREE_SCORES,
    OBJECTIVES,
    SCORED,
    SCORES,
    TIMED,
    Score,
    is_complete,
    pareto_front,
    score_by_epoch,
    score_trials,
    seed_means,
)
from tips_ray.store.curves import read_runs, run_name
from tips_ray.store.records import SEARCH, Record, read_manifest, read_records, trial_name
from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class SearchTables:
    """`trials` has one row a trial, `surface` the `score` (mean over seeds) by trial and epoch,
    `curves` the rows behind both."""

    manifest: dict[str, Any]
    trials: pd.DataFrame
    surface: pd.DataFrame
    curves: pd.DataFrame

    @property
    def labelled(self) -> bool:
        """Whether errors were measured."""
        return bool(self.manifest["data"]["labelled"])

    @property
    def score(self) -> str:
        """The score of each epoch: the error, or, without labels, what is minimised."""
        return score_by_epoch(self.manifest["objective"], self.labelled)


def read_scored(folder: Storage, numbers: Iterable[int], num_seeds: int) -> pd.DataFrame:
    """The columns that a table of trials needs, of the runs of some trials; runs without a readable
    curve have no rows.

    A curve that was damaged counts as absent: its run is trained again.
    """
    columns = [*SCORED, *TIMED]  # a supervised run has no consistency terms, and one that diverged at once no errors
    names = [run_name(trial_name(number), seed) for number in numbers for seed in range(num_seeds)]
    tables = list(read_runs(folder, names, columns, skip_damaged=True).values())
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True).reindex(columns=columns)


def read_tables(folder: Storage) -> SearchTables:
    """Read a search: its manifest, its trials' records, and their curves. Raises ValueError if
    there is none in the folder."""
    manifest, records = read_manifest(folder, SEARCH), read_records(folder)
    curves = read_scored(folder, (record.number for record in records), manifest["num_seeds"])
    curves = curves[curves["epoch"] <= manifest["num_epochs"]]
    trials = trial_table(manifest, records, curves)
    score = score_by_epoch(manifest["objective"], manifest["data"]["labelled"])
    means = seed_means(curves[curves["status"] != "diverged"], score)
    names = {trial_name(record.number): record.number for record in records}
    surface = means.assign(search=manifest["name"], number=means["arm"].map(names))
    return SearchTables(manifest, trials, surface[["search", "number", "epoch", score]], curves)


def trial_table(manifest: Mapping[str, Any], records: Sequence[Record], curves: pd.DataFrame) -> pd.DataFrame:
    """One row a trial: search, number, trial, state, epochs, seeds, the scores, hours, baseline,
    and each searched field's value.

    `state` is complete, pruned, diverged, failed (its last execution ended in an error) or
    unfinished; `hours` are what its runs trained and were evaluated, each in turn. Without labels
    only LABEL_FREE_SCORES are there.
    """
    columns = SCORES if manifest["data"]["labelled"] else LABEL_FREE_SCORES
    num_seeds, num_epochs = manifest["num_seeds"], manifest["num_epochs"]
    scores: Mapping[Any, Score] = score_trials(curves, num_seeds, num_epochs).to_dict("index")
    hours = curves.groupby("arm")[TIMED].sum().sum(axis=1) / 3600
    rows = []
    for record in records:
        name = trial_name(record.number)
        score = scores.get(name)
        reached = {key: 0 if score is None else int(score[key]) for key in ("epochs", "seeds")}
        values = {key: float("nan") if score is None else float(score[key]) for key in columns}
        state = state_of(record, score, num_seeds, num_epochs)
        keys = {"search": manifest["name"], "number": record.number, "trial": name, "state": state}
        rows.append({**keys, **reached, **values, "hours": hours.get(name, 0.0), "baseline": record.number == 0, **record.params})
    fixed = ["search", "number", "trial", "state", "epochs", "seeds", *columns, "hours", "baseline"]
    return pd.DataFrame(rows, columns=[*fixed, *manifest["space"]]).astype({"baseline": bool})


def state_of(record: Record, score: Score | None, num_seeds: int, num_epochs: int) -> str:
    """What became of a trial at this number of seeds and epochs: complete, pruned, diverged, failed
    or unfinished.

    A pruned trial is none of the others even if its workers, before they heard of it, trained on.
    """
    if record.pruned_at is not None and record.pruned_at < num_epochs:
        return "pruned"
    if score is not None and score["diverged"]:
        return "diverged"
    if score is not None and is_complete(score, num_seeds, num_epochs):
        return "complete"
    return "failed" if record.error else "unfinished"


def ranked(trials: pd.DataFrame, objective: str) -> list[str]:
    """Names of the complete trials, best first; of a Pareto search the front alone, by error."""
    columns = list(OBJECTIVES[objective])
    complete = trials[trials["state"] == "complete"].dropna(subset=columns)
    if len(columns) > 1:
        complete = complete[pareto_front(complete[columns].to_numpy(float))]
    return [str(name) for name in complete.sort_values(columns, kind="stable")["trial"]]


def merge(searches: Sequence[SearchTables]) -> SearchTables:
    """Several searches as one, with the trials of all, named SEARCH/TRIAL; raises ValueError if
    they cannot be compared."""
    first = searches[0]
    names = [other.manifest["name"] for other in searches]
    if len(set(names)) < len(names):
        raise UserError(f"Two of the searches to merge have the same name ({', '.join(names)}); merge each once.")
    for other in searches[1:]:
        for what in ("objective", "num_seeds", "num_epochs"):
            if other.manifest[what] != first.manifest[what]:
                raise UserError(
                    f"The searches {first.manifest['name']!r} and {other.manifest['name']!r} differ in {what}"
                    f" ({first.manifest[what]!r} and {other.manifest[what]!r}), so that their trials cannot be compared."
                )
        seen = [
            {**manifest["data"], "data": manifest["config"]["data"], "evaluation": manifest["evaluation"]}
            for manifest in (first.manifest, other.manifest)
        ]
        for what in ("fingerprint", "train_subjects", "test_subjects", "data", "evaluation"):
            if seen[0][what] != seen[1][what]:
                raise UserError(
                    f"The searches {first.manifest['name']!r} and {other.manifest['name']!r} differ in their data ({what}), so"
                    " that their trials cannot be compared."
                )
    manifest = {
        **first.manifest,
        "name": " + ".join(names),
        "space": {path: values for other in searches for path, values in other.manifest["space"].items()},
        "baseline": {path: value for other in searches for path, value in other.manifest["baseline"].items()},
        "executions": [entry for other in searches for entry in other.manifest["executions"]],
    }
    tables = {
        what: pd.concat([getattr(other, what) for other in searches], ignore_index=True)
        for what in ("trials", "surface", "curves")
    }
    trials = tables.pop("trials")
    return SearchTables(manifest, trials.assign(trial=trials["search"] + "/" + trials["trial"]), **tables)
