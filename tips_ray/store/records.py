"""What a study or a search keeps beside its curves: its record, with a second copy, and of a search
one small file a trial."""

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from tips_ray.errors import UserError
from tips_ray.store.checked import CampaignRecord, Count, Positive, Scalar, SearchRecord, closed, read_checked
from tips_ray.store.curves import PARALLEL_READS
from tips_ray.store.storage import Storage

MANIFEST = "campaign.json"
SEARCH = "search.json"
KINDS = {MANIFEST: CampaignRecord, SEARCH: SearchRecord}
PREVIOUS = ".previous"
"""What is added to the name of a manifest for its second copy."""
TRIALS = "trials"
RECORD_CURE = "restore the file, or give another --campaign name"

log = logging.getLogger(__name__)


def holds(folder: Storage, file: str) -> bool:
    """Whether a folder has a record of a campaign, or its previous copy."""
    return folder.exists(file) or folder.exists(file + PREVIOUS)


def read_manifest(folder: Storage, file: str = MANIFEST) -> dict[str, Any]:
    """The record of the campaign in a folder, or its previous copy if it was lost or damaged;
    raises UserError if there is neither."""
    manifest = find_manifest(folder, file)
    if manifest is not None:
        return manifest
    if not holds(folder, file):
        kind = file.removesuffix(".json")
        raise UserError(f"There is no {kind} in '{folder}' (no {file}); give the folder that its study printed, STORAGE/NAME.")
    cure = "run the study's command again" if file == MANIFEST else "give another --campaign name"
    raise UserError(f"The record {str(folder / file)!r} is damaged, and so is its previous copy; restore one of them, or {cure}.")


def find_manifest(folder: Storage, file: str = MANIFEST) -> dict[str, Any] | None:
    """The record of a campaign, or its previous copy if it was lost or damaged; None if there is
    neither."""
    for name in (file, file + PREVIOUS):
        try:
            record = read_checked(folder, name, KINDS[file], f"its previous copy, {file}{PREVIOUS}, is looked for")
        except FileNotFoundError:
            continue
        except UserError as error:
            warn_once(str(error))
            continue
        if name != file:
            warn_once(f"{str(folder / file)!r} cannot be read; its previous copy is used.")
        return record.model_dump(by_alias=True)
    return None


@cache
def warn_once(sentence: str) -> None:
    """Log a warning, unless this process has logged it before."""
    log.warning(sentence)


def write_manifest(folder: Storage, manifest: dict[str, Any], file: str = MANIFEST) -> None:
    """Replace the record of a campaign, and its previous copy."""
    content = json.dumps(manifest, indent=1).encode()
    folder.write(file, content)
    folder.write(file + PREVIOUS, content)


@closed
@dataclass(frozen=True)
class Record:
    """One trial of a search."""

    number: Count
    """From 0, as Optuna counts; trial 0 is the config that the search started from."""
    params: dict[str, Scalar] = field(default_factory=dict)
    """Dotted path of each searched field to its value."""
    pruned_at: Positive | None = None
    """The epoch after which the pruner stopped it."""
    error: str | None = None
    """Why it ended without its epochs the last time; the search's next execution tries it again."""


def trial_name(number: int) -> str:
    """The arm of a trial, by which its runs are named."""
    return f"trial-{number:05d}"


def trial_number(arm: str) -> int:
    """The trial whose arm has this name."""
    return int(arm.rpartition("-")[2])


def write_record(folder: Storage, record: Record) -> None:
    """Write or replace the record of one trial."""
    folder.write(f"{TRIALS}/{trial_name(record.number)}.json", json.dumps(asdict(record), indent=1).encode())


def is_pruned(folder: Storage, arm: str, num_epochs: int) -> bool:
    """Whether the record of a trial says that it was pruned before it had so many epochs."""
    pruned_at = read_checked(folder, f"{TRIALS}/{arm}.json", Record, RECORD_CURE).pruned_at
    return pruned_at is not None and pruned_at < num_epochs


def read_records(folder: Storage) -> list[Record]:
    """The records of all trials, in order; raises ValueError for one that is damaged."""
    names = [name for name in folder.names(TRIALS) if re.fullmatch(r"trial-\d{5,9}\.json", name)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        records = pool.map(lambda name: read_checked(folder, f"{TRIALS}/{name}", Record, RECORD_CURE), names)
        return sorted(records, key=lambda record: record.number)
