"""Files of a campaign that are not of their form: the previous copy, or one sentence."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tips_ray.config import Config
from tips_ray.errors import UserError
from tips_ray.stability.teachers import CARDS, read_cards
from tips_ray.store.measurements import WINDOWS, read_measured
from tips_ray.store.records import MANIFEST, PREVIOUS, TRIALS, find_manifest, read_manifest, read_records, write_manifest
from tips_ray.store.storage import Storage

DAMAGED = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"NaN",
    b"1e9",
    b"[" * 3000 + b"]" * 3000,
    b"\xff\xfe",
    b'{"number": NaN}',
    b"{}",
]
MANIFEST_CONTENT = {
    "version": 4,
    "name": "c",
    "data": {"fingerprint": "a"},
    "references": {},
    "arms": {"solo": json.loads(json.dumps(asdict(Config())))},
    "executions": [],
}


@pytest.mark.parametrize("content", [*DAMAGED, None])
def test_a_manifest_that_was_lost_or_damaged_is_read_from_its_second_copy(content: bytes | None, tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    write_manifest(folder, MANIFEST_CONTENT)
    (tmp_path / MANIFEST).unlink()
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content)
    manifest = read_manifest(folder)
    assert (manifest["name"], manifest["data"]["fingerprint"], list(manifest["arms"])) == ("c", "a", ["solo"])
    (tmp_path / f"{MANIFEST}{PREVIOUS}").unlink()
    assert find_manifest(folder) is None
    with pytest.raises(
        UserError, match="is damaged, and so is its previous copy" if content is not None else "There is no campaign"
    ):
        read_manifest(folder)


def test_a_record_that_spells_a_field_that_was_dropped_is_the_same(tmp_path: Path) -> None:
    folder, arm = Storage(str(tmp_path)), MANIFEST_CONTENT["arms"]["solo"]
    write_manifest(folder, MANIFEST_CONTENT | {"arms": {"solo": arm | {"numerics": {"compile": False, "bf16": True}}}})
    numerics = read_manifest(folder)["arms"]["solo"]["numerics"]
    assert numerics == arm["numerics"] | {"bf16": True}


@pytest.mark.parametrize("content", DAMAGED)
def test_records_and_cards_that_are_damaged_are_named(content: bytes, tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    folder.write(f"{TRIALS}/trial-00000.json", content)
    folder.write(f"{TRIALS}/notes.json", b"not a trial")
    with pytest.raises(UserError, match=r"trials/trial-00000\.json' is damaged \(.*\); restore the file"):
        read_records(folder)
    folder.write(f"{CARDS}/tips.json", content)
    with pytest.raises(UserError, match=r"teachers/tips\.json' is damaged \(.*\); restore the file"):
        read_cards(folder)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"[]" * 1000])
def test_a_measured_table_that_is_damaged_counts_as_absent(content: bytes, tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    folder.write(WINDOWS, content)
    assert read_measured(folder, WINDOWS).empty
