"""How well do a campaign's saved lifters do on other poses?

tips-ray evaluate reports/CAMPAIGN --data other.npz --epoch "average of the last 10 %"
"""

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from tips_ray.columns import HEADLINE_METRIC, METRICS
from tips_ray.config import FILES_OF_3D, FileReading, Reading
from tips_ray.errors import UserError
from tips_ray.secrets import without_secrets
from tips_ray.studies.options import CONTINUES, load_with_notes, run_command

if TYPE_CHECKING:
    from tips_ray.stability.groups import Grouped
    from tips_ray.stability.statistics import Interval


@dataclass(frozen=True)
class Evaluation:
    """Evaluate a campaign's saved lifters on other poses."""

    campaign: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")]
    """Folder of the campaign, as the study printed it."""
    data: Annotated[
        str,
        tyro.conf.arg(
            help=f"`synthetic`, or a file or folder of 3D poses, or of 2D keypoints that are paired with them: {FILES_OF_3D}."
        ),
    ]
    epoch: str = "last"
    """last, best (an oracle: chosen by the error on the campaign's own test poses), a number, or
    the name of a stop rule, such as 'average of the last 10 %'."""
    subjects: tuple[str, ...] = ()
    """Subjects to evaluate on; by default all, or the campaign's test subjects on the campaign's
    own poses."""
    num_views: int = 1
    """Cameras that see each pose; keypoints have their own."""
    reading: Annotated[Reading, tyro.conf.OmitArgPrefixes] = field(default_factory=Reading)
    files: Annotated[FileReading, tyro.conf.OmitArgPrefixes] = field(default_factory=FileReading)
    by_action: bool = False
    """Print the error on each action too."""
    json: bool = False
    """Print one JSON object instead of tables."""

    def __post_init__(self) -> None:
        if self.num_views < 1:
            raise UserError(f"--num-views is {self.num_views}; give at least 1.")


def evaluate(options: Evaluation) -> None:
    """Print the errors of the saved lifters, run by run, and for each arm their mean with its
    interval, also by subject."""
    from rich.console import Console

    from tips_ray.campaign.evaluate import evaluate_saved, flat_reference, knowledge_of
    from tips_ray.report.publish import is_search
    from tips_ray.report.text import beyond_2d
    from tips_ray.search.confirmation import CONFIRMATION
    from tips_ray.stability.groups import grouped
    from tips_ray.stability.statistics import interval
    from tips_ray.stability.summary import strict
    from tips_ray.store.records import read_manifest
    from tips_ray.store.storage import Storage

    folder = Storage(options.campaign)
    if is_search(folder):
        raise UserError(f"{str(folder)!r} is a search; the lifters of its confirmation are in {str(folder / CONFIRMATION)!r}.")
    manifest = read_manifest(folder)
    given = load_with_notes(options.data, options.reading, options.files)
    check_labelled(given, options.num_views)
    poses = chosen_subjects(given, options.subjects, manifest["data"])
    errors = evaluate_saved(folder, poses, options.epoch, options.num_views)
    left_out = [arm for arm in manifest["arms"] if arm not in set(errors["arm"])]
    if left_out:
        print(f"caution: no run of {', '.join(left_out)} has what {options.epoch!r} needs; left out.", file=sys.stderr)
    flat = flat_reference(folder, poses, options.num_views)
    known = knowledge_of(folder, manifest)
    by_arm = {str(arm): rows for arm, rows in errors.groupby("arm", sort=False)}
    groups = {arm: grouped(rows) for arm, rows in by_arm.items()}
    if options.json:
        data = {"data": options.data, "subjects": poses.subjects, "num_poses": len(poses), "synthetic": poses.synthetic}
        result = {
            "campaign": without_secrets(options.campaign),
            **data,
            "epoch": options.epoch,
            "flat": flat,
            "arms": {
                arm: {"knowledge": known[arm], "error_mm": strict(interval(by_arm[arm][HEADLINE_METRIC])), **strict(over)}
                for arm, over in groups.items()
            },
            "runs": errors.to_dict("records"),
        }
        print(json.dumps(result, indent=1))
        return
    console = Console()
    print_errors(errors[["arm", "seed", "window", *METRICS]], flat, console)
    print_arms(
        {arm: (beyond_2d(known[arm]), interval(rows[HEADLINE_METRIC]), groups[arm]) for arm, rows in by_arm.items()}, console
    )
    print_groups("subject", {arm: over.by_subject for arm, over in groups.items()}, console)
    if options.by_action:
        print_groups("action", {arm: over.by_action for arm, over in groups.items()}, console)
    kind = "synthetic poses" if poses.synthetic else "poses"
    oracle = " (oracle)" if options.epoch == "best" else ""
    print(f"{len(poses):,} {kind} of {', '.join(poses.subjects)}; mm; epoch: {options.epoch}{oracle}")


