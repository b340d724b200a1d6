"""From what a campaign stored to its summary, its curves in one file, and its report."""

import json
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from tips_ray.report.headline import finding, headline_rows
from tips_ray.report.page import STATISTIC_LABELS, render
from tips_ray.stability.curves import read_curves, read_manifest
from tips_ray.stability.statistics import HEADLINE_METRIC, STATISTICS
from tips_ray.stability.summary import summarise
from tips_ray.storage import Storage


def publish(folder: Storage) -> dict[str, Any]:
    """Write `summary.json`, `curves.parquet` and `report.html` of the campaign in a folder; returns the summary.

    Needs nothing but what the runs stored, so that it can be done at any time, also while they train. Raises ValueError if there
    is no campaign in the folder.
    """
    manifest = read_manifest(folder)
    curves = read_curves(folder, manifest["name"])
    supervised = [arm for arm, config in manifest["arms"].items() if config["objective"] == "supervised"]
    summary = summarise(curves, manifest["data"], manifest["references"], origin(manifest, curves), supervised, manifest["arms"])
    folder.write_table("curves.parquet", curves)
    folder.write("summary.json", json.dumps(summary, indent=1, allow_nan=False).encode())
    folder.write("report.html", render(curves, summary).encode())
    return summary


def origin(manifest: dict[str, Any], curves: pd.DataFrame) -> dict[str, Any]:
    """The provenance that a report shows: the last execution's, the seeds and wall time of all, and each execution's own."""
    executions = manifest["executions"]
    last = {key: value for key, value in executions[-1].items() if key != "seconds"} if executions else {}
    return {
        **last,
        "seeds": sorted(int(seed) for seed in curves["seed"].unique()),
        "wall_seconds": round(sum(execution["seconds"] for execution in executions), 1),
        "executions": executions,
        "config": manifest["arms"],
    }


def print_headline(summary: dict[str, Any], console: Console) -> None:
    """Print the headline table and the finding."""
    table = Table(
        title=f"\n{HEADLINE_METRIC}: mean over seeds, and its 95% interval", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("arm")
    table.add_column("seeds", justify="right")
    for statistic in STATISTICS:
        table.add_column(STATISTIC_LABELS[statistic], no_wrap=True)
    for row in headline_rows(summary):
        cells = [row[HEADLINE_METRIC][statistic] for statistic in STATISTICS]
        texts = [f"{cell['text']}\n[dim]{cell['span']}[/]" if cell["span"] else cell["text"] for cell in cells]
        table.add_row(row["name"], row["seeds"], *texts)
    console.print(table)
    console.print(finding(summary), highlight=False)
