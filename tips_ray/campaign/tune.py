"""Train configs on Ray: one Tune trial for each arm, or for some trials of a search that share a
model. Its seeds train in the Tune trial itself or on Ray Train workers."""

import logging
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import ray
import torch.distributed
from ray import train, tune
from ray.train import TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer, get_device
from ray.tune.integration.ray_train import TuneReportCallback

from tips_ray.campaign.plan import Campaign
from tips_ray.campaign.ray_session import node_resources
from tips_ray.campaign.seeds import FAILURE, NOTICES, ArmsTask, Training, epoch_result, train_seeds
from tips_ray.config import Config, Placement, override
from tips_ray.data.dataset import Sources
from tips_ray.errors import UserError
from tips_ray.signals import handlers_kept

MAX_FAILURES = 10
"""How often an arm is started again after its process or its node died without notice (after a
notice: always); it continues from the states of its runs."""
MAX_CONTROLLER_FAILURES = 30
"""How often workers that cannot be placed are asked for again, each time for a minute: a node that
was lost may be replaced."""
ARMS = "arms"
"""In a Tune trial's config: what it trains."""
log = logging.getLogger(__name__)
WAITING = {"memory": 1.0}
"""What a trial that only waits for its workers holds: one byte, and no share of a CPU that they
need, or both wait for ever."""


def execute(
    campaign: Campaign, arms: list[str], placement: Placement, sources: Sources, listeners: list[tune.Callback]
) -> dict[str, str]:
    """Train the runs of some arms up to the campaign's number of epochs, on the Ray that is
    running.

    Returns the errors of arms that failed. Raises ValueError if the cluster is too small for one
    arm.
    """
    training = Training(
        campaign.folder, campaign.seeds, campaign.num_epochs, placement, campaign.evaluation, campaign.keep_weights, campaign.stop
    )
    space = {ARMS: tune.grid_search([suggestion({arm: campaign.arms[arm]}) for arm in arms])}
    return run_trials(training, sources, listeners, space)


def suggestion(arms: Mapping[str, Config]) -> list[dict[str, Any]]:
    """The arms that one Tune trial is told to train, in types that Tune can copy and write."""
    return [{"name": arm, "config": asdict(config)} for arm, config in arms.items()]


def arms_at_once(placement: Placement, num_seeds: int) -> int:
    """How many arms, with all their seeds, a model of each process has room for; at least one."""
    of_process = math.ceil(num_seeds / max(1, min(placement.num_workers, num_seeds)))
    return max(1, placement.seeds_per_process // of_process)


def run_trials(
    training: Training, sources: Sources, listeners: list[tune.Callback], space: dict[str, Any] | None = None, **choice: Any
) -> dict[str, str]:
    """Run Tune trials over `space`, or over what a `search_alg` among the fields of Tune's
    TuneConfig suggests: each has some arms.

    Results that listeners receive have `arm`, `epoch`, `error_mm` and `spread_mm` (mean and
    standard deviation over seeds), `bound_mm` (what the error is at least), `consistency` (the
    label-free sum of those terms) and `num_diverged`. Returns the errors of arms that failed for
    good.
    """
    concurrent = check_capacity(training.placement, len(training.seeds))
    shared = {"training": training, "sources": ray.put(sources)}
    driver = WAITING if training.placement.num_workers else worker_resources(training.placement)
    notices = TrialNotices()
    with tempfile.TemporaryDirectory(prefix="tips-ray-tune-") as bookkeeping:  # nothing in it is read again
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(train_suggested, shared=shared), driver),
            param_space=space,
            tune_config=tune.TuneConfig(
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
                **choice,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=bookkeeping,
                verbose=0,
                callbacks=[notices, *listeners],
                failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            ),
        )
        with handlers_kept():  # Tune leaves its own, which lets one Ctrl-C pass
            results = tuner.fit()
        if not results.num_errors:
            return notices.failures
        ended = [results[index] for index in range(len(results))]  # fewer than arms if it was interrupted
        crashed = {
            arm["name"]: str(result.error) for result in ended if result.error and result.config for arm in result.config[ARMS]
        }
        return notices.failures | crashed


