"""Where numbers come from: command, versions, commit, machine."""

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tips_ray.secrets import without_secrets

PACKAGES = ("tips-ray", "torch", "ray", "optuna", "numpy", "pandas", "scipy", "pyarrow", "plotly")


def provenance() -> dict[str, Any]:
    """Command line (without secrets), versions, commit and machine of this process, as
    plain JSON types."""
    return {
        "command": shlex.join(["python", *map(without_option_secrets, sys.argv)]),
        "versions": {"python": platform.python_version()} | {package: version(package) for package in PACKAGES},
        "commit": commit(),
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "platform": platform.platform()},
    }


def without_option_secrets(word: str) -> str:
    """A word of a command line, such as `--storage=URI` or a URI, without secrets."""
    option, mark, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return without_secrets(f"{option}{mark}{without_secrets(value)}")


def commit() -> str | None:
    """The package's git commit, with "+" if files were changed since; None where the package is not
    at home in a git checkout of its own, such as an environment inside another project's."""
    package = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=package, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.parent.resolve():
            return None
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD")[:12] + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def cpu_model() -> str:
    """The processor's name as Linux gives it, else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
