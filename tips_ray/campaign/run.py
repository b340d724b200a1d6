"""Run a study: check everything, claim the campaign's folder, train what is missing, and keep a
record of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.markup import escape

from tips_ray.campaign.measure import measure, unmeasured
from tips_ray.campaign.plan import Campaign, agree, trained_arms, unfinished
from tips_ray.campaign.progress import CampaignProgress
from tips_ray.campaign.ray_session import running_ray
from tips_ray.campaign.session import Session
from tips_ray.campaign.teachers import check_teachers, pick_teachers
from tips_ray.campaign.tune import check_capacity, execute
from tips_ray.config import EXACT, Config, Data, Evaluation, Placement, departures, override
from tips_ray.data.dataset import Dataset, Sources, check_batch_size, check_labels, prepare
from tips_ray.errors import UserError
from tips_ray.lifting.evaluate import flat_errors
from tips_ray.provenance import provenance
from tips_ray.stability.campaign import LoadedCampaign, load_campaign
from tips_ray.store.measurements import forget, read_measurements
from tips_ray.store.records import MANIFEST, find_manifest, holds, read_manifest, write_manifest
from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class Ending:
    """How a study ended."""

    failures: dict[str, str]
    """Arms that failed, with their errors."""
    unfinished: list[str]
    """Arms that still lack epochs: those that failed, or all if it was interrupted."""


def run_study(campaign: Campaign, session: Session) -> Ending:
    """Train the runs of a campaign that are missing, with live progress.

    Trains the arms that learn from poses, measures them, then does so with those that learn from
    them; an arm that fails keeps no other from its training. What the folder holds is read once,
    and again after each training. Raises ValueError for poses, configs or resources that cannot
    work, before anything is written, and if another process trains the campaign.
    """
    sources, console = session.sources, session.console
    data, references = survey(sources, session.data, list(campaign.arms.values()), campaign.evaluation)
    console.print(
        f"[bold]{escape(campaign.name)}[/]: {', '.join(campaign.arms)} x {campaign.num_seeds} seeds x"
        f" {campaign.num_epochs} epochs on {data['num_train_poses']:,} poses of {len(data['train_subjects'])} subjects"
        f"{' [yellow](synthetic)[/]' if data['synthetic'] else ''}, {tested_on(data)}",
        highlight=False,
    )
    with campaign_lock(campaign.folder):
        manifest = agree(campaign, data, references)
        arms = {arm: override(Config(), config) for arm, config in manifest["arms"].items()}
        check_teachers(arms, list(campaign.arms), campaign.num_epochs)
        console.print("Reading what is stored ...")
        before = find_manifest(campaign.folder)
        if before and before.get("stop") != manifest["stop"]:  # which decides where stored runs end
            write_manifest(campaign.folder, {**before, "stop": manifest["stop"]})
        state = load(campaign)
        if state and not unfinished(campaign, state, campaign.arms) and not unmeasured(campaign, state, campaign.arms):
            console.print("All runs are trained and measured.")
            return Ending({}, [])
        check_taught(campaign, state)
        with recorded(campaign.folder, MANIFEST, session.placement), running_ray(console):
            check_capacity(session.placement, campaign.num_seeds)
            write_manifest(campaign.folder, manifest)
            forget(campaign.folder, set(campaign.arms) - trained_arms(campaign.folder))
            return run_phases(campaign, state, session)


def check_taught(campaign: Campaign, state: LoadedCampaign | None) -> None:
    """Raise UserError if all that is left to train are students whom nobody can teach."""
    missing = unfinished(campaign, state, campaign.arms)
    if missing and all(campaign.arms[arm].teacher for arm in missing):
        failures = pick_teachers(campaign, missing, state)
        if failures.keys() == set(missing):
            raise UserError(failures[missing[0]])


def run_phases(campaign: Campaign, state: LoadedCampaign | None, session: Session) -> Ending:
    """Train and measure first the arms that learn from poses, then those that learn from them; ends
    early if it is interrupted."""
    failures: dict[str, str] = {}
    students = [arm for arm, config in campaign.arms.items() if config.teacher]
    for arms in ([arm for arm in campaign.arms if arm not in students], students):
        missing = unfinished(campaign, state, arms)
        if arms is students and missing:
            failures |= pick_teachers(campaign, missing, state)
            missing = [arm for arm in missing if arm not in failures]
        if missing:
            with CampaignProgress(missing, campaign.num_epochs, session.console) as progress:
                failures |= execute(campaign, missing, session.placement, session.sources, [progress])
            state = load(campaign)
            if set(unfinished(campaign, state, missing)) - set(failures):
                break
        if state:
            finished = campaign.arms if arms is students else arms  # students add a column to the curves of their teachers
            failures |= measure(campaign, state, [arm for arm in finished if arm not in failures], session)
            state = replace(state, measured=read_measurements(campaign.folder))
    return Ending(failures, unfinished(campaign, state, campaign.arms))


def load(campaign: Campaign) -> LoadedCampaign | None:
    """What the folder of a campaign holds of its arms and their teachers; None before there is
    anything. A damaged curve counts as none: its run makes it anew when it is continued."""
    teachers = {config.teacher.arm for config in campaign.arms.values() if config.teacher}
    arms = {*campaign.arms, *teachers}
    return load_campaign(campaign.folder, arms, skip_damaged=True) if holds(campaign.folder, MANIFEST) else None


def tested_on(data: dict[str, Any]) -> str:
    """On what errors are measured, as it ends a sentence."""
    if not data["labelled"]:
        return "without labels: no errors are measured"
    whose = f" ({data['labelled_name']})" if data["labelled_name"] else ""
    return escape(f"tested on {data['num_test_poses']:,} of {', '.join(data['test_subjects'])}{whose}")


def survey(
    sources: Sources, spec: str, configs: Sequence[Config], evaluation: Evaluation
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What configs that share their data are trained and tested on, and the flat prediction's
    errors there, in plain JSON types.

    Raises ValueError for poses or configs that cannot work.
    """
    dataset = prepare(sources.poses, configs[0].data, evaluation, sources.labelled)
    for config in configs:
        check_batch_size(config, len(dataset.train))
        check_labels(config, dataset)
    references = {} if dataset.test is None else {"flat": flat_errors(dataset.test)}
    weakly_supervised = all(config.data.new_views_each_epoch for config in configs)
    return {**describe(sources, dataset, spec, configs[0].data), "weakly_supervised": weakly_supervised}, references


