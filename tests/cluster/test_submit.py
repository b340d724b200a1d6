"""A study on a real cluster of one machine: an sshd, `ray up`, the command line from outside, `ray
down`.

The machine is a namespace of its own: `ray stop`, which ends every Ray that it sees, sees that
machine's only, its ports are its own, and its /tmp and home folders are a folder of this test.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cluster.namespaces import TOOLS as NAMESPACES
from cluster.namespaces import UNSHARE, obstacle
from helpers import ROOT, TINY
from tips_ray.data.formats.npz import write_npz
from tips_ray.data.synthetic import synthesise

TOOLS = {**NAMESPACES, "sshd": "openssh-server", "ssh": "openssh-client", "rsync": "rsync"}
PATHS = f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
BOOT = """
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir /run/sshd
mount --bind "$0" /tmp
exec $(command -v sshd) -D -e -f /tmp/machine/sshd_config
"""
SSHD = """
ListenAddress 127.0.0.1:22
HostKey /tmp/machine/host_key
AuthorizedKeysFile /tmp/machine/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
SetEnv HOME=/tmp/machine
"""
CHANGED = {
    "head_ip: 192.168.1.10": "head_ip: 127.0.0.1",
    "worker_ips: [192.168.1.11, 192.168.1.12]": "worker_ips: []",
    "ssh_user: me": "ssh_user: root",
    "ssh_private_key: ~/.ssh/id_ed25519": "ssh_private_key: /tmp/laptop/key",
    "min_workers: 2": "min_workers: 0",
    "max_workers: 2": "max_workers: 0",
    "TIPS_RAY_STORAGE=/mnt/studies": "TIPS_RAY_STORAGE=/tmp/machine/studies",
}
"""What a researcher changes in cluster.local.yaml, here."""
SMALL = [*TINY, "--num-seeds", "2", "--cluster", "cluster.yaml"]
SOLO = ["--arms", "solo", *SMALL]


def hidden() -> str:
    """Why the machine would lack this package or Python; empty if it has both."""
    inside = any(folder.is_relative_to("/tmp") or folder.is_relative_to("/run") for folder in (ROOT, Path(sys.prefix)))
    return f"the machine has a /tmp and /run of its own, and {ROOT} or {sys.prefix} lies in them" if inside else ""


OBSTACLE = hidden() or obstacle(TOOLS, PATHS)
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(bool(OBSTACLE), reason=f"a machine reached by ssh {OBSTACLE}"),
]


@dataclass
class World:
    """A namespace with an sshd, whose home is /tmp/machine, and a user at a laptop, whose home is
    /tmp/laptop."""

    init: int
    folder: Path
    """What is /tmp in there."""

    def command(self, *words: str, folder: str = "/tmp/laptop") -> list[str]:
        environment = {"HOME": "/tmp/laptop", "PATH": PATHS, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "USER": "root"}
        inside = ["env", "-i", f"--chdir={folder}", *(f"{name}={value}" for name, value in environment.items()), *words]
        return ["nsenter", f"--target={self.init}", "--pid", "--net", "--mount", *inside]

    def run(self, *words: str, folder: str = "/tmp/laptop", timeout: float = 200) -> subprocess.CompletedProcess:
        command = self.command(*words, folder=folder)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)

    def study(self, *options: str) -> list[str]:
        return [sys.executable, str(ROOT / "studies/stability.py"), *SOLO, *options]

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = self.command(*self.study(*options))
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def processes(self) -> list[str]:
        listed = self.run("ps", "-eo", "args=").stdout.splitlines()
        return [line for line in listed if not line.startswith(("sshd:", "ps ", "env "))]


def wait_for(text: str, study: subprocess.Popen[str]) -> str:
    """What a study prints up to a text, while it goes on."""
    assert study.stdout
    said = ""
    for line in study.stdout:
        said += line
        if text in line:
            assert study.poll() is None
            return said
    raise AssertionError(f"ended without {text!r}: {said}")


def client(study: subprocess.Popen[Any]) -> int:
    """The process in the world of one that was started there."""
    (child,) = Path(f"/proc/{study.pid}/task/{study.pid}/children").read_text().split()
    return int(child)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    machine, laptop = folder / "machine", folder / "laptop"
    for home, key in ((machine, "host_key"), (laptop, "key")):
        home.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)], check=True)
    shutil.copy(laptop / "key.pub", machine / "authorized_keys")
    (machine / "sshd_config").write_text(SSHD)
    # The machine has been set up before with these very versions, so that nothing is downloaded.
    (machine / "tips-ray-venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (machine / "tips-ray-venv" / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(ROOT / "constraints.txt", machine / "tips-ray-venv" / "installed.txt")
    (machine / ".bashrc").write_text("export PYTHONPATH=/tmp/machine/tips-ray\n")
    text = (ROOT / "cluster.local.yaml").read_text()
    for given, here in CHANGED.items():
        assert text.count(given) == 1, given
        text = text.replace(given, here)
    (laptop / "cluster.yaml").write_text(text)
    write_npz(synthesise(3000, seed=1), laptop / "poses.npz")
    with (folder / "sshd.log").open("w") as log:
        process = subprocess.Popen([*UNSHARE, "bash", "-c", BOOT, str(folder)], stdout=log, stderr=log, env={"PATH": PATHS})
    try:
        deadline = time.monotonic() + 20
        while "listening" not in (folder / "sshd.log").read_text():
            assert process.poll() is None, (folder / "sshd.log").read_text()
            assert time.monotonic() < deadline, (folder / "sshd.log").read_text()
            time.sleep(0.1)
        yield World(client(process), folder)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def cluster(world: World) -> World:
    """The world, its cluster being up."""
    token = world.run("ray", "get-auth-token", "--generate")
    assert token.returncode == 0, token.stderr
    up = world.run("ray", "up", "--yes", "/tmp/laptop/cluster.yaml", folder=str(ROOT))
    assert up.returncode == 0, up.stdout + up.stderr
    return world


def test_a_study_goes_to_the_cluster_and_its_report_comes_back(cluster: World) -> None:
    study = cluster.start("--campaign", "c", "--num-epochs", "3", "--data", "poses.npz")
    said = wait_for("solo x 2 seeds x 3 epochs", study)  # while it runs
    assert "Uploading poses.npz" in said
    assert "other code" not in said
    rest, _ = study.communicate(timeout=200)
    assert study.returncode == 0, said + rest
    assert "solo 3/3" in rest
    assert rest.splitlines()[-1] == "Report: /tmp/laptop/reports/c/report.html"
    fetched = cluster.folder / "laptop" / "reports" / "c"
    assert {path.name for path in fetched.iterdir()} == {"report.html", "summary.json", "curves.parquet"}
    for name in ("report.html", "summary.json"):
        assert (fetched / name).read_bytes() == (cluster.folder / "machine" / "studies" / "c" / name).read_bytes()
    again = cluster.run(*cluster.study("--campaign", "c", "--num-epochs", "4", "--data", "poses.npz"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Uploading" not in again.stdout
    assert pd.read_parquet(fetched / "curves.parquet")["epoch"].max() == 4


def test_a_search_goes_to_the_cluster_and_comes_back_with_its_confirmation(cluster: World) -> None:
    script = str(ROOT / "studies/weight_search.py")
    budget = ("--num-trials", "2", "--num-epochs", "2", "--confirm-top", "1", "--confirm-seeds", "2", "--campaign", "w")
    ended = cluster.run(sys.executable, script, *SMALL, *budget)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 of 2 trials" in ended.stdout
    fetched = cluster.folder / "laptop" / "reports" / "w"
    assert {path.name for path in fetched.glob("*.*")} == {"report.html", "summary.json", "trials.parquet", "surface.parquet"}
    confirmation = json.loads((fetched / "summary.json").read_text())["confirmation"]
    assert confirmation["num_seeds"] == 2
    assert (fetched / confirmation["report"]).exists()
    assert pd.read_parquet(fetched / "confirmation" / "curves.parquet")["arm"].nunique() == 2


def test_it_goes_on_without_the_laptop_and_is_never_started_twice(cluster: World) -> None:
    options = ("--campaign", "kept", "--num-epochs", "250")
    study = cluster.start(*options)
    wait_for("solo x 2 seeds x 250 epochs", study)
    os.kill(client(study), signal.SIGINT)
    said, _ = study.communicate(timeout=30)
    assert study.returncode == 130, said
    assert "Detached; the study goes on there as job kept-1" in said
    (attach,) = (line.partition("follow it")[2].strip() for line in said.splitlines() if "follow it" in line)
    second = cluster.start(*options)
    wait_for("runs on the cluster already, as job kept-1", second)
    os.kill(client(second), signal.SIGKILL)
    second.communicate(timeout=30)
    ended = cluster.run(*shlex.split(attach), timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "Report: /tmp/laptop/reports/kept/report.html"
    curves = pd.read_parquet(cluster.folder / "laptop" / "reports" / "kept" / "curves.parquet")
    assert curves.groupby("seed")["epoch"].apply(list).tolist() == [list(range(1, 251))] * 2
    jobs = cluster.run("ray", "exec", "cluster.yaml", "ray job list").stdout
    assert "'kept-1'" in jobs
    assert "'kept-2'" not in jobs


def test_a_study_is_stopped_by_the_command_that_was_told(cluster: World) -> None:
    study = cluster.start("--campaign", "stopped", "--num-epochs", "100000")
    wait_for("solo x 2 seeds", study)
    os.kill(client(study), signal.SIGINT)
    said, _ = study.communicate(timeout=30)
    (stop,) = (line.partition("stop it")[2].strip() for line in said.splitlines() if "stop it" in line)
    stopped = cluster.run(*shlex.split(stop))
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    ended = cluster.run(*cluster.study("--campaign", "stopped", "--attach"))
    assert ended.returncode == 130, ended.stdout + ended.stderr
    assert "the same command continues it" in ended.stderr


def test_mistakes_are_told_within_30_seconds(cluster: World) -> None:
    """Nothing to attach to; and a cluster that was up, the head node of which is gone."""
    gone = (cluster.folder / "laptop" / "cluster.yaml").read_text().replace("127.0.0.1", "127.0.0.9")
    (cluster.folder / "laptop" / "gone.yaml").write_text(gone.replace("cluster_name: tips-ray-local", "cluster_name: gone"))
    state = (cluster.folder / "ray" / "cluster-tips-ray-local.state").read_text()
    (cluster.folder / "ray" / "cluster-gone.state").write_text(state.replace("127.0.0.1", "127.0.0.9"))
    for words, said in (
        (["--campaign", "none", "--attach"], "No study of campaign 'none' was started on this cluster"),
        (["--campaign", "c", "--cluster", "gone.yaml"], "cannot be reached (ssh: connect to host 127.0.0.9 port 22: Connection"),
    ):
        started = time.monotonic()
        ended = cluster.run(*cluster.study(*words))
        assert time.monotonic() - started < 30
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_study_that_fails_there_says_why_and_fails_here(cluster: World) -> None:
    ended = cluster.run(*cluster.study("--campaign", "failed", "--data.test-subjects", "S99"))
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "error: synthetic: no subject 'S99'" in ended.stdout
    assert "Job failed-1 on the cluster is FAILED, exit code 2" in ended.stderr
    assert not (cluster.folder / "laptop" / "reports" / "failed").exists()


def test_on_the_head_node_the_script_joins_the_cluster(cluster: World) -> None:
    options = [word for word in SOLO if word not in ("--cluster", "cluster.yaml")]
    script = shlex.join(["python", "studies/stability.py", *options, "--campaign", "here", "--num-epochs", "2"])
    sessions = list((cluster.folder / "ray").glob("session_2*"))
    ended = cluster.run("ray", "exec", "cluster.yaml", f"cd ~/tips-ray && {script}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Report: /tmp/machine/studies/here/report.html" in ended.stdout
    assert list((cluster.folder / "ray").glob("session_2*")) == sessions  # no second Ray was started beside the cluster's


def test_nothing_is_left_after_ray_down(cluster: World) -> None:
    assert any("raylet" in line for line in cluster.processes())
    down = cluster.run("ray", "down", "--yes", "/tmp/laptop/cluster.yaml", folder=str(ROOT))
    assert down.returncode == 0, down.stdout + down.stderr
    deadline = time.monotonic() + 30  # the shared ssh connection waits 10 s for more
    while cluster.processes() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert cluster.processes() == []
    ended = cluster.run(*cluster.study("--campaign", "c"))
    assert ended.returncode == 2
    assert "`ray up cluster.yaml`" in ended.stderr
    assert not list(Path.home().glob("ray_bootstrap_*"))
