"""A lifter from a campaign: two files that lift without it, or one ONNX graph.

Writes a folder of a lifter, an ONNX graph, or the curves of a campaign:

    tips-ray export reports/CAMPAIGN --arm single --out my-lifter --data poses.npz
    tips-ray export my-lifter --onnx lifter.onnx
    tips-ray export reports/CAMPAIGN --to tensorboard --out logs
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from tips_ray.config import FileReading, Reading
from tips_ray.errors import UserError
from tips_ray.studies.evaluate import check_labelled, chosen_subjects
from tips_ray.studies.options import AGAIN, load_with_notes, run_command

if TYPE_CHECKING:
    from tips_ray.lift.lifter import Lifter


@dataclass(frozen=True)
class LifterOptions:
    """A lifter, and what its card is to say."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")]
    """Folder of a campaign, as the study printed it, or of a lifter; `cmu-tips` is the one that
    comes along."""
    arm: str | None = None
    """The arm that lifts, where the campaign has several."""
    rule: str | None = None
    """The stop rule that picks the weights; by default the average of the last 10 %. Of the seeds,
    the one that is most plausible without labels is taken."""
    name: str | None = None
    """Of the lifter; by default the campaign's and the arm's."""
    data: str | None = None
    """Labelled poses of people whom it was not trained on: their errors go onto the card."""
    subjects: tuple[str, ...] = ()
    """Subjects of --data; by default all, or the campaign's test subjects on the campaign's own
    poses."""
    reading: Annotated[Reading, tyro.conf.OmitArgPrefixes] = field(default_factory=Reading)
    files: Annotated[FileReading, tyro.conf.OmitArgPrefixes] = field(default_factory=FileReading)
    licence: str = ""
    """Under which the lifter is given on."""
    credit: str = ""
    """To whom the poses are owed."""


@dataclass(frozen=True)
class Export(LifterOptions):
    """Write a lifter into a folder, with a card that says how good it is, or as an ONNX graph."""

    out: Path | None = None
    """Folder to write to."""
    onnx: Path | None = None
    """ONNX file to write: from keypoints (poses, 17, 2) of an image, y down, to poses (poses, 17,
    3), y up."""

    to: Literal["csv", "tensorboard", "mlflow", "wandb"] | None = None
    """Write no lifter, but the curves of a campaign to --out, for the tools that you watch other
    trainings with; `mlflow` and `wandb` need those packages."""

    def __post_init__(self) -> None:
        if self.out is None and (self.onnx is None or self.to):
            raise UserError("Nothing is to be written; give --out FOLDER, or for a lifter --onnx FILE, or both.")


def export(options: Export) -> None:
    """Write the lifter, and print what was measured of it."""
    from tips_ray.report.trackers import write_curves
    from tips_ray.stability.campaign import open_campaign
    from tips_ray.store.atomic import replace_file

    if options.out:
        refuse_in_use(options.out)
    if options.to and options.out:
        print(f"Curves: {write_curves(open_campaign(options.source), options.to, options.out)}")
        return
    lifter = described(options)
    if options.out:
        lifter.save(options.out)
        print(f"Lifter: {options.out}")
    if options.onnx:
        replace_file(options.onnx, graph_of(lifter))
        print(f"ONNX: {options.onnx}")


def refuse_in_use(folder: Path) -> None:
    """Raise UserError for a folder that has something in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' exists and is no empty folder; give another --out.")


def described(options: LifterOptions) -> "Lifter":
    """The lifter, with a card as the options say; prints what was measured of it."""
    from tips_ray.lift.lifter import Lifter
    from tips_ray.lift.measure import measure

    lifter = Lifter.open(options.source, options.arm, options.rule)
    card = replace(
        lifter.card,
        name=options.name or lifter.card.name,
        licence=options.licence or lifter.card.licence,
        credit=options.credit or lifter.card.credit,
    )
    if options.data:
        poses = load_with_notes(options.data, options.reading, options.files)
        check_labelled(poses, 1)
        chosen = chosen_subjects(poses, options.subjects, lifter.card.trained["data"])
        measured = measure(lifter, chosen)
        card = replace(card, errors={chosen.name: asdict(measured)})
        kind = "synthetic views" if measured.synthetic else "views"
        seen = f"{measured.num_views:,} {kind} of {', '.join(chosen.subjects)}"
        print(f"P-MPJPE {measured.mean:.1f} mm on {seen}; flat {measured.flat:.1f}.")
        missing = ", ".join(f"{error:.1f} with {count}" for count, error in measured.missing.items())
        print(f"With joints missing: {missing}.")
    return replace(lifter, card=card)


def graph_of(lifter: "Lifter") -> bytes:
    """The lifter as an ONNX file; raises UserError where the package for it is missing."""
    try:
        from tips_ray.lift.onnx import onnx_bytes
    except ImportError as error:
        raise UserError("ONNX files need the package onnx; install it with: pip install onnx") from error
    return onnx_bytes(lifter)


def main(arguments: list[str] | None = None) -> int:
    """Export with a command line (by default this process's); returns the exit code."""
    return run_command(Export, export, __doc__, arguments, AGAIN)
