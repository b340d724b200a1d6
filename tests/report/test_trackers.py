"""Curves for other tools: what they read is what the campaign has."""

import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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


@pytest.mark.filterwarnings("default")
def test_mlflow_has_each_run_by_epoch(campaign: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow-skinny")
    assert main(["export", str(campaign), "--to", "mlflow", "--out", str(tmp_path / "logs")]) == 0
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}")
    runs = {run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("c").experiment_id])}
    assert {name: run.data.params for name, run in runs.items()} == {
        "solo-seed0": {"arm": "solo", "seed": "0"},
        "solo-seed1": {"arm": "solo", "seed": "1"},
    }
    assert {run.info.status for run in runs.values()} == {"FINISHED"}

    def history(metric: str) -> list[tuple[int, float]]:
        return [(each.step, each.value) for each in client.get_metric_history(runs["solo-seed1"].info.run_id, metric)]

    assert (history("p_mpjpe_signed_mm"), history("churn_mm")) == ([(1, 61.0), (2, 54.0)], [(2, 5.0)])


def wandb_records(file: Path) -> list[Any]:
    """What a file of W&B holds: a header of 7 bytes, then records of a checksum, a length, a kind
    (1: whole) and a message."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportMissingImports]

    content, records = file.read_bytes()[7:], []
    while content:
        _, length, kind = struct.unpack("<IHB", content[:7])
        assert kind == 1
        records.append(Record.FromString(content[7 : 7 + length]))
        content = content[7 + length :]
    return records


@pytest.mark.filterwarnings("default")
def test_wandb_has_each_run_by_epoch(campaign: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs wandb")
    assert main(["export", str(campaign), "--to", "wandb", "--out", str(tmp_path / "logs")]) == 0
    files = [wandb_records(file) for file in (tmp_path / "logs" / "wandb").glob("offline-run-*/*.wandb")]
    heads = [next(record.run for record in records if record.HasField("run")) for records in files]
    assert {(head.project, head.run_group, head.display_name) for head in heads} == {
        ("c", "solo", "solo-seed0"),
        ("c", "solo", "solo-seed1"),
    }
    (records,) = (records for records, head in zip(files, heads, strict=True) if head.display_name == "solo-seed1")
    values = {
        (item.nested_key[0], record.history.step.num): float(item.value_json)
        for record in records
        if record.HasField("history")
        for item in record.history.item
    }
    errors = [(step, value) for (name, step), value in values.items() if name == "p_mpjpe_signed_mm"]
    assert errors == [(1, 61.0), (2, 54.0)]
    assert [step for name, step in values if name == "churn_mm"] == [2]


@pytest.mark.parametrize(("to", "package"), [("mlflow", "mlflow-skinny"), ("wandb", "wandb")])
def test_a_library_that_is_missing_is_named(campaign: Path, tmp_path: Path, to: str, package: str, capsys) -> None:
    if find_spec(to):
        pytest.skip(f"{to} is installed")
    sentence = refusal(capsys, "export", str(campaign), "--to", to, "--out", str(tmp_path / "logs"))
    assert f"pip install {package}" in sentence
    assert not (tmp_path / "logs").exists()


def test_a_folder_in_use_and_no_folder_are_refused(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no empty folder" in refusal(capsys, "export", str(campaign), "--to", "csv", "--out", str(campaign))
    assert "give --out FOLDER" in refusal(capsys, "export", str(campaign), "--to", "csv")
