"""The trials of a search as one table, and the search summed up: what its report is made of. No
Optuna here, and no torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.errors import UserError
from tips_ray.search.objectives import (
    OBJECTIVES,
    ORACLES,
    SCORED,
    SCORES,
    TIMED,
    Score,
    is_complete,
    pareto_front,
    score_trials,
    seed_means,
)
from tips_ray.stability.statistics import (
    Correlation,
    Interval,
    arms_of,
    errors_of,
    interval,
    last_half,
    rank_correlation,
    runs_of,
)
from tips_ray.stability.summary import origin, strict
from tips_ray.store.curves import read_curves, read_runs, run_name
from tips_ray.store.records import MANIFEST, SEARCH, Record, holds, read_manifest, read_records, trial_name
from tips_ray.store.storage import Storage

SCHEMA_VERSION = 1
CONFIRMATION = "confirmation"
"""The campaign, inside a search's folder, that trains its choices again on fresh seeds."""
BASELINE = "baseline"
"""The arm of the confirmation that has the config from which the search started."""


@dataclass(frozen=True)
class SearchTables:
    """`trials` has one row a trial, `surface` the error (mean over seeds) by trial and epoch,
    `curves` the rows behind both."""

    manifest: dict[str, Any]
    trials: pd.DataFrame
    surface: pd.DataFrame
    curves: pd.DataFrame


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
    means = seed_means(curves[curves["status"] != "diverged"])
    names = {trial_name(record.number): record.number for record in records}
    surface = means.assign(search=manifest["name"], number=means["arm"].map(names))
    return SearchTables(manifest, trials, surface[["search", "number", "epoch", "error_mm"]], curves)


def trial_table(manifest: Mapping[str, Any], records: Sequence[Record], curves: pd.DataFrame) -> pd.DataFrame:
    """One row a trial: search, number, trial, state, epochs, seeds, the scores, hours, baseline,
    and each searched field's value.

    `state` is complete, pruned, diverged, failed (its last execution ended in an error) or
    unfinished; `hours` are what its runs trained and were evaluated, each in turn.
    """
    num_seeds, num_epochs = manifest["num_seeds"], manifest["num_epochs"]
    scores: Mapping[Any, Score] = score_trials(curves, num_seeds, num_epochs).to_dict("index")
    hours = curves.groupby("arm")[TIMED].sum().sum(axis=1) / 3600
    rows = []
    for record in records:
        name = trial_name(record.number)
        score = scores.get(name)
        reached = {key: 0 if score is None else int(score[key]) for key in ("epochs", "seeds")}
        values = {key: float("nan") if score is None else float(score[key]) for key in SCORES}
        state = state_of(record, score, num_seeds, num_epochs)
        keys = {"search": manifest["name"], "number": record.number, "trial": name, "state": state}
        rows.append({**keys, **reached, **values, "hours": hours.get(name, 0.0), "baseline": record.number == 0, **record.params})
    fixed = ["search", "number", "trial", "state", "epochs", "seeds", *SCORES, "hours", "baseline"]
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


@dataclass(frozen=True)
class Confirmed:
    """A config on fresh seeds and unseen subjects."""

    error_mm: Interval
    instability_mm: float | None
    num_diverged: int


@dataclass(frozen=True)
class Gain(Confirmed):
    """A trial against the baseline: its gain in the search, and on fresh seeds."""

    trial: str
    primary: bool
    """Whether it was the search's first choice, which the confirmation tests."""
    search_gain_mm: Interval
    confirmed_gain_mm: Interval


