"""2D keypoints in, 3D poses out.

Writes the poses as .npz, .csv and .bvh, and a page that plays them:

    tips-ray lift keypoints.json              # with the lifter that comes with tips-ray
    tips-ray lift clip.mp4                    # a detector finds the keypoints (docs/howto/video.md)
    tips-ray lift openpose/ --model reports/CAMPAIGN --arm single --smooth 9
"""

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from tips_ray.checks import check_fields
from tips_ray.config import FILES_OF_2D, FileReading
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import Sides
from tips_ray.store.names import safe_name
from tips_ray.studies.options import AGAIN, run_command
from tips_ray.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tips_ray.data.keypointset import KeypointSet
    from tips_ray.lift.clips import LiftedClip
    from tips_ray.lift.lifter import Lifter

DEFAULT_FPS = 30.0
MAX_ROWS = 30
"""Clips shown in the terminal; the page shows all."""


@dataclass(frozen=True)
class Lift:
    """Lift 2D keypoints to 3D poses."""

    keypoints: Annotated[
        str,
        tyro.conf.Positional,
        tyro.conf.arg(metavar="INPUT", help=f"A video or photo, or a file or folder of keypoints: {FILES_OF_2D}."),
    ]
    detector: Literal["any", "mediapipe", "rtmpose", "yolo"] = "any"
    """Of a video or photo: what finds the keypoints; by default what is installed."""
    detector_python: Path | None = None
    """The Python that the detector is installed for; by default detector/bin/python, or else this
    one."""
    model: str | None = None
    """A folder of a lifter, or a campaign's; by default the lifter that comes with tips-ray."""
    arm: str | None = None
    """Of a campaign: the arm that lifts."""
    rule: str | None = None
    """Of a campaign: the stop rule that picks the weights; by default the average of the last
    10 %."""
    out: Path | None = None
    """Folder to write to; by default lifted/NAME."""
    noise: float = 0.0
    """Standard deviation of the keypoints' noise as a share of the body's height (0.01 to 0.02 of a
    good detector's); it is taken out as far as the other joints tell."""
    smooth: int = 0
    """Smooth each joint's way over so many frames (odd, such as 9); 0: not at all."""
    constant_bones: bool = False
    """Make each bone as long in all frames of a clip, and left as right."""
    fps: float | None = None
    """Frames a second, of poses.bvh and of the player; by default a video's own, or 30."""
    up: Literal["y", "-y"] | None = None
    """The axis of the file that points up; by default what the file says."""
    sides: Sides | None = None
    """`swapped` if what the file calls left is right."""
    files: Annotated[FileReading, tyro.conf.OmitArgPrefixes] = field(default_factory=lambda: FileReading(max_gap=5))

    def __post_init__(self) -> None:
        check_fields(self, fps="(0, 1000]", noise="[0, 0.5]")
        if self.smooth and (self.smooth < 5 or self.smooth % 2 == 0):
            raise UserError(f"--smooth is {self.smooth}; give an odd number of frames of at least 5, such as 9, or 0.")


def lift(options: Lift) -> None:
    """Lift, and write poses.npz, poses.csv, poses.html and a .bvh file for each clip; of a video or
    photo also its keypoints.json."""
    from rich.console import Console

    from tips_ray.detection import detect, is_footage
    from tips_ray.lift.clips import lift_clips, with_constant_bones
    from tips_ray.lift.lifter import Lifter
    from tips_ray.lift.write import write_clips
    from tips_ray.report.lifted.page import write_lifted_page
    from tips_ray.store.atomic import replace_file

    lifter = Lifter.open(options.model, options.arm, options.rule)
    detected, rate = b"", None
    if is_footage(options.keypoints):
        with TemporaryDirectory() as folder:
            file = Path(folder) / f"{Path(options.keypoints).stem}.json"
            rate = detect(options.keypoints, file, options.detector, options.detector_python)
            keypoints, detected = read_keypoints(str(file), options, lifter), file.read_bytes()
    else:
        keypoints = read_keypoints(options.keypoints, options, lifter)
    fps = options.fps or rate or DEFAULT_FPS
    print(f"Lifting {counted(len(keypoints), 'frame')}, and writing the poses ...", file=sys.stderr)
    clips = lift_clips(lifter, keypoints)
    clips = all_smoothed(clips, options.smooth) if options.smooth else clips
    clips = [with_constant_bones(clip) for clip in clips] if options.constant_bones else clips
    name = Path(options.keypoints).name if detected else keypoints.name
    out = options.out or Path("lifted") / safe_name(Path(name).stem)
    files = write_clips(clips, out, fps)
    page = out / "poses.html"
    write_lifted_page(page, name, clips, lifter, fps)
    print_clips(clips, Console())
    print(f"Lifter: {lifter.card.name}")
    if detected:
        replace_file(out / "keypoints.json", detected)
        print(f"Keypoints: {out / 'keypoints.json'}")
    for file in files:
        print(f"Poses: {file}")
    print(f"Page: {page}")


def all_smoothed(clips: list["LiftedClip"], window: int) -> list["LiftedClip"]:
    """The clips, smoothed over so many frames; says how many are too short for it."""
    from tips_ray.lift.clips import smoothed

    changed = [smoothed(clip, window) for clip in clips]
    same = sum((one.poses == other.poses).all() for one, other in zip(clips, changed, strict=True))
    if same:
        print(f"caution: not smoothed, without {window} frames in a row: {same:,} of {len(clips):,} clips.", file=sys.stderr)
    return changed


def read_keypoints(path: str, options: Lift, lifter: "Lifter") -> "KeypointSet":
    """The keypoints of a file, with those that are missing estimated; prints what is to know of
    them."""
    from tips_ray.data.load import load_keypoints

    complete = partial(lifter.prior.complete, noise=options.noise)
    keypoints = load_keypoints(path, up=options.up, sides=options.sides, files=options.files, complete=complete)
    for note in keypoints.notes:
        print(f"note: {note}", file=sys.stderr)
    return keypoints


def print_clips(clips: "Sequence[LiftedClip]", console) -> None:
    """Print a table with a row a clip."""
    from rich.markup import escape
    from rich.table import Table

    from tips_ray.report.lifted.page import clip_row

    table = Table(box=None, padding=(0, 2, 0, 0), title="Lifted clips", title_justify="left")
    for column in ("clip", "frames", "joints missing", "moves between views, mm"):
        table.add_column(column, justify="left" if column == "clip" else "right", overflow="fold")
    for row in map(clip_row, clips[:MAX_ROWS]):
        table.add_row(escape(row["name"]), f"{row['frames']:,}", row["missing"], row["spread"])
    console.print(table)
    if len(clips) > MAX_ROWS:
        console.print(f"… and {len(clips) - MAX_ROWS} more clips, on the page")


def main(arguments: list[str] | None = None) -> int:
    """Lift with a command line (by default this process's); returns the exit code."""
    return run_command(Lift, lift, __doc__, arguments, AGAIN)
