"""What a campaign is to do, and the record that keeps a name from meaning two different things."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from tips_ray.config import MAX_EPOCHS, MAX_SEEDS, Config, Evaluation, KeepWeights
from tips_ray.errors import UserError
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.early import ENDED, causal_rule
from tips_ray.store.checked import VERSION
from tips_ray.store.curves import RUNS, arm_of
from tips_ray.store.names import check_name
from tips_ray.store.records import SEARCH, find_manifest, holds
from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class Plan:
    """What studies and searches have in common; kept under `storage/name`."""

    name: str
    storage: Storage
    evaluation: Evaluation = field(default_factory=Evaluation, kw_only=True)
    keep_weights: KeepWeights = field(default_factory=KeepWeights, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def folder(self) -> Storage:
        """Where everything of this campaign is kept."""
        return self.storage / self.name

    def record(self, data: dict[str, Any], references: dict[str, Any]) -> dict[str, Any]:
        """The record of a campaign that is new, but for what only a study or a search has."""
        return {
            "version": VERSION,
            "name": self.name,
            "data": data,
            "references": references,
            "evaluation": asdict(self.evaluation),
            "keep_weights": asdict(self.keep_weights),
            "executions": [],
        }


@dataclass(frozen=True)
class Campaign(Plan):
    """Arms x seeds, trained for a number of epochs."""

    arms: dict[str, Config]
    num_seeds: int
    num_epochs: int
    first_seed: int = 0
    """Seeds count from it: the confirmation of a search takes seeds that the search has not
    seen."""
    benchmark: str = ""
    """Which of `columns.BENCHMARKS` is measured of the lifters, if any."""
    stop: str = field(default="", kw_only=True)
    """The stop rule that ends runs, if any (`stability.early`)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.arms:
            raise UserError("The campaign has no arms; give at least one.")
        if len({config.data.shared for config in self.arms.values()}) > 1:
            raise UserError(
                f"The arms {', '.join(self.arms)} differ in their data; arms of one campaign must share it to be compared."
            )
        if not (1 <= self.num_seeds <= MAX_SEEDS and 1 <= self.num_epochs <= MAX_EPOCHS):
            raise UserError(
                f"num_seeds = {self.num_seeds} and num_epochs = {self.num_epochs}; give 1 to {MAX_SEEDS:,} seeds and 1 to"
                f" {MAX_EPOCHS:,} epochs."
            )
        if self.stop:
            causal_rule(self.stop, self.num_epochs)

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs of each arm: the same for all arms, so that arms can be compared in
        pairs."""
        return list(range(self.first_seed, self.first_seed + self.num_seeds))


def unfinished(campaign: Campaign, state: LoadedCampaign | None, arms: Collection[str]) -> list[str]:
    """Which of some arms have a run that has not all its epochs, and has neither diverged nor been
    ended by the stop rule."""
    if state is None:
        return list(arms)
    curves = state.curves[state.curves["seed"].isin(campaign.seeds)]
    ended = curves[(curves["epoch"] >= campaign.num_epochs) | curves["status"].isin(ENDED)]
    return [arm for arm in arms if ended.loc[ended["arm"] == arm, "seed"].nunique() < campaign.num_seeds]


def agree(campaign: Campaign, data: dict[str, Any], references: dict[str, Any]) -> dict[str, Any]:
    """The record of a campaign with what is asked for now; nothing is written.

    A campaign of this name may be continued, and given more arms, seeds and epochs. Raises
    ValueError, saying what differs, if the data, or the config of an arm that has runs, or what all
    arms share is another, or if the name is a search's.
    """
    arms = {arm: asdict(config) for arm, config in campaign.arms.items()}
    if holds(campaign.folder, SEARCH):
        raise UserError(f"The campaign {str(campaign.folder)!r} is a search, not a study; give another --campaign name.")
    stop = {"rule": campaign.stop, "num_epochs": campaign.num_epochs} if campaign.stop else None
    manifest = campaign.record(data, references) | {"arms": arms, "stop": stop}
    before = find_manifest(campaign.folder)
    if before is None:  # also where it was lost: runs refuse to go on with another config than theirs
        return manifest
    check_version("campaign", campaign.folder, before)
    trained = trained_arms(campaign.folder)
    changes = differences(what_must_agree(before), what_must_agree(manifest))
    arms_by_change: dict[str, list[str]] = {}
    for arm, config in before["arms"].items():
        for change in differences(config, arms[arm]) if arm in arms and arm in trained else []:
            arms_by_change.setdefault(change, []).append(arm)
    changes += [f"{change} (in {', '.join(of_arms)})" for change, of_arms in arms_by_change.items()]
    if changes:
        raise UserError(
            f"The campaign {str(campaign.folder)!r} was made with another config: {'; '.join(changes)}."
            " Give the same options to continue it, or another --campaign name."
        )
    return {**manifest, "arms": {**before["arms"], **arms}, "executions": before["executions"]}


def check_version(kind: str, folder: Storage, manifest: dict[str, Any]) -> None:
    """Raise ValueError for the record of a campaign whose runs were stored otherwise."""
    if manifest["version"] != VERSION:
        raise UserError(
            f"The {kind} {str(folder)!r} was made by a tips-ray that stored runs otherwise (version {manifest['version']},"
            f" now {VERSION}), and cannot be continued; give another --campaign name."
        )


def what_must_agree(manifest: dict[str, Any]) -> dict[str, Any]:
    """What all arms of a campaign have in common, so that they can be compared: what they see, and
    how they are measured."""
    first = next(iter(manifest["arms"].values()))
    fingerprints = {f"data {name}": manifest["data"].get(name, "") for name in ("fingerprint", "labelled_fingerprint")}
    data = {name: value for name, value in first["data"].items() if name != "new_views_each_epoch"}
    return {**fingerprints, "data": data, "evaluation": manifest["evaluation"]}


def trained_arms(folder: Storage) -> set[str]:
    """Arms of which there are runs."""
    return {arm_of(run) for run in (folder / RUNS).names()}


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Sentences such as "network.width was 128 and is 64" for every leaf that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = list(dict.fromkeys([*before, *now]))
        return [line for key in keys for line in differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)]
    before, now = (list(value) if isinstance(value, tuple) else value for value in (before, now))
    return [] if before == now else [f"{path} was {before!r} and is {now!r}"]
