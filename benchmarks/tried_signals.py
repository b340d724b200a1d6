"""Two label-free signals of others that are no part of the program, on studies whose errors are
known.

    python benchmarks/tried_signals.py reports/A reports/B ... --test-data cmu17.npz

Of each unsupervised run, at each tenth of its epochs whose weights were kept: the density of soft
neighbourhoods (Saito et al., ICCV 2021). At its last epoch: the worst case of the generator, the
other half of the duality gap (Grnarova et al., NeurIPS 2019). `--test-data` has the poses that a
study of 2D keypoints alone was scored on.
"""

import argparse
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tips_ray.campaign.checkpoints import state_name
from tips_ray.campaign.evaluate import config_of, kept_epochs, load_window
from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Evaluation
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.load import load_keypoints, load_poses
from tips_ray.lifting.augment import Batch
from tips_ray.lifting.draws import Draws
from tips_ray.lifting.epoch import step_inputs
from tips_ray.lifting.evaluate import lift_views, voters
from tips_ray.lifting.optimise import descend
from tips_ray.lifting.run import Run
from tips_ray.lifting.step import generator_losses, see_anew
from tips_ray.stability.campaign import LoadedCampaign, load_campaign
from tips_ray.stability.regret import whole_runs
from tips_ray.stability.statistics import spearman
from tips_ray.stability.stopping import Window
from tips_ray.stability.transfer import unsupervised_arms
from tips_ray.store.curves import RUNS, run_name
from tips_ray.store.storage import Storage

TEMPERATURE = 0.05
STEPS = 8
"""Of the lifter against its run's discriminator, which stands still."""


def main() -> None:
    """Print what each signal says of the errors, and what it costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaigns", nargs="+")
    parser.add_argument("--test-data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    density_rows, generator_rows = [], []
    for path in options.campaigns:
        folder = Storage(path)
        campaign = load_campaign(folder)
        dataset = dataset_of(campaign.manifest, folder, options.test_data)
        density_rows += densities(folder, campaign, dataset)
        generator_rows += worst_generators(folder, campaign, dataset)
    report("density", pd.DataFrame(density_rows))
    report("gain of a worst generator", pd.DataFrame(generator_rows))


def dataset_of(manifest: dict[str, Any], folder: Storage, test_data: str | None) -> Dataset:
    """The views of a study, as it had them."""
    data, config = manifest["data"], config_of(folder, manifest, next(iter(manifest["arms"])))
    evaluation = Evaluation(**manifest["evaluation"])
    if data["labelled_name"]:
        return prepare(load_keypoints(data["spec"]), config.data, evaluation, labelled=load_poses(test_data or ""))
    return prepare(load_poses(data["spec"]), config.data, evaluation)


def runs_of(campaign: LoadedCampaign) -> list[tuple[str, int, pd.DataFrame]]:
    """Arm, seed and curve of each unsupervised run."""
    return [(arm, seed, run) for arm in unsupervised_arms(campaign) for seed, run in whole_runs(campaign.curves, arm).items()]


def report(name: str, table: pd.DataFrame) -> None:
    """Rank correlations of a signal with the error, and its share of an epoch's training."""
    last = table.groupby(["campaign", "arm", "seed"]).tail(1)
    within = [
        spearman(of_run["value"].to_numpy(), of_run["error"].to_numpy())
        for _, of_run in table.groupby(["campaign", "arm", "seed"])
    ]
    print(
        f"{name}: rank correlation within a run {np.nanmedian(within) if len(table) > len(last) else math.nan:.2f} (median),"
        f" over runs {spearman(last['value'].to_numpy(), last['error'].to_numpy()):.2f};"
        f" {(table['seconds'] / table['epoch_seconds']).median():.1%} of an epoch's training; {len(last)} runs",
        flush=True,
    )


def row(campaign: LoadedCampaign, arm: str, seed: int, rows: pd.Series, value: float, seconds: float) -> dict[str, Any]:
    """A value at an epoch, beside its error."""
    keys = {"campaign": campaign.manifest["name"], "arm": arm, "seed": seed}
    return {**keys, "error": rows[HEADLINE_METRIC], "epoch_seconds": rows["train_seconds"], "value": value, "seconds": seconds}


@torch.no_grad()
def densities(folder: Storage, campaign: LoadedCampaign, dataset: Dataset) -> list[dict[str, Any]]:
    """The density of the poses that each run lifts, at each tenth of its epochs."""
    rows = []
    for arm, seed, curve in runs_of(campaign):
        run, config = folder / RUNS / run_name(arm, seed), config_of(folder, campaign.manifest, arm)
        for epoch in sorted({max(1, len(curve) * tenth // 10) for tenth in range(2, 11)} & kept_epochs(run)):
            lifted = lift_views(load_window(run, Window(epoch, epoch), config), voters(dataset))
            started = time.perf_counter()
            value = density(lifted)
            rows.append(row(campaign, arm, seed, curve.iloc[epoch - 1], value, time.perf_counter() - started))
    return rows


def density(pose: Tensor) -> float:
    """Mean entropy of the softmax of each pose's cosine similarities to the others."""
    centred = (pose - pose.mean(1, keepdim=True)).flatten(1)
    unit = centred / torch.linalg.vector_norm(centred, dim=1, keepdim=True).clamp(min=1e-9)
    logs = ((unit @ unit.T) / TEMPERATURE).fill_diagonal_(-1e4).log_softmax(1)
    return float(-(logs.exp() * logs).sum(1).mean())


def worst_generators(folder: Storage, campaign: LoadedCampaign, dataset: Dataset) -> list[dict[str, Any]]:
    """How far the adversarial loss of each run at its last epoch falls within STEPS steps of its
    lifter against its discriminator."""
    rows = []
    for arm, seed, curve in runs_of(campaign):
        run = Run(config_of(folder, campaign.manifest, arm), dataset, seed)
        path = folder / RUNS / run_name(arm, seed) / state_name(len(curve))
        run.load_state(torch.load(str(path), weights_only=True))
        inputs = step_inputs(run.config, dataset, 0, [run.rng])
        steps = [
            (Batch(*(each[0] for each in batch)), {name: each[0] for name, each in draws.items()}) for batch, draws in inputs
        ]
        held_out, trained = steps[:4], steps[4 : 4 + STEPS]
        run.networks.train()
        started = time.perf_counter()
        before = adversarial_loss(run, held_out)
        for batch, draws in trained:
            losses = run.model.call(generator_losses, run.model.call(see_anew, batch, draws), draws)
            descend(run.model.generators, run.lifter_optimiser, losses["loss"])
        value = before - adversarial_loss(run, held_out)
        seconds, started = time.perf_counter() - started, time.perf_counter()
        for batch, draws in held_out:
            run.step(batch, draws)
        epoch_seconds = (time.perf_counter() - started) * len(steps) / len(held_out)
        rows.append({**row(campaign, arm, seed, curve.iloc[-1], value, seconds), "epoch_seconds": epoch_seconds})
    return rows


@torch.no_grad()
def adversarial_loss(run: Run, steps: Sequence[tuple[Batch, Draws]]) -> float:
    """Of the lifter, without its steps."""
    run.networks.eval()
    losses = [run.model.call(generator_losses, run.model.call(see_anew, *step), step[1])["loss_adversarial"] for step in steps]
    run.networks.train()
    return float(torch.stack(losses).mean())


if __name__ == "__main__":
    main()
