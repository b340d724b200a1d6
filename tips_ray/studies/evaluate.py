"""How well do a campaign's saved lifters do on other poses?

tips-ray evaluate reports/CAMPAIGN --data other.npz --epoch "average of the last 10 %"
"""

import json
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from tips_ray.columns import METRICS
from tips_ray.config import Reading
from tips_ray.errors import UserError, user_errors
from tips_ray.secrets import without_secrets
from tips_ray.studies.options import interruptible, load_study_poses


@dataclass(frozen=True)
class Evaluation:
    """Evaluate a campaign's saved lifters on other poses."""

    campaign: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")]
    """Folder of the campaign, as the study printed it."""
    data: str
    """'synthetic', an .npz file of poses, or a folder of CMU's .asf and .amc files."""
    epoch: str = "last"
    """last, best (an oracle: chosen by the error on the campaign's own test poses), a number, or
    the name of a stop rule, such as 'average of the last 10 %'."""
    subjects: tuple[str, ...] = ()
    """Subjects to evaluate on; by default all, or the campaign's test subjects on the campaign's
    own poses."""
    num_views: int = 1
    """Cameras that see each pose."""
    reading: Annotated[Reading, tyro.conf.OmitArgPrefixes] = field(default_factory=Reading)
    json: bool = False
    """Print one JSON object instead of a table."""

    def __post_init__(self) -> None:
        if self.num_views < 1:
            raise UserError(f"--num-views is {self.num_views}; give at least 1.")


def evaluate(options: Evaluation) -> None:
    """Print the errors of the saved lifters, run by run, and their mean for each arm."""
    from rich.console import Console

    from tips_ray.campaign.evaluate import evaluate_saved, flat_reference
    from tips_ray.report.publish import is_search
    from tips_ray.search.trials import CONFIRMATION
    from tips_ray.store.records import read_manifest
    from tips_ray.store.storage import Storage

    folder = Storage(options.campaign)
    if is_search(folder):
        raise UserError(f"{str(folder)!r} is a search; the lifters of its confirmation are in {str(folder / CONFIRMATION)!r}.")
    manifest = read_manifest(folder)
    poses = chosen_subjects(load_study_poses(options.data, options.reading), options.subjects, manifest["data"])
    errors = evaluate_saved(folder, poses, options.epoch, options.num_views)
    left_out = [arm for arm in manifest["arms"] if arm not in set(errors["arm"])]
    if left_out:
        print(f"caution: no run of {', '.join(left_out)} has what {options.epoch!r} needs; left out.", file=sys.stderr)
    flat = flat_reference(folder, poses, options.num_views)
    if options.json:
        data = {"data": options.data, "subjects": poses.subjects, "num_poses": len(poses), "synthetic": poses.synthetic}
        result = {
            "campaign": without_secrets(options.campaign),
            **data,
            "epoch": options.epoch,
            "flat": flat,
            "runs": errors.to_dict("records"),
        }
        print(json.dumps(result, indent=1))
        return
    print_errors(errors[["arm", "seed", "window", *METRICS]], flat, Console())
    kind = "synthetic poses" if poses.synthetic else "poses"
    oracle = " (oracle)" if options.epoch == "best" else ""
    print(f"{len(poses):,} {kind} of {', '.join(poses.subjects)}; mm; epoch: {options.epoch}{oracle}")


def chosen_subjects(poses: Any, subjects: tuple[str, ...], trained_on: dict[str, Any]) -> Any:
    """The poses of the subjects; without subjects those of the campaign's test subjects, if the
    poses are the campaign's own, else all."""
    import numpy as np

    if not subjects and poses.fingerprint == trained_on["fingerprint"]:
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


def evaluate_command(arguments: list[str] | None) -> int:
    """Parse a command line and evaluate."""
    with user_errors():
        evaluate(tyro.cli(Evaluation, prog="tips-ray evaluate", description=__doc__, args=arguments))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Evaluate with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: evaluate_command(arguments))
