"""What the tests of survival share: the processes of a Ray, known by the folder in which it keeps
its files."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def shared_ray_folder() -> Iterator[Path]:
    """Where a Ray that several tests share keeps its files."""
    yield from short_folder()


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Where the Ray of one test keeps its files."""
    yield from short_folder()


def short_folder() -> Iterator[Path]:
    """A folder with a short name, for the names of Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def processes_of() -> Callable[[Path], dict[int, str]]:
    """A function that returns the processes of the Ray of a folder, by their ids: they name it, or
    hold a file in it open."""

    def find(folder: Path) -> dict[int, str]:
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                held = [os.readlink(handle) for handle in (entry / "fd").iterdir()]
            except OSError:  # it ended meanwhile
                continue
            if int(entry.name) != os.getpid() and any(f"{folder}/" in name for name in (title, *held)):
                found[int(entry.name)] = title
        return found

    return find


@pytest.fixture(scope="session")
def gone(processes_of: Callable[[Path], dict[int, str]]) -> Callable[..., float]:
    """A function that waits until the Ray of a folder has left no process, and returns the seconds
    that this took.

    When Ray's processes were killed, its agents, which do nothing else by then, try for a minute to
    reach those that are dead; they may be spared.
    """

    def wait(folder: Path, spare: str = "nothing", patience: float = 120.0) -> float:
        began = time.monotonic()
        while left := [title for title in processes_of(folder).values() if spare not in title]:
            assert time.monotonic() - began < patience, left
            time.sleep(0.1)
        return time.monotonic() - began

    return wait