class TrialNotices(tune.Callback):
    """Takes in what trials report beside epochs: notices, and that they end for good."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Keep why a trial fails, and log notices at once."""
        for notice in result.get(NOTICES, []):
            log.warning(notice)
        if result.get(FAILURE):
            self.failures[result["arm"]] = result[FAILURE]


def train_suggested(config: dict[str, Any], shared: dict[str, Any]) -> None:
    """The Tune trainable: all seeds of some arms."""
    training: Training = shared["training"]
    placement = training.placement
    arms = {arm["name"]: override(Config(), arm["config"]) for arm in config[ARMS]}
    task = ArmsTask(training, shared["sources"], arms)
    if placement.num_workers == 0:
        device = "cuda" if placement.gpus_per_worker else "cpu"
        train_seeds(task, training.seeds, device, pool=lambda value: [value], report=tune.report)
        return
    with tempfile.TemporaryDirectory(prefix="tips-ray-train-") as bookkeeping:  # nothing in it is read again
        trainer = TorchTrainer(
            train_share,
            train_loop_config={"task": task},
            torch_config=TorchConfig(backend="gloo"),  # only rows are pooled, and several workers may share a GPU
            scaling_config=train.ScalingConfig(
                num_workers=min(placement.num_workers, len(training.seeds)),
                use_gpu=placement.gpus_per_worker > 0,
                resources_per_worker=worker_resources(placement),
            ),
            run_config=train.RunConfig(
                name=f"train-{tune.get_context().get_trial_id()}",
                storage_path=bookkeeping,
                callbacks=[TuneReportCallback()],
                failure_config=train.FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=MAX_CONTROLLER_FAILURES),
            ),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:  # it was tried often enough
            for arm in arms:
                tune.report({**epoch_result(arm, 0, []), FAILURE: str(error)})


def train_share(config: dict[str, Any]) -> None:
    """The Ray Train worker: its share of the seeds. All workers pool their rows after each
    epoch."""
    context = train.get_context()
    rank, size = context.get_world_rank(), context.get_world_size()

    def pool(value: Any) -> list[Any]:
        values = [None] * size
        torch.distributed.all_gather_object(values, value)
        return values

    task: ArmsTask = config["task"]
    training = task.training
    device = str(get_device()) if training.placement.gpus_per_worker else "cpu"
    train_seeds(task, training.seeds[rank::size], device, pool, train.report)


def worker_resources(placement: Placement) -> dict[str, float]:
    """What Ray must reserve for one worker, or for a trial without workers."""
    resources = {"CPU": placement.cpus_per_worker, "GPU": placement.gpus_per_worker}
    return {name: amount for name, amount in resources.items() if amount}


def check_capacity(placement: Placement, num_seeds: int, nodes: Sequence[Mapping[str, float]] | None = None) -> int:
    """How many arms the nodes can train at once, by default those of the cluster, with the ones
    that its autoscaler may add; raises ValueError, saying what is missing, if it is none.
    """
    workers = max(1, min(placement.num_workers, num_seeds))
    resources, nodes = worker_resources(placement), node_resources() if nodes is None else nodes
    places = sum(min(int(node.get(name, 0.0) / each + 1e-6) for name, each in resources.items()) for node in nodes)
    if places >= workers:
        return places // workers
    for name, each in resources.items():
        amounts = [node.get(name, 0.0) for node in nodes]
        if sum(int(amount / each + 1e-6) for amount in amounts) < workers:
            apart = f", at most {max(amounts):g} on one node" if sum(amounts) >= each * workers else ""
            raise UserError(
                f"One arm needs {workers} x {each:g} {name}s at once, and this Ray cluster has {sum(amounts):g}{apart};"
                f" give fewer --num-workers, a smaller --{name.lower()}s-per-worker, or a larger cluster."
            )
    needs = " and ".join(f"{each:g} {name}s" for name, each in resources.items())
    raise UserError(
        f"One arm needs {workers} x {needs} at once, each on one node, and the nodes of this Ray cluster have room for {places};"
        " give fewer --num-workers, ask less for each, or use a larger cluster."
    )
