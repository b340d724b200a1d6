"""`tips-ray partitions`: it trains a solo lifter, chooses partitions by it and trains them; when it
goes on, it keeps its choice."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import TINY, refusal, run_python, store_campaign
from tips_ray.config import Config, parts_of
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.skeleton import LEGS, LEGS_TORSO, LIFTED
from tips_ray.presets import arm_config, laptop
from tips_ray.store.measurements import CODEPENDENCE
from tips_ray.store.records import read_manifest, write_manifest
from tips_ray.store.storage import Storage
from tips_ray.studies.partitions import Partitions

STUDY = [*TINY, "--base", "parts", "--solo", "solo", "--num-parts", "2", "--num-random", "1", "--seeds", "2", "--campaign", "c"]


@pytest.mark.parametrize("options", [["--num-parts", "1"], ["--num-parts", "2", "17"], ["--num-random", "-1"]])
def test_numbers_of_parts_that_cannot_be_are_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "give numbers of parts from 2 to 16" in refusal(capsys, "partitions", *options, "--storage", str(tmp_path))
    assert not list(tmp_path.iterdir())


def measured(folder: Storage, names: tuple[str, ...]) -> None:
    """Write the codependence of a solo lifter whose depths depend on some of the joints alike, and
    on the others alike, and the campaign's record."""
    curves = pd.DataFrame({"arm": "solo", "run": "solo-seed0", "seed": 0, "epoch": [1], "status": "ok"})
    store_campaign(folder, curves, {arm: arm_config(laptop().config, arm) for arm in ("parts", "solo")})
    rows = [
        {"depth": depth, "keypoint": keypoint, "sensitivity": 1.0 + 9.0 * ((depth in names) == (keypoint in names))}
        for depth in LIFTED
        for keypoint in LIFTED
    ]
    table = pd.DataFrame(rows).assign(arm="solo", seed=0, epoch=1, outside_share=0.5)
    folder.write_table(CODEPENDENCE, table)


def test_codependence_decides_and_a_partition_that_was_trained_stays(tmp_path: Path) -> None:
    preset, folder, poses = laptop(), Storage(str(tmp_path)), synthesise(num_poses=300)
    options = {name: getattr(preset, name) for name in ("num_seeds", "num_epochs", "placement", "keep_weights", "config")}
    study = Partitions("laptop", **options, base="parts", solo="solo", num_parts=(2, 3), num_random=2)
    measured(folder, LEGS)
    further = study.further(folder, poses)
    kinds = ("information_2", "information_3", "codependence_2", "codependence_3")
    assert set(further) == {f"parts_with_{name}" for name in (*kinds, *(f"random_{k}_{draw}" for k in (2, 3) for draw in (1, 2)))}
    chosen = further["parts_with_codependence_2"]
    assert {part.joints for part in parts_of(chosen)} == {part.joints for part in LEGS_TORSO}
    assert len({config.partition for config in further.values()}) == len(further)
    manifest = read_manifest(folder)
    arms = {**manifest["arms"], "parts_with_codependence_2": {"partition": chosen.partition}}
    measured(folder, tuple(np.random.default_rng(0).permutation(LIFTED)[:8]))
    write_manifest(folder, {**manifest, "arms": arms})
    again = study.further(folder, poses)
    assert again["parts_with_codependence_2"] == chosen
    assert again["parts_with_codependence_3"] != further["parts_with_codependence_3"]


def test_partitions_are_chosen_once_and_compared_with_the_base(tmp_path: Path) -> None:
    partitions = []
    for epochs in ("2", "3"):  # of which the second measures another codependence
        ended = run_python("studies/partitions.py", *STUDY, "--epochs", epochs, "--storage", str(tmp_path))
        assert ended.returncode == 0, ended.stderr
        summary = json.loads((tmp_path / "c" / "summary.json").read_text())
        effects = {effect["arm"]: effect for effect in summary["ingredients"]}
        assert set(effects) == {f"parts_with_{name}" for name in ("information_2", "codependence_2", "random_2_1")}
        assert {effect["whole"]["epochs"] for effect in effects.values()} == {int(epochs)}
        partitions.append({arm: summary["provenance"]["config"][arm]["partition"] for arm in effects})
    assert partitions[0] == partitions[1]
    assert all(len(parts_of(Config(partition=partition))) == 2 for partition in partitions[0].values())
    assert "r_hip" in (tmp_path / "c" / "report.html").read_text()
