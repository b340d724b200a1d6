"""What a study would train, and how long that takes here: what `--plan` prints."""

import heapq
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from ray._private.utils import get_num_cpus

from tips_ray.campaign.plan import Campaign, agree
from tips_ray.campaign.probe import Probe
from tips_ray.campaign.ray_session import node_resources, running_ray
from tips_ray.campaign.run import survey
from tips_ray.campaign.session import Session
from tips_ray.campaign.teachers import check_teachers
from tips_ray.campaign.tune import check_capacity
from tips_ray.config import Config, Placement, override
from tips_ray.data.dataset import prepare
from tips_ray.errors import UserError
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.stability.early import ENDED, causal_rule, last_epoch, with_stops
from tips_ray.stability.stopping import CausalRule
from tips_ray.store.curves import FIRST_COLUMNS, read_curves
from tips_ray.store.records import MANIFEST, holds

EVALUATIONS = 5
"""Of weights that are measured of a run after its training."""
STARTS, STARTS_A_PHASE = 2, 2
"""How often a study waits for as long as one process takes to start: Ray's own count as two; in
each phase processes that train are started, and later some that measure."""


@dataclass(frozen=True)
class ArmPlan:
    """What is left to train of an arm, and how long one process takes for it."""

    arm: str
    stored: tuple[int, ...]
    """Epochs that each of its runs has, in the order of the seeds; of one that has ended, all that
    it would have."""
    num_epochs: int
    """That each run is to have: fewer than the study's where its stop rule ends runs earlier."""
    epoch_seconds: float
    """Training, evaluating and storing one epoch of one run, measured here; of runs that train as
    one model, the share of one."""
    evaluate_seconds: float
    """Of one lifter."""
    student: bool

    @property
    def epochs_left(self) -> int:
        """Of all its runs."""
        return len(self.stored) * self.num_epochs - sum(self.stored)

    def seconds_left(self, placement: Placement) -> float:
        """With the runs dealt to its workers, until the last one has trained its share."""
        workers = max(1, placement.num_workers)
        shares = [self.stored[rank::workers] for rank in range(workers)]
        return self.epoch_seconds * max(len(share) * self.num_epochs - sum(share) for share in shares)


@dataclass(frozen=True)
class StudyPlan:
    """What a study would train on this machine, or on the Ray cluster that RAY_ADDRESS names."""

    arms: list[ArmPlan]
    num_cpus: int
    at_once: int
    """Arms that train side by side."""
    seconds: float
    """From the study's start until all runs are trained and measured."""
    at_most: bool
    """Whether a stop rule may end runs earlier, at epochs that cannot be foreseen."""


def plan_study(campaign: Campaign, session: Session, start_seconds: float) -> StudyPlan:
    """Read what is stored, and measure short epochs of each arm that lacks some; nothing is
    written, and no Ray is started. `start_seconds` is what a process takes to import the program.

    Raises UserError for what the study itself would refuse: poses, configs, teachers, another
    campaign of this name, more CPUs or GPUs than there are.
    """
    data, references = survey(session.sources, session.data, list(campaign.arms.values()), campaign.evaluation)
    manifest = agree(campaign, data, references)
    known = {arm: override(Config(), config) for arm, config in manifest["arms"].items()}
    check_teachers(known, list(campaign.arms), campaign.num_epochs)
    placement, nodes = session.placement, nodes_here(session)
    at_once, num_cpus = check_capacity(placement, campaign.num_seeds, nodes), int(sum(node.get("CPU", 0) for node in nodes))
    curves = stored_curves(campaign, manifest)
    if placement.gpus_per_worker and not torch.cuda.is_available():
        raise UserError(
            "--plan measures the machine that it runs on, which has no GPU; give it on one that has, such as a worker."
        )
    device = "cuda" if placement.gpus_per_worker else "cpu"
    config = next(iter(campaign.arms.values()))
    dataset = prepare(session.sources.poses, config.data, campaign.evaluation, session.sources.labelled).to(device)
    torch.set_num_threads(max(1, int(placement.cpus_per_worker)))
    keep_freed_memory()
    arms = [plan_arm(campaign, arm, curves, Probe(dataset, placement, known)) for arm in campaign.arms]
    at_most = not all(is_foreseen(campaign, arm.arm) for arm in arms if arm.epochs_left)
    seconds, num_phases = training_seconds(arms, placement, at_once, num_cpus)
    starts = (STARTS + STARTS_A_PHASE * num_phases) * start_seconds if num_phases else 0.0
    return StudyPlan(arms, num_cpus, at_once, seconds + starts, at_most)


