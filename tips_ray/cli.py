"""The `tips-ray` command. Each sub-command imports what it needs, so that `--help` is quick."""

import argparse
import importlib
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tips_ray.command_line import shown_defaults
from tips_ray.config import FileReading, Reading
from tips_ray.errors import UserError, user_errors
from tips_ray.wording import counted

if TYPE_CHECKING:
    from tips_ray.data.keypointset import KeypointSet
    from tips_ray.data.poseset import PoseSet

STUDIES = {
    "stability": "How good are arms, how stable, and when should training stop?",
    "search": "Which loss weights are best, and how much of the gain is luck?",
    "tips": "The paper's whole chain: train, decide when to stop, pick teachers, distil, compare.",
    "distil": "Does a student beat its teachers, and which teachers are best?",
    "claims": "Are part generators better than a solo one, or do they only learn faster?",
    "recipe": "What is each ingredient of the recipe worth?",
    "screen": "Which of the choices that the paper leaves open matter?",
    "partitions": "Does another partition of the body beat legs and torso?",
    "noise": "What do noisy, missing or perspective keypoints do to arms?",
    "transfer": "Does a stop rule hold on other poses, and what is an error that nobody can measure?",
    "human36m": "The paper's Table 1: how good are arms on Human3.6M, by action?",
    "mpi-inf-3dhp": "The paper's Table 2: how good are arms on MPI-INF-3DHP, trained on other poses?",
    "lift": "2D keypoints in, 3D poses out.",
    "export": "A lifter from a campaign: two files that lift without it.",
    "publish": "A lifter as a folder that is ready for a model hub.",
    "evaluate": "How well do a campaign's saved lifters do on other poses?",
    "stop": "When should training stop, from a table of anyone's curves?",
    "compare": "How do several studies, or versions of the code, differ?",
    "figure": "A figure of a report for a paper: PDF, SVG or PNG.",
    "watch": "A report that is brought up to date while runs train.",
}
"""Each is a module of `tips_ray.studies` with a command line of its own."""

MAX_ROWS = {"Subjects": 40, "Actions": 15}
"""Shown in the terminal; the page shows all."""


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
    from tips_ray.data.raw import make_poseset

    check_suffix(out)
    poses = make_poseset(read_cmu(folder, min_displacement_mm, index))
    write_npz(poses, out)
    print(f"{out}: {held(poses, 'pose')}")


@data.command(name="info")
def info(
    spec: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SPEC")],
    reading: Annotated[Reading, tyro.conf.OmitArgPrefixes],
    files: Annotated[FileReading, tyro.conf.OmitArgPrefixes],
    out: Path | None = None,
    test_subjects: tuple[str, ...] = (),
) -> None:
    """Print what a set of poses or keypoints holds, and write a page with a few of its skeletons.

    Args:
        spec: 'synthetic', or a file or folder of any format that is read (docs/howto/formats.md).
        reading: How to read poses.
        files: How to read files.
        out: The page to write; by default reports/data-NAME.html.
        test_subjects: Subjects of poses to hold out; by default the last quarter.
    """
    from rich.console import Console

    from tips_ray.data.keypoint_summary import summarise_keypoints
    from tips_ray.data.load import check_known, load_any
    from tips_ray.data.poseset import PoseSet
    from tips_ray.data.summary import summarise
    from tips_ray.report.data.page import write_data_page

    poses = load_any(spec, reading, files)
    check_known(poses, test_subjects, "test on")
    summary = summarise(poses, test_subjects) if isinstance(poses, PoseSet) else summarise_keypoints(poses)
    page = out or Path("reports") / f"data-{Path(poses.name).stem}.html"
    write_data_page(poses, summary, page)  # first: whoever reads the tables may stop reading
    print_summary(summary, Console())
    print(f"Page: {page}")


