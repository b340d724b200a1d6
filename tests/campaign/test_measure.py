"""What is measured of runs that were stored, whatever the arms and however short; without Ray."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import helpers
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.measure import measure_rows, unmeasured
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.config import override
from tips_ray.data.dataset import prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.run import Run
from tips_ray.presets import arm_config
from tips_ray.stability.campaign import load_campaign
from tips_ray.store.measurements import BODIES, CODEPENDENCE, WINDOWS
from tips_ray.store.records import write_manifest
from tips_ray.store.storage import Storage

CONFIG = override(helpers.CONFIG, {"data": {"epoch_views": 64}, "optimiser": {"batch_size": 32}})
DATASET = prepare(synthesise(num_poses=200), CONFIG.data)


@pytest.mark.parametrize("objective", ["adversarial", "supervised"])
@pytest.mark.parametrize("num_epochs", [1, 2, 12])
@pytest.mark.parametrize("learning_rate", [2e-4, 1e12])
def test_all_that_is_missing_is_found_once(tmp_path: Path, objective: str, num_epochs: int, learning_rate: float) -> None:
    """Also of one epoch, of references alone, and where every run diverges."""
    config = arm_config(CONFIG, "supervised" if objective == "supervised" else "solo")
    config = replace(config, optimiser=replace(config.optimiser, learning_rate=learning_rate))
    campaign = Campaign("c", Storage(str(tmp_path)), {"arm": config}, 2, num_epochs)
    write_manifest(campaign.folder, agree(campaign, {"fingerprint": "abc"}, {}))
    runs = [StoredRun(campaign.folder, "arm", Run(config, DATASET, seed)) for seed in campaign.seeds]
    for run in runs:
        while run.num_epochs < num_epochs and not run.diverged:
            run.advance()
    tasks = unmeasured(campaign, load_campaign(campaign.folder), ["arm"])
    rows: dict[str, list] = {}
    for task in tasks:
        rows.setdefault(task.table, []).extend(measure_rows(task, DATASET))
    for table, new in rows.items():
        campaign.folder.write_table(table, pd.DataFrame(new))
    assert not unmeasured(campaign, load_campaign(campaign.folder), ["arm"])
    any_whole = not all(run.diverged for run in runs)
    assert any_whole or learning_rate > 1
    assert (CODEPENDENCE in rows) == any_whole
    assert (BODIES in rows) == (any_whole and objective == "adversarial")
    assert (WINDOWS in rows) == (any_whole and num_epochs > 1 and objective == "adversarial")