@dataclass(frozen=True)
class Confirmation:
    """How much of the gain over the baseline is left on fresh seeds and unseen subjects."""

    complete: bool
    """Whether all runs have ended; before, nothing is compared."""
    num_seeds: int
    seeds: list[int]
    subjects: list[str]
    num_epochs: int
    num_trials_searched: int
    start_led: bool
    """Whether no trial of the search was better than its baseline."""
    gains: list[Gain] = field(default_factory=list)
    baseline: Confirmed | None = None
    report: str = f"{CONFIRMATION}/report.html"


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
    metric: str = HEADLINE_METRIC
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
        window=(num_epochs // 2 + 1, num_epochs),
        **{key: manifest[key] for key in ("num_seeds", "num_epochs", "pruner", "space", "baseline", "data")},
        flat=manifest["references"].get("flat", {}).get(HEADLINE_METRIC),
        counts={str(state): count for state, count in trials["state"].value_counts().items()},
        ranked=order,
        label_free_and_error=rank_correlation(complete["label_free"], complete["error_mm"]),
        signals_and_error=rank_correlation(complete["signals"], complete["error_mm"]),
        trials=trials,
        confirmation=confirmation(folder, tables, order) if folder else None,
        provenance=origin(manifest["executions"], manifest["config"]),
    )


def confirmation(folder: Storage, tables: SearchTables, order: Sequence[str]) -> Confirmation | None:
    """What the confirmation in a search's folder says; None if there is none.

    Arms of an earlier confirmation are further looks if they have as many seeds and epochs.
    `order` names the complete trials of the search, best first.
    """
    place, plan = folder / CONFIRMATION, tables.manifest["confirmed_at"]
    if plan is None or not holds(place, MANIFEST):
        return None
    seeds, num_epochs = plan["seeds"], plan["num_epochs"]
    curves = read_curves(place, CONFIRMATION)
    curves = curves[curves["seed"].isin(seeds) & (curves["epoch"] <= num_epochs)]
    ended = {arm for arm in arms_of(curves) if has_ended(curves, arm, len(seeds), num_epochs)}
    begun = Confirmation(
        complete=ended.issuperset(plan["arms"]),
        num_seeds=len(seeds),
        seeds=seeds,
        subjects=read_manifest(place)["data"]["test_subjects"],
        num_epochs=num_epochs,
        num_trials_searched=plan["num_trials"],
        start_led=plan["start_led"],
    )
    if not begun.complete:
        return begun
    instability = score_trials(confirmable(curves), len(seeds), num_epochs)["instability_mm"]
    states = tables.trials.set_index("trial")["state"]
    whole = {arm for arm in [trial_name(0), *ended] if states.get(arm) == "complete"}

    def measured(arm: str) -> dict[str, Any]:
        return {
            "error_mm": interval(last_half(errors_of(curves, arm)).mean()),
            "instability_mm": instability.get(arm),
            "num_diverged": int((runs_of(curves, arm)["status"] == "diverged").sum()),
        }

    gains = [
        Gain(
            trial=arm,
            primary=arm == plan["arms"][1],
            search_gain_mm=gain(tables.curves, trial_name(0), arm) if {trial_name(0), arm} <= whole else interval(()),
            confirmed_gain_mm=gain(curves, BASELINE, arm),
            **measured(arm),
        )
        for arm in sorted(ended - {BASELINE}, key=lambda arm: (order.index(arm) if arm in order else len(order), arm))
    ]
    return replace(begun, baseline=Confirmed(**measured(BASELINE)), gains=gains)


def has_ended(curves: pd.DataFrame, arm: str, num_seeds: int, num_epochs: int) -> bool:
    """Whether all runs of an arm have all epochs, or diverged."""
    runs = runs_of(curves, arm)
    return len(runs) == num_seeds and bool(((runs["epochs"] >= num_epochs) | (runs["status"] == "diverged")).all())


def confirmable(curves: pd.DataFrame) -> pd.DataFrame:
    """Curves whose seeds are numbered from 0, as scores want them, by order within the campaign."""
    first = int(curves["seed"].min())
    return curves.reindex(columns=SCORED).assign(seed=curves["seed"] - first)


def gain(curves: pd.DataFrame, baseline: str, arm: str) -> Interval:
    """Interval of the window-mean error of the baseline minus that of an arm, paired by seed, at
    the epochs that both have."""
    left, right = errors_of(curves, baseline), errors_of(curves, arm)
    shared, epochs = left.columns.intersection(right.columns), min(len(left), len(right))
    one, other = (last_half(errors.loc[:epochs, shared]).mean() for errors in (left, right))
    return interval(one - other)


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
