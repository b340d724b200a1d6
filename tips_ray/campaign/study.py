"""Conduct a study: check everything, claim the campaign's folder, train what is missing, and keep a record of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from tips_ray.campaign.cluster import running_ray
from tips_ray.campaign.execute import check_capacity, execute
from tips_ray.campaign.plan import Campaign, Resources, agree, unfinished
from tips_ray.campaign.progress import ProgressListener
from tips_ray.config import Data
from tips_ray.data.load import load_poses
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import Dataset, check_batch_size, prepare
from tips_ray.lifting.evaluate import flat_errors
from tips_ray.provenance import provenance
from tips_ray.stability.curves import MANIFEST, DamagedCurveError, read_manifest, write_manifest
from tips_ray.storage import Storage


@dataclass(frozen=True)
class Ending:
    """How a study ended."""

    failures: dict[str, str]
    """Arms that failed, with their errors."""
    unfinished: list[str]
    """Arms that still lack epochs: those that failed, or all if it was interrupted."""


def conduct(campaign: Campaign, resources: Resources, spec: str, console: Console) -> Ending:
    """Train the runs of a campaign that are missing, on poses that `spec` names, with live progress.

    Raises ValueError for poses, configs or resources that cannot work, before anything is written.
    """
    config = next(iter(campaign.arms.values()))
    poses = load_poses(spec, config.data.seed)
    dataset = prepare(poses, config)  # what all arms of a campaign are trained and tested on
    for arm in campaign.arms.values():
        check_batch_size(arm, len(dataset.train_poses))
    data = describe(poses, dataset, spec, config.data)
    console.print(
        f"[bold]{escape(campaign.name)}[/]: {', '.join(campaign.arms)} x {campaign.num_seeds} seeds x"
        f" {campaign.num_epochs} epochs on {data['num_train_poses']:,} poses of {len(data['train_subjects'])} subjects"
        f"{' [yellow](synthetic)[/]' if poses.synthetic else ''}, tested on {data['num_test_poses']:,} of"
        f" {escape(', '.join(data['test_subjects']))}",
        highlight=False,
    )
    manifest = agree(campaign, data, {"flat": flat_errors(dataset.test)})
    arms = to_train(campaign)
    failures: dict[str, str] = {}
    if arms:
        campaign.folder.make()
        console.print("Starting Ray ...")
        with (
            recorded(campaign.folder, MANIFEST, resources),
            running_ray(),
            ProgressListener(arms, campaign.num_epochs, console) as progress,
        ):
            check_capacity(resources, campaign.num_seeds)
            write_manifest(campaign.folder, manifest)
            failures = execute(campaign, arms, resources, poses, [progress])
    return Ending(failures, unfinished(campaign) if arms else [])


def to_train(campaign: Campaign) -> list[str]:
    """Arms with epochs to train; all of them if a curve is damaged, which its run makes anew when it is continued."""
    try:
        return unfinished(campaign)
    except DamagedCurveError:
        return list(campaign.arms)


def describe(poses: PoseSet, dataset: Dataset, spec: str, data: Data) -> dict[str, Any]:
    """What the study was trained and tested on, in plain JSON types."""
    return {
        "spec": spec,
        "name": poses.name,
        "fingerprint": poses.fingerprint,
        "synthetic": poses.synthetic,
        "weakly_supervised": data.new_views_each_epoch,
        "num_train_poses": len(dataset.train_poses),
        "num_train_views": len(dataset.train),
        "num_test_poses": len(dataset.test_poses),
        "num_test_views": len(dataset.test),
        "train_subjects": dataset.train_poses.subjects,
        "test_subjects": dataset.test_poses.subjects,
        "left_out_subjects": list(data.left_out_subjects),
    }


@contextmanager
def recorded(folder: Storage, file: str, resources: Resources) -> Iterator[None]:
    """Add to the record of a campaign, if there is one by then, when, where, how and for how long a block trained it."""
    origin, started, clock = provenance(), datetime.now(UTC), time.monotonic()
    try:
        yield
    finally:
        if folder.exists(file):
            manifest = read_manifest(folder, file)
            entry = {
                **origin,
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - clock, 1),
                "num_workers": resources.num_workers,
                "cpus_per_worker": resources.cpus_per_worker,
                "gpus_per_worker": resources.gpus_per_worker,
            }
            write_manifest(folder, {**manifest, "executions": [*manifest["executions"], entry]}, file)
