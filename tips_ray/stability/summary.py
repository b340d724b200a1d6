"""The summary of a campaign that other tools read: `summary.json`, schema version 1 (documented in
`reports/README.md`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, METRICS, RAW_METRIC
from tips_ray.config import Config, override
from tips_ray.design import row_of
from tips_ray.ingredients import base_of, pairs_to_compare
from tips_ray.presets import knowledge_by_arm
from tips_ray.stability.answers import Answer, ArmFacts, answers_of
from tips_ray.stability.begun import BegunRun, begun_runs, begun_sentences
from tips_ray.stability.benchmark import BenchmarkScore, benchmark_scores
from tips_ray.stability.budgets import BudgetComparison, compare_budgets
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.codependence import Codependence, codependence_of
from tips_ray.stability.correlations import SignalCorrelation, signal_correlations
from tips_ray.stability.distillation import StudentComparison, compare_students, is_student, learns_from_oracle
from tips_ray.stability.early import EarlyStops, early_stops
from tips_ray.stability.groups import Grouped, grouped, mixed_signs, of_last_epoch
from tips_ray.stability.ingredients import IngredientEffect, ingredient_effects
from tips_ray.stability.profiles import Improvement, errors_by_action, improvement
from tips_ray.stability.regret import (
    RuleChoice,
    RuleScore,
    leave_one_run_out,
    rank_rules,
    score_stops,
    stops,
    unmeasured_rules,
)
from tips_ray.stability.screening import FactorEffect, factor_effects
from tips_ray.stability.statistics import (
    STATISTICS,
    Divergence,
    Interval,
    PairedDifference,
    arms_of,
    at_epochs,
    divergences,
    errors_by_metric,
    interval,
    over_seeds,
    paired_errors,
    run_statistics,
    runs_of,
)
from tips_ray.stability.steadiness import Steadiness, summarise_steadiness
from tips_ray.stability.teachers import TeacherCard

SCHEMA_VERSION = 1

BUDGETS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the training at which the error is listed: does an arm help, or only learn faster?"""


@dataclass(frozen=True)
class RunSummary:
    """How far one run has come, and its statistics by the headline metric (`run_statistics`), which
    a run that diverged does not have."""

    seed: int
    run: str
    epochs: int
    status: str
    best_epoch: int | None
    best: float | None
    last: float | None
    last_half: float | None
    spread: float | None
    regret: float | None
    epochs_within_2mm: int | None
    mixed_signs: bool | None


