"""What a campaign is to do, and the record that keeps a name from meaning two different things."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from tips_ray.config import KEEPING, Config, Teacher, override
from tips_ray.errors import UserError
from tips_ray.store.curves import MANIFEST, RUNS, arm_of, read_curves, read_manifest
from tips_ray.store.names import check_name
from tips_ray.store.records import SEARCH
from tips_ray.store.storage import Storage

VERSION = 4
"""Of what a campaign stores; 2: layers before batch norm have no bias; 3: states hold their rows,
and there are two of them. 4: columns and streams have other names."""
SHARED = ("data", "evaluate_views")


@dataclass(frozen=True)
class Resources:
    """Where the runs of one arm are trained."""

    num_workers: int = 0
    """Ray Train workers of each arm, to which its seeds are dealt; 0 trains them in the trial
    itself, without Ray Train."""
    cpus_per_worker: float = 1.0
    """CPUs of a worker (or of the trial, without workers); a fraction lets several share a core."""
    gpus_per_worker: float = 0.0
    """GPUs of a worker; a fraction lets several share a GPU."""

    def __post_init__(self) -> None:
        if self.num_workers < 0 or self.cpus_per_worker <= 0 or self.gpus_per_worker < 0:
            raise UserError(
                f"num_workers = {self.num_workers}, cpus_per_worker = {self.cpus_per_worker}, gpus_per_worker ="
                f" {self.gpus_per_worker}; give at least 0 workers, more than 0 CPUs and at least 0 GPUs each."
            )


@dataclass(frozen=True)
class Campaign:
    """Arms x seeds, trained for a number of epochs, kept under `storage/name`."""

    name: str
    storage: Storage
    arms: dict[str, Config]
    num_seeds: int
    num_epochs: int
    first_seed: int = 0
    """Seeds count from it: the confirmation of a search takes seeds that the search has not
    seen."""

    def __post_init__(self) -> None:
        if not self.arms:
            raise UserError("The campaign has no arms; give at least one.")
        configs = [asdict(config) for config in self.arms.values()]
        for name in SHARED:
            if any(config[name] != configs[0][name] for config in configs):
                raise UserError(
                    f"The arms {', '.join(self.arms)} differ in {name!r}; arms of one campaign must share it to be compared."
                )
        if self.num_seeds < 1 or self.num_epochs < 1:
            raise UserError(f"num_seeds = {self.num_seeds} and num_epochs = {self.num_epochs}; give at least 1 of each.")
        check_name(self.name)

    @property
    def folder(self) -> Storage:
        """Where everything of this campaign is kept."""
        return self.storage / self.name

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs of each arm: the same for all arms, so that arms can be compared in
        pairs."""
        return list(range(self.first_seed, self.first_seed + self.num_seeds))


def unfinished(campaign: Campaign, arms: Collection[str] | None = None) -> list[str]:
    """Arms, of those given or of all, with a run that has neither all its epochs nor diverged."""
    arms = campaign.arms if arms is None else arms
    curves = read_curves(campaign.folder, campaign.name, arms)
    asked = curves[curves["seed"].isin(campaign.seeds)]
    ended = asked[(asked["epoch"] >= campaign.num_epochs) | (asked["status"] == "diverged")]
    return [arm for arm in arms if ended.loc[ended["arm"] == arm, "seed"].nunique() < campaign.num_seeds]


def agree(campaign: Campaign, data: dict[str, Any], references: dict[str, Any]) -> dict[str, Any]:
    """The record of a campaign with what is asked for now; nothing is written.

    A campaign of this name may be continued, and given more arms, seeds and epochs. Raises
    ValueError, saying what differs, if the data, or the config of an arm that has runs, or what all
    arms share is another, or if the name is a search's.
    """
    arms = {arm: asdict(config) for arm, config in campaign.arms.items()}
    if campaign.folder.exists(SEARCH):
        raise UserError(f"The campaign {str(campaign.folder)!r} is a search, not a study; give another --campaign name.")
    manifest = {"version": VERSION, "name": campaign.name, "data": data, "references": references, "arms": arms, "executions": []}
    if not campaign.folder.exists(MANIFEST):
        return manifest
    before = read_manifest(campaign.folder)
    check_version("campaign", campaign.folder, before)
    before["arms"] = {arm: asdict(as_recorded(config)) for arm, config in before["arms"].items()}
    trained = trained_arms(campaign.folder)
    known = {arm: fixed(config) for arm, config in before["arms"].items() if arm in arms and arm in trained}
    changes = differences(
        {"data fingerprint": before["data"]["fingerprint"], **shared(before["arms"]), **known},
        {"data fingerprint": data["fingerprint"], **shared(arms), **{arm: fixed(arms[arm]) for arm in known}},
    )
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
            f" now {VERSION}): it can be reported, but not continued. Give another --campaign name."
        )


def shared(arms: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What all arms of a campaign have in common, so that they can be compared: what they see, and
    how they are measured."""
    first = next(iter(arms.values()))
    return {name: first[name] for name in SHARED}


def as_recorded(config: dict[str, Any]) -> Config:
    """A config as a campaign's record has it: fields that were added since have their defaults, and
    who learns from poses has no teacher, as it may have had once.
    """
    found = override(Config(), config)
    return found if found.objective == "distilled" else replace(found, teacher=Teacher())


def trained_arms(folder: Storage) -> set[str]:
    """Arms of which there are runs."""
    return {arm_of(run) for run in (folder / RUNS).names()}


def fixed(config: dict[str, Any]) -> dict[str, Any]:
    """What of an arm's config may not change once it has runs."""
    return {name: value for name, value in config.items() if name not in KEEPING}


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Sentences such as "solo.network.width was 128 and is 64" for every leaf that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = list(dict.fromkeys([*before, *now]))
        return [line for key in keys for line in differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)]
    before, now = (list(value) if isinstance(value, tuple) else value for value in (before, now))
    return [] if before == now else [f"{path} was {before!r} and is {now!r}"]
