"""What a search keeps beside its curves: a manifest, and one small file a trial. With the curves,
they are all that is needed."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from tips_ray.store.checked import SearchRecord, TrialRecord, read_checked
from tips_ray.store.curves import PARALLEL_READS, read_manifest, write_manifest
from tips_ray.store.storage import Storage

SEARCH = "search.json"
TRIALS = "trials"


@dataclass(frozen=True)
class Record:
    """One trial of a search."""

    number: int
    """From 0, as Optuna counts; trial 0 is the config that the search started from."""
    params: dict[str, Any] = field(default_factory=dict)
    """Dotted path of each searched field to its value."""
    pruned_at: int | None = None
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


def read_records(folder: Storage) -> list[Record]:
    """The records of all trials, in order; raises ValueError for one that is damaged."""
    names = [name for name in folder.names(TRIALS) if re.fullmatch(r"trial-\d{5,9}\.json", name)]

    def read(name: str) -> Record:
        cure = "restore the file, or give another --campaign name"
        return Record(**read_checked(folder, f"{TRIALS}/{name}", TrialRecord, cure))

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return sorted(pool.map(read, names), key=lambda record: record.number)


def read_search(folder: Storage) -> dict[str, Any]:
    """The manifest of a search; raises ValueError if there is none in the folder."""
    return read_manifest(folder, SEARCH, SearchRecord, kind="search", maker="search")


def write_search(folder: Storage, manifest: dict[str, Any]) -> None:
    """Replace the manifest of a search."""
    write_manifest(folder, manifest, SEARCH)
