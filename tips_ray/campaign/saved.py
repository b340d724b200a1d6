"""Lifters that a campaign has saved, evaluated on other poses."""

import pandas as pd

from tips_ray.campaign.runs import unpacked, weights_name
from tips_ray.config import Config, override, parts_of
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import see
from tips_ray.lifting.evaluate import errors, flat_errors, lift_views
from tips_ray.lifting.networks import Lifter
from tips_ray.seeding import derived_seed, stream
from tips_ray.stability.curves import RUNS, read_curves, read_manifest
from tips_ray.stability.statistics import HEADLINE_METRIC, METRICS
from tips_ray.storage import Storage

EPOCHS = "last, best (an oracle: chosen by the error on the campaign's own test poses), or a number"


def evaluate_saved(folder: Storage, poses: PoseSet, epoch: str = "last", num_views: int = 1) -> pd.DataFrame:
    """Errors in mm of every run of a campaign on other poses: one row a run, with arm, seed, epoch and the metrics.

    `epoch` is "last", "best" (of those whose weights were kept; an oracle) or a number. The depth sign is the one that anatomy
    voted for on the campaign's training poses at that epoch. Raises ValueError for an epoch that no run has kept.
    """
    manifest = read_manifest(folder)
    curves = read_curves(folder, manifest["name"])
    rows = []
    for (arm, seed, run), curve in curves[curves["status"] == "ok"].groupby(["arm", "seed", "run"], sort=False):
        kept = curve[curve["epoch"].map(weights_name).isin([f"weights/{name}" for name in folder.names(f"{RUNS}/{run}/weights")])]
        chosen = choose_epoch(kept, epoch, str(run))
        config = override(Config(), manifest["arms"][arm])
        views = see(poses, num_views, derived_seed(config.data.seed, "test"))
        lifter = load_lifter(folder / RUNS / str(run), int(chosen["epoch"]), config)
        found = errors(lift_views(lifter, views), views, float(chosen["depth_sign"]))
        rows.append({"arm": arm, "seed": seed, "epoch": int(chosen["epoch"]), **found})
    if not rows:
        raise ValueError(f"The campaign {str(folder)!r} has no run with an epoch to evaluate; train it first.")
    return pd.DataFrame(rows)


def flat_reference(folder: Storage, poses: PoseSet, num_views: int) -> dict[str, float]:
    """Errors of the flat prediction on the same views."""
    config = next(iter(read_manifest(folder)["arms"].values()))
    found = flat_errors(see(poses, num_views, derived_seed(config["data"]["seed"], "test")))
    return {metric: found[metric] for metric in METRICS}


def choose_epoch(kept: pd.DataFrame, epoch: str, run: str) -> pd.Series:
    """The row of a run's curve that `epoch` names, among the epochs whose weights were kept."""
    if kept.empty:
        raise ValueError(f"The run {run!r} has kept no weights; train it for at least one epoch.")
    if epoch == "last":
        return kept.iloc[int(kept["epoch"].argmax())]
    if epoch == "best":
        return kept.iloc[int(kept[HEADLINE_METRIC].argmin())]
    named = kept[kept["epoch"].astype(str) == epoch]
    if named.empty:
        raise ValueError(
            f"The run {run!r} has kept no weights of epoch {epoch!r}; give {EPOCHS} (kept: {kept['epoch'].min()} to"
            f" {kept['epoch'].max()}, {len(kept)} in all)."
        )
    return named.iloc[0]


def load_lifter(run: Storage, epoch: int, config: Config) -> Lifter:
    """The lifter of a run as it was after an epoch; raises ValueError for weights that were damaged on disk, or are
    of other networks than this version's.
    """
    lifter = Lifter(parts_of(config), config.network, stream(0, "dropout"))
    weights = unpacked(run.read(weights_name(epoch)))
    if weights is None:
        raise ValueError(f"{str(run / weights_name(epoch))!r} was damaged; give another --epoch, or restore the file.")
    try:
        lifter.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"The weights of {str(run)!r} were kept by a tips-ray with other networks; use that version.") from error
    return lifter.eval()
