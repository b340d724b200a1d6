"""The `tips-ray` command. Each sub-command imports what it needs, so that `--help` is quick."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from tips_ray.columns import METRICS
from tips_ray.errors import UserError, user_errors

MAX_ROWS = 15
"""Actions shown in the terminal; the page shows all."""

app = tyro.extras.SubcommandApp()
data = tyro.extras.SubcommandApp()
app.command(data, name="data", help="Convert and look at sets of poses.")


@data.command(name="cmu")
def convert_cmu(
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")],
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.npz")],
    min_displacement_mm: float = 15.0,
    index: Path | None = None,
) -> None:
    """Convert CMU's own .asf and .amc files into one .npz file of poses.

    Args:
        folder: Folder that holds NN.asf and NN_MM.amc files, also in sub-folders.
        out: The file to write.
        min_displacement_mm: Keep a frame when its joints, relative to the pelvis, moved so far on
            average; 0 keeps all.
        index: Text or CSV file with a line 'NN_MM, description' for each clip: the actions.
    """
    from tips_ray.data.formats.cmu import read_cmu
    from tips_ray.data.formats.npz import check_suffix, write_npz

    check_suffix(out)
    poses = read_cmu(folder, min_displacement_mm, index)
    write_npz(poses, out)
    print(f"{out}: {len(poses):,} poses, {len(poses.subjects)} subjects, {len(set(poses.clip.tolist()))} clips")


@data.command(name="info")
def info(
    spec: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SPEC")],
    out: Path | None = None,
    test_subjects: tuple[str, ...] = (),
    seed: int = 0,
) -> None:
    """Print what a set of poses holds, and write a page with a few of its skeletons.

    Args:
        spec: 'synthetic', an .npz file of poses, or a folder of CMU's .asf and .amc files.
        out: The page to write; by default reports/data-NAME.html.
        test_subjects: Subjects to hold out; by default the last quarter.
        seed: Seed of the synthetic poses.
    """
    from rich.console import Console

    from tips_ray.data.load import load_poses
    from tips_ray.data.summary import summarise
    from tips_ray.report.data.page import write_data_page

    poses = load_poses(spec, seed=seed)
    summary = summarise(poses, test_subjects)
    print_summary(summary, Console())
    page = out or Path("reports") / f"data-{Path(poses.name).stem}.html"
    write_data_page(poses, summary, page)
    print(f"Page: {page}")


def print_summary(summary, console) -> None:
    """Print a `tips_ray.data.summary.Summary` as tables."""
    from rich.markup import escape
    from rich.table import Table

    from tips_ray.data.summary import cells

    overview = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in summary.overview.items():
        overview.add_row(f"[bold]{name}[/]", escape(value))
    console.print(overview)
    for title, frame in (("Subjects", summary.subjects), ("Actions", summary.actions)):
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
        for column, kind in frame.dtypes.items():
            table.add_column(str(column), justify="right" if kind.kind in "if" else "left")
        shown = frame if title == "Subjects" else frame.head(MAX_ROWS)
        for row in cells(shown):
            table.add_row(*map(escape, row))
        console.print()
        console.print(table)
        if len(frame) > len(shown):
            console.print(f"… and {len(frame) - len(shown)} more {title.lower()}, on the page")


@app.command(name="report")
def report(
    campaigns: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME ...")],
    out: Path | None = None,
) -> None:
    """Write the report of a study or a search anew from what its runs have stored, also while they
    train; or merge searches.

    Args:
        campaigns: Folder of the campaign, as the study printed it; several searches are merged into
            one report.
        out: With several searches: the page to write, by default reports/merged.html.
    """
    from rich.console import Console

    from tips_ray.report.publish import is_search, print_headline, print_search, publish, publish_merged, publish_search
    from tips_ray.store.storage import Storage

    folders = [Storage(campaign) for campaign in campaigns]
    if not folders:
        raise UserError("Give the folder of a campaign, as the study printed it, or those of several searches.")
    if len(folders) > 1:
        page = out or Path("reports") / "merged.html"
        print_search(publish_merged(folders, Storage(str(page.parent)), page.name), Console())
        print(f"Report: {page}")
        return
    if is_search(folders[0]):
        print_search(publish_search(folders[0])[1], Console())
    else:
        print_headline(publish(folders[0]), Console())
    print(f"Report: {folders[0] / 'report.html'}")


@app.command(name="evaluate")
def evaluate(
    campaign: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")],
    data: str,
    epoch: str = "last",
    subjects: tuple[str, ...] = (),
    num_views: int = 1,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Evaluate a campaign's saved lifters on other poses.

    Args:
        campaign: Folder of the campaign, as the study printed it.
        data: 'synthetic', an .npz file of poses, or a folder of CMU's .asf and .amc files.
        epoch: last, best (an oracle: chosen by the error on the campaign's own test poses), a
            number, or the name of a stop rule,
            such as 'average of the last 10 %'.
        subjects: Subjects to evaluate on; by default all, or the campaign's test subjects on the
            campaign's own poses.
        num_views: Cameras that see each pose.
        seed: Seed of the synthetic poses.
        json: Print one JSON object instead of a table.
    """
    import json as json_format

    import numpy as np
    from rich.console import Console

    from tips_ray.campaign.evaluate import evaluate_saved, flat_reference
    from tips_ray.data.load import load_poses
    from tips_ray.report.publish import is_search
    from tips_ray.search.trials import CONFIRMATION
    from tips_ray.store.curves import read_manifest
    from tips_ray.store.storage import Storage

    if num_views < 1:
        raise UserError(f"num_views = {num_views}; give at least 1.")
    folder = Storage(campaign)
    if is_search(folder):
        raise UserError(f"{campaign!r} is a search; the lifters of its confirmation are in {str(folder / CONFIRMATION)!r}.")
    manifest = read_manifest(folder)
    own = manifest["data"]
    poses = load_poses(data, seed=seed)
    if not subjects and poses.fingerprint == own["fingerprint"]:
        subjects = tuple(own["test_subjects"])
    if subjects:
        poses = poses.select(np.isin(poses.subject, check_subjects(subjects, poses.subjects)))
    elif set(poses.subjects) & set(own["train_subjects"]):
        print("caution: some of these subjects have the names of subjects trained on; choose with --subjects.", file=sys.stderr)
    found = evaluate_saved(folder, poses, epoch, num_views)
    left_out = [arm for arm in manifest["arms"] if arm not in set(found["arm"])]
    if left_out:
        print(f"caution: no run of {', '.join(left_out)} has what {epoch!r} needs; left out.", file=sys.stderr)
    flat = flat_reference(folder, poses, num_views)
    if json:
        told = {
            "campaign": campaign,
            "data": data,
            "subjects": poses.subjects,
            "num_poses": len(poses),
            "synthetic": poses.synthetic,
        }
        print(json_format.dumps({**told, "epoch": epoch, "flat": flat, "runs": found.to_dict("records")}, indent=1))
        return
    print_errors(found[["arm", "seed", "window", *METRICS]], flat, Console())
    kind = "synthetic poses" if poses.synthetic else "poses"
    print(f"{len(poses):,} {kind} of {', '.join(poses.subjects)}; mm; epoch: {epoch}{' (oracle)' if epoch == 'best' else ''}")


