"""A whole small campaign on an object store that speaks S3 (moto's server, on loopback)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = [
    *("--network.width", "16", "--network.generator-blocks", "1", "--network.discriminator-blocks", "1"),
    *("--data.max-train-poses", "400", "--data.epoch-views", "512", "--optimiser.batch-size", "64"),
    *("--arms", "solo", "--num-seeds", "2", "--campaign", "c", "--storage", "s3://bucket/studies"),
]


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


def run(bucket: dict[str, str], *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ | bucket, capture_output=True, text=True, timeout=240, check=False
    )


def test_a_campaign_lives_on_s3(bucket: dict[str, str]) -> None:
    for epochs in ("2", "3"):  # the second extends the first
        ended = run(bucket, "studies/stability.py", *OPTIONS, "--num-epochs", epochs)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "Report: s3://bucket/studies/c/report.html" in ended.stdout
    found = run(
        bucket, "-m", "tips_ray.cli", "evaluate", "s3://bucket/studies/c", "--data", "synthetic", "--epoch", "3", "--json"
    )
    assert found.returncode == 0, found.stderr
    assert [row["epoch"] for row in json.loads(found.stdout)["runs"]] == [3, 3]
