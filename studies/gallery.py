"""Keep a finished study's or search's result in the gallery: its summary, pictures from its report,
and how it was made.

    python studies/gallery.py reports/CAMPAIGN reports/gallery/NAME --note "..."

Needs a chromium on the path, which draws the pictures from the report itself.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import tyro
from playwright.sync_api import sync_playwright

from gallery_study import MANY_ARMS, describe_study
from tips_ray.errors import UserError, user_errors
from tips_ray.report.publish import as_text, is_search, publish, publish_search
from tips_ray.report.search.headline import agreement
from tips_ray.report.search.page import search_finding
from tips_ray.store.storage import Storage

CAPTIONS = {
    "gains": "Gain in the search, and confirmed",
    "history": "Score by trial",
    "surface": "Error by trial and stop epoch",
}
NUM_SHOWN = 5
BROWSER_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def keep(
    campaign: Annotated[Path, tyro.conf.Positional], out: Annotated[Path, tyro.conf.Positional], note: str = "", credit: str = ""
) -> None:
    """Write OUT/summary.json, OUT/README.md, and the pictures that it shows.

    Args:
        campaign: Folder of the campaign, as the study printed it.
        out: Folder of the gallery to write.
        note: What a reader should know of the data or the setting.
        credit: Words that the owners of the data ask for.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise UserError(
            "There is no chromium on the path to draw the picture with; install it (Debian: apt-get install chromium)."
        )
    folder = Storage(str(campaign))
    out.mkdir(parents=True, exist_ok=True)
    if is_search(folder):
        _, summary = publish_search(folder)
        plots = [*["gains"] * bool(gains_of(summary)), f"history-{summary['objective_columns'][0]}", "surface"]
        text = describe_search(out.name, summary, plots)
    else:
        summary = publish(folder)
        plots = ["errors", *["rules"] * bool(summary["stop_rules"])]
        plots += [f"codependence-{place}" for place in range(1, 1 + min(MANY_ARMS, len(summary["codependence"])))]
        text = describe_study(out.name, summary)
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(campaign / "report.html", plots, out, chromium)
    (out / "README.md").write_text("\n".join([*text, *origin(summary, note, credit), ""]))
    print(out)


def draw(report: Path, plots: list[str], out: Path, chromium: str) -> None:
    """Photograph figures of the report, each to OUT/PLOT.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS)
        page = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme="light", device_scale_factor=1.5)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-drawn=yes]")
        for name in plots:
            plot = page.locator(f"#plot-{name}")
            plot.scroll_into_view_if_needed()
            plot.locator(".main-svg").first.wait_for()
            plot.screenshot(path=out / f"{name}.png")
        browser.close()


def describe_search(name: str, summary: dict[str, Any], plots: list[str]) -> list[str]:
    """The page of a search: finding, what was confirmed, and the best trials."""
    paths = list(summary["space"])
    trials = {trial["trial"]: trial for trial in summary["trials"]}
    shown = [*summary["ranked"][:NUM_SHOWN], *(["trial-00000"] if "trial-00000" not in summary["ranked"][:NUM_SHOWN] else [])]
    counts = ", ".join(f"{count} {state}" for state, count in summary["counts"].items())
    oracle = " (an oracle: it needs 3D labels)" if summary["oracle"] else ""
    lines = [
        f"# {name}",
        "",
        search_finding(summary),
        "",
        *(f"![{CAPTIONS[plot.partition('-')[0]]}]({plot}.png)" for plot in plots),
        "",
        f"{len(trials)} trials ({counts}) x {summary['num_seeds']} seeds x {summary['num_epochs']} epochs, minimising"
        f" {' and '.join(summary['objective_columns'])}{oracle}: `{summary['metric']}`, mean over the epochs"
        f" {summary['window'][0]} to {summary['window'][1]} and over seeds. Flat prediction on the validation subjects:"
        f" {summary['flat']:.1f} mm. `trial-00000` is the config that the search started from.",
        "",
        "| trial | error, mm | between seeds | instability, mm | " + " | ".join(paths) + " |",
        "|---" * (4 + len(paths)) + "|",
        *(
            f"| {trial} | {as_text(trials[trial]['error_mm'], '.1f')} | {as_text(trials[trial]['error_std_mm'], '.1f')} |"
            f" {as_text(trials[trial]['instability_mm'], '.1f')} | "
            + " | ".join(as_text(trials[trial][path], ".3g") for path in paths)
            + " |"
            for trial in shown
        ),
        "",
        *([said, ""] if (said := agreement(summary)) else []),
    ]
    confirmed = summary["confirmation"]
    if gains_of(summary):
        lines += [
            f"Confirmation: {confirmed['num_seeds']} fresh seeds, scored on subjects {', '.join(confirmed['subjects'])}, whom"
            f" the search never saw; start: {span(confirmed['baseline']['error_mm'])} mm.",
            "",
            "| trial | error, mm | gain in the search, mm | confirmed gain, mm |",
            "|---|---|---|---|",
            *(
                f"| {gain['trial']}{' (first choice)' if gain['primary'] else ''} | {span(gain['error_mm'])} |"
                f" {span(gain['search_gain_mm'], '+.1f')} | {span(gain['confirmed_gain_mm'], '+.1f')} |"
                for gain in confirmed["gains"]
            ),
            "",
        ]
    return lines


def gains_of(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """What a confirmation found, by trial; nothing before it has ended."""
    return summary["confirmation"]["gains"] if summary["confirmation"] else []


def origin(summary: dict[str, Any], note: str, credit: str) -> list[str]:
    """On which poses, by which command, and on which machine a result was made."""
    data, made = summary["data"], summary["provenance"]
    machine, versions = made["machine"], made["versions"]
    kept = f"; {', '.join(data['left_out_subjects'])} kept for the confirmation" if data.get("left_out_subjects") else ""
    return [
        f"Poses: {data['num_train_poses']:,} to train ({data['num_train_views']:,} views), {data['num_test_poses']:,} to test"
        f" (subjects {', '.join(data['test_subjects'])}{kept}){', **synthetic**' if data['synthetic'] else ''}.",
        *([note] if note else []),
        *([f"Credit: {credit}"] if credit else []),
        "",
        "```",
        made["command"],
        "```",
        "",
        f"{made['wall_seconds'] / 60:.1f} minutes of training on {machine['cores']} cores ({machine['cpu']}), Python"
        f" {versions['python']}, torch {versions['torch']}, ray {versions['ray']}, commit {made['commit']}.",
    ]


def span(entry: dict[str, Any], form: str = ".1f") -> str:
    """A mean with its interval and n."""
    if entry["mean"] is None:
        return "–"
    ends = f" ({entry['low']:{form}} to {entry['high']:{form}}, n = {entry['n']})" if entry["low"] is not None else ""
    return f"{entry['mean']:{form}}{ends}"


if __name__ == "__main__":
    with user_errors():
        tyro.cli(keep, description=__doc__)
