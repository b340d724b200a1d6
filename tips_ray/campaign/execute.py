"""Execute a campaign on Ray: one Tune trial an arm, whose seeds train in the trial itself or on Ray Train workers."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import ray
import torch
import torch.distributed
from ray import train, tune
from ray.train.torch import TorchConfig, TorchTrainer, get_device
from ray.tune.integration.ray_train import TuneReportCallback

from tips_ray.campaign.plan import Campaign, Resources
from tips_ray.campaign.runs import StoredRun
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import prepare
from tips_ray.lifting.memory import keep_freed_memory
from tips_ray.stability.statistics import HEADLINE_METRIC

MAX_FAILURES = 2
"""How often an arm is started again after a crash; it continues from the states of its runs."""
MAX_CONTROLLER_FAILURES = 5
WAITING = {"memory": 1.0}
"""What a trial that only waits for its workers holds: one byte, and no share of a CPU that they need, or both wait for ever."""


def execute(
    campaign: Campaign, arms: list[str], resources: Resources, poses: PoseSet, listeners: list[tune.Callback]
) -> dict[str, str]:
    """Train the runs of some arms up to the campaign's number of epochs, on the Ray that is running.

    Rows and states go to the campaign's storage, which alone tells how far each run got. Results that `listeners` receive have
    `arm`, `epoch`, `error_mm` and `spread_mm` (mean and standard deviation over seeds). Returns the errors of arms that failed.
    Raises ValueError if the cluster is too small for one arm.
    """
    concurrent = check_capacity(resources, campaign.num_seeds)
    shared = {"campaign": campaign, "resources": resources, "poses": ray.put(poses)}
    driver = WAITING if resources.num_workers else worker_resources(resources)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(train_arm, shared=shared), driver),
        param_space={"arm": tune.grid_search(arms)},
        tune_config=tune.TuneConfig(max_concurrent_trials=concurrent),
        run_config=tune.RunConfig(
            name=f"tune-{time.strftime('%Y%m%d-%H%M%S')}",
            storage_path=ray_folder(campaign),
            verbose=0,
            callbacks=listeners,
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
        ),
    )
    results = tuner.fit()
    ended = [results[index] for index in range(len(results))]  # fewer than arms if it was interrupted
    return {result.config["arm"]: str(result.error) for result in ended if result.error is not None and result.config}


def train_arm(config: dict[str, Any], shared: dict[str, Any]) -> None:
    """The Tune trainable: all seeds of one arm."""
    campaign, resources = shared["campaign"], shared["resources"]
    if resources.num_workers == 0:
        device = "cuda" if resources.gpus_per_worker else "cpu"
        train_seeds(shared, config["arm"], campaign.seeds, device, pool=lambda value: [value], report=tune.report)
        return
    TorchTrainer(
        train_share,
        train_loop_config={**shared, "arm": config["arm"]},
        torch_config=TorchConfig(backend="gloo"),  # only rows are pooled, and several workers may share a GPU
        scaling_config=train.ScalingConfig(
            num_workers=min(resources.num_workers, campaign.num_seeds),
            use_gpu=resources.gpus_per_worker > 0,
            resources_per_worker=worker_resources(resources),
        ),
        run_config=train.RunConfig(
            name=f"train-{tune.get_context().get_trial_id()}",
            storage_path=ray_folder(campaign),
            callbacks=[TuneReportCallback()],
            failure_config=train.FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=MAX_CONTROLLER_FAILURES),
        ),
    ).fit()


def train_share(config: dict[str, Any]) -> None:
    """The Ray Train worker: its share of an arm's seeds. All workers pool their rows after each epoch."""
    context = train.get_context()
    rank, size = context.get_world_rank(), context.get_world_size()

    def pool(value: Any) -> list[Any]:
        values = [None] * size
        torch.distributed.all_gather_object(values, value)
        return values

    device = get_device() if config["resources"].gpus_per_worker else "cpu"
    train_seeds(config, config["arm"], config["campaign"].seeds[rank::size], device, pool, train.report)


def train_seeds(
    shared: dict[str, Any],
    arm: str,
    seeds: list[int],
    device: torch.device | str,
    pool: Callable[[Any], list[Any]],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Advance this process's runs side by side, an epoch at a time; pool the rows of all processes and report their mean."""
    campaign: Campaign = shared["campaign"]
    torch.set_num_threads(max(1, int(shared["resources"].cpus_per_worker)))
    keep_freed_memory()
    config = campaign.arms[arm]
    dataset = prepare(ray.get(shared["poses"]), config).to(device)
    runs = [StoredRun(campaign.folder, arm, seed, config, dataset) for seed in seeds]
    behind = min((run.num_epochs for run in runs if not run.diverged), default=campaign.num_epochs)
    for number in range(min(pool(behind)) + 1, campaign.num_epochs + 1):
        rows = [run.advance() for run in runs if run.num_epochs < number and not run.diverged]
        everyone = [row for share in pool(rows) for row in share]
        errors = [row[HEADLINE_METRIC] for row in everyone if row["status"] != "diverged"]
        error = statistics.fmean(errors) if errors else float("nan")
        report(
            {"arm": arm, "epoch": number, "error_mm": error, "spread_mm": statistics.pstdev(errors) if errors else float("nan")}
        )


def worker_resources(resources: Resources) -> dict[str, float]:
    """What one worker, or a trial without workers, asks of Ray."""
    asked = {"CPU": resources.cpus_per_worker, "GPU": resources.gpus_per_worker}
    return {name: amount for name, amount in asked.items() if amount}


def check_capacity(resources: Resources, num_seeds: int) -> int:
    """How many arms the cluster can train at once; raises ValueError, saying what is missing, if it is none."""
    workers = max(1, min(resources.num_workers, num_seeds))
    cluster = ray.cluster_resources()
    fits = []
    for name, each in worker_resources(resources).items():
        have = cluster.get(name, 0.0)
        fits.append(int(have / (each * workers) + 1e-6))
        if not fits[-1]:
            raise ValueError(
                f"One arm needs {workers} x {each:g} {name}s at once, and this Ray cluster has {have:g};"
                f" give fewer --num-workers, a smaller --{name.lower()}s-per-worker, or a larger cluster."
            )
    return min(fits)


def ray_folder(campaign: Campaign) -> str:
    """Where Ray keeps its own bookkeeping of a campaign; nothing in it is read again."""
    folder = campaign.folder / "ray"
    return folder.path() if folder.is_local else str(folder)
