"""Run a search: check everything, lock its folder, train its trials on Ray, and confirm what it
chose on fresh seeds."""

import time
from dataclasses import dataclass, replace
from itertools import combinations

from rich.markup import escape

from tips_ray.campaign.plan import Campaign
from tips_ray.campaign.ray_session import running_ray
from tips_ray.campaign.run import Ending, campaign_lock, recorded, run_study, survey, tested_on
from tips_ray.campaign.session import Session
from tips_ray.campaign.tune import Training, arms_at_once, check_capacity, run_trials
from tips_ray.config import Config, Data, override
from tips_ray.data.dataset import Sources
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.load import check_known, last_quarter
from tips_ray.data.poseset import PoseSet
from tips_ray.errors import UserError
from tips_ray.search.confirmation import BASELINE, CONFIRMATION
from tips_ray.search.export import StudyExport
from tips_ray.search.plan import FRESH_SEED, Budget, Search, agree_search
from tips_ray.search.progress import SearchProgress
from tips_ray.search.queue import EndedTrial, TrialQueue
from tips_ray.search.space import changes, ends
from tips_ray.search.suggest import PruningScheduler, QueueSearcher
from tips_ray.search.trials import ranked, read_tables
from tips_ray.store.records import SEARCH, holds, read_manifest, read_records, trial_name, trial_number, write_manifest
from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class SearchEnding:
    """How a search ended."""

    failures: dict[str, str]
    """Trials that failed, with their errors; the next execution tries them again."""
    unfinished: list[str]
    """Trials that were begun and lack epochs."""
    ran_out: bool
    """Whether its wall time ended before its trials did."""
    interrupted: bool
    """Whether it ended before its trials and its wall time did, and without failures."""


def split_for_search(poses: PoseSet | KeypointSet, data: Data, validation_subjects: tuple[str, ...]) -> tuple[Data, Data]:
    """What a search sees, and what its confirmation sees: they train on the same subjects, and no
    one is scored in both.

    The search scores on `validation_subjects`, by default the last quarter of those that are no
    test subjects; the confirmation on the test subjects. Of keypoints alone nobody is held out:
    signals are measured on what is trained on, and the confirmation differs in its seeds. Raises
    ValueError for subjects that are unknown, or asked to be both.
    """
    left_out = data.left_out_subjects
    if not Sources(poses).has_depths:
        if validation_subjects or data.test_subjects:
            raise UserError(
                f"{poses.name}: these are keypoints without 3D poses, so no error is measured on held-out subjects; leave out"
                " --validation-subjects and --data.test-subjects."
            )
        return data, data
    present = [subject for subject in poses.subjects if subject not in left_out]
    test = data.test_subjects or last_quarter(present)
    rest = [subject for subject in present if subject not in test]
    validation = validation_subjects or last_quarter(rest)
    roles = {"leave out": left_out, "test on": test, "validate on": validation}
    for role, subjects in roles.items():
        check_known(poses, subjects, role)
    for (role, subjects), (other, others) in combinations(roles.items(), 2):
        if both := sorted(set(subjects) & set(others)):
            raise UserError(f"Subject {both[0]!r} is one to {role} and one to {other}; a subject has one role in a search.")
    if not set(rest) - set(validation):
        raise UserError(
            f"{poses.name}: no subject is left to train on; a search needs at least one each to train, to validate and to test"
            " on."
        )
    return (
        replace(data, test_subjects=tuple(validation), left_out_subjects=(*left_out, *test)),
        replace(data, test_subjects=tuple(test), left_out_subjects=(*left_out, *validation)),
    )


def total(asked: str, folder: Storage) -> int:
    """The number of trials that `30` or `+20` means for the search in a folder; raises ValueError
    for anything else.

    `+20` is twenty more than were begun, or where an execution that was asked for as many did not
    begin them all, its rest.
    """
    try:
        number = int(asked)
    except ValueError:
        raise UserError(f"--num-trials is {asked!r}; give a number such as 30, or +20 for twenty more than there are.") from None
    if not asked.startswith("+") or not holds(folder, SEARCH):
        return number
    begun, before = len(read_records(folder)), read_manifest(folder, SEARCH).get("asked")
    return before["num_trials"] if before and before["as"] == asked and before["num_trials"] > begun else begun + number


