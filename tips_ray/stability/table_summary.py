"""The summary of a table of curves: when to stop each arm, what each rule costs, and how arms
compare."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pandas as pd

from tips_ray.stability.answers import Answer, ArmFacts, answers_of
from tips_ray.stability.groups import Count
from tips_ray.stability.regret import RuleChoice, RuleScore, leave_one_run_out, rank_rules, score_stops, stops
from tips_ray.stability.rule_sets import averages_weights, rules_of_epochs, standard_rules
from tips_ray.stability.statistics import (
    Interval,
    PairedDifference,
    arms_of,
    errors_of,
    interval,
    over_seeds,
    paired_errors,
    run_statistics,
    runs_of,
)
from tips_ray.stability.steadiness import Steadiness, summarise_steadiness
from tips_ray.stability.summary import strict
from tips_ray.stability.tables import TableColumns, TableCurves
from tips_ray.store.measurements import NOTHING


@dataclass(frozen=True)
class TableArm:
    """Counts of an arm of a table, and intervals over its runs of the error."""

    num_runs: int
    diverged: list[str]
    """Runs that ended without an error; they are in no mean."""
    epochs: list[Any]
    """Those at which all other runs have an error, as the table has them."""
    best: Interval
    """An oracle's."""
    last_half: Interval
    last: Interval


@dataclass(frozen=True)
class TableSummary:
    """What `tips-ray stop` says of a table. Errors are in the table's unit; keys that end with _mm
    too."""

    columns: TableColumns
    arms: dict[str, TableArm]
    answers: dict[str, Answer]
    paired: list[PairedDifference]
    """Of the last half, over runs of the same name."""
    stop_rules: list[RuleScore]
    rule_choice: dict[str, RuleChoice]
    left_out_rules: list[str]
    """Those that average weights, which a table does not have."""
    steadiness: Steadiness
    seeds: dict[int, str]
    """The runs' names, by the numbers that answers give."""
    stops: dict[str, dict[str, dict[str, Any]]]
    """By arm, rule and run: the epoch, as the table has it."""
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """As plain values of strict JSON."""
        return strict(self)


def summarise_table(table: TableCurves) -> TableSummary:
    """Sum up a table of curves."""
    curves, arms = table.curves, arms_of(table.curves)
    stopped = pd.concat([stops_of_arm(table, arm) for arm in arms], ignore_index=True)
    scored_stops = score_stops(curves, stopped, NOTHING.windows)
    scores, choices = rank_rules(scored_stops), leave_one_run_out(scored_stops)
    errors = {arm: errors_of(curves, arm) for arm in arms}
    steadiness = summarise_steadiness(curves, arms)
    facts = {
        arm: ArmFacts(len(errors[arm]), interval(run_statistics(errors[arm])["best_epoch"].astype(float)), Count(0, 0))
        for arm in arms
    }
    labels = f"the errors “{table.columns.train_error or table.columns.error}”"
    answers = answers_of(scores, scored_stops, steadiness, facts, labels)
    if not table.columns.train_error:
        answers = {arm: without_other_errors(answer, choices.get(arm)) for arm, answer in answers.items()}
    return TableSummary(
        columns=table.columns,
        arms={arm: arm_of_table(table, arm, errors[arm]) for arm in arms},
        answers=answers,
        paired=[
            pair
            for a, b in combinations(arms, 2)
            for pair in paired_errors({a: errors[a], b: errors[b]}, table.columns.error)
            if pair.statistic == "last_half"
        ],
        stop_rules=scores,
        rule_choice=choices,
        left_out_rules=[rule.name for rule in standard_rules(len(max(table.epochs.values(), key=len))) if averages_weights(rule)],
        steadiness=steadiness,
        seeds=table.seeds,
        stops=epochs_by_rule(table, scored_stops),
        notes=table.notes,
    )


def stops_of_arm(table: TableCurves, arm: str) -> pd.DataFrame:
    """Where each rule stops in each run of an arm."""
    return stops(table.curves, [arm], rules_of_epochs(len(table.epochs[arm]), table.visible), table.visible)


def without_other_errors(answer: Answer, choice: RuleChoice | None) -> Answer:
    """The answer where the errors that chose the rule are those that its regret is of."""
    return replace(answer, in_hindsight=choice is None, chosen_by_others_mm=choice.regret_mm if choice else None)


def arm_of_table(table: TableCurves, arm: str, errors: pd.DataFrame) -> TableArm:
    """Counts and errors of one arm."""
    runs, over = runs_of(table.curves, arm), over_seeds(errors)
    diverged = [table.seeds[int(str(seed))] for seed in runs.index[runs["status"] == "diverged"]]
    return TableArm(len(runs), diverged, table.epochs[arm], over["best"], over["last_half"], over["last"])


def epochs_by_rule(table: TableCurves, scored_stops: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """By arm, rule and run, the epoch at which a rule stops; the oracle's too."""
    stops: dict[str, dict[str, dict[str, Any]]] = {}
    for arm, seed, rule, window in scored_stops[["arm", "seed", "rule", "window"]].itertuples(index=False):
        stops.setdefault(arm, {}).setdefault(rule, {})[table.seeds[int(seed)]] = table.epochs[arm][window.last - 1]
    return stops


def rule_table(scores: list[RuleScore], stops: Mapping[str, Mapping[str, Mapping[Any, Any]]], unit: str) -> pd.DataFrame:
    """One row an arm and rule, by arm and median regret; names of errors end with `unit`."""
    names = ["error", "regret", "regret_low", "regret_high", "regret_worst"]
    columns = ["arm", "rule", "label_free", "chosen", *(f"{name}{unit}" for name in names), "num_runs", "stops"]
    rows = [
        (
            score.arm,
            score.rule,
            score.label_free,
            score.chosen,
            score.error_mm.mean,
            *(score.regret_mm.median, score.regret_mm.low, score.regret_mm.high, score.regret_mm.worst),
            score.n,
            dict(stops[score.arm][score.rule]),
        )
        for score in scores
    ]
    return pd.DataFrame(rows, columns=columns)
