"""The RayJob of `cluster.kuberay.yaml` agrees with what the tests pass with, and with itself."""

import re
import shlex
from typing import Any

import pytest
import yaml

from helpers import ROOT
from tips_ray.cli import STUDIES


@pytest.fixture
def spec() -> dict[str, Any]:
    job = yaml.safe_load((ROOT / "cluster.kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    return job["spec"]


def test_its_version_is_that_of_the_constraints(spec: dict[str, Any]) -> None:
    pinned = re.findall(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert [spec["rayClusterSpec"]["rayVersion"]] == pinned


def test_it_runs_a_command_of_the_package_on_a_volume_that_all_nodes_have(spec: dict[str, Any]) -> None:
    program, study, *options = shlex.split(spec["entrypoint"])
    assert program == "tips-ray"
    assert study in STUDIES
    cluster = spec["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in (group["template"]["spec"] for group in groups):
        (container,) = pod["containers"]
        (mount,) = container["volumeMounts"]
        assert mount["name"] in [volume["name"] for volume in pod["volumes"]]
        places = [options[options.index("--data") + 1], *(entry["value"] for entry in container["env"])]
        assert all(place.startswith(mount["mountPath"]) for place in places)


def test_only_who_has_the_token_gets_in(spec: dict[str, Any]) -> None:
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert spec["shutdownAfterJobFinishes"] is True