def check_subjects(given: tuple[str, ...], known: list[str]) -> tuple[str, ...]:
    """The subjects as given; raises ValueError for one that the poses do not have."""
    unknown = [subject for subject in given if subject not in known]
    if unknown:
        raise UserError(f"There is no subject {unknown[0]!r} in these poses; there are {', '.join(known)}.")
    return given


def print_errors(found, flat, console) -> None:
    """Print errors of runs, their mean for each arm, and those of the flat prediction."""
    from rich.table import Table

    metrics = list(flat)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in found.columns:
        name = "epoch" if column == "window" else column.removesuffix("_mm")
        table.add_column(name, justify="left" if column == "arm" else "right", overflow="fold")
    for row in found.itertuples(index=False):
        table.add_row(row.arm, str(row.seed), row.window, *(f"{getattr(row, metric):.1f}" for metric in metrics))
    for arm, mean in found.groupby("arm", sort=False)[metrics].mean().iterrows():
        table.add_row(f"[bold]{arm}[/]", "mean", "", *(f"[bold]{value:.1f}[/]" for value in mean))
    table.add_row("flat", "", "", *(f"{value:.1f}" for value in flat.values()))
    console.print(table)


def main() -> None:
    """Run the command line; a user's mistake ends it with one sentence and exit code 2."""
    with user_errors():
        app.cli(prog="tips-ray", description="Train, measure and compare unsupervised 2D-to-3D pose lifters.")


if __name__ == "__main__":
    main()
