"""How long short epochs of a config take on this machine."""

import math
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.groups import SeedGroups
from tips_ray.config import Config, Placement, parts_of
from tips_ray.data.dataset import Dataset
from tips_ray.lifting.distil import Teachers
from tips_ray.lifting.epoch import steps_of_epoch
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.run import Run
from tips_ray.store.storage import Storage

FEW, MORE = 2, 10
"""Steps of the two kinds of short epochs whose times are measured."""
ROUNDS, ENOUGH_SECONDS = 5, 6.0
"""How often each of the two is measured, and the seconds after which there is no further round."""


@dataclass(frozen=True)
class Probe:
    """Measures short epochs."""

    dataset: Dataset
    placement: Placement
    known: Mapping[str, Config]
    """The arms of the campaign, of which some teach others."""

    def seconds(self, config: Config, num_runs: int) -> tuple[float, float]:
        """Of one epoch of one of so many runs of an arm, and of an evaluation.

        The epoch's are on the line through the medians of short epochs of two lengths.
        """
        of_process = math.ceil(num_runs / max(1, self.placement.num_workers))
        size = min(self.placement.seeds_per_process, of_process)
        times: dict[int, list[float]] = {FEW: [], MORE: []}
        teachers = self.teachers(config, num_runs)
        with tempfile.TemporaryDirectory(prefix="tips-ray-plan-") as folder:
            groups = {steps: self.runs(Storage(folder) / str(steps), short(config, steps), teachers, size) for steps in times}
            trainers = {steps: SeedGroups(self.placement) for steps in times}
            for steps in times:
                trainers[steps].advance(groups[steps])  # the first epoch is slower
            began = time.perf_counter()
            while len(times[MORE]) < ROUNDS and (not times[MORE] or time.perf_counter() - began < ENOUGH_SECONDS):
                for steps in times:
                    started = time.perf_counter()
                    trainers[steps].advance(groups[steps])
                    times[steps].append(time.perf_counter() - started)
        few, more = (statistics.median(times[steps]) for steps in (FEW, MORE))
        a_step = max(0.0, more - few) / (MORE - FEW)
        of_group = few + a_step * (steps_of_epoch(config, len(self.dataset.train)) - FEW)
        on_gpu = self.dataset.train.keypoints.is_cuda  # where a smaller group takes as long as a whole one
        num_groups = math.ceil(of_process / size) if on_gpu else of_process / size
        evaluations = [row["evaluate_seconds"] for run in groups[FEW] for row in run.rows[1:] if "evaluate_seconds" in row]
        return num_groups * of_group / of_process, statistics.median(evaluations) if evaluations else 0.0

    def runs(self, folder: Storage, config: Config, teachers: Teachers | None, count: int) -> list[StoredRun]:
        """Some runs of a config that were not trained yet."""
        return [StoredRun(folder, "plan", Run(config, self.dataset, seed, teachers)) for seed in range(count)]

    def teachers(self, config: Config, num_runs: int) -> Teachers | None:
        """Teachers that answer as slowly as those of a student will."""
        if config.teacher is None:
            return None
        teaching = self.known[config.teacher.arm]
        lifter = Lifter(parts_of(teaching), teaching.network).to(self.dataset.train.keypoints.device)
        count = num_runs if config.teacher.runs == "all" else 1
        return Teachers([lifter] * count, [1.0] * count, "untrained")


def short(config: Config, steps: int) -> Config:
    """The config with epochs of so many steps."""
    return replace(config, data=replace(config.data, epoch_views=steps * config.optimiser.batch_size))
