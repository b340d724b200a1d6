"""While tests run, functions of tensors check the shapes and types they are annotated with, and
chance is fixed; which tests run beside each other, and which only now and then."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import settings

TENSORS = ["tips_ray.data", "tips_ray.lifting", "tips_ray.poses"]
jaxtyping.install_import_hook(TENSORS, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

settings.register_profile("tips_ray", deadline=None, derandomize=True)
settings.load_profile("tips_ray")
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # started in the background, all programs of the tests would ignore it

TESTS = Path(__file__).parent
RAY = (
    "studies/",
    "test_additions.py",
    "campaign/survival/",
    "campaign/test_tune.py",
    "search/test_run.py",
    "store/test_s3.py",
    "test_wheel.py",
)
"""Tests that start Ray: one process runs them in turn, beside all others."""
SLOW = (
    *(
        "campaign/survival/",
        "campaign/test_tune.py",
        "cluster/test_slurm.py",
        "cluster/test_submit.py",
        "search/test_run.py",
        "store/test_s3.py",
    ),
    *(
        "studies/test_benchmarks.py",
        "studies/test_keypoints.py",
        "studies/test_noise.py",
        "studies/test_partitions.py",
        "studies/test_recipe.py",
        "studies/test_screen.py",
        "studies/test_search.py",
        "studies/test_tips.py",
        "test_additions.py",
        "test_benchmarks.py",
        "test_wheel.py",
    ),
)
"""Tests that `make test` leaves out."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks `slow` tests, and says which tests one process of pytest-xdist runs in turn; those that
    start Ray come first, since they take longest."""
    items.sort(key=lambda item: not _file(item).startswith(RAY))
    for item in items:
        file = _file(item)
        item.add_marker(pytest.mark.xdist_group("ray" if file.startswith(RAY) else file))
        if file.startswith(SLOW):
            item.add_marker("slow")


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """As for users, who have no run-time checks of annotations: what the package itself says of
    wrong shapes and types."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def dataset() -> Any:
    """What runs with the config of `helpers.CONFIG` see."""
    from helpers import CONFIG  # imported late, so that the annotations of the package are checked
    from tips_ray.data.dataset import prepare
    from tips_ray.data.synthetic import synthesise

    return prepare(synthesise(num_poses=400), CONFIG.data)


@pytest.fixture(scope="module")
def ray_folder() -> Iterator[Path]:
    """Where the Ray that the tests of a file share keeps its files, by which its processes are
    known."""
    from tips_ray.campaign.ray_session import running_ray

    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        with running_ray():
            yield Path(folder)


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[dict[str, str]]:
    """Variables of the environment by which commands join a Ray that they share, rather than each
    start one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        options = ["--num-cpus", "2", "--temp-dir", folder, "--include-dashboard", "true", "--dashboard-port", "0"]
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port", str(port), *options]
        joined = {"RAY_ADDRESS": f"127.0.0.1:{port}", "RAY_AUTH_MODE": "disabled"}
        # To its workers the package is where it is to the tests.
        own = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": f"{TESTS.parent}:{os.environ.get('PYTHONPATH', '')}"}
        own["RAY_AUTH_MODE"] = "disabled"
        ray = subprocess.Popen(start, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                with socket.socket() as probe:
                    if not probe.connect_ex(("127.0.0.1", port)):
                        break
                assert ray.poll() is None
                time.sleep(0.1)
            yield joined
        finally:
            ray.terminate()
            ray.wait()
