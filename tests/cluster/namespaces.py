"""Machines of their own, on one machine: namespaces with their own processes, network and
mounts."""

import os
import shutil
import subprocess
from collections.abc import Mapping

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--net", "--mount", "--kill-child"]
UTIL_LINUX, IPROUTE = "util-linux", "iproute2"
TOOLS = {"unshare": UTIL_LINUX, "nsenter": UTIL_LINUX, "ip": IPROUTE}
"""Programs, and Debian's packages that have them."""


def obstacle(tools: Mapping[str, str], path: str | None = None, needed: tuple[str, ...] = ("true",)) -> str:
    """Why there can be no such machines here, with these programs on the path; empty if there can.

    `needed` is a command that must work in one.
    """
    lacking = sorted({package for tool, package in tools.items() if shutil.which(tool, path=path) is None})
    if lacking:
        return f"needs {', '.join(lacking)} (Debian: apt-get install {' '.join(lacking)})"
    tried = subprocess.run([*UNSHARE, *needed], capture_output=True, text=True, check=False)
    return f"needs the right to make namespaces ({tried.stderr.strip()})" if tried.returncode or os.geteuid() else ""
