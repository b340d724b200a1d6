"""The way to the head node of a Ray cluster: by ssh, with `ray exec` and Ray's rsync."""

import contextlib
import io
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.sdk import configure_logging, get_head_node_ip, rsync

from tips_ray.cluster.job import ANSWER, START
from tips_ray.errors import UserError

REPOSITORY = "~/tips-ray"
"""Where cluster files ship the repository to."""
NOISE = ("Warning: Permanently added", "Shared connection", "Command failed:", "Error: Command failed:", "ssh -tt")
"""Beginnings of lines of ssh and Ray that do not say why a command failed."""


class ConnectionLostError(OSError):
    """The connection to the head node ended before the command that ran over it."""


class Head:
    """The head node of a cluster that is up."""

    def __init__(self, cluster: Path, config: dict[str, Any]) -> None:
        """`config` is the content of the cluster file (`read_cluster`); raises UserError where the
        cluster is not up, OSError where the cloud does not say."""
        self.cluster, self.config = cluster, config
        configure_logging(log_style="pretty", color_mode="false", verbosity=0)
        logging.getLogger("ray").setLevel(logging.ERROR)
        check_is_up(cluster)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Run a command of `tips_ray.cluster.job` on the head node, and return its answer; raises
        OSError if there is none."""
        answer, complaint = self._run(command, arguments, show=False)
        node = f"The head node of {str(self.cluster)!r}"
        if answer is None:
            raise OSError(f"{node} cannot be reached ({complaint}); is it up? `ray up {self.cluster}`")
        if "error" in answer:
            raise OSError(f"{node} is not ready ({answer['error']}); `ray up {self.cluster}` sets it up again.")
        return answer

    def follow(self, job: str, from_its_last_lines: bool) -> None:
        """Print what a job prints, until it ends; raises ConnectionLostError if the connection ends
        before."""
        answer, complaint = self._run("follow", {"job": job, "from_its_last_lines": from_its_last_lines}, show=True)
        if answer is None:
            raise ConnectionLostError(complaint)

    def upload(self, source: Path, folder: str) -> None:
        """Copy a file, or a folder without its hidden files, into a folder of the head node."""
        source = source.expanduser().resolve()
        if source.is_dir():
            self._copy(f"{source}/", f"{folder}/{source.name}/", down=False, exclude=[".*"])
        else:
            self._copy(str(source), f"{folder}/", down=False)

    def download(self, source: str, target: Path) -> None:
        """Copy a file of the head node here."""
        self._copy(source, str(target), down=True)

    def _copy(self, source: str, target: str, down: bool, exclude: list[str] | None = None) -> None:
        try:
            with silence():
                rsync({**self.config, "rsync_exclude": exclude or []}, source=source, target=target, down=down)
        except (click.ClickException, subprocess.CalledProcessError, RuntimeError) as error:
            command = "rsync-down" if down else "rsync-up"
            again = shlex.join(["ray", command, str(self.cluster), source, target])
            raise OSError(f"Copying {source!r} between this machine and the cluster failed; `{again}` shows why.") from error

    def _run(self, command: str, arguments: dict[str, Any], show: bool) -> tuple[dict[str, Any] | None, str]:
        """Run a command of `tips_ray.cluster.job`; returns its answer, if there was one, and the
        last line that says why there was none. With `show` its output is printed as it comes."""
        words = shlex.join(["python", "-m", "tips_ray.cluster.job", command, json.dumps(arguments)])
        there = f"cd {REPOSITORY} && RAY_BACKEND_LOG_LEVEL=error {words}"
        ray = [sys.executable, "-m", "ray.scripts.scripts", "exec", "--log-color", "false", str(self.cluster), there]
        lines, started = [], False
        # The shared ssh connection outlives the command and would keep a pipe open: errors go to a
        # file.
        with (
            tempfile.TemporaryFile("w+", errors="replace") as errors,
            subprocess.Popen(
                ray,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process,
        ):
            try:
                for line in process.stdout or ():
                    line = line.replace("\r\n", "\n")
                    if line.startswith(ANSWER):
                        return json.loads(line.removeprefix(ANSWER)), ""
                    if show and started:
                        print(line, end="", flush=True)
                    else:
                        lines.append(line)
                    started = started or line.startswith(START)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
            errors.seek(0)
            lines += errors.read().splitlines()
        reasons = [line.strip() for line in lines if line.strip() and not line.strip().startswith(NOISE)]
        return None, reasons[-1] if reasons else f"exit code {process.returncode}"


def silence() -> contextlib.AbstractContextManager[Any]:
    """Keeps Ray from printing each step of what it does."""
    return contextlib.redirect_stdout(io.StringIO())


def read_cluster(cluster: Path) -> dict[str, Any]:
    """A cluster file, filled with Ray's defaults; raises UserError if it is none, by Ray's own
    schema."""
    try:
        config = yaml.safe_load(cluster.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{str(cluster)!r} is not YAML ({error}); cluster.yaml is an example of a cluster file.") from error
    if not isinstance(config, dict):
        raise UserError(f"{str(cluster)!r} is no cluster file for Ray; cluster.yaml is an example of one.")
    try:
        with silence():
            config = prepare_config(config)
            validate_config(config)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        reason = getattr(error, "message", None) or str(error) or type(error).__name__
        raise UserError(f"{str(cluster)!r} is no cluster file for Ray ({reason}); cluster.yaml is an example of one.") from error
    if not any(str(target).startswith(REPOSITORY) for target in config["file_mounts"]):
        raise UserError(f"{str(cluster)!r} does not ship this repository to {REPOSITORY}; copy file_mounts from cluster.yaml.")
    return config


def check_is_up(cluster: Path) -> None:
    """Raise UserError where the cluster has no head node, OSError where its provider does not
    tell."""
    try:
        with silence(), contextlib.redirect_stderr(io.StringIO()):
            get_head_node_ip(str(cluster))
    except RuntimeError as error:  # Ray's, for a head node that is not found
        raise UserError(f"The cluster of {str(cluster)!r} is not up; start it with `ray up {cluster}` first.") from error
    except Exception as error:  # each cloud's library has errors of its own: no credentials, no network, no rights
        raise OSError(f"Looking for the cluster of {str(cluster)!r} failed ({type(error).__name__}: {error}).") from error
