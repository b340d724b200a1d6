"""What a study would train, and how long that takes here: what `--plan` prints."""

import heapq
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.campaign.run import load, survey
from tips_ray.campaign.session import Session
from tips_ray.config import Config, Placement, parts_of
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.run import Run
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.early import ENDED
from tips_ray.store.storage import Storage

FEW, MORE = 2, 10
"""Steps of the two short epochs whose times are measured."""
START_SECONDS = 15.0
"""For Ray and the processes of the arms to start."""


@dataclass(frozen=True)
class ArmPlan:
    """What is left to train of an arm, and how long one process takes for it."""

    arm: str
    num_runs: int
    num_epochs: int
    stored_epochs: int
    """Of all its runs."""
    epoch_seconds: float
    """Training, evaluating and storing one epoch of one run, measured here."""
    student: bool

    @property
    def epochs_left(self) -> int:
        """Of all its runs."""
        return self.num_runs * self.num_epochs - self.stored_epochs

    def seconds_left(self, placement: Placement) -> float:
        """With the runs dealt to its workers."""
        return self.epochs_left * self.epoch_seconds / min(max(1, placement.num_workers), self.num_runs)


@dataclass(frozen=True)
class StudyPlan:
    """What a study would train on this machine."""

    arms: list[ArmPlan]
    num_cpus: int
    at_once: int
    """Arms that train side by side."""
    seconds: float
    """Until all are trained; what is measured of them afterwards is not counted."""


def plan_study(campaign: Campaign, session: Session) -> StudyPlan:
    """Read what is stored, and measure two short epochs of each arm that lacks some; nothing is
    written, and no Ray is started.

    Raises UserError for what the study itself would refuse: poses, configs, another campaign of
    this name.
    """
    data, references = survey(session.sources, session.data, list(campaign.arms.values()), campaign.evaluation)
    agree(campaign, data, references)
    state = load(campaign)
    config = next(iter(campaign.arms.values()))
    device = "cuda" if session.placement.gpus_per_worker and torch.cuda.is_available() else "cpu"
    dataset = prepare(session.sources.poses, config.data, campaign.evaluation, session.sources.labelled).to(device)
    torch.set_num_threads(max(1, int(session.placement.cpus_per_worker)))
    keep_freed_memory()
    arms = [plan_arm(campaign, arm, state, dataset) for arm in campaign.arms]
    num_cpus = os.cpu_count() or 1
    share = session.placement.cpus_per_worker * max(1, min(session.placement.num_workers, campaign.num_seeds))
    at_once = max(1, math.floor(num_cpus / share))
    phases = [[arm for arm in arms if arm.student == student] for student in (False, True)]
    seconds = sum(wall_seconds([arm.seconds_left(session.placement) for arm in phase], at_once) for phase in phases)
    return StudyPlan(arms, num_cpus, at_once, seconds + START_SECONDS * (seconds > 0))


def plan_arm(campaign: Campaign, arm: str, state: LoadedCampaign | None, dataset: Dataset) -> ArmPlan:
    """What is left of one arm; a run that has ended lacks nothing."""
    config, stored = campaign.arms[arm], 0
    if state is not None:
        rows = state.curves[(state.curves["arm"] == arm) & state.curves["seed"].isin(campaign.seeds)]
        for _, run in rows.groupby("seed"):
            ended = run["status"].iloc[-1] in ENDED
            stored += campaign.num_epochs if ended else min(campaign.num_epochs, len(run))
    whole = stored == campaign.num_seeds * campaign.num_epochs
    seconds = 0.0 if whole else epoch_seconds(config, dataset, campaign.arms)
    return ArmPlan(arm, campaign.num_seeds, campaign.num_epochs, stored, seconds, config.teacher is not None)


def epoch_seconds(config: Config, dataset: Dataset, arms: dict[str, Config]) -> float:
    """Of one epoch of one run: the time of a few steps and that of some more, and the line through
    the two."""
    times = {}
    with tempfile.TemporaryDirectory(prefix="tips-ray-plan-") as folder:
        for steps in (FEW, MORE):
            short = replace(config, data=replace(config.data, epoch_views=steps * config.optimiser.batch_size))
            run = Run(short, dataset, 0, untrained_teachers(config, arms, dataset))
            stored = StoredRun(Storage(folder) / str(steps), "plan", run)
            stored.advance()  # the first epoch is slower
            started = time.perf_counter()
            stored.advance()
            times[steps] = time.perf_counter() - started
    views = min(config.data.epoch_views or len(dataset.train), len(dataset.train))
    a_step = max(0.0, times[MORE] - times[FEW]) / (MORE - FEW)
    return times[FEW] + a_step * (views // config.optimiser.batch_size - FEW)


def untrained_teachers(config: Config, arms: dict[str, Config], dataset: Dataset) -> Teachers | None:
    """Teachers that answer as slowly as those of a student will."""
    if config.teacher is None:
        return None
    taught_by = arms.get(config.teacher.arm, config)
    lifter = Lifter(parts_of(taught_by), taught_by.network).to(dataset.train.keypoints.device)
    return Teachers([lifter], [1.0], "untrained")


def wall_seconds(seconds: Sequence[float], at_once: int) -> float:
    """How long pieces of work take, of which so many run at once, each begun as soon as it can."""
    ends = [0.0] * at_once
    for piece in seconds:
        heapq.heapreplace(ends, ends[0] + piece)
    return max(ends)
