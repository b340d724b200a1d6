"""A study as its user starts it, and what it gives if nothing happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from helpers import ROOT, TIMES, TINY_NETWORK
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.config import Config, override
from tips_ray.data.dataset import prepare
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.load import load_poses
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.run import Run
from tips_ray.store.curves import RUNS, read_curves
from tips_ray.store.records import read_manifest
from tips_ray.store.storage import Storage

ARMS, NUM_SEEDS, NUM_EPOCHS = ("solo", "parts"), 2, 20
NUM_ROWS = len(ARMS) * NUM_SEEDS * NUM_EPOCHS
OPTIONS = [
    *TINY_NETWORK,
    *("--data.epoch-views", "1024", "--optimiser.batch-size", "64"),
    *("--arms", *ARMS, "--num-seeds", str(NUM_SEEDS), "--num-epochs", str(NUM_EPOCHS), "--cpus-per-worker", "0.5"),
    *("--campaign", "c"),
]
PATIENCE = 240.0


@dataclass
class Study:
    """A study that may run, in a terminal of its own, and its folder."""

    storage: Storage
    ray_folder: Path
    environment: dict[str, str]
    data: Path

    @property
    def folder(self) -> Storage:
        return self.storage / "c"

    @contextmanager
    def running(self) -> Iterator["Running"]:
        """Start the command; it does not outlive the block."""
        process = subprocess.Popen(
            [sys.executable, "studies/stability.py", *OPTIONS, "--data", str(self.data), "--storage", self.storage.location],
            cwd=ROOT,
            env=os.environ | {"RAY_TMPDIR": str(self.ray_folder), "PYTHONUNBUFFERED": "1"} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield Running(process, self)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def finish(self) -> str:
        """Run the command to its end; returns what it printed."""
        with self.running() as again:
            code, output = again.ended()
        assert code == 0, output
        assert "report.html" in output.splitlines()[-1]
        return output

    def num_stored(self) -> int:
        """Epochs that its runs have stored, in all."""
        return sum(len(self.folder.names(f"{RUNS}/{run}/weights")) for run in self.folder.names(RUNS))

    def rows(self) -> pd.DataFrame:
        """All rows that are stored, without what a clock measured."""
        return read_curves(self.folder, "c").drop(columns=TIMES, errors="ignore")


@dataclass
class Running:
    """A study that runs."""

    process: subprocess.Popen
    study: Study

    def wait_for_epochs(self, count: int) -> None:
        """Wait until its runs have stored some epochs, in all."""
        deadline = time.monotonic() + PATIENCE
        while self.study.num_stored() < count:
            assert self.process.poll() is None, self.ended()
            assert time.monotonic() < deadline, f"{self.study.num_stored()} of {count} epochs"
            time.sleep(0.02)

    def interrupt(self) -> None:
        """Ctrl-C: every process of the terminal is told."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the command, and nothing else, without a chance to clean up."""
        self.process.kill()
        self.process.wait()

    def ended(self) -> tuple[int, str]:
        """Wait for the end: exit code and output."""
        output, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few poses, so that the time goes into what is tested."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    write_npz(synthesise(num_poses=600), path)
    return path


@pytest.fixture
def study_in(ray_folder: Path, data: Path) -> Callable[..., Study]:
    """A function that makes a study in a storage, with variables of its environment."""
    return lambda storage, **environment: Study(Storage(str(storage)), ray_folder, environment, data)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Study], pd.DataFrame]:
    """A function that returns the rows of a study as they are if nothing happens, trained here
    without Ray."""
    known: list[pd.DataFrame] = []

    def train(study: Study) -> pd.DataFrame:
        if not known:
            manifest = read_manifest(study.folder)
            folder = Storage(str(tmp_path_factory.mktemp("whole")))
            for arm in ARMS:
                config = override(Config(), manifest["arms"][arm])
                dataset = prepare(load_poses(str(study.data), seed=config.data.seed), config.data)
                for seed in range(NUM_SEEDS):
                    run = StoredRun(folder, arm, Run(config, dataset, seed))
                    for _ in range(NUM_EPOCHS):
                        run.advance()
            known.append(read_curves(folder, "c").drop(columns=TIMES))
        assert len(known[0]) == NUM_ROWS
        return known[0]

    return train
