"""Several studies compared: what differs in how they were made, and what in their errors, paired by
seed. `comparison.json`, documented in `reports/README.md`."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from tips_ray.columns import HEADLINE_METRIC, METRICS
from tips_ray.errors import UserError
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.settings import Setting, as_words, complete, differences
from tips_ray.stability.statistics import (
    Interval,
    PairedDifference,
    arms_of,
    errors_by_metric,
    over_seeds,
    paired_errors,
    runs_of,
)
from tips_ray.stability.summary import strict

SCHEMA_VERSION = 1
ALL_ARMS = "all shared arms"


@dataclass(frozen=True)
class ComparedArm:
    """An arm of one of the studies, and its errors in mm by the headline metric."""

    study: str
    arm: str
    num_seeds: int
    num_epochs: int
    num_diverged: int
    best: Interval
    last_half: Interval
    last: Interval
    regret: Interval


@dataclass(frozen=True)
class ComparedPair(PairedDifference):
    """A statistic of an arm of study `study_a` minus that of one of study `study_b`; `a` and `b`
    are the arms."""

    study_a: str
    study_b: str


@dataclass(frozen=True)
class ConfigDifference:
    """A field of the config that differs between studies, and the arms in which it does."""

    arms: str
    setting: Setting


@dataclass(frozen=True)
class Comparison:
    """What `tips-ray compare` finds."""

    schema_version: int
    studies: list[str]
    made: list[Setting]
    """Poses, seeds, epochs, versions and commits that differ."""
    configs: list[ConfigDifference]
    """By field and arm, of the arms that several studies have."""
    arms: list[ComparedArm]
    paired: list[ComparedPair]
    """Of arms of the same name; where no two studies share one, of all arms of different
    studies."""
    same_poses: bool
    synthetic: bool

    def to_json(self) -> dict[str, Any]:
        """As plain values of strict JSON."""
        return strict(self)


def compare(campaigns: Mapping[str, LoadedCampaign]) -> Comparison:
    """Compare studies by name; raises UserError for one without labels, which has no errors."""
    for name, campaign in campaigns.items():
        if not campaign.manifest["data"]["labelled"]:
            raise UserError(f"{name!r} was trained without labels, so that it has no errors to compare; leave it out.")
    errors = {
        (name, arm): errors_by_metric(campaign.curves, arm, METRICS)
        for name, campaign in campaigns.items()
        for arm in arms_of(campaign.curves)
    }
    poses = [poses_of(campaign.manifest["data"]) for campaign in campaigns.values()]
    return Comparison(
        SCHEMA_VERSION,
        list(campaigns),
        differences({name: made_of(campaign) for name, campaign in campaigns.items()}),
        config_differences(campaigns),
        [summarised(campaigns[study].curves, study, arm, tables[HEADLINE_METRIC]) for (study, arm), tables in errors.items()],
        [
            ComparedPair(**vars(pair), study_a=study_a, study_b=study_b)
            for (study_a, a), (study_b, b) in pairs_of(list(errors))
            for metric in METRICS
            for pair in paired_errors_of(a, errors[study_a, a][metric], b, errors[study_b, b][metric], metric)
        ],
        all(one == poses[0] for one in poses),
        any(bool(campaign.manifest["data"].get("synthetic")) for campaign in campaigns.values()),
    )


def poses_of(data: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells the poses that a study was trained and tested on from others."""
    return tuple(data.get(name) or None for name in ("fingerprint", "labelled_fingerprint", "train_subjects", "test_subjects"))


def pairs_of(arms: list[tuple[str, str]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The arms of different studies to compare, each as (study, arm): those of the same name, or
    all where there are none."""
    pairs = [(a, b) for a, b in combinations(arms, 2) if a[0] != b[0]]
    return [(a, b) for a, b in pairs if a[1] == b[1]] or pairs


def paired_errors_of(a: str, left: pd.DataFrame, b: str, right: pd.DataFrame, metric: str) -> list[PairedDifference]:
    """`paired_errors` of two arms that may have the same name."""
    pairs = paired_errors({"a": left, "b": right}, metric)
    return [PairedDifference(**{**vars(pair), "a": a, "b": b}) for pair in pairs]


def summarised(curves: pd.DataFrame, study: str, arm: str, errors: pd.DataFrame) -> ComparedArm:
    """The numbers of one arm."""
    runs, over = runs_of(curves, arm), over_seeds(errors)
    diverged = int((runs["status"] == "diverged").sum())
    numbers = {name: over[name] for name in ("best", "last_half", "last", "regret")}
    return ComparedArm(study, arm, len(runs), len(errors), diverged, **numbers)


def made_of(campaign: LoadedCampaign) -> dict[str, Any]:
    """On what and with what a study was made, by name."""
    data, executions = campaign.manifest["data"], campaign.manifest["executions"]
    last = executions[-1] if executions else {}
    curves, observation = campaign.curves, data.get("observation") or {}
    arms = arms_of(curves)
    runs = {arm: runs_of(curves, arm) for arm in arms}
    seeds = {arm: sorted(int(seed) for seed in of_arm.index) for arm, of_arm in runs.items()}
    epochs = {arm: int(of_arm["epochs"].max()) for arm, of_arm in runs.items()}
    same_seeds, same_epochs = len({tuple(each) for each in seeds.values()}) == 1, len(set(epochs.values())) == 1
    made = {
        "arms": arms,
        "seeds": next(iter(seeds.values())) if same_seeds else {arm: as_words(each) for arm, each in seeds.items()},
        "epochs": next(iter(epochs.values())) if same_epochs else epochs,
        "poses": data.get("name") or data.get("spec", ""),
        "poses (fingerprint)": data.get("fingerprint", ""),
        "errors measured on": data.get("labelled_name", ""),
        "training poses": data.get("num_train_poses", ""),
        "test poses": data.get("num_test_poses", ""),
        "test subjects": data.get("test_subjects", ""),
        "noise and cameras": {name: value for name, value in observation.items() if value},
        "commit": last.get("commit") or "",
        "processor": (last.get("machine") or {}).get("cpu") or "",
    }
    return made | {f"{name} (version)": version for name, version in (last.get("versions") or {}).items()}


def config_differences(campaigns: Mapping[str, LoadedCampaign]) -> list[ConfigDifference]:
    """The fields that differ in arms that several studies have; equal rows of several arms are one
    row. Where no two studies share an arm, those of all arms, by study and arm."""
    configs = {
        (study, arm): complete(config)
        for study, campaign in campaigns.items()
        for arm, config in campaign.manifest["arms"].items()
    }
    by_arm: dict[str, dict[str, dict[str, Any]]] = {}
    for (study, arm), config in configs.items():
        by_arm.setdefault(arm, {})[study] = config
    shared = {arm: of_arm for arm, of_arm in by_arm.items() if len(of_arm) > 1}
    if not shared:
        rows = differences({label_of_arm(study, arm): config for (study, arm), config in configs.items()})
        return [ConfigDifference("", row) for row in rows]
    arms_by_row: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for arm, of_arm in shared.items():
        for row in differences(of_arm):
            arms_by_row.setdefault((row.name, tuple(row.values.items())), []).append(arm)
    return [
        ConfigDifference(ALL_ARMS if len(arms) == len(shared) > 1 else ", ".join(arms), Setting(name, dict(values)))
        for (name, values), arms in arms_by_row.items()
    ]


def label_of_arm(study: str, arm: str) -> str:
    """How an arm of one of several studies is called."""
    return f"{arm} ({study})"
