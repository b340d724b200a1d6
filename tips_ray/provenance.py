"""Where numbers come from: command, versions, commit, machine."""

import os
import platform
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("tips-ray", "torch", "ray", "optuna", "numpy", "pandas", "scipy", "pyarrow", "plotly")


def provenance() -> dict[str, Any]:
    """Command line (without passwords in URLs), versions, commit and machine of this process, as
    plain JSON types."""
    return {
        "command": without_password(shlex.join(["python", *sys.argv])),
        "versions": {"python": platform.python_version()} | {package: version(package) for package in PACKAGES},
        "commit": commit(),
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "platform": platform.platform()},
    }


def without_password(text: str) -> str:
    """A URL, or a text that may hold one, as it may be shown."""
    text = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(password|passwd|pwd)=[^&\s]*", r"\1=***", text, flags=re.IGNORECASE)


def commit() -> str | None:
    """The package's git commit, with "+" if files were changed since; None where it is not a git
    checkout."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return head[:12] + ("+" if changed.strip() else "")


def cpu_model() -> str:
    """The processor's name as Linux gives it, else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
