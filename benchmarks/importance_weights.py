"""Whether importance weights make predicted errors better, on studies whose errors are known.

    python benchmarks/importance_weights.py reports/A reports/B ... --test-data cmu17.npz

Of each two studies: the error of the one, its test poses weighed to look like what the other was
trained on. Errors are predicted as `tips-ray transfer` does it, without and with these weights.
`--test-data` has the poses that a study of 2D keypoints alone was scored on.
"""

import argparse
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from torch import Tensor

from tips_ray.campaign.evaluate import config_of, load_window
from tips_ray.data.dataset import Dataset
from tips_ray.data.views import Views
from tips_ray.lifting.evaluate import lift_views, voters
from tips_ray.poses.anatomy import depth_sign
from tips_ray.poses.geometry import mirror_depth
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.stability.campaign import LoadedCampaign, load_campaign
from tips_ray.stability.predicted import PREDICTORS, USED, Line, fit, half_width, last_rows, rows_of, shared_signals
from tips_ray.stability.stopping import Window
from tips_ray.stability.transfer import related_campaigns
from tips_ray.store.curves import RUNS, run_name
from tips_ray.store.storage import Storage
from tried_signals import dataset_of, runs_of

RIDGE, MOST = 0.03, 10.0
"""Of the classifier of two studies' keypoints, and by how much a pose may count more or less."""
NUM_POSES = 2000


def main() -> None:
    """Print how far predicted errors are off without and with weights, and the share of poses that
    is left of a source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaigns", nargs="+")
    parser.add_argument("--test-data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folders = {path.rstrip("/").rpartition("/")[2]: Storage(path) for path in options.campaigns}
    campaigns = {name: load_campaign(folder) for name, folder in folders.items()}
    datasets = {name: dataset_of(campaign.manifest, folders[name], options.test_data) for name, campaign in campaigns.items()}
    rows = pd.concat([rows_of(campaign).assign(campaign=name) for name, campaign in campaigns.items()], ignore_index=True)
    related = related_campaigns(campaigns)
    harder = {name: relative_errors(folders[name], campaigns[name], datasets[name]) for name in campaigns}
    shift, left = {}, []
    for target in campaigns:
        for source in set(campaigns) - {target}:
            weight = weights(test_views(datasets[source]).keypoints, voters(datasets[target]).keypoints)
            shift[source, target] = math.log(weight @ harder[source])
            left.append(1 / (np.square(weight).sum() * len(weight)))
    for name, shifts in (("without weights", {}), ("with weights", shift)):
        deviations, held = deviations_of(rows, related, shifts)
        print(
            f"{name}: {np.median(deviations):.1f} mm off in the median, intervals hold in {np.mean(held):.0%} of {len(held)} runs"
        )
    print(f"poses that are left of a source: {np.median(left):.0%} ({min(left):.0%} to {max(left):.0%})")


def test_views(dataset: Dataset) -> Views:
    """The views that a study was scored on."""
    assert dataset.test is not None
    return dataset.test


@torch.no_grad()
def relative_errors(folder: Storage, campaign: LoadedCampaign, dataset: Dataset) -> np.ndarray:
    """Of each test pose, its error over the mean of all, mean over runs at their last epochs."""
    shares, test = [], test_views(dataset)
    for arm, seed, curve in runs_of(campaign):
        window = Window(len(curve), len(curve))
        lifter = load_window(folder / RUNS / run_name(arm, seed), window, config_of(folder, campaign.manifest, arm))
        sign, lifted = depth_sign(lift_views(lifter, voters(dataset))), lift_views(lifter, test)
        error = p_mpjpe(lifted if sign > 0 else mirror_depth(lifted), test.pose).double()
        shares.append((error / error.mean()).numpy())
    return np.mean(shares, axis=0)


def weights(source: Tensor, target: Tensor) -> np.ndarray:
    """How much each pose of a source counts, so that they look like the target's: the odds that a
    logistic regression gives, which add up to 1."""
    one, other = (keypoints.flatten(1).double().numpy() for keypoints in (source, target))
    few = [each[np.linspace(0, len(each) - 1, min(NUM_POSES, len(each))).astype(int)] for each in (one, other)]
    centre, scale = np.concatenate(few).mean(0), np.concatenate(few).std(0) + 1e-6
    values = np.concatenate([((each - centre) / scale).clip(-5, 5) for each in few])
    label = np.repeat([-1.0, 1.0], [len(each) for each in few])
    share = np.repeat([1 / len(each) for each in few], [len(each) for each in few])

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        margin = label * (values @ line[:-1] + line[-1])
        slope = -share * label / (1 + np.exp(margin.clip(-50, 50)))
        penalty = RIDGE * np.append(line[:-1], 0)
        return share @ np.logaddexp(0, -margin) + penalty @ line / 2, np.append(values.T @ slope, slope.sum()) + penalty

    line = minimize(loss, np.zeros(values.shape[1] + 1), jac=True, method="L-BFGS-B").x
    odds = np.exp((((one - centre) / scale).clip(-5, 5) @ line[:-1] + line[-1]).clip(-math.log(MOST), math.log(MOST)))
    return odds / odds.sum()


def deviations_of(
    rows: pd.DataFrame, related: Mapping[str, list[str]], shift: Mapping[tuple[str, str], float]
) -> tuple[list[float], list[bool]]:
    """Of each run, by studies that share no poses with it: how far its predicted error is off, and
    whether the interval holds it. Errors of a source are moved by its shift towards the target."""

    def line(target: str, among: pd.DataFrame) -> Line:
        moved = among["error"] + among["campaign"].map(lambda source: shift.get((str(source), target), 0.0))
        fitted = fit(among.assign(error=moved), signals)
        assert fitted is not None
        return fitted

    deviations, held, signals = [], [], shared_signals(PREDICTORS[USED], rows)
    for target in rows["campaign"].unique():
        sources = rows[~rows["campaign"].isin([target, *related[target]])]
        ratios = []
        for source in sources["campaign"].unique():
            there = last_rows(sources[sources["campaign"] == source], signals)
            others = sources[~sources["campaign"].isin([source, *related[source]])]
            ratios.append((there["error"] - line(source, others)(there)).to_numpy())
        there = last_rows(rows[rows["campaign"] == target], signals)
        predicted, true = line(target, sources)(there), there["error"].to_numpy()
        deviations += list(np.abs(np.exp(predicted) - np.exp(true)))
        held += list(np.abs(predicted - true) <= half_width(ratios))
    return deviations, held


if __name__ == "__main__":
    main()
