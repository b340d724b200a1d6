"""A storage that fails for a while, and a disk that is full, in the middle of a campaign."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import pandas as pd
import pytest

pytestmark = pytest.mark.filterwarnings("default")  # connections that broke are closed when they are collected

SECONDS_DOWN = 20.0
SERVER = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


class Gate:
    """A TCP proxy to a port of this machine that can be shut: then connections break, and new ones
    are refused."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        self.pairs: list[socket.socket] = []
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def shut(self) -> None:
        for end in (self.socket, *self.pairs):
            with suppress(OSError):  # the other side was faster
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                ends = [listener.accept()[0], socket.create_connection(("127.0.0.1", self.target))]
            except OSError:  # shut
                return
            self.pairs += ends
            for source, sink in (ends, ends[::-1]):
                threading.Thread(target=self.pass_on, args=(source, sink), daemon=True).start()

    def pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # shut
            while content := source.recv(65536):
                sink.sendall(content)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """The way to an S3 server (moto's, in a process of its own) that has a bucket."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )
        client.create_bucket(Bucket="bucket")
        client.close()
        way = Gate(port)
        yield way
        way.shut()
    finally:
        server.kill()
        server.wait()


def test_a_storage_that_is_away_for_a_while_is_waited_for(gate: Gate, study_in: Callable, whole: Callable) -> None:
    place = f"s3://key:secret@bucket/studies?endpoint_override=127.0.0.1%3A{gate.port}&scheme=http&region=us-east-1"
    study = study_in(place, AWS_EC2_METADATA_DISABLED="true")
    with study.running() as waiting:
        waiting.wait_for_epochs(8)
        gate.shut()
        time.sleep(SECONDS_DOWN)
        assert waiting.process.poll() is None
        gate.open()
        code, output = waiting.ended()
    assert code == 0, output
    assert "failed" not in output
    pd.testing.assert_frame_equal(study.rows(), whole(study), check_exact=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which the campaign fits in part."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "tips-ray-test", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_is_said_at_once_and_the_campaign_goes_on_when_there_is_space(
    small_disk: Path, study_in: Callable, whole: Callable, gone: Callable
) -> None:
    study = study_in(small_disk)
    with study.running() as full:
        full.wait_for_epochs(4)
        code, output = full.ended()
    assert code in (1, 2), output
    assert "No space is left in" in output
    assert "free some, and run the same command again" in output
    assert "Traceback" not in output
    gone(study.ray_folder)
    stored = study.rows()
    assert 0 < len(stored) < len(whole(study))
    assert not list(small_disk.rglob("*.new"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    study.finish()
    pd.testing.assert_frame_equal(study.rows(), whole(study), check_exact=True)
    pd.testing.assert_frame_equal(whole(study).merge(stored[["run", "epoch"]]), stored, check_exact=True)


def test_a_campaign_whose_curve_and_state_were_cut_on_disk_says_so_and_goes_on(
    tmp_path: Path, study_in: Callable, whole: Callable
) -> None:
    study = study_in(tmp_path)
    study.finish()
    run = tmp_path / "c" / "runs" / "solo-seed0"
    for name in ("curve.parquet", "state-0.pt"):  # the state of the last epoch
        os.truncate(run / name, (run / name).stat().st_size // 2)
    output = study.finish()
    assert "state-0.pt was damaged, and the run continues after epoch 19" in output
    assert "curve.parquet was missing or damaged, and was made anew" in output
    pd.testing.assert_frame_equal(study.rows(), whole(study), check_exact=True)
