"""Runs the benchmarks that end within minutes, a quarter of an hour on two cores in all, and prints
a table: make bench."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

SCRIPTS = (
    *("data_speed", "evaluation", "step", "gemm", "epoch", "footprint", "scaling", "overhead", "study_cost"),
    *("stop_rules", "codependence", "lift"),
)
LIVE = {**os.environ, "PYTHONUNBUFFERED": "1"}


def main() -> int:
    """Every script in a process of its own, one after another; fails if one fails, not if it misses
    its target."""
    table = Table("benchmark", "found", "target", "met")
    failed = []
    for name in SCRIPTS:
        print(f"\n== {name}", flush=True)
        script = Path(__file__).with_name(f"{name}.py")
        with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=LIVE) as process:
            found = [show(line) for line in process.stdout or ()]
        failed += [name] if process.returncode else []
        for result in filter(None, found):
            unit, sense = result.get("unit", "x"), "at least" if result["at_least"] else "at most"
            verdict = "yes" if result["met"] else "no: see README.md"
            table.add_row(result["name"], f"{result['ratio']:.3g} {unit}", f"{sense} {result['target']:g} {unit}", verdict)
    Console().print(table)
    if failed:
        print(f"These failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def show(line: str) -> dict | None:
    """Pass a line on; a result, which is one JSON object, is returned instead."""
    if line.startswith('{"name"'):
        return json.loads(line)
    print(line, end="", flush=True)
    return None


if __name__ == "__main__":
    sys.exit(main())
