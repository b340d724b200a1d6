"""Keep a finished campaign's result in the gallery: its summary, a picture of its error curves, and how it was made.

    python studies/gallery.py reports/CAMPAIGN reports/gallery/NAME --note "..."

Needs a chromium on the path, which draws the picture from the report itself.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import tyro
from playwright.sync_api import sync_playwright

from tips_ray.errors import user_errors
from tips_ray.report.headline import finding
from tips_ray.report.publish import publish
from tips_ray.stability.statistics import HEADLINE_METRIC
from tips_ray.storage import Storage

BROWSER_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def keep(
    campaign: Annotated[Path, tyro.conf.Positional], out: Annotated[Path, tyro.conf.Positional], note: str = "", credit: str = ""
) -> None:
    """Write OUT/summary.json, OUT/curves.png and OUT/README.md.

    Args:
        campaign: Folder of the campaign, as the study printed it.
        out: Folder of the gallery to write.
        note: What a reader should know of the data or the setting.
        credit: Words that the owners of the data ask for.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ValueError(
            "There is no chromium on the path to draw the picture with; install it (Debian: apt-get install chromium)."
        )
    summary = publish(Storage(str(campaign)))
    out.mkdir(parents=True, exist_ok=True)
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(campaign / "report.html", out / "curves.png", chromium)
    (out / "README.md").write_text(describe(out.name, summary, note, credit))
    print(out)


def draw(report: Path, picture: Path, chromium: str) -> None:
    """Photograph the report's error curves."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS)
        page = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme="light", device_scale_factor=1.5)
        page.goto(report.resolve().as_uri())
        plot = page.locator("#plot-errors")
        plot.locator(".main-svg").first.wait_for()
        plot.screenshot(path=picture)
        browser.close()


def describe(name: str, summary: dict[str, Any], note: str, credit: str) -> str:
    """The page of one result: finding, table, and how it was made."""
    origin, data = summary["provenance"], summary["data"]
    rows = [
        f"| {arm} | {entry['num_seeds']} | " + " | ".join(cell(entry, kind) for kind in ("best", "last_half", "last")) + " |"
        for arm, entry in {**summary["arms"], **{"supervised": summary["references"].get("supervised")}}.items()
        if entry
    ]
    pairs = [
        f"- {pair['a']} − {pair['b']}, {pair['statistic']}: {pair['difference']:+.1f} mm"
        + (
            f" (95 % interval {pair['low']:+.1f} to {pair['high']:+.1f}, n = {pair['n']} seeds)"
            if pair["low"] is not None
            else ""
        )
        for pair in summary["paired"]
        if pair["metric"] == HEADLINE_METRIC
    ]
    machine, versions = origin["machine"], origin["versions"]
    return "\n".join(
        [
            f"# {name}",
            "",
            finding(summary),
            "",
            "![Error by epoch](curves.png)",
            "",
            f"`{HEADLINE_METRIC}`: mean over seeds (95 % interval); last half ± deviation over its epochs. The best epoch"
            f" is an oracle. Flat prediction: {summary['references']['flat'][HEADLINE_METRIC]:.1f} mm.",
            "",
            "| arm | seeds | best epoch (oracle) | last half | last epoch |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Paired differences over shared seeds:",
            "",
            *pairs,
            "",
            f"Poses: {data['num_train_poses']:,} to train ({data['num_train_views']:,} views), {data['num_test_poses']:,} to test"
            f" (subjects {', '.join(data['test_subjects'])}){', **synthetic**' if data['synthetic'] else ''}.",
            *([note] if note else []),
            *([f"Credit: {credit}"] if credit else []),
            "",
            "```",
            origin["command"],
            "```",
            "",
            f"{origin['wall_seconds'] / 60:.1f} minutes of training on {machine['cores']} cores ({machine['cpu']}), Python"
            f" {versions['python']}, torch {versions['torch']}, ray {versions['ray']}, commit {origin['commit']}.",
            "",
        ]
    )


def cell(arm: dict[str, Any], kind: str) -> str:
    """A mean with its interval, as text."""
    entry = arm[kind][HEADLINE_METRIC]
    if entry["mean"] is None:
        return "–"
    spread = f" ± {entry['std']:.1f}" if kind == "last_half" and entry["std"] is not None else ""
    interval = f" ({entry['low']:.1f} to {entry['high']:.1f})" if entry["low"] is not None else ""
    return f"{entry['mean']:.1f}{spread}{interval}"


if __name__ == "__main__":
    with user_errors():
        tyro.cli(keep, description=__doc__)
