"""What studies of arms have in common: train what is missing, measure, report, and say how it
ended."""

import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console

from tips_ray.config import Config, Teacher
from tips_ray.errors import UserError, user_errors
from tips_ray.presets import arm_config, named_arms
from tips_ray.studies.options import INTERRUPTED, Options, load_sources, parse, without_cluster

if TYPE_CHECKING:
    from tips_ray.campaign.plan import Campaign
    from tips_ray.campaign.session import Session
    from tips_ray.data.dataset import Sources
    from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class ArmStudy(Options):
    """A study of arms; each study's own dataclass names its arms."""

    arms: tuple[str, ...] = ()
    """What is trained (`presets.ARMS`), or the name of a set of arms (`presets.ARM_SETS`)."""
    teacher: Teacher = field(default_factory=Teacher)
    """Of the distilled arms."""
    plan: bool = False
    """Say what would be trained, what is stored already, and how long the rest takes on this
    machine; start nothing."""
    stop: str = ""
    """End each run when this stop rule says so, by the run's own signals at the end of an epoch.
    Only rules whose stop stands: `consistency levels off`, `frechet 2d levels off`, `fresh
    critic levels off`, `churn levels off`, `discriminator accuracy leaves 0.55–0.8`, `discriminator
    loss leaves 0.45–0.65`, `epoch at 50 %`; all others choose when training has ended. Runs that
    see labels go on. The same campaign goes on without it, or with another."""
    benchmark: ClassVar[str] = ""
    """Which of the paper's tables the study is the twin of (`columns.BENCHMARKS`), if any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plan and self.cluster:
            raise UserError(
                "--plan measures the machine that it runs on; give it without --cluster, or on the cluster's head node."
            )

    def configs(self) -> dict[str, Config]:
        """What is trained, by the name of the arm."""
        return {arm: arm_config(self.config, arm, self.teacher, self.num_epochs) for arm in named_arms(self.arms)}

    def load(self) -> "Sources":
        """What the study trains on, and what errors are measured on."""
        return load_sources(self)

    def further(self, folder: "Storage", sources: "Sources") -> dict[str, Config]:
        """What is trained after that, which may depend on what has been measured."""
        return {}


def run_arm_study(
    kind: type[ArmStudy],
    command: str,
    name: str,
    description: str | None,
    preset: str = "quick",
    arguments: list[str] | None = None,
) -> int:
    """Parse the command line of a study, train what is missing, and report; returns the exit code.

    `name` begins the campaign's name where none is given; studies with the same one continue each
    other's campaigns.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    with user_errors():
        study = parse(kind, command, arguments, description, preset)
        return carry_out(study, command, study.name(name), arguments)


def carry_out(study: ArmStudy, command: str, campaign_name: str, arguments: list[str], sources: "Sources | None" = None) -> int:
    """Train what is missing of a study, and report; returns the exit code.

    `sources` are what the study says to train on, where they have been read already.
    """
    # Imported late, so that --help and mistakes are answered at once.
    console, campaign = Console(), campaign_of(study, campaign_name)
    if study.cluster:
        from tips_ray.cluster.submit import Submission, run_on

        submission = Submission(command, without_cluster(arguments), campaign.name, study.uploads)
        return run_on(study.cluster, submission, study.attach, console)

    from tips_ray.campaign.run import run_study
    from tips_ray.campaign.session import Session
    from tips_ray.lift.trained import keep_lifters
    from tips_ray.report.publish import print_headline, publish

    sources = sources or study.load()
    if not sources.has_depths:
        campaign = replace(campaign, arms=without_labels(campaign.arms))
    session = Session(sources, study.data, study.placement, console)
    if study.plan:
        print_plan(campaign, session)
        return 0
    ending = run_study(campaign, session)
    further = {} if ending.unfinished else study.further(campaign.folder, sources)
    if further:
        ending = run_study(replace(campaign, arms={**campaign.arms, **further}), session)
    console.print("Writing the report ...")
    keep_lifters(campaign.folder)
    print_headline(publish(campaign.folder), console)
    for arm, error in ending.failures.items():
        print(f"{arm} failed:\n{error}", file=sys.stderr)
    if ending.unfinished:
        mended = "once that is mended, " if ending.failures else ""
        console.print(
            f"Not all epochs were trained ({', '.join(ending.unfinished)}); {mended}the same command continues where it stopped."
        )
    print(f"Report: {campaign.folder / 'report.html'}")
    return 1 if ending.failures else INTERRUPTED if ending.unfinished else 0


def campaign_of(study: ArmStudy, name: str) -> "Campaign":
    """What a study trains, but for what its data or its measurements change."""
    from tips_ray.campaign.plan import Campaign
    from tips_ray.store.storage import Storage

    return Campaign(
        name,
        Storage(study.storage),
        study.configs(),
        study.num_seeds,
        study.num_epochs,
        evaluation=study.evaluation,
        keep_weights=study.keep_weights,
        benchmark=study.benchmark,
        stop=study.stop,
    )


def print_plan(campaign: "Campaign", session: "Session") -> None:
    """Print what a study would train, and how long that takes."""
    from rich.table import Table

    from tips_ray.campaign.estimate import plan_study
    from tips_ray.report.publish import on_terminal
    from tips_ray.report.text import duration

    start_seconds = time.process_time()  # this process has imported what those that train do
    console, plan = session.console, plan_study(campaign, session, start_seconds)
    table = Table(title=on_terminal(campaign.name), title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("arm", "seeds", "epochs", "stored", "seconds an epoch", "time left"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for arm in plan.arms:
        left = duration(arm.seconds_left(session.placement)) if arm.epochs_left else "none"
        num_runs = len(arm.stored)
        stored = f"{sum(arm.stored):,} of {num_runs * arm.num_epochs:,}"
        table.add_row(on_terminal(arm.arm), str(num_runs), str(arm.num_epochs), stored, f"{arm.epoch_seconds:.2g}", left)
    console.print(table)
    workers, gpus = session.placement.num_workers, session.placement.gpus_per_worker
    processes = f"{min(workers, campaign.num_seeds)} workers an arm" if workers else "one process an arm"
    console.print(
        f"{processes}, {session.placement.cpus_per_worker:g} CPUs and {gpus:g} GPUs each; {plan.at_once} at once on the"
        f" {plan.num_cpus} CPUs of this machine.",
        highlight=False,
        soft_wrap=True,
    )
    together = session.placement.seeds_per_process
    if together > 1:
        console.print(f"{together} seeds train as one model.", highlight=False)
    about = f"At most {duration(plan.seconds)} are" if plan.at_most else f"About {duration(plan.seconds)} are"
    ends = f" {campaign.stop!r} may end runs earlier." if plan.at_most else ""
    console.print(
        f"{about} left until all is trained and measured, by measured steps of each arm.{ends} Nothing was started."
        if plan.seconds
        else "All runs are trained. Nothing was started.",
        highlight=False,
        soft_wrap=True,
    )


def without_labels(arms: dict[str, Config]) -> dict[str, Config]:
    """The arms that need no true depths; says which are left out."""
    left_out = [arm for arm, config in arms.items() if config.objective == "supervised"]
    if left_out and len(left_out) < len(arms):
        print(f"caution: {', '.join(left_out)} needs true depths, which keypoints alone lack: left out.", file=sys.stderr)
        return {arm: config for arm, config in arms.items() if arm not in left_out}
    return arms