def check_labelled(poses: Any, num_views: int) -> None:
    """Raise UserError for keypoints of which no error can be measured, or that other cameras are to
    see."""
    from tips_ray.data.keypointset import KeypointSet

    if not isinstance(poses, KeypointSet):
        return
    if poses.positions is None:
        raise UserError(
            f"{poses.name}: these are keypoints without 3D poses, so no error can be measured on them; give 3D poses, or"
            " keypoints that are paired with them."
        )
    if num_views > 1:
        raise UserError(f"{poses.name}: these are keypoints as their own cameras gave them; leave out --num-views.")


def chosen_subjects(poses: Any, subjects: tuple[str, ...], trained_on: dict[str, Any]) -> Any:
    """The poses of the subjects; without subjects those of the campaign's test subjects, if the
    poses are the campaign's own, else all."""
    import numpy as np

    if not subjects and poses.fingerprint in (trained_on["fingerprint"], trained_on.get("labelled_fingerprint")):
        subjects = tuple(trained_on["test_subjects"])
    unknown = [subject for subject in subjects if subject not in poses.subjects]
    if unknown:
        raise UserError(f"There is no subject {unknown[0]!r} in these poses; there are {', '.join(poses.subjects)}.")
    if subjects:
        return poses.select(np.isin(poses.subject, subjects))
    if set(poses.subjects) & set(trained_on["train_subjects"]):
        print("caution: some of these subjects have the names of subjects trained on; choose with --subjects.", file=sys.stderr)
    return poses


def print_errors(errors: Any, flat: dict[str, float], console: Any) -> None:
    """Print a table of errors of runs, their mean for each arm, and the errors of the flat
    prediction."""
    from rich.markup import escape
    from rich.table import Table

    metrics = list(flat)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in errors.columns:
        name = "epoch" if column == "window" else column.removesuffix("_mm")
        table.add_column(name, justify="left" if column == "arm" else "right", overflow="fold")
    for row in errors.itertuples(index=False):
        table.add_row(escape(row.arm), str(row.seed), row.window, *(f"{getattr(row, metric):.1f}" for metric in metrics))
    for arm, mean in errors.groupby("arm", sort=False)[metrics].mean().iterrows():
        table.add_row(f"[bold]{escape(str(arm))}[/]", "mean", "", *(f"[bold]{value:.1f}[/]" for value in mean))
    table.add_row("flat", "", "", *(f"{value:.1f}" for value in flat.values()))
    console.print(table)


def print_arms(arms: "dict[str, tuple[str, Interval, Grouped]]", console: Any) -> None:
    """Print what each arm knows, its error over runs, also with all subjects counted alike, and how
    many of its runs have mixed signs."""
    from rich.markup import escape
    from rich.table import Table

    from tips_ray.report.text import of_n

    table = Table(
        title=f"\n{HEADLINE_METRIC}: mean over runs, and its 95% interval", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for column in ("arm", "knows beyond 2D", "runs", "error", "mean over subjects", "mixed signs"):
        table.add_column(column)
    for arm, (knows, error, groups) in arms.items():
        table.add_row(escape(arm), knows, str(error.n), cell(error), cell(groups.over_subjects), of_n(groups.mixed_signs))
    console.print(table)


def print_groups(kind: str, arms: "dict[str, dict[str, Interval]]", console: Any) -> None:
    """Print the error on each subject or action, a row each and a column an arm."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"\n{HEADLINE_METRIC} by {kind}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column(kind, overflow="fold")
    for arm in arms:
        table.add_column(escape(arm), overflow="fold")
    for name in next(iter(arms.values())):
        table.add_row(escape(name), *(cell(by_name[name]) for by_name in arms.values()))
    console.print(table)


def cell(over: "Interval") -> str:
    """A mean, and beneath it its interval."""
    from tips_ray.report.text import mm, span

    return f"{mm(over.mean)}\n[dim]{span(over)}[/]"


def main(arguments: list[str] | None = None) -> int:
    """Evaluate with a command line (by default this process's); returns the exit code."""
    return run_command(Evaluation, evaluate, __doc__, arguments, CONTINUES)