def nodes_here(session: Session) -> list[dict[str, float]]:
    """Resources of the machine, or of the nodes of the cluster that the study would join."""
    if os.environ.get("RAY_ADDRESS"):
        with running_ray(session.console):
            return node_resources()
    return [{"CPU": float(get_num_cpus()), "GPU": float(torch.cuda.device_count())}]


def stored_curves(campaign: Campaign, manifest: dict[str, Any]) -> pd.DataFrame:
    """The rows of the campaign's runs, up to where the study's stop rule ends them."""
    if not holds(campaign.folder, MANIFEST):
        return pd.DataFrame(columns=FIRST_COLUMNS)
    curves = read_curves(campaign.folder, campaign.name, set(campaign.arms), skip_damaged=True)
    return with_stops(curves[curves["seed"].isin(campaign.seeds)], manifest)


def training_seconds(arms: Sequence[ArmPlan], placement: Placement, at_once: int, num_cpus: int) -> tuple[float, int]:
    """Training and measuring what is left of some arms, and in how many phases: students wait for
    their teachers."""
    seconds, num_phases = 0.0, 0
    for student in (False, True):
        phase = [arm for arm in arms if arm.student == student and arm.epochs_left]
        of_one_core = sum(arm.epochs_left * arm.epoch_seconds for arm in phase)  # processes may share a core
        training = max(of_one_core / num_cpus, wall_seconds([arm.seconds_left(placement) for arm in phase], at_once))
        measuring = sum(len(arm.stored) * EVALUATIONS * arm.evaluate_seconds for arm in phase) / num_cpus
        seconds, num_phases = seconds + training + measuring, num_phases + bool(phase)
    return seconds, num_phases


def wall_seconds(seconds: Sequence[float], at_once: int) -> float:
    """How long pieces of work take, of which so many run at once, each begun as soon as it can."""
    ends = [0.0] * at_once
    for piece in seconds:
        heapq.heapreplace(ends, ends[0] + piece)
    return max(ends)


def plan_arm(campaign: Campaign, arm: str, curves: pd.DataFrame, probe: Probe) -> ArmPlan:
    """What is left of one arm; a run that has ended lacks nothing."""
    config, num_epochs = campaign.arms[arm], expected_epochs(campaign, arm)
    of_arm = curves[curves["arm"] == arm]
    runs = [of_arm[of_arm["seed"] == seed] for seed in campaign.seeds]
    ended = [len(run) > 0 and run["status"].iloc[-1] in ENDED for run in runs]
    stored = tuple(num_epochs if end else min(num_epochs, len(run)) for run, end in zip(runs, ended, strict=True))
    seconds = (0.0, 0.0) if sum(stored) == len(stored) * num_epochs else probe.seconds(config, len(runs))
    return ArmPlan(arm, stored, num_epochs, *seconds, config.teacher is not None)


def expected_epochs(campaign: Campaign, arm: str) -> int:
    """Epochs that a run of an arm will have: the study's, or those after which its stop rule ends
    runs, if the rule looks at no signals."""
    rule = rule_of(campaign, arm)
    end = last_epoch(rule, pd.DataFrame({"epoch": range(1, campaign.num_epochs + 1)})) if rule else None
    return end or campaign.num_epochs


def is_foreseen(campaign: Campaign, arm: str) -> bool:
    """Whether it is known beforehand at which epoch runs of an arm will end."""
    rule = rule_of(campaign, arm)
    return rule is None or not rule.columns


def rule_of(campaign: Campaign, arm: str) -> CausalRule | None:
    """The stop rule that ends runs of an arm."""
    supervised = campaign.arms[arm].objective == "supervised"
    return causal_rule(campaign.stop, campaign.num_epochs) if campaign.stop and not supervised else None
