"""`tips-ray watch`: a page that follows a study while it trains."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from helpers import ROOT, refusal, store_campaign, wait_until
from tips_ray.config import Config
from tips_ray.store.curves import CURVE, RUNS
from tips_ray.store.storage import Storage


@pytest.fixture
def study(tmp_path: Path, make_curves: Callable[..., pd.DataFrame]) -> Path:
    """The folder of a study of one run that has trained four epochs."""
    curves = make_curves(arms=("solo",), num_seeds=1, num_epochs=4).drop(columns="campaign")
    store_campaign(Storage(str(tmp_path / "study")), curves, {"solo": Config()}, name="study")
    return tmp_path / "study"


@pytest.fixture
def served(study: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """The program that serves the study, and the address that it prints."""
    command = [sys.executable, "-m", "tips_ray", "watch", str(study), "--port", "0", "--every", "0.2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout
        line = program.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        yield program, address[0] if address else line
        program.kill()


def test_the_page_follows_the_store_and_ends_at_ctrl_c(served, study: Path, browser) -> None:
    program, address = served
    page = browser.new_page()
    page.goto(address)
    assert "epoch 4" in page.locator("#curves").inner_text()
    before = {path.name for path in study.iterdir()}
    curve = study / RUNS / "solo-seed0" / CURVE
    table = pd.read_parquet(curve)
    more = pd.concat([table, table.assign(epoch=table["epoch"] + 4)], ignore_index=True)
    Storage(str(curve.parent)).write_table(CURVE, more)
    page.locator("#curves", has_text="epoch 8").wait_for()
    assert {path.name for path in study.iterdir()} == before
    curve.write_bytes(b"damaged")
    assert program.stdout.readline().strip().endswith("The page is up to date.")
    assert "Not brought up to date" in program.stdout.readline()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=20)
    assert program.returncode == 0
    assert "Traceback" not in out + err
    wait_until(page, "document.querySelector('[role=status]').textContent.includes('has ended')")
    page.close()


def test_what_cannot_be_watched_is_refused(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no campaign.json" in refusal(capsys, "watch", str(tmp_path))
    assert "--port is 70000" in refusal(capsys, "watch", str(study), "--port", "70000")
    assert "--every is 0" in refusal(capsys, "watch", str(study), "--every", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} of 127.0.0.1 cannot be used" in refusal(capsys, "watch", str(study), "--port", port)
