"""The summary of a campaign without labels: signals, where stop rules stop, and nothing that is an
error.

`summary.json` of such a campaign (documented in `reports/README.md`) says `"labelled": false`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tips_ray.columns import SIGNALS
from tips_ray.config import Config, override
from tips_ray.presets import knowledge_by_arm
from tips_ray.stability.begun import BegunRun, begun_runs, begun_sentences
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.choice import DEFAULT_RULE, Choice, choose_weights
from tips_ray.stability.codependence import Codependence, codependence_of
from tips_ray.stability.early import EarlyStops, early_stops
from tips_ray.stability.regret import stops, whole_runs
from tips_ray.stability.statistics import Divergence, Interval, arms_of, divergences, interval, runs_of
from tips_ray.stability.summary import SCHEMA_VERSION, origin, strict
from tips_ray.stability.teachers import TeacherCard


@dataclass(frozen=True)
class LabelFreeArm:
    """Counts of an arm, its signals at the last epoch that all its runs have, and where rules
    stop."""

    num_seeds: int
    num_epochs: int
    knowledge: tuple[str, ...]
    signals: dict[str, Interval]
    """By column, over seeds; lower is better."""
    error_bound_mm: float | None
    """What the error is at least, by how far the runs are from each other
    (`agreement.error_bound`); None of a single run."""
    stops: dict[str, dict[int, str]]
    """By rule and seed: an epoch, or the window of epochs whose weights are averaged."""
    choice: Choice | None
    """By DEFAULT_RULE; None without a finished run."""
    runs: dict[int, dict[str, Any]]
    """How far each run has come, by seed."""
    diverged: list[Divergence]
    begun: list[BegunRun]


@dataclass(frozen=True, kw_only=True)
class LabelFreeSummary:
    """What reports say of a campaign without labels, and what its `summary.json` holds."""

    schema_version: int = SCHEMA_VERSION
    labelled: bool = False
    campaign: str | None
    data: Mapping[str, Any]
    default_rule: str = DEFAULT_RULE
    arms: dict[str, LabelFreeArm]
    early_stops: dict[str, EarlyStops] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """Sentences on runs that are in no statistic since they have hardly begun."""
    codependence: dict[str, Codependence]
    teachers: dict[str, TeacherCard] = field(default_factory=dict)
    provenance: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain values of strict JSON."""
        return strict(self)


def summarise_label_free(campaign: LoadedCampaign) -> LabelFreeSummary:
    """Sum up a campaign of which no error was measured."""
    curves, configs = campaign.curves, campaign.manifest["arms"]
    known = knowledge_by_arm({arm: override(Config(), config) for arm, config in configs.items()})
    seeds = sorted(int(seed) for seed in curves["seed"].unique()) if len(curves) else []
    return LabelFreeSummary(
        campaign=None if curves.empty else str(curves["campaign"].iloc[0]),
        data=campaign.manifest["data"],
        arms={arm: summarise_arm(campaign, arm, known.get(arm, ())) for arm in dict.fromkeys([*configs, *arms_of(curves)])},
        early_stops=early_stops(curves, campaign.manifest),
        left_out=begun_sentences(begun_runs(curves)),
        codependence=codependence_of(campaign.measured.codependence),
        teachers=campaign.cards,
        provenance=origin(campaign.manifest["executions"], configs, seeds=seeds),
    )


def summarise_arm(campaign: LoadedCampaign, arm: str, knowledge: tuple[str, ...]) -> LabelFreeArm:
    """The summary of one arm."""
    curves = campaign.curves
    runs, whole = runs_of(curves, arm), whole_runs(curves, arm)
    last = [run.iloc[-1] for run in whole.values()]
    chosen = stops(curves, [arm])
    by_rule = (
        {
            str(rule): {int(seed): window for seed, window in rows[["seed", "window"]].to_numpy()}
            for rule, rows in chosen.groupby("rule", sort=False)
        }
        if len(chosen)
        else {}
    )
    return LabelFreeArm(
        num_seeds=len(runs),
        num_epochs=len(next(iter(whole.values()))) if whole else 0,
        knowledge=knowledge,
        signals={
            name: interval([row[name] for row in last]) for name in SIGNALS if last and name in last[0] and name != "churn_mm"
        },
        error_bound_mm=campaign.error_bound_mm.get(arm),
        stops={rule: {seed: str(window) for seed, window in windows.items()} for rule, windows in by_rule.items()},
        choice=choose_weights(curves, arm, chosen),
        runs={int(str(seed)): strict(row) for seed, row in runs.to_dict("index").items()},
        diverged=[entry for entry in divergences(curves) if entry.arm == arm],
        begun=[entry for entry in begun_runs(curves) if entry.arm == arm],
    )
