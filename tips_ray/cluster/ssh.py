"""The way to the head node of a Ray cluster: by ssh, as `ray exec` and `ray rsync` go."""

import contextlib
import io
import json
import logging
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.providers import _get_node_provider
from ray.autoscaler._private.updater import NodeUpdaterThread
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.sdk import bootstrap_config, configure_logging
from ray.autoscaler.tags import NODE_KIND_HEAD, TAG_RAY_NODE_KIND

from tips_ray.cluster.job import ANSWER
from tips_ray.errors import UserError

REPOSITORY = "~/tips-ray"
"""Where cluster files ship the repository to."""
CONNECT_SECONDS = 10
LOST = 255
"""Exit code of ssh when there is no connection, or no longer."""


class ConnectionLostError(OSError):
    """The connection to the head node ended before the command that ran over it."""


class Head:
    """The head node of a cluster that is up, reached as Ray's own commands reach it."""

    def __init__(self, cluster: Path) -> None:
        self.cluster, self.process = cluster, Process()
        configure_logging(log_style="pretty", color_mode="false", verbosity=0)
        logging.getLogger("ray").setLevel(logging.ERROR)
        config = read_cluster(cluster)
        with silence():
            node, config = find_head(cluster, config)
            self.node = NodeUpdaterThread(
                node_id=node,
                provider_config=config["provider"],
                provider=_get_node_provider(config["provider"], config["cluster_name"]),
                auth_config=config["auth"],
                cluster_name=config["cluster_name"],
                file_mounts={},
                initialization_commands=[],
                setup_commands=[],
                ray_start_commands=[],
                runtime_hash="",
                file_mounts_contents_hash="",
                is_head_node=True,
                process_runner=self.process,
                docker_config=config.get("docker"),
            )

    def ask(self, command: str, **question: Any) -> dict[str, Any]:
        """Run a command of `head` on the head node, and return its answer; raises OSError if there
        is none."""
        self._run(command, question, show=False)
        answers = [line for line in self.process.output.splitlines() if line.startswith(ANSWER)]
        answer = json.loads(answers[-1].removeprefix(ANSWER)) if answers else {}
        if answer and "error" not in answer:
            return answer
        said = answer.get("error") or self.process.complaint()
        if self.process.code == LOST:
            raise OSError(f"The head node of {str(self.cluster)!r} cannot be reached ({said}); is it up? `ray up {self.cluster}`")
        raise OSError(f"The head node of {str(self.cluster)!r} is not ready ({said}); `ray up {self.cluster}` sets it up again.")

    def follow(self, job: str, late: bool) -> None:
        """Print what a job prints, until it ends; raises ConnectionLostError if the connection ends
        before."""
        self._run("follow", {"job": job, "late": late}, show=True)
        if ANSWER not in self.process.output:
            raise ConnectionLostError(self.process.complaint())

    def upload(self, source: Path, folder: str) -> None:
        """Copy a file or folder into a folder of the head node."""
        with silence():
            self.node.rsync_up(str(source.expanduser().resolve()), f"{folder}/")
        self._check_copy(source)

    def download(self, source: str, target: Path) -> None:
        """Copy a file of the head node here."""
        with silence():
            self.node.rsync_down(source, str(target))
        self._check_copy(source)

    def _check_copy(self, source: Path | str) -> None:
        if self.process.code:
            raise OSError(f"Copying {str(source)!r} between this machine and the cluster failed ({self.process.complaint()}).")

    def _run(self, command: str, question: dict[str, Any], show: bool) -> None:
        words = shlex.join(["python", "-m", "tips_ray.cluster.job", command, json.dumps(question)])
        self.process.show = show
        with silence():
            self.node.cmd_runner.run(f"cd {REPOSITORY} && RAY_BACKEND_LOG_LEVEL=error {words}", timeout=CONNECT_SECONDS)


class Process:
    """Runs the ssh and rsync commands that Ray composes: keeps what they print, and shows it if
    asked, but for the answer."""

    DEVNULL = subprocess.DEVNULL

    def __init__(self) -> None:
        self.show, self.output, self.errors, self.code = False, "", "", 0
        self.screen = sys.stdout

    def check_call(self, command: list[str], **streams: Any) -> int:
        """Run a command to its end; `code` tells how it ended."""
        self.output = ""
        # A shared ssh connection outlives the command and would keep a pipe open: errors go to a
        # file.
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
            ) as process:
                try:
                    for line in process.stdout or ():
                        self._take(line.replace("\r\n", "\n"))
                except KeyboardInterrupt:
                    process.kill()
                    raise
            errors.seek(0)
            self.errors, self.code = errors.read(), process.returncode
        return self.code

    def complaint(self) -> str:
        """The last thing that the command said, for an error message."""
        lines = [line.strip() for line in (self.output + "\n" + self.errors).splitlines()]
        lines = [line for line in lines if line and not line.startswith(("Warning: Permanently added", "Shared connection"))]
        return lines[-1] if lines else f"exit code {self.code}"

    def _take(self, line: str) -> None:
        if not self.show or self.output or line.startswith(ANSWER):
            self.output += line
        else:
            print(line, end="", flush=True, file=self.screen)


def silence() -> contextlib.AbstractContextManager[Any]:
    """Keeps Ray from telling each step of what it does."""
    return contextlib.redirect_stdout(io.StringIO())


def read_cluster(cluster: Path) -> dict[str, Any]:
    """A cluster file, filled with Ray's defaults; raises ValueError if it is none, by Ray's own
    schema."""
    try:
        config = yaml.safe_load(cluster.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{str(cluster)!r} is not YAML ({error}); cluster.yaml is an example of a cluster file.") from error
    if not isinstance(config, dict):
        raise UserError(f"{str(cluster)!r} is no cluster file for Ray; cluster.yaml is an example of one.")
    try:
        with silence():
            config = prepare_config(config)
            validate_config(config)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        said = getattr(error, "message", None) or str(error) or type(error).__name__
        raise UserError(f"{str(cluster)!r} is no cluster file for Ray ({said}); cluster.yaml is an example of one.") from error
    if not any(str(target).startswith(REPOSITORY) for target in config["file_mounts"]):
        raise UserError(f"{str(cluster)!r} does not ship this repository to {REPOSITORY}; copy file_mounts from cluster.yaml.")
    return config


def find_head(cluster: Path, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The id of the head node of a cluster that is up, and the cluster's file as the provider
    completes it."""
    try:
        provider = _get_node_provider(config["provider"], config["cluster_name"])
        nodes = provider.non_terminated_nodes({TAG_RAY_NODE_KIND: NODE_KIND_HEAD})
        if nodes:
            return nodes[0], bootstrap_config(config)
    except Exception as error:  # each cloud's library has errors of its own: no credentials, no network, no rights
        raise OSError(f"Looking for the cluster of {str(cluster)!r} failed ({type(error).__name__}: {error}).") from error
    raise UserError(f"The cluster of {str(cluster)!r} is not up; start it with `ray up {cluster}` first.")
