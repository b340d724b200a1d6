"""The cluster files hold by Ray's own schema, pin what the tests pass with, and let no one in
without the token; what is sent to a cluster, and what may come back."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers import ROOT, run_python
from tips_ray.cluster.ssh import read_cluster
from tips_ray.cluster.submit import Submission, check_report, content_hash

FILES = ["cluster.yaml", "cluster.local.yaml"]
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=FILES)
def cluster(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read_cluster(ROOT / request.param)


def starts(cluster: dict[str, Any]) -> list[str]:
    commands = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    return [command for command in commands if "ray start" in command]


def test_versions_are_those_of_the_constraints(cluster: dict[str, Any]) -> None:
    pinned = re.findall(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert re.findall(r'"ray\[default,tune,train\]==([^"]+)"', "\n".join(cluster["setup_commands"])) == pinned
    assert "-c ~/tips-ray/constraints.txt" in "\n".join(cluster["setup_commands"])


def test_what_is_shipped_is_there_and_holds_the_whole_package(cluster: dict[str, Any]) -> None:
    shipped = {target: source for target, source in cluster["file_mounts"].items() if target.startswith("~/tips-ray/")}
    assert all((ROOT / source).exists() and target == f"~/tips-ray/{source}" for target, source in shipped.items())
    assert {"tips_ray", "studies", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"} == set(shipped.values())


def test_only_who_has_the_token_gets_in(cluster: dict[str, Any]) -> None:
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert len(starts(cluster)) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts(cluster))
    assert ["--dashboard-host=127.0.0.1" in command for command in starts(cluster)] == [True, False]
    assert "0.0.0.0" not in yaml.dump(cluster["provider"])  # no port is opened beside ssh


def test_gpu_workers_are_spot_instances_that_come_and_go() -> None:
    cluster = read_cluster(ROOT / "cluster.yaml")
    kinds = cluster["available_node_types"]
    (worker,) = (kind for name, kind in kinds.items() if name != cluster["head_node_type"])
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert 0 <= worker["min_workers"] < worker["max_workers"] <= cluster["max_workers"]
    assert cluster["idle_timeout_minutes"] > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster_name: [", "is not YAML"),
        ("hello", "is no cluster file for Ray"),
        ("{cluster_name: x, provider: {type: local, head_ip: h, worker_ips: []}, spot: 1}", "'spot' was unexpected"),
        ("{cluster_name: x, provider: {type: aws, region: r}, max_workers: many}", "'many' is not of type"),
        ("{cluster_name: x, provider: {type: moon}, auth: {ssh_user: me}}", "moon"),
        ("{cluster_name: x, provider: {type: local, head_ip: h, worker_ips: []}, auth: {ssh_user: me}}", "does not ship"),
    ],
    ids=["yaml", "text", "unknown key", "wrong type", "provider", "repository"],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)):
        read_cluster(tmp_path / "cluster.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_that_is_not_up_is_said_to_be(tmp_path: Path, name: str) -> None:
    own = {"RAY_TMPDIR": str(tmp_path), "TMPDIR": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    started = time.monotonic()
    ended = run_python("studies/stability.py", "--cluster", name, "--campaign", f"not-made-{tmp_path.name}", **own)
    assert time.monotonic() - started < 30
    assert ended.returncode == 2, ended.stderr
    assert ("Unable to locate credentials" if name == "cluster.yaml" else f"`ray up {name}`") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_only_files_of_a_report_are_taken_from_the_head_node() -> None:
    check_report(["report.html", "confirmation/curves.parquet"])
    with pytest.raises(OSError, match=r"'\.\./\.\./home/\.bashrc' as a file of the report"):
        check_report(["report.html", "../../home/.bashrc"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--storage", "s3://KEY:s3cret@bucket/studies"],
        ["--storage=s3://KEY:s3cret@bucket/studies"],
        ["--study-storage", "postgresql://me:s3cret@host/db"],
    ],
)
def test_no_password_goes_into_the_command_line_of_a_job(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match="holds a password") as refusal:
        Submission("search", arguments, "not-made", {}).check()
    assert "s3cret" not in str(refusal.value)


def test_hidden_files_are_no_part_of_uploaded_data(tmp_path: Path) -> None:
    (tmp_path / "01.asf").write_text("poses")
    without = content_hash(str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id").write_text("private")
    assert content_hash(str(tmp_path)) == without