@dataclass(frozen=True)
class ArmSummary:
    """Counts of an arm, intervals over its seeds by metric, and its runs."""

    knowledge: tuple[str, ...]
    """What its training is told beyond single 2D poses (`presets.knowledge`)."""
    num_seeds: int
    num_epochs: int
    """Epochs that all runs have which did not diverge and have more than begun; all statistics use
    these alone."""
    best: dict[str, Interval]
    last_half: dict[str, Interval]
    last: dict[str, Interval]
    regret: dict[str, Interval]
    epochs_within_2mm: dict[str, Interval]
    last_raw: Interval
    """Of the headline error of the weights themselves at the last epoch, where their moving average
    is evaluated; elsewhere of no run."""
    last_epoch: Grouped
    """By subject and action, and how many runs have mixed signs."""
    at_epochs: dict[int, dict[str, Interval]]
    """By epoch and metric, at the shares BUDGETS of the training."""
    best_epoch: Interval
    runs: list[RunSummary]
    diverged: list[Divergence]
    begun: list[BegunRun] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What reports say of a campaign, and what `summary.json` holds."""

    schema_version: int = SCHEMA_VERSION
    campaign: str | None
    """Its name; None while there are no curves."""
    data: Mapping[str, Any]
    headline_metric: str = HEADLINE_METRIC
    answers: dict[str, Answer] = field(default_factory=dict)
    """What to take of each of `arms` that is no student and is not `hidden`, and what it costs."""
    arms: dict[str, ArmSummary]
    """Arms that train without labels."""
    students: list[str]
    """Those of `arms` that are distilled."""
    paired: list[PairedDifference]
    improvements: list[Improvement]
    """How often an arm errs less than another, over runs and actions; of the pairs of `paired`."""
    references: Mapping[str, Mapping[str, float]]
    """Errors by metric that need no training, such as `flat`."""
    supervised: dict[str, ArmSummary]
    """Arms that train with labels; `summary.json` has them under `references`."""
    stop_rules: list[RuleScore]
    unmeasured_rules: dict[str, list[str]]
    rule_choice: dict[str, RuleChoice]
    early_stops: dict[str, EarlyStops] = field(default_factory=dict)
    """By arm, where a stop rule ended the runs."""
    left_out: list[str] = field(default_factory=list)
    """Sentences on runs that are in no statistic since they have hardly begun."""
    signals: list[SignalCorrelation]
    steadiness: Steadiness
    budgets: BudgetComparison | None
    distillation: list[StudentComparison]
    codependence: dict[str, Codependence]
    teachers: dict[str, TeacherCard]
    ingredients: list[IngredientEffect]
    """Of the arms that have an ingredient more, or less, than another."""
    screening: list[FactorEffect]
    """Of the factors of a design, if arms are its rows."""
    benchmark: list[BenchmarkScore]
    """Of a study that is the twin of one of the paper's Tables 1 and 2."""
    provenance: Mapping[str, Any]

    @property
    def hidden(self) -> dict[str, str]:
        """The arms that have a section of their own, by the arm that they are made of: variants,
        and rows of a design."""
        variants = {effect.arm: effect.base for effect in self.ingredients}
        return variants | {arm: row[0] for arm in self.arms if (row := row_of(arm))}

    @property
    def shown(self) -> list[str]:
        """The arms that pages draw, and compare with each other: all but `hidden`."""
        return [arm for arm in self.arms if arm not in self.hidden]

    def to_json(self) -> dict[str, Any]:
        """As plain values of strict JSON."""
        content = strict(self)
        content["references"] |= content.pop("supervised")
        return content


def summarise(campaign: LoadedCampaign) -> Summary:
    """Sum up a campaign.

    Supervised arms are never paired; students are compared under `distillation`, variants with
    their base alone, rows of a design with no arm. Arms that the campaign names and that have no
    curve yet are there as well.
    """
    curves, configs, measured = campaign.curves, campaign.manifest["arms"], campaign.measured
    supervised = [arm for arm, config in configs.items() if config["objective"] == "supervised"]
    arms = [arm for arm in dict.fromkeys([*configs, *arms_of(curves)]) if arm not in supervised]
    students = [arm for arm in arms if arm in configs and is_student(configs[arm])]
    others = [arm for arm in arms if arm not in students]
    hidden = [arm for arm in arms if base_of(arm, arms) is not None or row_of(arm)]
    trained = [arm for arm in arms if arm in arms_of(curves)]
    errors = {arm: errors_by_metric(curves, arm, METRICS) for arm in others}
    by_action = {arm: errors_by_action(curves, arm) for arm in others}
    stopped = stops(curves, trained)
    scored_stops = score_stops(curves, stopped, measured.windows)
    known = knowledge_by_arm({arm: override(Config(), config) for arm, config in configs.items()})
    seeds = sorted(int(seed) for seed in curves["seed"].unique()) if len(curves) else []
    scores = rank_rules(scored_stops, [arm for arm in students if learns_from_oracle(configs[arm])])
    steadiness = summarise_steadiness(curves, trained, unranked=[*students, *hidden])
    of_arms = {arm: summarise_arm(curves, arm, known.get(arm, ())) for arm in arms}
    answered = {
        arm: ArmFacts(entry.num_epochs, entry.best_epoch, entry.last_epoch.mixed_signs)
        for arm, entry in of_arms.items()
        if arm in trained and arm not in (*students, *hidden)
    }
    flat = campaign.manifest["references"].get("flat", {}).get(HEADLINE_METRIC)
    return Summary(
        campaign=None if curves.empty else curves["campaign"].iloc[0],
        data=campaign.manifest["data"],
        answers=answers_of(scores, scored_stops, steadiness, answered, "3D labels of training subjects", flat),
        arms=of_arms,
        students=students,
        paired=[
            entry
            for a, b in pairs_to_compare(others)
            for metric in METRICS
            for entry in paired_errors({arm: errors[arm][metric] for arm in (a, b)}, metric)
        ],
        improvements=[improvement(a, b, by_action) for a, b in pairs_to_compare(others)],
        references=campaign.manifest["references"],
        supervised={arm: summarise_arm(curves, arm, known[arm]) for arm in arms_of(curves) if arm in supervised},
        stop_rules=scores,
        unmeasured_rules=unmeasured_rules(stopped, scored_stops),
        rule_choice=leave_one_run_out(scored_stops),
        early_stops=early_stops(curves, campaign.manifest),
        left_out=begun_sentences(begun_runs(curves)),
        signals=signal_correlations(curves, trained, students),
        steadiness=steadiness,
        budgets=compare_budgets(curves, [arm for arm in trained if arm not in students]),
        distillation=compare_students(
            curves, measured.taught, {arm: config for arm, config in configs.items() if arm not in hidden}
        ),
        codependence=codependence_of(measured.codependence),
        teachers=campaign.cards,
        ingredients=ingredient_effects(curves, arms),
        screening=factor_effects(curves, arms),
        benchmark=benchmark_scores(curves, measured.benchmark, [arm for arm in configs if arm in arms_of(curves)]),
        provenance=origin(campaign.manifest["executions"], configs, seeds=seeds),
    )