def run_search(search: Search, budget: Budget, study_storage: str | None, session: Session) -> SearchEnding:
    """Train the trials of a search that are missing, with live progress.

    Raises ValueError for poses, configs, spaces, storages or resources that cannot work, before
    anything is written, and if another process trains the search.
    """
    sources, placement, console = session.sources, session.placement, session.console
    data, references = survey(sources, session.data, [search.base, *extremes(search, "optimiser.batch_size")], search.evaluation)
    held_out = f"; unseen until the confirmation: {escape(', '.join(data['left_out_subjects']))}" if data["labelled"] else ""
    console.print(
        f"[bold]{escape(search.name)}[/]: up to {budget.num_trials} trials x {search.num_seeds} seeds x {search.num_epochs}"
        f" epochs, for {search.objective}, over {', '.join(search.space)}\n{data['num_train_poses']:,} poses of"
        f" {len(data['train_subjects'])} subjects{' [yellow](synthetic)[/]' if data['synthetic'] else ''},"
        f" {tested_on(data)}{held_out}",
        soft_wrap=True,
        highlight=False,
    )
    with campaign_lock(search.folder):
        manifest = agree_search(search, data, references)
        manifest["asked"] = {"as": budget.asked, "num_trials": budget.num_trials}
        export = StudyExport(search, manifest["id"], study_storage, console)
        progress = SearchProgress(search, budget, console)

        def on_end(trial: EndedTrial) -> None:
            progress.trial_ended(trial)
            export.add(trial.optuna)

        queue = TrialQueue(search, budget, on_end)
        progress.begin(queue.num_trials - len(queue.open), len(queue.open), queue.best())
        if not queue.has_more():
            write_manifest(search.folder, manifest, SEARCH)
            export.add(*queue.ended)
            return SearchEnding({}, [], False, False)
        clock, failures = time.monotonic(), {}
        with recorded(search.folder, SEARCH, placement), running_ray(console), progress:
            check_capacity(placement, search.num_seeds)
            write_manifest(search.folder, manifest, SEARCH)
            export.add(*queue.ended)
            searcher = QueueSearcher(queue, arms_at_once(placement, search.num_seeds))
            seconds = None if budget.max_hours is None else max(1.0, budget.max_hours * 3600 - (time.monotonic() - clock))
            failures = run_trials(
                Training(
                    search.folder,
                    search.seeds,
                    search.num_epochs,
                    placement,
                    search.evaluation,
                    search.keep_weights,
                    pruner=search.pruner,
                ),
                sources,
                [progress],
                search_alg=searcher,
                scheduler=PruningScheduler(searcher),
                num_samples=-1,
                time_budget_s=seconds,
            )
        failures = {arm: error for arm, error in failures.items() if trial_number(arm) in queue.unfinished}
        for arm, error in failures.items():
            queue.fail(trial_number(arm), error.strip().split("\n")[-1])
    unfinished = [trial_name(number) for number in queue.unfinished]
    missing = bool(unfinished) or queue.has_more()
    out_of_time = budget.max_hours is not None and time.monotonic() - clock >= budget.max_hours * 3600 - 1.0
    return SearchEnding(failures, unfinished, missing and out_of_time, missing and not out_of_time and not failures)


def extremes(search: Search, path: str) -> list[Config]:
    """The base config with each extreme value that a field is searched over; none if it is not
    searched."""
    values = ends(search.space[path]) if path in search.space else ()
    return [override(search.base, changes({path: value})) for value in values]


def confirm(search: Search, data: Data, top: int, num_seeds: int, session: Session) -> Ending | None:
    """Train the search's best trials and its base config again, on seeds that it has not seen, and
    where there are labels on such subjects.

    Returns None if the search has no complete trial but the first to confirm.
    """
    with campaign_lock(search.folder):
        tables = read_tables(search.folder)
        order = ranked(tables.trials, search.objective)
        chosen = [trial for trial in order if trial != trial_name(0)][:top]
        if not chosen:
            return None
        params = {trial_name(record.number): record.params for record in read_records(search.folder)}
        base = replace(search.base, data=data)
        arms = {BASELINE: base, **{trial: override(base, changes(params[trial])) for trial in chosen}}
        campaign = Campaign(
            CONFIRMATION,
            search.folder,
            arms,
            num_seeds,
            search.num_epochs,
            FRESH_SEED,
            evaluation=search.evaluation,
            keep_weights=search.keep_weights,
        )
        asked = {
            "arms": list(arms),
            "seeds": campaign.seeds,
            "num_epochs": search.num_epochs,
            "num_trials": len(params),
            "start_led": order[0] == trial_name(0),
        }
        write_manifest(search.folder, {**tables.manifest, "confirmed_at": asked}, SEARCH)
    return run_study(campaign, session)
