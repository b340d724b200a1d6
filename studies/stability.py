"""How good is an unsupervised lifter, how stable, and when should training stop?

Trains the arms over several seeds and writes a report with error bars:

    python studies/stability.py                                   # the embedded synthetic poses, a few minutes
    python studies/stability.py --preset laptop --data poses.npz  # your own poses, half an hour

Run the same command again to continue after an interruption; give more --num-seeds or --num-epochs to extend it.
"""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from tips_ray.config import PRESETS, Config, arm_config
from tips_ray.errors import user_errors

INTERRUPTED = 130
"""Exit code of a program stopped by Ctrl-C."""


@dataclass(frozen=True)
class Study:
    """Train arms over several seeds on Ray, and report how good and how stable they are."""

    preset: Literal["quick", "laptop", "paper"]
    """Size of the study: sets the defaults of the other options, as shown here."""
    num_seeds: Annotated[int, tyro.conf.arg(aliases=["--seeds"])]
    """Runs of each arm."""
    num_epochs: Annotated[int, tyro.conf.arg(aliases=["--epochs"])]
    """Epochs of each run; a finished campaign can be given more."""
    num_workers: int
    """Ray Train workers of each arm, to which its seeds are dealt; 0: the seeds of an arm take turns in one process."""
    cpus_per_worker: float
    """CPUs of a worker; a fraction lets several share a core."""
    gpus_per_worker: float
    """GPUs of a worker; a fraction lets several share a GPU."""
    config: Annotated[Config, tyro.conf.arg(name="")]
    data: str = "synthetic"
    """`synthetic`, an .npz file of poses, or a folder of CMU's .asf and .amc files."""
    arms: tuple[str, ...] = ("solo", "parts", "supervised")
    """solo and parts: the paper's baseline and its part generators (--partition); supervised: a solo network trained on true
    depths, as a reference; also solo_deep (as many parameters as two parts), left_right and five."""
    campaign: str = ""
    """Name of the campaign; empty: stability-PRESET-DATA."""
    storage: str = "reports"
    """Folder or URI (s3://bucket/path); everything is written under STORAGE/CAMPAIGN."""


def main() -> int:
    """Run the study; Ctrl-C ends it without a traceback."""
    try:
        return conduct_and_report()
    except KeyboardInterrupt:
        print("Stopped; the same command continues with every epoch that was stored.", file=sys.stderr)
        return INTERRUPTED


def conduct_and_report() -> int:
    """Parse the command line, train what is missing, and report; returns the exit code."""
    console = Console()
    with user_errors():
        study = parse(sys.argv[1:])
        # Imported late, so that --help and mistakes are answered at once.
        from tips_ray.campaign.plan import Campaign, Resources
        from tips_ray.campaign.study import conduct
        from tips_ray.report.publish import print_headline, publish
        from tips_ray.storage import Storage

        name = study.campaign or f"stability-{study.preset}-{Path(study.data).stem}"
        arms = {arm: arm_config(study.config, arm) for arm in study.arms}
        campaign = Campaign(name, Storage(study.storage), arms, study.num_seeds, study.num_epochs)
        resources = Resources(study.num_workers, study.cpus_per_worker, study.gpus_per_worker)
        ending = conduct(campaign, resources, study.data, console)
        print_headline(publish(campaign.folder), console)
    for arm, error in ending.failures.items():
        print(f"{arm} failed:\n{error}", file=sys.stderr)
    if ending.unfinished:
        console.print(
            f"Not all epochs were trained ({', '.join(ending.unfinished)}); the same command continues where it stopped."
        )
    print(f"Report: {campaign.folder}/report.html")
    return 1 if ending.failures else INTERRUPTED if ending.unfinished else 0


def parse(arguments: list[str]) -> Study:
    """Read the options; those left out have the values of the preset."""
    given = [arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == "--preset"]
    given += [word.partition("=")[2] for word in arguments if word.startswith("--preset=")]
    name: Any = given[-1] if given and given[-1] in PRESETS else "quick"
    preset = PRESETS[name]()
    default = Study(preset=name, **{entry.name: getattr(preset, entry.name) for entry in fields(preset)})
    return tyro.cli(Study, default=default, args=arguments, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
