"""The options that the studies share, and how a preset sets their defaults. Loads neither torch nor
Ray: --help is quick."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro

from tips_ray.command_line import shown_defaults
from tips_ray.config import FILES_OF_2D, FILES_OF_3D, Config, Evaluation, FileReading, KeepWeights, Placement, Reading
from tips_ray.errors import UserError, user_errors
from tips_ray.presets import PRESETS
from tips_ray.signals import handlers_kept, stop_as_ctrl_c
from tips_ray.store.names import safe_name
from tips_ray.terminal import steady_output

if TYPE_CHECKING:
    from tips_ray.data.dataset import Sources
    from tips_ray.data.keypointset import KeypointSet
    from tips_ray.data.poseset import PoseSet

DATA_HELP = (
    f"What is trained on: `synthetic`, or a file or folder of 3D poses: {FILES_OF_3D}; or of 2D keypoints, alone or paired with"
    f" such poses: {FILES_OF_2D}. `tips-ray data info PATH` says what is read of it."
)
CONTINUES, AGAIN = "the same command continues with every epoch that was stored", "the same command starts again"
"""What a stopped command means to its user."""
INTERRUPTED = 130
"""Exit code of a program stopped by Ctrl-C, or by SIGTERM or SIGHUP, which do the same."""


@dataclass(frozen=True)
class Options:
    """The options of every study; a study's own dataclass adds fields that have defaults."""

    preset: Literal["quick", "laptop", "claims", "paper"]
    """Size of the study: sets the defaults of the other options, as shown here."""
    num_seeds: Annotated[int, tyro.conf.arg(aliases=["--seeds"])]
    """Runs of each arm."""
    num_epochs: Annotated[int, tyro.conf.arg(aliases=["--epochs"])]
    """Epochs of each run; a finished campaign can be given more."""
    placement: Annotated[Placement, tyro.conf.arg(name="")]
    keep_weights: KeepWeights
    config: Annotated[Config, tyro.conf.arg(name="")]
    evaluation: Evaluation = field(default_factory=Evaluation)
    reading: FileReading = field(default_factory=FileReading)
    data: Annotated[str, tyro.conf.arg(help=DATA_HELP)] = "synthetic"
    test_data: str | None = None
    """Poses, or keypoints that are paired with them, that errors are measured on where they are not
    to be --data's own: all of them, or their --data.test-subjects. Keypoints alone have no
    errors."""
    campaign: str = ""
    """Name of the campaign; empty: STUDY-PRESET-DATA."""
    storage: str = os.environ.get("TIPS_RAY_STORAGE", "reports")
    """Folder or URI (s3://bucket/path); everything is written under STORAGE/CAMPAIGN. On a cluster:
    one that all nodes reach."""
    cluster: Path | None = None
    """Ray cluster file (see cluster.yaml): run the study on that cluster, and fetch its report
    here."""
    attach: bool = False
    """With --cluster: start nothing, follow the campaign that runs there, and fetch its report."""

    def __post_init__(self) -> None:
        if self.attach and self.cluster is None:
            raise UserError("--attach follows a study on a cluster; say which one with --cluster cluster.yaml.")

    @classmethod
    def defaults(cls, preset: str) -> dict[str, Any]:
        """The values that a preset gives to options."""
        values = PRESETS[preset]()
        return {entry.name: getattr(values, entry.name) for entry in fields(values)}

    @property
    def uploads(self) -> dict[str, str]:
        """The files and folders of poses that the options name, by option."""
        given = {"--data": self.data, "--test-data": self.test_data}
        return {option: path for option, path in given.items() if path and path != "synthetic"}

    def name(self, study: str) -> str:
        """The campaign's name: the one given, or one made of the study's, the preset and the data,
        with a '-' for what a folder's name should not hold."""
        return self.campaign or safe_name(f"{study}-{self.preset}-{Path(self.data).stem}")


Kind = TypeVar("Kind", bound=Options)


def parse(kind: type[Kind], command: str, arguments: list[str], description: str | None, default_preset: str = "quick") -> Kind:
    """Read the options of a study from its command line; those left out have the values of the
    preset."""
    given = [arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == "--preset"]
    given += [word.partition("=")[2] for word in arguments if word.startswith("--preset=")]
    name: Any = given[-1] if given and given[-1] in PRESETS else default_preset
    default = kind(preset=name, **kind.defaults(name))
    with shown_defaults():
        return tyro.cli(
            kind,
            prog=f"tips-ray {command}",
            default=default,
            args=arguments,
            description=description,
            config=(tyro.conf.AvoidSubcommands,),
        )


def load_sources(options: Options) -> "Sources":
    """What the options say to train on, and to measure errors on; prints what is to know of it."""
    from tips_ray.data.dataset import Sources

    given = [load_with_notes(options.data, options.config.data, options.reading)]
    given += [load_with_notes(options.test_data, Reading(), options.reading)] if options.test_data else []
    return Sources(*given)


def load_with_notes(spec: str, reading: Reading, files: FileReading) -> "PoseSet | KeypointSet":
    """The keypoints or poses that `spec` names, read as the options say; prints what is to know of
    them."""
    from tips_ray.data.load import load_any

    poses = load_any(spec, reading, files)
    for note in poses.notes:
        print(f"caution: {poses.name}: {note}", file=sys.stderr)
    return poses


def run_command(
    kind: type[Any], action: Callable[[Any], None], description: str | None, arguments: list[str] | None, stopped: str
) -> int:
    """Parse the command line of a command that is no study, named after its `action`, and do it;
    returns the exit code. `stopped` as of `interruptible`."""

    def run() -> int:
        with user_errors():
            with shown_defaults():
                options = tyro.cli(kind, prog=f"tips-ray {action.__name__}", description=description, args=arguments)
            action(options)
        return 0

    return interruptible(run, stopped)


def interruptible(run: Callable[[], int], stopped: str = CONTINUES) -> int:
    """Run a study; Ctrl-C, SIGTERM and SIGHUP end it without a traceback, and output that fails
    does not end it. Says when it was `stopped` what that means. Returns its exit code."""
    with steady_output():
        try:
            with handlers_kept():
                stop_as_ctrl_c()
                return run()
        except KeyboardInterrupt:
            print(f"Stopped; {stopped}.", file=sys.stderr)
            return INTERRUPTED


def without_cluster(arguments: list[str]) -> list[str]:
    """The same command line for the cluster itself: without --cluster and --attach."""
    kept, words = [], iter(arguments)
    for word in words:
        if word == "--cluster":
            next(words)
        elif word not in ("--attach", "--no-attach") and not word.startswith("--cluster="):
            kept.append(word)
    return kept
