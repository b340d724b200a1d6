"""Curves for other tools: what they read is what the campaign has."""

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]  (made by protobuf)

from helpers import refusal, store_campaign
from tips_ray.cli import main
from tips_ray.config import Config
from tips_ray.store.storage import Storage


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    rows = pd.DataFrame({"arm": "solo", "seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "status": "ok"})
    rows["run"] = "solo-seed" + rows["seed"].astype(str)
    rows["p_mpjpe_signed_mm"], rows["churn_mm"] = [60.5, 55.25, 61.0, 54.0], [np.nan, 4.0, np.nan, 5.0]
    store_campaign(Storage(str(tmp_path / "c")), rows, {"solo": Config()})
    return tmp_path / "c"


def scalars(file: Path) -> dict[tuple[str, int], float]:
    """What an event file holds, by tag and step: records of a length, its checksum, an event and
    its checksum."""
    content, values = file.read_bytes(), {}
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        values |= {(entry.tag, event.step): entry.simple_value for entry in event.summary.value}
        content = content[12 + length + 4 :]
    return values


def test_tensorboard_has_each_run_by_epoch(campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(campaign), "--to", "tensorboard", "--out", str(tmp_path / "logs")]) == 0
    assert f"Curves: {tmp_path / 'logs'}" in capsys.readouterr().out
    (file,) = (tmp_path / "logs" / "solo-seed1").glob("events.out.tfevents.*")
    values = scalars(file)
    assert (values["p_mpjpe_signed_mm", 1], values["p_mpjpe_signed_mm", 2]) == (61.0, 54.0)
    assert [step for tag, step in values if tag == "churn_mm"] == [2]
    assert not {tag for tag, _ in values} & {"seed", "epoch", "status"}


def test_csv_is_the_table(campaign: Path, tmp_path: Path) -> None:
    assert main(["export", str(campaign), "--to", "csv", "--out", str(tmp_path / "logs")]) == 0
    table = pd.read_csv(tmp_path / "logs" / "curves.csv")
    assert table["p_mpjpe_signed_mm"].tolist() == [60.5, 55.25, 61.0, 54.0]
    assert {"arm", "run", "seed", "epoch", "status"} <= set(table.columns)


def test_a_folder_in_use_and_no_folder_are_refused(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no empty folder" in refusal(capsys, "export", str(campaign), "--to", "csv", "--out", str(campaign))
    assert "give --out FOLDER" in refusal(capsys, "export", str(campaign), "--to", "csv")
