"""What tests of several rooms share."""

import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Page

from tips_ray.cli import main
from tips_ray.config import Config, Data, Network, Optimiser
from tips_ray.store.curves import CURVE, RUNS
from tips_ray.store.records import write_manifest
from tips_ray.store.storage import Storage

ROOT = Path(__file__).resolve().parents[1]
TIMES = ["train_seconds", "evaluate_seconds", "poses_per_second"]
"""Columns of a curve that a clock measured."""
TINY_NETWORK = ["--network.width", "16", "--network.generator-blocks", "1", "--network.discriminator-blocks", "1"]
TINY = [
    *TINY_NETWORK,
    *("--data.max-train-poses", "400", "--data.epoch-views", "512", "--optimiser.batch-size", "64"),
]
"""Options of a study that trains in seconds."""
CONFIG = Config(
    data=Data(num_views=1, epoch_views=128),
    network=Network(width=8, generator_blocks=1, discriminator_blocks=1),
    optimiser=Optimiser(batch_size=64),
)
"""Of a run that trains an epoch in a blink."""


def run_python(*words: str, cwd: Path = ROOT, timeout: float = 280, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python, as a user would, with the package of this folder."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The sentence with which a command line of `tips-ray` is refused."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    printed = capsys.readouterr()
    assert end.value.code == 2, printed.out + printed.err
    assert "Traceback" not in printed.err
    return " ".join((printed.out + printed.err).split())


def store_campaign(folder: Storage, curves: pd.DataFrame, configs: dict[str, Config], **changes: Any) -> None:
    """Write what the runs of a campaign leave: its record, with some changes, and a curve a run,
    from columns arm, run, seed, epoch, status and any others."""
    arms = {arm: asdict(config) for arm, config in configs.items()}
    record = {"version": 4, "name": "c", "data": {}, "references": {}, "arms": arms, "executions": [], **changes}
    write_manifest(folder, record)
    for run, curve in curves.groupby("run"):
        (folder / RUNS / str(run)).write_table(CURVE, curve.reset_index(drop=True))


def wait_until(page: Page, expression: str, seconds: float = 30.0) -> None:
    """Wait until an expression is true in a page, whose content policy forbids it to be polled by
    the page itself."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)
