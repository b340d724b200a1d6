"""Which loss weights make the best, or the most stable, lifter, and how much of the gain is luck?

Searches w1 to w4 (and any other field) with Optuna on Ray, then trains the winners and the weights
it started from, by default the paper's, again on fresh seeds and unseen subjects:

    tips-ray search                                                # the embedded synthetic poses
    tips-ray search --preset laptop --data poses.npz --num-trials 30
    tips-ray search --arm single --minimise signals --ranges.symmetry 0.5 50
    tips-ray search --vary optimiser.learning_rate=1e-4..2e-3 network.generator_norm=batch,layer

Run the same command again to continue after an interruption; give more --num-trials (or +20),
--num-seeds or --num-epochs to extend the search: trials go on from where they stopped.
"""

import os
import sys
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from rich.console import Console

from tips_ray.config import MAX_SEEDS, Config, WeightRanges
from tips_ray.errors import UserError, user_errors
from tips_ray.presets import arm_config
from tips_ray.studies.options import INTERRUPTED, Options, interruptible, load_with_notes, parse, without_cluster


@dataclass(frozen=True)
class WeightSearch(Options):
    """Search loss weights, and other fields, over several seeds a trial; confirm the best on fresh
    seeds."""

    num_trials: str = "30"
    """Configs to try in all; +20: twenty more than there are."""
    max_run_epochs: int | None = None
    """Epochs to train in all, summed over runs (trials x seeds)."""
    max_hours: float | None = None
    """Wall time of this execution; trials under way go on in the next."""
    arm: str = "parts"
    """The arm that the search starts from, such as single. What an arm sets is not taken from other
    options."""
    minimise: Literal["error", "instability", "pareto", "label_free", "signals"] | None = None
    """The objective, over the last half of the epochs: error, instability (between seeds and
    epochs), both (pareto), label_free (the sum of the consistency terms), or signals (bone
    asymmetry, inconsistency between views and distance from observed keypoints, as shares of the
    flat pose's), which can be compared between configs of other terms and weights. All but the
    last two are oracles: they need 3D labels. None: error, or signals where there are no labels."""
    pruner: Literal["none", "asha", "median"] = "none"
    """Stop poor trials early, by their mean over seeds; for error, label_free and signals."""
    ranges: WeightRanges = field(default_factory=WeightRanges)
    vary: tuple[str, ...] = ()
    """Other fields to search: FIELD=LOW..HIGH (log-uniform; append :linear if it is not to be) or
    FIELD=VALUE,VALUE."""
    fix: tuple[str, ...] = ()
    """Weights not to search, such as legs."""
    validation_subjects: tuple[str, ...] = ()
    """Subjects on which trials are scored; empty: the last quarter of those that are no test
    subjects. --data.test-subjects are for the confirmation alone."""
    confirm_top: int = 3
    """Best trials to confirm; 0: none."""
    confirm_seeds: int = 5
    """Fresh seeds of the confirmation."""
    study_storage: str | None = os.environ.get("TIPS_RAY_STUDY_STORAGE")
    """Where trials are copied as they end, for optuna-dashboard: a URL, or a journal's path ending
    in .log; default: study.db in the campaign's folder."""
    search_seed: int = 0
    """Of Optuna's sampler."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.confirm_top < 0 or not 1 <= self.confirm_seeds <= MAX_SEEDS:
            raise UserError(
                f"--confirm-top is {self.confirm_top} and --confirm-seeds is {self.confirm_seeds}; give at least 0 trials"
                f" (none is confirmed) and 1 to {MAX_SEEDS:,} seeds."
            )


def search_and_report(arguments: list[str]) -> int:
    """Parse the command line, run what is missing, confirm, and report; returns the exit code."""
    console = Console()
    with user_errors():
        options = parse(WeightSearch, "search", arguments, __doc__)
        name, base = options.name("weights"), arm_config(options.config, options.arm)
        space = search_space(options, base)
        if options.cluster:
            from tips_ray.cluster.submit import Submission, run_on

            return run_on(
                options.cluster, Submission("search", without_cluster(arguments), name, options.uploads), options.attach, console
            )

        # Imported late, so that --help and mistakes are answered at once.
        from tips_ray.campaign.session import Session
        from tips_ray.data.dataset import Sources
        from tips_ray.report.publish import print_search, publish_search
        from tips_ray.search.objectives import LABEL_FREE_DEFAULT, check_labels_of_objective
        from tips_ray.search.plan import Budget, Search
        from tips_ray.search.run import confirm, run_search, split_for_search, total
        from tips_ray.store.storage import Storage

        if options.test_data:
            raise UserError("A search scores on validation subjects of --data; leave out --test-data.")
        poses = load_with_notes(options.data, options.config.data, options.reading)
        labelled = Sources(poses).has_depths
        objective = options.minimise or ("error" if labelled else LABEL_FREE_DEFAULT)
        check_labels_of_objective(objective, labelled, poses.name)
        seen, unseen = split_for_search(poses, options.config.data, options.validation_subjects)
        search = Search(
            name,
            Storage(options.storage),
            replace(base, data=seen),
            space,
            options.num_seeds,
            options.num_epochs,
            objective,
            options.pruner,
            options.search_seed,
            evaluation=options.evaluation,
            keep_weights=options.keep_weights,
        )
        budget = Budget(total(options.num_trials, search.folder), options.max_run_epochs, options.max_hours, options.num_trials)
        session = Session(Sources(poses), options.data, options.placement, console)
        ending = run_search(search, budget, options.study_storage, session)
        failures, unfinished, stopped = ending.failures, ending.unfinished, ending.interrupted
        has_ended = not (stopped or ending.ran_out) and failures.keys() >= set(unfinished)
        if options.confirm_top and has_ended:
            publish_search(search.folder)  # it stands, whatever becomes of the confirmation
            confirmed = confirm(search, unseen, options.confirm_top, options.confirm_seeds, session)
            if confirmed:
                failures, unfinished = failures | confirmed.failures, [*unfinished, *confirmed.unfinished]
                stopped = not confirmed.failures.keys() >= set(confirmed.unfinished)
        print_search(publish_search(search.folder), console)
    for arm, error in failures.items():
        print(f"{arm} failed:\n{error}", file=sys.stderr)
    if unfinished or stopped or ending.ran_out:
        which = f" ({', '.join(unfinished)})" if unfinished else ""
        console.print(f"Not all epochs were trained{which}; the same command continues where it stopped.", soft_wrap=True)
    if ending.ran_out and options.confirm_top:
        console.print("To end the search with the trials that were begun, and confirm its best: the same with --num-trials +0.")
    print(f"Report: {search.folder / 'report.html'}")
    return 1 if failures else INTERRUPTED if stopped else 0


def search_space(options: WeightSearch, base: Config) -> dict[str, Any]:
    """The search space around a config, by dotted path; raises UserError for a field that is
    unknown or given twice."""
    from tips_ray.search.space import parse_field, weight_space

    space: dict[str, Any] = weight_space(options.ranges)
    for name in options.fix:
        if space.pop(f"weights.{name}", None) is None:
            known = ", ".join(entry.name for entry in fields(options.ranges))
            raise UserError(f"--fix {name!r} is no weight, or is given twice; the weights are {known}.")
    for text in options.vary:
        path, values = parse_field(text, base)
        if path in space:
            raise UserError(f"{path} is searched twice; give each field once, and the ranges of weights with --ranges.")
        space[path] = values
    return space


def main(arguments: list[str] | None = None) -> int:
    """Run the search with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: search_and_report(sys.argv[1:] if arguments is None else arguments))
