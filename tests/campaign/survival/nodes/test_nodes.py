"""Processes and nodes that die while a campaign is trained on a Ray of several nodes."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from ray._raylet import GcsClient
from ray.core.generated import autoscaler_pb2

from tips_ray.config import Placement

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own, of which there are many

DRIVER, WORKER = "ImplicitFunc.train", "RayTrainWorker"
IN_TRIALS, IN_WORKERS = Placement(), Placement(num_workers=2)


def only(found: list[int]) -> int:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("resources", [IN_TRIALS, pytest.param(IN_WORKERS, marks=pytest.mark.nightly)], ids=["plain", "train"])
def test_a_trials_driver_that_is_killed(nodes: Any, disturbed: Callable, undisturbed: pd.DataFrame, resources: Placement) -> None:
    nodes.renew(2)
    campaign = disturbed(resources)
    assert campaign.run(lambda: os.kill(only(nodes.processes(DRIVER)), signal.SIGKILL)) == {}
    campaign.check(undisturbed)


def test_a_train_worker_that_is_killed(nodes: Any, disturbed: Callable, undisturbed: pd.DataFrame) -> None:
    nodes.renew(2)
    campaign = disturbed(IN_WORKERS)
    assert campaign.run(lambda: os.kill(nodes.processes(WORKER)[0], signal.SIGKILL)) == {}
    campaign.check(undisturbed)


@pytest.mark.parametrize("resources", [IN_TRIALS, pytest.param(IN_WORKERS, marks=pytest.mark.nightly)], ids=["plain", "train"])
def test_a_node_that_goes_without_warning(
    nodes: Any, disturbed: Callable, undisturbed: pd.DataFrame, resources: Placement
) -> None:
    nodes.renew(3 if resources.num_workers else 2)
    campaign = disturbed(resources)
    busy = WORKER if resources.num_workers else DRIVER
    assert campaign.run(lambda: nodes.remove(nodes.node_of(nodes.processes(busy)[0]))) == {}
    campaign.check(undisturbed)


@pytest.mark.parametrize("resources", [IN_TRIALS, pytest.param(IN_WORKERS, marks=pytest.mark.nightly)], ids=["plain", "train"])
def test_a_spot_node_that_is_preempted_with_notice(
    nodes: Any, disturbed: Callable, undisturbed: pd.DataFrame, resources: Placement
) -> None:
    nodes.renew(3 if resources.num_workers else 2)
    campaign = disturbed(resources)
    busy = WORKER if resources.num_workers else DRIVER

    def preempt() -> None:
        node, seconds = nodes.node_of(nodes.processes(busy)[0]), 2.0
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + seconds) * 1000)
        accepted, why_not = GcsClient(address=nodes.cluster.address).drain_node(node, reason, "spot", deadline)
        assert accepted, why_not
        time.sleep(seconds)  # what the notice gives
        nodes.remove(node)

    assert campaign.run(preempt) == {}
    campaign.check(undisturbed)