def summarise_arm(curves: pd.DataFrame, arm: str, knowledge: tuple[str, ...]) -> ArmSummary:
    """The summary of one arm, with what its training is told."""
    if len(curves):
        curves = curves[curves["arm"] == arm]
    errors = errors_by_metric(curves, arm, METRICS)
    over = {metric: over_seeds(errors[metric]) for metric in METRICS}
    runs, num_epochs = runs_of(curves, arm), len(errors[HEADLINE_METRIC])
    budgets = sorted({max(1, round(share * num_epochs)) for share in BUDGETS}) if num_epochs else []
    at = {metric: at_epochs(errors[metric], budgets) for metric in METRICS}
    by_seed, ends = run_statistics(errors[HEADLINE_METRIC]), of_last_epoch(curves, arm)
    return ArmSummary(
        knowledge=knowledge,
        num_seeds=len(runs),
        num_epochs=num_epochs,
        **{name: {metric: over[metric][name] for metric in METRICS} for name in (*STATISTICS, "regret", "epochs_within_2mm")},
        last_raw=interval(ends[RAW_METRIC]),
        last_epoch=grouped(ends),
        at_epochs={epoch: {metric: at[metric][epoch] for metric in METRICS} for epoch in budgets},
        best_epoch=interval(by_seed["best_epoch"]),
        runs=[
            RunSummary(seed=int(str(seed)), **strict(row))
            for seed, row in runs.join([by_seed, mixed_signs(ends)], how="left").to_dict("index").items()
        ],
        diverged=divergences(curves),
        begun=begun_runs(curves),
    )


def origin(executions: Sequence[Mapping[str, Any]], config: Any, **more: Any) -> dict[str, Any]:
    """The provenance that a report shows: the last execution's, the wall time of all, and each
    execution's own."""
    last = {key: value for key, value in executions[-1].items() if key != "seconds"} if executions else {}
    wall = round(sum(execution["seconds"] for execution in executions), 1)
    return {**last, **more, "wall_seconds": wall, "executions": executions, "config": config}


def strict(value: Any) -> Any:
    """A copy of `value` in plain JSON types: dataclasses as objects, NaN and infinity as None,
    tuples and arrays as lists, keys and the rest as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: strict(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [strict(item) for item in value]
    if isinstance(value, np.generic):
        return strict(value.item())
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)
