"""Does a stop rule that was chosen on some poses hold on others? Rules chosen on one campaign,
scored on another, and the rule whose worst run over all campaigns is best.

A campaign here is one set of poses, seen in one way: each has the same arms, and its errors are
known. Regret is as in `tips_ray.stability.regret`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tips_ray.config import Config, override
from tips_ray.errors import UserError
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.regret import MedianRegret, median_interval, score_stops, stops, whole_runs
from tips_ray.stability.statistics import arms_of

REGRETS = ["campaign", "arm", "seed", "rule", "regret"]


@dataclass(frozen=True)
class Cell:
    """The regret, over n runs of an arm of the campaign `scored_on`, of the rule that costs least
    in the median over the runs of that arm of the campaign `chosen_on`."""

    arm: str
    chosen_on: str
    rule: str
    scored_on: str
    regret_mm: MedianRegret
    n: int
    related: bool
    """Whether the two campaigns share poses: then it is no test of transfer."""


@dataclass(frozen=True)
class ArmTransfer:
    """What one rule costs over the n runs of one arm."""

    median_regret_mm: float
    worst_regret_mm: float
    n: int


@dataclass(frozen=True)
class RuleTransfer:
    """What one rule costs over all labelled campaigns: the median over n runs, and the worst."""

    rule: str
    median_regret_mm: float
    worst_regret_mm: float
    worst_in: str
    """The campaign and run of the worst regret."""
    n: int
    by_arm: dict[str, ArmTransfer]


@dataclass(frozen=True)
class LeftOut:
    """The rule whose worst run is best over all campaigns that share no poses with `scored_on`,
    scored there."""

    scored_on: str
    rule: str
    regret_mm: MedianRegret
    n: int


def is_unsupervised(config: Mapping[str, Any]) -> bool:
    """Whether an arm trains without true depths, and without teachers, whose labels are not known
    here."""
    return override(Config(), dict(config)).objective == "adversarial"


def unsupervised_arms(campaign: LoadedCampaign) -> list[str]:
    """The arms of a campaign that rules are tried on."""
    configs = campaign.manifest["arms"]
    return [arm for arm in arms_of(campaign.curves) if arm in configs and is_unsupervised(configs[arm])]


def unsupervised_runs(campaigns: Mapping[str, LoadedCampaign]) -> list[pd.DataFrame]:
    """The rows of each run, to the end, of each arm that rules are tried on."""
    each = ((campaign.curves, arm) for campaign in campaigns.values() for arm in unsupervised_arms(campaign))
    return [run for curves, arm in each for run in whole_runs(curves, arm).values()]


def people_of(campaign: LoadedCampaign) -> set[tuple[str, str]]:
    """The fingerprints of poses, and their subjects that a campaign trained on or was scored on."""
    data = campaign.manifest["data"]
    trained = {(data["fingerprint"], subject) for subject in data["train_subjects"]}
    return trained | {(data["labelled_fingerprint"] or data["fingerprint"], subject) for subject in data["test_subjects"]}


def are_related(one: LoadedCampaign, other: LoadedCampaign) -> bool:
    """Whether two campaigns share people, and so poses."""
    return bool(people_of(one) & people_of(other))


def related_campaigns(campaigns: Mapping[str, LoadedCampaign]) -> dict[str, list[str]]:
    """For each campaign, the others that share poses with it."""
    return {
        name: [other for other in campaigns if other != name and are_related(campaign, campaigns[other])]
        for name, campaign in campaigns.items()
    }


def regrets_of(campaigns: Mapping[str, LoadedCampaign]) -> pd.DataFrame:
    """The regret of each rule in each run of the labelled campaigns: columns REGRETS.

    Raises UserError where no run has one.
    """
    tables = []
    for name, campaign in campaigns.items():
        scored = score_stops(campaign.curves, stops(campaign.curves, unsupervised_arms(campaign)), campaign.measured.windows)
        tables.append(scored[~scored["oracle"].astype(bool)].assign(campaign=name)[REGRETS].dropna())
    regrets = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=REGRETS)
    if regrets.empty:
        raise UserError("None of these campaigns has a finished run of an unsupervised arm with an error; train one first.")
    return regrets


def complete_rules(regrets: pd.DataFrame) -> list[str]:
    """The rules that stop in every run of every campaign: only these can be compared."""
    runs = len(regrets[["campaign", "arm", "seed"]].drop_duplicates())
    counts = regrets.groupby("rule", sort=False).size()
    return [str(rule) for rule, count in counts.items() if count == runs]


def rank_by_worst(regrets: pd.DataFrame) -> list[RuleTransfer]:
    """The rules that stop in every run, that with the smallest worst regret first."""
    ranked = []
    for rule in complete_rules(regrets):
        of_rule = regrets[regrets["rule"] == rule]
        campaign, arm, seed, _, worst = of_rule.iloc[int(of_rule["regret"].to_numpy(float).argmax())]
        by_arm = {
            str(name): ArmTransfer(float(values.median()), float(values.max()), len(values))
            for name, values in of_rule.groupby("arm", sort=False)["regret"]
        }
        worst_in = f"{campaign}, {arm} seed {seed}"
        ranked.append(RuleTransfer(rule, float(of_rule["regret"].median()), float(worst), worst_in, len(of_rule), by_arm))
    return sorted(ranked, key=lambda entry: (entry.worst_regret_mm, entry.median_regret_mm))


def matrix(regrets: pd.DataFrame, related: Mapping[str, Sequence[str]]) -> list[Cell]:
    """For each arm and each two campaigns that have it: the rule that costs least on the one,
    scored on the other.

    `related` has, by campaign, those that share poses with it.
    """
    cells = []
    for arm, of_arm in regrets.groupby("arm", sort=False):
        tables = {
            str(name): rows.pivot(index="rule", columns="seed", values="regret")
            for name, rows in of_arm.groupby("campaign", sort=False)
        }
        rules = [rule for rule in complete_rules(of_arm) if all(rule in table.index for table in tables.values())]
        for chosen_on, table in tables.items():
            rule = str(table.loc[rules].median(axis="columns").idxmin())
            for scored_on, other in tables.items():
                values = other.loc[rule].dropna().to_numpy(float)
                shared = scored_on != chosen_on and scored_on in related.get(chosen_on, ())
                cells.append(Cell(str(arm), chosen_on, rule, scored_on, median_interval(values), len(values), shared))
    return cells


def leave_one_campaign_out(regrets: pd.DataFrame, related: Mapping[str, Sequence[str]]) -> list[LeftOut]:
    """For each campaign, the rule that `rank_by_worst` puts first on those that share no poses with
    it, scored on it; none where all share poses."""
    entries = []
    for name in regrets["campaign"].unique():
        others = regrets[~regrets["campaign"].isin([name, *related.get(name, ())])]
        if others.empty:
            continue
        there = regrets[regrets["campaign"] == name]
        possible = set(complete_rules(there))
        rule = next((entry.rule for entry in rank_by_worst(others) if entry.rule in possible), None)
        if rule is not None:
            values = there.loc[there["rule"] == rule, "regret"].to_numpy(float)
            entries.append(LeftOut(str(name), rule, median_interval(values), len(values)))
    return entries
