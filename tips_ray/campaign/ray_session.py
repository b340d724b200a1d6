"""Join the Ray cluster at hand, or start Ray on this machine."""

import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
import yaml
from ray._private import worker
from ray._raylet import GcsClient  # pyright: ignore[reportAttributeAccessIssue]  (a compiled module)
from ray.exceptions import AuthenticationError, RpcError
from rich.console import Console

from tips_ray.signals import handlers_kept, stop_as_ctrl_c

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's tables would cover the progress of the campaign
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # nothing that Tune stores is read again
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the curves are kept by the runs themselves
}

ANSWER_SECONDS = 10.0
"""How long a cluster may take to answer at all."""
LONGEST_FOLDER = 36
"""Characters of a folder in which Ray's sockets have names of at most 107."""
VITAL = {"gcs_server": "Ray's control process (gcs_server)", "raylet": "Ray's scheduler (raylet)"}
"""Processes of a local Ray without which nothing goes on."""
LAUNCHED = Path("~/ray_bootstrap_config.yaml")
"""What `ray up` leaves on a head node, for its autoscaler: the nodes that there may be."""
TOKEN = Path("~/.ray/auth_token")
"""Where Ray keeps the token that admits to it; it writes it for all to read."""


@contextmanager
def running_ray(console: Console | None = None) -> Iterator[None]:
    """Ray for the length of a block, announced on a console: the one that runs here, the cluster
    that RAY_ADDRESS names, or one started here and stopped at the end.

    A local Ray is started with its API server, on 127.0.0.1: without it, workers of a trial that is
    stopped keep their CPUs.
    """
    if ray.is_initialized():  # by an enclosing block
        yield
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    console = console or Console(quiet=True)
    with handlers_kept(), short_temporary_folder() as folder:
        if address := os.environ.get("RAY_ADDRESS"):
            console.print(f"Joining the Ray cluster at {address} ...", highlight=False)
            check_address(address)
            ray.init(**settings)
        else:
            console.print("Starting Ray ...")
            if os.environ.get("RAY_AUTH_MODE") == "disabled":
                console.print("RAY_AUTH_MODE is 'disabled': every user of this machine may run commands in this Ray.")
            start_here(_temp_dir=folder, **settings)
            close_to_others()
        stop_as_ctrl_c()  # Ray has its own handler of SIGTERM
        try:
            with ended_with_ray():
                yield
        finally:
            ray.shutdown()


def start_here(**settings: Any) -> None:
    """Start Ray on this machine; raises OSError if it does not start in the half minute for which
    Ray itself waits."""
    try:
        ray.init(address="local", include_dashboard=True, dashboard_host="127.0.0.1", **settings)
    except Exception as error:
        late = "timed out during startup", "dashboard.log"  # Ray has no type of error for it
        if not any(sign in str(error) for sign in late) or "Traceback" in str(error):
            raise
        raise OSError(
            "Ray did not start in time: this machine is too busy, or short of memory; the same command starts it again."
        ) from error


def close_to_others() -> None:
    """Keep other users of this machine from the folder of the local Ray, and from the token that
    admits to it."""
    node: Any = worker._global_node
    for place, mode in ((Path(node.get_session_dir_path()), 0o700), (TOKEN.expanduser(), 0o600)):
        with suppress(OSError):  # there is no token, or it is another user's
            place.chmod(mode)


@contextmanager
def short_temporary_folder() -> Iterator[str | None]:
    """A folder for Ray's files whose sockets have names of at most 107 characters; None where the
    usual one will do.

    Slurm and macOS have longer ones.
    """
    if len(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) <= LONGEST_FOLDER:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder


@contextmanager
def ended_with_ray() -> Iterator[None]:
    """End the program with one sentence if a process that the local Ray cannot do without dies
    during a block.

    Ray itself would try to reach it for minutes, and then end the program with a dump of its state.
    """
    node: Any = worker._global_node
    over = threading.Event()
    if node is None or not node.head:
        yield
        return

    def watch() -> None:
        while not over.wait(0.25):
            dead = {name for name, _ in node.dead_processes()} & VITAL.keys()
            if dead and not over.is_set():
                print(
                    f"error: {VITAL[min(dead)]} was ended by something else, such as the system for want of memory;"
                    " the same command continues with every epoch that was stored.",
                    file=sys.stderr,
                    flush=True,
                )
                node.kill_all_processes(check_alive=False, allow_graceful=False)
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def check_address(address: str) -> None:
    """Raise OSError, within seconds, unless a Ray cluster answers at HOST:PORT and takes this
    machine's token.

    `ray.init` would try for minutes. Addresses of other forms ("auto", "ray://...") are left to it.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
        GcsClient(address=address)
    except (OSError, RpcError) as error:
        raise OSError(
            f"No Ray cluster answers at {address}, which RAY_ADDRESS names ({getattr(error, 'strerror', None) or error});"
            " start one, or unset RAY_ADDRESS to start Ray on this machine."
        ) from error
    except AuthenticationError as error:
        raise OSError(
            f"The Ray cluster at {address}, which RAY_ADDRESS names, refuses this machine's token;"
            " copy ~/.ray/auth_token from its head node."
        ) from error


def node_resources() -> list[dict[str, float]]:
    """Resources of each node that the cluster has, or may come to have if `ray up` started it and
    it is this machine's."""
    present = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    launched = LAUNCHED.expanduser()
    if not os.environ.get("RAY_ADDRESS") or not launched.exists():
        return present
    config = yaml.safe_load(launched.read_text())
    possible: list[dict[str, float]] = []
    for name, kind in config.get("available_node_types", {}).items():
        count = 1 if name == config["head_node_type"] else min(kind.get("max_workers", 0), config["max_workers"])
        possible += [kind.get("resources") or {}] * count
    return max(present, possible, key=lambda nodes: sum(node.get("CPU", 0.0) for node in nodes))
