"""How much faster a search is on two nodes of a Ray cluster than on one: 8 trials of laptop size,
one CPU a node.

    python benchmarks/scale_out.py                         # about five minutes on two cores

The nodes are processes of this machine (`ray.cluster_utils.Cluster`), which needs a core for each;
the head has none. What is held against each other is the time from the first trial's start to the
last one's end, the starts of workers in it, those of the clusters not. All trials train the same
number of steps, whatever their weights.
"""

import argparse
import os
import tempfile
from dataclasses import asdict

from ray.cluster_utils import Cluster

from campaigns import TINY, Cost, timed_search
from measure import publish
from tips_ray.config import Config
from tips_ray.data.synthetic import synthesise
from tips_ray.presets import laptop
from tips_ray.store.storage import Storage


def cost_on(num_nodes: int, config: Config, num_trials: int, num_epochs: int) -> Cost:
    """Run the search on a cluster of its own."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(num_nodes):
            cluster.add_node(num_cpus=1)
        os.environ["RAY_ADDRESS"] = str(cluster.address)
        with tempfile.TemporaryDirectory() as folder:
            return timed_search(config, synthesise(), Storage(folder), num_trials, num_epochs)
    finally:
        os.environ.pop("RAY_ADDRESS", None)
        cluster.shutdown()


def main() -> None:
    """Run the search on both clusters and publish how much faster the larger one was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=5, help="of each trial; 5 take a core about 25 seconds")
    parser.add_argument("--tiny", action="store_true", help="tiny networks, to try this out")
    given = parser.parse_args()
    config = TINY if given.tiny else laptop().config
    costs = {count: cost_on(count, config, given.trials, given.epochs) for count in (1, 2)}
    for count, cost in costs.items():
        each = cost.training / given.trials
        print(f"{count} nodes: {cost.trials:.1f} s; a trial trained and evaluated for {each:.1f} s of a core")
    speed_up = costs[1].trials / costs[2].trials
    seconds = {count: asdict(cost) for count, cost in costs.items()}
    publish("scale_out", speed_up, 1.8, num_trials=given.trials, num_epochs=given.epochs, seconds_by_nodes=seconds)


if __name__ == "__main__":
    main()