@data.command(name="convert")
def convert(
    spec: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IN")],
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.npz")],
    reading: Annotated[Reading, tyro.conf.OmitArgPrefixes],
    files: Annotated[FileReading, tyro.conf.OmitArgPrefixes],
    poses: bool = False,
) -> None:
    """Convert poses or keypoints of any format that is read into one plain .npz file.

    Args:
        spec: A file or folder of any format that is read (docs/howto/formats.md).
        out: The file to write: 'positions' of poses, or 'keypoints' with their 'confidence', and
            their 'positions' where they come with them.
        reading: How to read poses.
        files: How to read files.
        poses: Of keypoints that come with their 3D poses, write the poses alone.
    """
    from tips_ray.data.formats.npz import check_suffix, write_npz
    from tips_ray.data.formats.npz_keypoints import write_keypoints
    from tips_ray.data.load import load_any, load_poses
    from tips_ray.data.poseset import PoseSet

    check_suffix(out)
    converted = load_poses(spec, **vars(reading), files=files) if poses else load_any(spec, reading, files)
    if isinstance(converted, PoseSet):
        write_npz(converted, out)
    else:
        write_keypoints(converted, out)
    for note in converted.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{out}: {held(converted, 'pose' if isinstance(converted, PoseSet) else 'frame')}")


def held(frames: "PoseSet | KeypointSet", thing: str) -> str:
    """How much a set holds, in words."""
    counts = {thing: len(frames), "subject": len(frames.subjects), "clip": len(set(frames.clip.tolist()))}
    return ", ".join(counted(count, name) for name, count in counts.items())


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
            table.add_column(str(column), justify="right" if kind.kind in "if" else "left", overflow="fold")
        shown = frame.head(MAX_ROWS[title])
        for row in cells(shown):
            table.add_row(*map(escape, row))
        console.print()
        console.print(table)
        if len(frame) > len(shown):
            console.print(f"… and {len(frame) - len(shown)} more {title.lower()}, on the page")


@app.command(name="open")
def open_report(campaign: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")]) -> None:
    """Open the report of a study or a search in a browser; where there is no screen, say how to
    look at it.

    Args:
        campaign: Folder of the campaign, as the study printed it.
    """
    import os
    import webbrowser

    page = Path(campaign) / "report.html"
    if not page.is_file():
        raise UserError(f"There is no report in {campaign!r}; write it with tips-ray report {campaign}.")
    address = page.resolve().as_uri()
    has_screen = sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if has_screen and webbrowser.open(address):
        print(f"Opened: {address}")
        return
    print(f"No browser can be opened here. Copy {page.resolve()} to your machine and open it: one file, which needs no network.")
    print(f"Or serve it here, and open http://127.0.0.1:8765/ there: tips-ray watch {campaign}, with ssh -L 8765:127.0.0.1:8765")


@app.command(name="report")
def report(
    campaigns: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="STORAGE/NAME ...", help_behavior_hint="(required)"),
    ],
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
    from tips_ray.store.records import MANIFEST, holds
    from tips_ray.store.storage import Storage

    folders = [Storage(campaign) for campaign in campaigns]
    if not folders:
        raise UserError("Give the folder of a campaign, as the study printed it, or those of several searches.")
    studies = [str(folder) for folder in folders if holds(folder, MANIFEST)]
    if len(folders) > 1 and studies:
        raise UserError(f"{studies[0]!r} is a study, and searches alone are merged; `tips-ray compare` puts studies on one page.")
    if len(folders) > 1:
        page = out or Path("reports") / "merged.html"
        print_search(publish_merged(folders, Storage(str(page.parent)), page.name), Console())
        print(f"Report: {page}")
        return
    if is_search(folders[0]):
        print_search(publish_search(folders[0]), Console())
    else:
        print_headline(publish(folders[0]), Console())
    print(f"Report: {folders[0] / 'report.html'}")


def main(arguments: list[str] | None = None) -> int:
    """Run a command line (by default this process's), and return its exit code; a user's mistake
    ends it with one sentence and exit code 2."""
    chosen, rest = parser().parse_known_args(sys.argv[1:] if arguments is None else arguments)
    if chosen.command in STUDIES:
        return importlib.import_module(f"tips_ray.studies.{chosen.command.replace('-', '_')}").main(rest)
    with user_errors(), shown_defaults():
        app.cli(prog="tips-ray", args=[chosen.command, *rest])
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line up to the name of the command."""
    top = argparse.ArgumentParser("tips-ray", description="Train, measure and compare unsupervised 2D-to-3D pose lifters.")
    top.add_argument("--version", action="version", version=f"tips-ray {version('tips-ray')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    tools = {
        "data": "Convert and look at sets of poses.",
        "report": "Write the report of a study or a search anew.",
        "open": "Open a report in a browser.",
    }
    for name, line in {**STUDIES, **tools}.items():
        commands.add_parser(name, help=line, add_help=False)
    return top
