"""A campaign to disturb, its undisturbed rows, and a Ray of several nodes."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ray
from ray import tune
from ray.cluster_utils import Cluster

from helpers import TIMES
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.plan import Campaign
from tips_ray.campaign.ray_session import QUIET
from tips_ray.campaign.tune import execute
from tips_ray.config import Config, Data, Network, Optimiser, Placement
from tips_ray.data.dataset import Sources, prepare
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.run import Run
from tips_ray.store.curves import RUNS, read_curves, run_name
from tips_ray.store.storage import Storage

CONFIG = Config(
    data=Data(num_views=1, epoch_views=1024),
    network=Network(width=16, generator_blocks=1, discriminator_blocks=1),
    optimiser=Optimiser(batch_size=64),
)
NUM_SEEDS = 2
NUM_EPOCHS = 30
PATIENCE = 240.0


def wait_for(what: str, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What a condition returns once it is true; fails after some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)
    return found


class Reported(tune.Callback):
    """Remembers which epochs were reported, by arm."""

    def __init__(self) -> None:
        self.epochs: dict[str, list[int]] = {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        self.epochs.setdefault(result["arm"], []).append(result["epoch"])


@dataclass
class Disturbed:
    """A campaign of the arm "solo" that something happens to while it is trained."""

    campaign: Campaign
    poses: PoseSet
    resources: Placement
    reported: Reported = field(default_factory=Reported)
    at_fault: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What was stored when it happened."""

    def run(self, fault: Callable[[], None], after: int = 4) -> dict[str, str]:
        """Train it, with a fault once some epochs are stored; returns the failures."""
        problems: list[BaseException] = []

        def disturb() -> None:
            try:
                wait_for(f"{after} epochs", lambda: self.num_stored() >= after)
                self.at_fault = self.rows()
                fault()
                assert self.num_stored() < NUM_EPOCHS, "the fault came too late"
            except BaseException as problem:
                problems.append(problem)

        thread = threading.Thread(target=disturb)
        thread.start()
        failures = execute(self.campaign, ["solo"], self.resources, Sources(self.poses), [self.reported])
        thread.join()
        assert not problems, problems
        return failures

    def num_stored(self) -> int:
        """Epochs that all seeds have stored."""
        runs = self.campaign.folder / RUNS
        return min(len(runs.names(f"{run_name('solo', seed)}/weights")) for seed in self.campaign.seeds)

    def rows(self) -> pd.DataFrame:
        """All rows that are stored, clocks included."""
        return read_curves(self.campaign.folder, self.campaign.name)

    def check(self, undisturbed: pd.DataFrame) -> None:
        """Every epoch is there once, as if nothing had happened; those of before the fault were not
        trained again."""
        rows = self.rows()
        pd.testing.assert_frame_equal(rows.drop(columns=TIMES), undisturbed, check_exact=True)
        assert set(self.reported.epochs["solo"]) <= set(rows["epoch"])
        assert self.reported.epochs["solo"][-1] == NUM_EPOCHS
        # The last epoch may have been trained when its state was not stored yet.
        before = self.at_fault[self.at_fault["epoch"] < self.at_fault.groupby("run")["epoch"].transform("max")]
        kept = rows.merge(before[["run", "epoch"]])
        pd.testing.assert_frame_equal(kept, before.reset_index(drop=True), check_exact=True)


@pytest.fixture(scope="session")
def poses() -> PoseSet:
    return synthesise(num_poses=400)


@pytest.fixture(scope="session")
def undisturbed(poses: PoseSet, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The rows of the campaign, trained without Ray; without what a clock measured."""
    folder = Storage(str(tmp_path_factory.mktemp("undisturbed")))
    dataset = prepare(poses, CONFIG.data)
    for seed in range(NUM_SEEDS):
        run = StoredRun(folder, "solo", Run(CONFIG, dataset, seed))
        for _ in range(NUM_EPOCHS):
            run.advance()
    return read_curves(folder, "c").drop(columns=TIMES)


@pytest.fixture
def disturbed(poses: PoseSet, tmp_path: Path) -> Callable[[Placement], Disturbed]:
    """A new campaign to disturb."""
    return lambda resources: Disturbed(
        Campaign("c", Storage(str(tmp_path)), {"solo": CONFIG}, NUM_SEEDS, NUM_EPOCHS), poses, resources
    )


@dataclass
class Nodes:
    """A Ray of several nodes on this machine: a head without CPUs, and nodes of one CPU each."""

    cluster: Cluster
    find: Callable[[], dict[int, str]]
    """Finds its processes."""

    def renew(self, count: int) -> None:
        """Have that many nodes beside the head."""
        while len(self.cluster.worker_nodes) < count:
            self.cluster.add_node(num_cpus=1)
        wait_for("the nodes", lambda: ray.cluster_resources().get("CPU") == count)

    def remove(self, node_id: str) -> None:
        """Take a node away as a power cut does."""
        node = next(node for node in self.cluster.worker_nodes if node.node_id == node_id)
        self.cluster.remove_node(node, allow_graceful=False)

    def processes(self, title: str) -> list[int]:
        """Process ids of its processes with a title; waits until there is one."""
        return wait_for(title, lambda: [pid for pid, found in self.find().items() if title in found])

    def node_of(self, pid: int) -> str:
        """Id of the node on which a worker runs: a child of its raylet."""
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        raylet = Path(f"/proc/{parent}/cmdline").read_bytes().decode()
        return next(node.node_id for node in self.cluster.worker_nodes if node.raylet_socket_name in raylet)


@pytest.fixture(scope="module")
def nodes(
    shared_ray_folder: Path, processes_of: Callable[[Path], dict[int, str]], gone: Callable[[Path], float]
) -> Iterator[Nodes]:
    """The Ray that these tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**QUIET, "RAY_TMPDIR": str(shared_ray_folder)}.items():
            patch.setenv(name, value)
        head = {"num_cpus": 0, "include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": None}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
            yield Nodes(cluster, lambda: processes_of(shared_ray_folder))
        finally:
            ray.shutdown()
            cluster.shutdown()
    gone(shared_ray_folder)
