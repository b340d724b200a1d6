"""A whole small campaign on an object store that speaks S3 (moto's server, on loopback)."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
from moto.server import ThreadedMotoServer

from helpers import TINY, run_python
from tips_ray.store.storage import Storage

SMALL = [*TINY, "--num-seeds", "2", "--storage", "s3://bucket/studies"]

MAKE = """
import sys
from tips_ray.errors import user_errors
from tips_ray.store.storage import Storage
with user_errors():
    Storage(sys.argv[1]).make()
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """The environment in which s3://bucket exists."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    place = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    client = boto3.client("s3", endpoint_url=place["AWS_ENDPOINT_URL"], aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="bucket")
    yield place
    server.stop()


def query(bucket: dict[str, str]) -> str:
    """The end of a URI that says where the bucket is."""
    address = bucket["AWS_ENDPOINT_URL"].removeprefix("http://")
    return f"?endpoint_override={quote(address)}&scheme=http&region=us-east-1"


def test_a_campaign_lives_on_s3(bucket: dict[str, str]) -> None:
    for epochs in ("2", "3"):  # the second extends the first
        ended = run_python("studies/stability.py", *SMALL, "--arms", "solo", "--campaign", "c", "--num-epochs", epochs, **bucket)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "Report: s3://bucket/studies/c/report.html" in ended.stdout
    found = run_python(
        "-m", "tips_ray", "evaluate", "s3://bucket/studies/c", "--data", "synthetic", "--epoch", "3", "--json", **bucket
    )
    assert found.returncode == 0, found.stderr
    assert [row["epoch"] for row in json.loads(found.stdout)["runs"]] == [3, 3]


def test_a_search_lives_on_s3_and_is_extended_there(bucket: dict[str, str]) -> None:
    options = [*SMALL, "--campaign", "w", "--num-epochs", "2", "--confirm-top", "1", "--confirm-seeds", "2"]
    for asked, ended_before in (("2", 0), ("+1", 2)):
        ended = run_python("studies/weight_search.py", *options, "--num-trials", asked, **bucket)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert f"{ended_before + 1} of " in ended.stdout  # Optuna's study, kept in memory, was entered anew
    summary = json.loads(Storage("s3://key:secret@bucket/studies" + query(bucket)).read("w/summary.json"))
    assert [trial["state"] for trial in summary["trials"]] == ["complete"] * 3
    assert summary["confirmation"]["num_trials_searched"] == 3


@pytest.fixture(scope="module")
def strict_bucket() -> Iterator[str]:
    """The address of a server that has s3://bucket, and asks who one is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-c", "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"]
    # After the bucket was made, it wants credentials.
    variables = os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "1"}
    server = subprocess.Popen([*words, str(port)], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        address = f"http://127.0.0.1:{port}"
        client = boto3.client(
            "s3", endpoint_url=address, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
        )
        client.create_bucket(Bucket="bucket")
        yield address
    finally:
        server.kill()
        server.wait()


class Refusing(BaseHTTPRequestHandler):
    """Answers as S3 does to a request without a signature."""

    def do_GET(self) -> None:
        content = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(0 if self.command == "HEAD" else len(content)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content)

    do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


def made(place: str, tmp_path: Path, **variables: str) -> tuple[str, float]:
    """What a user is told when a storage is made, and after how many seconds."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", MAKE, place],
        env=known | {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 2, told.stderr
    return told.stderr, time.monotonic() - began


def test_missing_credentials_are_said_at_once(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told, seconds = made("s3://bucket/x", tmp_path, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "no credentials for 's3://bucket/x': set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in told
    assert seconds < 30


def test_wrong_credentials_are_said_at_once(strict_bucket: str, tmp_path: Path) -> None:
    wrong = {"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong"}
    told, seconds = made("s3://bucket/x", tmp_path, AWS_ENDPOINT_URL=strict_bucket, **wrong)
    assert "'s3://bucket/x' refuses access (" in told
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in told
    assert seconds < 30


def test_a_missing_bucket_is_said_at_once(bucket: dict[str, str], tmp_path: Path) -> None:
    told, seconds = made("s3://nowhere/x", tmp_path, **bucket)
    assert told == "error: The bucket of 's3://nowhere/x' does not exist; make it, or give another --storage.\n"
    assert seconds < 30


def test_a_storage_that_never_answered_is_given_up_soon(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told, seconds = made("s3://key:s3cret@bucket/x", tmp_path, AWS_ENDPOINT_URL=address)
    assert re.search(r"error: 's3://key:\*\*\*@bucket/x' failed for 1\d s \(.*\); check its address and the network", told)
    assert seconds < 40


def test_a_query_of_the_uri_is_kept_for_what_is_inside(bucket: dict[str, str]) -> None:
    storage = Storage("s3://key:secret@bucket/queried" + query(bucket))
    (storage / "a" / "b").write("c", b"1")
    assert storage.read("a/b/c") == b"1"
    assert (storage / "a").names("b") == ["c"]
    (storage / "a").delete("b/c")
    (storage / "a").delete("b/c")
    assert not storage.exists("a/b/c")