def describe(sources: Sources, dataset: Dataset, spec: str, data: Data) -> dict[str, Any]:
    """What a campaign is trained and tested on."""
    poses, labelled, test_poses = sources.poses, sources.labelled, dataset.test_poses
    return {
        "spec": spec,
        "name": poses.name,
        "fingerprint": poses.fingerprint,
        "synthetic": poses.synthetic,
        "num_train_poses": len(dataset.train_poses),
        "num_train_views": len(dataset.train),
        "labelled": dataset.test is not None,
        "labelled_name": labelled.name if labelled else "",
        "labelled_fingerprint": labelled.fingerprint if labelled else "",
        "num_test_poses": len(test_poses or ()),
        "num_test_views": len(dataset.test or ()),
        "train_subjects": dataset.train_poses.subjects,
        "test_subjects": test_poses.subjects if test_poses else [],
        "left_out_subjects": list(data.left_out_subjects),
        "observation": departures(data.observation, EXACT),
    }


@contextmanager
def campaign_lock(folder: Storage) -> Iterator[None]:
    """Make the folder of a campaign, and keep other processes from training it during a block; a
    folder in which the block writes nothing does not stay.

    Object stores have no locks; the studies that are sent to a cluster are kept apart by the names
    of their jobs. Raises OSError for a folder that cannot be written to, and ValueError if another
    process trains the campaign.
    """
    place = Path(folder.path())
    missing = [path for path in (place, *place.parents) if folder.is_local and not path.exists()]
    folder.make()
    if not folder.is_local:
        yield
        return
    lock = FileLock(folder.path(".lock"))  # its holder's death frees it
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"Another process trains the campaign {str(folder)!r} already; wait for it, stop it, or give another --campaign name."
        ) from error
    try:
        folder.sweep()
        yield
    finally:
        with suppress(OSError):  # a folder that stays does no harm
            if missing and [path.name for path in place.iterdir()] == [".lock"]:
                (place / ".lock").unlink()
                for path in missing:
                    path.rmdir()
        lock.release()


@contextmanager
def recorded(folder: Storage, file: str, placement: Placement) -> Iterator[None]:
    """Add to the record of a campaign, if there is one by then, when, where, how and for how long a
    block trained it."""
    origin, started, clock = provenance(), datetime.now(UTC), time.monotonic()
    try:
        yield
    finally:
        if holds(folder, file):
            manifest = read_manifest(folder, file)
            entry = {
                **origin,
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - clock, 1),
                **asdict(placement),
            }
            write_manifest(folder, {**manifest, "executions": [*manifest["executions"], entry]}, file)
