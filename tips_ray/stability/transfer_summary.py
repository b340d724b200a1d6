"""What carries over from studies to studies: `transfer.json`, documented in `reports/README.md`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tips_ray.errors import UserError
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.early import EarlyEnd, early_ends
from tips_ray.stability.predicted import CONFIDENCE, USED, Predicted, Tried, predict_left_out, rows_of, tried_on, try_all
from tips_ray.stability.summary import strict
from tips_ray.stability.transfer import (
    Cell,
    LeftOut,
    RuleTransfer,
    leave_one_campaign_out,
    matrix,
    rank_by_worst,
    regrets_of,
    related_campaigns,
    unsupervised_arms,
    unsupervised_runs,
)

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Source:
    """One of the campaigns."""

    data: str
    """Name of the poses that it trained on."""
    labelled: bool
    synthetic: bool
    observation: Mapping[str, Any]
    arms: list[str]
    num_runs: int
    related: list[str]
    """Campaigns that share poses with it."""


@dataclass(frozen=True)
class DefaultRule:
    """The rule whose worst regret over all campaigns, arms and runs is smallest."""

    name: str
    median_regret_mm: float
    worst_regret_mm: float
    worst_in: str
    n: int
    used_labels_of: list[str]


@dataclass(frozen=True)
class PredictedError:
    """How well an error in mm is predicted on campaigns that share no poses with the sources.

    None where there are too few.
    """

    confidence: float
    coverage: float | None
    median_deviation_mm: float | None
    n: int
    tried: list[Tried]
    runs: list[Predicted]


@dataclass(frozen=True)
class Transfer:
    """What is known of rules and of predicted errors over several campaigns."""

    schema_version: int
    campaigns: dict[str, Source]
    default_rule: DefaultRule
    rules: list[RuleTransfer]
    matrix: list[Cell]
    left_out: list[LeftOut]
    early_ends: list[EarlyEnd]
    predicted_error: PredictedError

    def to_json(self) -> dict[str, Any]:
        """As plain values of strict JSON."""
        return strict(self)


def summarise_transfer(campaigns: Mapping[str, LoadedCampaign]) -> Transfer:
    """Sum up campaigns by name; those without labels get predicted errors alone.

    Raises UserError where fewer than two are labelled.
    """
    labelled = {name: campaign for name, campaign in campaigns.items() if campaign.manifest["data"]["labelled"]}
    if len(labelled) < 2:
        raise UserError(
            f"{len(labelled)} of these campaigns has errors; at least two must: one to choose a rule on, one to try it on."
        )
    related = related_campaigns(campaigns)
    regrets = regrets_of(labelled)
    ranked = rank_by_worst(regrets)
    if not ranked:
        raise UserError("No stop rule stops in every run of these campaigns; finish them with the same commands first.")
    best = ranked[0]
    rows = pd.concat([rows_of(campaign).assign(campaign=name) for name, campaign in campaigns.items()], ignore_index=True)
    return Transfer(
        SCHEMA_VERSION,
        {name: source(campaign, related[name]) for name, campaign in campaigns.items()},
        DefaultRule(best.rule, best.median_regret_mm, best.worst_regret_mm, best.worst_in, best.n, list(labelled)),
        ranked,
        matrix(regrets, related),
        leave_one_campaign_out(regrets, related),
        early_ends(unsupervised_runs(labelled)),
        predicted_error(rows, related),
    )


def predicted_error(rows: pd.DataFrame, related: Mapping[str, Sequence[str]]) -> PredictedError:
    """The predicted errors of the runs of each campaign, from the others."""
    labelled = rows[rows["campaign"].isin(rows.loc[rows["error"].notna(), "campaign"])]
    runs = [entry for name in rows["campaign"].unique() for entry in predict_left_out(rows, str(name), related)]
    used = tried_on(USED, runs)
    return PredictedError(
        CONFIDENCE,
        used[0].coverage if used else None,
        used[0].median_deviation_mm if used else None,
        used[0].n if used else 0,
        sorted([*try_all(labelled, related), *used], key=lambda entry: entry.median_deviation_mm),
        runs,
    )


def source(campaign: LoadedCampaign, related: list[str]) -> Source:
    """What a reader must know of a campaign."""
    data = campaign.manifest["data"]
    arms = unsupervised_arms(campaign)
    runs = campaign.curves.loc[campaign.curves["arm"].isin(arms), "run"].nunique()
    return Source(
        data["name"], data["labelled"], bool(data.get("synthetic")), data.get("observation", {}), arms, int(runs), related
    )
