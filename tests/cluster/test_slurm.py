"""A study by `cluster.slurm.sh` on two nodes, which are namespaces with a network between them:
what Slurm would start there is started by a small `srun`; Ray and the study are real."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from cluster.namespaces import TOOLS, UNSHARE, obstacle
from helpers import ROOT, TINY
from tips_ray.store.curves import CURVE

HEAD, WORKER = "10.77.0.1", "10.77.0.2"
SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
started=()
for node in $NODES; do
  nsenter --target="$node" --pid --net --mount --wd="$PWD" "$@" & started+=($!)
done
code=0
for one in "${started[@]}"; do wait "$one" || code=$?; done
exit $code
"""
SCONTROL = f"""#!/bin/bash
[ "$1" = show ] && printf '%s\\n' {HEAD} {WORKER}
[ "$1" = requeue ] && echo "$2" >> "$REQUEUED"
exit 0
"""
EPOCHS = 6


OBSTACLE = obstacle(TOOLS, needed=("ip", "link", "add", "veth-tried", "type", "veth"))
pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(bool(OBSTACLE), reason=f"two nodes: {OBSTACLE}"),
]


@dataclass
class Slurm:
    """Two nodes, and the folder from which a job is submitted."""

    nodes: list[int]
    """Their first processes, as this machine sees them."""
    folder: Path

    def submit(self, *words: str) -> subprocess.Popen[str]:
        """What `sbatch` would run on the first node, with this job's number."""
        environment = {
            "PATH": f"{self.folder}/slurm:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "NODES": " ".join(map(str, self.nodes)),
            "REQUEUED": str(self.folder / "requeued"),
            "SLURM_JOB_ID": "4242",
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_JOB_NUM_NODES": "2",
        }
        return subprocess.Popen(
            ["bash", str(ROOT / "cluster.slurm.sh"), "stability", *words],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def preempt(self) -> None:
        """End what runs on the nodes, as Slurm does."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for node in self.nodes:
                inside = ["nsenter", f"--target={node}", "--pid", "--mount", "kill", f"-{int(number)}", "--", "-1"]
                subprocess.run(inside, capture_output=True, check=False)
            time.sleep(2)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    folder = tmp_path_factory.mktemp("slurm")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "slurm").mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / "slurm" / name).write_text(text)
        (folder / "slurm" / name).chmod(0o755)
    # Each node has a folder of its own for Ray's files; its first process outlives what is killed.
    Path("/tmp/ray").mkdir(exist_ok=True)
    boot = 'ip link set lo up; mkdir -p "$0"; mount --bind "$0" /tmp/ray; trap "" TERM; while true; do sleep 1; done'
    homes = [folder / "ray-1", folder / "ray-2"]
    started = [subprocess.Popen([*UNSHARE, "bash", "-c", boot, str(home)]) for home in homes]
    try:
        for home in homes:
            while not home.exists():
                time.sleep(0.05)
        time.sleep(0.5)
        nodes = [int(Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text().split()[0]) for one in started]
        subprocess.run(["ip", "link", "add", "slurm-1", "type", "veth", "peer", "name", "slurm-2"], check=True)
        for node, link, address in zip(nodes, ("slurm-1", "slurm-2"), (HEAD, WORKER), strict=True):
            subprocess.run(["ip", "link", "set", link, "netns", str(node)], check=True)
            for words in (["addr", "add", f"{address}/24", "dev", link], ["link", "set", link, "up"]):
                subprocess.run(["nsenter", f"--target={node}", "--net", "ip", *words], check=True)
        yield Slurm(nodes, folder)
    finally:
        for one in started:
            one.kill()
            one.wait()


def test_a_study_on_two_nodes_is_preempted_requeued_and_continued(slurm: Slurm) -> None:
    options = [*TINY, "--arms", "solo", "--num-seeds", "2", "--num-workers", "2", "--cpus-per-worker", "1"]
    options += ["--num-epochs", str(EPOCHS), "--campaign", "queue"]
    job = slurm.submit(*options)
    curve = slurm.folder / "reports" / "queue" / "runs" / "solo-seed1" / CURVE
    end = time.monotonic() + 600
    while not curve.exists():
        assert job.poll() is None, job.communicate()[0]
        if time.monotonic() > end:
            job.kill()
            raise AssertionError(job.communicate()[0])
        time.sleep(0.2)
    slurm.preempt()
    first = job.communicate(timeout=60)[0]
    assert job.returncode >= 128, first
    assert (slurm.folder / "requeued").read_text() == "4242\n"
    stored = pd.read_parquet(curve)
    assert 1 <= len(stored) < EPOCHS

    job = slurm.submit(*options)
    printed = job.communicate(timeout=600)[0]
    assert job.returncode == 0, printed
    assert "2/2 nodes" in printed or "Joining the Ray cluster at 10.77.0.1:24242" in printed
    curves = [pd.read_parquet(curve.parents[1] / f"solo-seed{seed}" / CURVE) for seed in range(2)]
    assert [len(each) for each in curves] == [EPOCHS, EPOCHS]
    continued = curves[1].iloc[: len(stored)][stored.columns]
    pd.testing.assert_frame_equal(continued, stored)  # seconds included: not trained anew
    assert (slurm.folder / "requeued").read_text() == "4242\n"  # what ends by itself is not tried again


def test_a_mistake_ends_the_job_and_is_not_tried_again(slurm: Slurm) -> None:
    before = (slurm.folder / "requeued").read_text() if (slurm.folder / "requeued").exists() else ""
    job = slurm.submit("--data", "nowhere.npz")
    printed = job.communicate(timeout=600)[0]
    assert job.returncode == 2, printed
    assert "nowhere.npz" in printed
    assert ((slurm.folder / "requeued").read_text() if (slurm.folder / "requeued").exists() else "") == before
