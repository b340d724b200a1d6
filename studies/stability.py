"""How good is an unsupervised lifter, how stable, and when should training stop?

Trains the arms over several seeds and writes a report with error bars:

    python studies/stability.py                                   # the embedded synthetic poses, a few minutes
    python studies/stability.py --preset laptop --data poses.npz  # your own poses, half an hour
    python studies/stability.py --cluster cluster.yaml --data poses.npz   # the same on a Ray cluster that is up

Run the same command again to continue after an interruption; give more --num-seeds or --num-epochs to extend it.
"""

import sys
from dataclasses import dataclass

from rich.console import Console

from options import INTERRUPTED, Options, interruptible, parse, without_cluster
from tips_ray.config import arm_config
from tips_ray.errors import user_errors


@dataclass(frozen=True)
class Study(Options):
    """Train arms over several seeds on Ray, and report how good and how stable they are."""

    arms: tuple[str, ...] = ("solo", "parts", "supervised")
    """solo and parts: the paper's baseline and its part generators (--partition); supervised: a solo network trained on true
    depths, as a reference; also solo_deep (as many parameters as two parts), left_right and five."""


def conduct_and_report() -> int:
    """Parse the command line, train what is missing, and report; returns the exit code."""
    console = Console()
    with user_errors():
        study = parse(Study, sys.argv[1:], __doc__)
        # Imported late, so that --help and mistakes are answered at once.
        from tips_ray.campaign.plan import Campaign, Resources
        from tips_ray.storage import Storage

        arms = {arm: arm_config(study.config, arm) for arm in study.arms}
        campaign = Campaign(study.name("stability"), Storage(study.storage), arms, study.num_seeds, study.num_epochs)
        resources = Resources(study.num_workers, study.cpus_per_worker, study.gpus_per_worker)
        if study.cluster:
            from tips_ray.campaign.remote import run_on

            arguments = without_cluster(sys.argv[1:])
            return run_on(study.cluster, __file__, arguments, campaign.name, study.data, study.attach, console)

        from tips_ray.campaign.study import conduct
        from tips_ray.data.load import load_poses
        from tips_ray.report.publish import print_headline, publish

        poses = load_poses(study.data, study.config.data.seed)
        ending = conduct(campaign, resources, poses, study.data, console)
        print_headline(publish(campaign.folder), console)
    for arm, error in ending.failures.items():
        print(f"{arm} failed:\n{error}", file=sys.stderr)
    if ending.unfinished:
        console.print(
            f"Not all epochs were trained ({', '.join(ending.unfinished)}); the same command continues where it stopped."
        )
    print(f"Report: {campaign.folder / 'report.html'}")
    return 1 if ending.failures else INTERRUPTED if ending.unfinished else 0


if __name__ == "__main__":
    sys.exit(interruptible(conduct_and_report))
