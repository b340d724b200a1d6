"""The paper's 152,000 steps of ten seeds of four arms at laptop width, in pieces of some minutes.

    python benchmarks/gpu_study.py --data cmu17.npz --test-subjects 6 8 9 14 35 906
    python benchmarks/gpu_study.py --arms parts --seeds 0 1 2 3 4 --minutes 9     # a piece of it
    python benchmarks/gpu_study.py --tiny                                         # seconds on a CPU

Each call goes on where the folder of the campaign ends, and stops before its minutes are over; call
it again until no steps are left. Pieces that were trained elsewhere add up: copy their runs into
the same `runs` folder. No Ray is needed; the folder is a campaign as a study's, of which `tips-ray
stability` with the same arms makes a report. The last line is one JSON object.
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import tyro

from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.groups import SeedGroups
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.campaign.run import campaign_lock, recorded, survey
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Config, KeepWeights, Placement, override
from tips_ray.data.dataset import Dataset, Sources, prepare
from tips_ray.data.load import load_poses
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.errors import UserError, user_errors
from tips_ray.lifting.epoch import steps_of_epoch
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.lifting.run import Run
from tips_ray.presets import arm_config, laptop
from tips_ray.store.curves import read_curve, run_name
from tips_ray.store.records import MANIFEST, write_manifest
from tips_ray.store.storage import Storage

ARMS = ("solo", "parts", "solo_deep", "single")
NUM_SEEDS, NUM_STEPS = 10, 152_000
TINY = {"network": {"width": 8}, "optimiser": {"batch_size": 64}, "data": {"num_views": 1}}
TINY_SEEDS, TINY_STEPS, TINY_POSES = 2, 6, 300


@dataclass(frozen=True)
class Options:
    """What one call trains."""

    data: str = "synthetic"
    """Poses, as of `tips-ray stability`."""
    test_subjects: tuple[str, ...] = ()
    """Empty: the last quarter of the subjects."""
    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = ()
    """Empty: all."""
    minutes: float = 9.0
    campaign: str = "long"
    storage: str = "reports"
    tiny: bool = False


def main(options: Options) -> int:
    """Train a piece; print what the whole study has so far."""
    started = time.perf_counter()
    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    campaign, poses = planned(options)
    seeds = list(options.seeds) or campaign.seeds
    check_choice(options.arms, seeds, campaign)
    sources = Sources(poses)
    data, references = survey(sources, options.data, list(campaign.arms.values()), campaign.evaluation)
    placement = Placement(gpus_per_worker=float(device == "cuda"), seeds_per_process=len(seeds), cuda_graphs=device == "cuda")
    with campaign_lock(campaign.folder):
        write_manifest(campaign.folder, agree(campaign, data, references))
        with recorded(campaign.folder, MANIFEST, placement):
            dataset = prepare(poses, next(iter(campaign.arms.values())).data, campaign.evaluation).to(device)
            for arm in options.arms:
                runs = stored_runs(campaign, arm, seeds, dataset)
                for number in train(runs, campaign.num_epochs, placement, started + 60 * options.minutes):
                    print(f"{arm}: epoch {number} of {campaign.num_epochs}", file=sys.stderr, flush=True)
            summaries = {arm: summary(campaign, arm) for arm in campaign.arms}
    for arm, numbers in summaries.items():
        print(f"{arm}: {numbers}")
    left = sum(
        0 if diverged else campaign.num_epochs - epochs
        for numbers in summaries.values()
        for epochs, diverged in zip(numbers["epochs"], numbers["diverged"], strict=True)
    )
    steps = steps_of_epoch(next(iter(campaign.arms.values())), len(dataset.train))
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({"name": "gpu_study", "device": device, "steps_left": left * steps, "seconds": seconds, "arms": summaries}))
    return 0


def planned(options: Options) -> tuple[Campaign, PoseSet]:
    """The whole study, of which a call trains a part."""
    poses = synthesise(num_poses=TINY_POSES) if options.tiny else load_poses(options.data)
    base = override(laptop().config, {"data": {"epoch_views": None, "test_subjects": options.test_subjects}})
    base = override(base, TINY if options.tiny else {})
    arms = {arm: arm_config(base, arm) for arm in ARMS}
    num_views = len(prepare(poses, base.data).train)
    num_epochs = math.ceil((TINY_STEPS if options.tiny else NUM_STEPS) / steps_of_epoch(base, num_views))
    num_seeds = TINY_SEEDS if options.tiny else NUM_SEEDS
    keep = KeepWeights(every=num_epochs)
    return Campaign(options.campaign, Storage(options.storage), arms, num_seeds, num_epochs, keep_weights=keep), poses


def check_choice(arms: Sequence[str], seeds: Sequence[int], campaign: Campaign) -> None:
    """Raise UserError for arms or seeds that the study has not."""
    unknown = [str(each) for each in (*arms, *seeds) if each not in (*campaign.arms, *campaign.seeds)]
    if unknown:
        raise UserError(
            f"The study has no {unknown[0]}; give arms of {', '.join(campaign.arms)}, and seeds of 0 to {campaign.num_seeds - 1}."
        )


def stored_runs(campaign: Campaign, arm: str, seeds: Sequence[int], dataset: Dataset) -> list[StoredRun]:
    """The runs of an arm, each after the last epoch that its folder has."""
    config: Config = campaign.arms[arm]
    return [StoredRun(campaign.folder, arm, Run(config, dataset, seed), campaign.keep_weights) for seed in seeds]


def train(runs: list[StoredRun], num_epochs: int, placement: Placement, deadline: float) -> Iterator[int]:
    """Train the runs that are behind, an epoch at a time, until all have all epochs or the next
    might end after the deadline; yields the epochs."""
    groups, longest = SeedGroups(placement), 0.0
    while True:
        left = [run for run in runs if run.num_epochs < num_epochs and not run.ended]
        started = time.perf_counter()
        if not left or started + 1.5 * longest > deadline:
            return
        number = min(run.num_epochs for run in left) + 1
        groups.advance([run for run in left if run.num_epochs < number])
        longest = max(longest, time.perf_counter() - started)
        yield number


def summary(campaign: Campaign, arm: str) -> dict[str, Any]:
    """How far the runs of an arm are, wherever they were trained, and their errors in mm: of the
    last epoch, and of the best (an oracle)."""
    curves = [read_curve(campaign.folder, run_name(arm, seed)) for seed in campaign.seeds]
    errors = [curve[HEADLINE_METRIC].dropna() for curve in curves if curve is not None and HEADLINE_METRIC in curve]
    last = [float(of_run.iloc[-1]) for of_run in errors]
    return {
        "epochs": [0 if curve is None else len(curve) for curve in curves],
        "diverged": [curve is not None and curve["status"].iloc[-1] == "diverged" for curve in curves],
        "last_mm": round(statistics.fmean(last), 2) if last else None,
        "last_sd_mm": round(statistics.pstdev(last), 2) if last else None,
        "best_mm": round(statistics.fmean(float(of_run.min()) for of_run in errors), 2) if errors else None,
    }


if __name__ == "__main__":
    with user_errors():
        sys.exit(main(tyro.cli(Options, description=__doc__)))
