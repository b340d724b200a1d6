"""Lifters that a campaign has saved, evaluated on other poses."""

from collections.abc import Collection
from typing import Any

import pandas as pd
import torch

from tips_ray.campaign.checkpoints import SUFFIX, WEIGHTS, form_of, unpacked, weights_name
from tips_ray.columns import METRICS
from tips_ray.config import Config, override, parts_of
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import labelled_views
from tips_ray.errors import UserError
from tips_ray.lifting.evaluate import errors, flat_errors, lift_views
from tips_ray.lifting.networks import Lifter
from tips_ray.presets import knowledge_by_arm
from tips_ray.stability.campaign import load_campaign
from tips_ray.stability.regret import rules_for
from tips_ray.stability.rule_sets import standard_rules
from tips_ray.stability.stopping import Curve, Oracle, Window
from tips_ray.stability.teachers import kept_window
from tips_ray.store.curves import RUNS
from tips_ray.store.names import epochs_of
from tips_ray.store.records import MANIFEST, read_manifest
from tips_ray.store.storage import Storage

NAMES = tuple(rule.name for rule in standard_rules(1))
"""Of stop rules, which are the same for all lengths."""
EPOCHS = "last, best (an oracle: chosen by the error on the campaign's own test poses), a number, or a stop rule by name"


def evaluate_saved(folder: Storage, poses: PoseSet | KeypointSet, epoch: str = "last", num_views: int = 1) -> pd.DataFrame:
    """Errors in mm of every run of a campaign on other poses, rendered or as real cameras saw them
    (keypoints that are paired with poses): one row a run, with arm, seed, the
    epochs whose weights were taken (`first` to `epoch`, and `window` in words), and the metrics.

    `epoch` is "last", "best" (of those whose weights were kept; an oracle), a number, or the name
    of a stop rule, of which runs that diverged, or lack what the rule looks at, are left out. The
    depth sign is the one that anatomy voted for on the campaign's training poses at the last of the
    epochs. Raises ValueError for what no run has kept.
    """
    campaign = load_campaign(folder)
    curves = campaign.curves
    by_rule = not (epoch in ("last", "best") or epoch.isdecimal())
    if by_rule:
        curves = curves[~curves["run"].isin(curves.loc[curves["status"] == "diverged", "run"])]
    rows = []
    for (arm, seed, name), curve in curves[curves["status"] != "diverged"].groupby(["arm", "seed", "run"], sort=False):
        config, run = config_of(folder, campaign.manifest, str(arm)), folder / RUNS / str(name)
        if by_rule and epoch in NAMES and epoch not in [rule.name for rule in rules_for(Curve(curve))]:
            continue
        window = choose_window(curve, epoch, kept_epochs(run))
        views = labelled_views(poses, num_views, config.data)
        sign = float(curve["depth_sign"].iloc[window.last - 1])
        found = errors(lift_views(load_window(run, window, config), views), views, sign)
        rows.append({"arm": arm, "seed": seed, "first": window.first, "epoch": window.last, "window": str(window), **found})
    if not rows:
        raise UserError(
            f"The campaign {str(folder)!r} has no run with an epoch {epoch!r} to evaluate; train it, or give another."
        )
    return pd.DataFrame(rows)


def config_of(folder: Storage, manifest: dict[str, Any], arm: str) -> Config:
    """The config of an arm by the record of its campaign; raises UserError if it has none."""
    if arm not in manifest["arms"]:
        raise UserError(
            f"The record {str(folder / MANIFEST)!r} has no arm {arm!r}, of which there are runs; restore the record, or delete"
            " those runs."
        )
    return override(Config(), manifest["arms"][arm])


def knowledge_of(folder: Storage, manifest: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What each arm of a campaign knows beyond 2D poses, by the campaign's record."""
    return knowledge_by_arm({arm: config_of(folder, manifest, arm) for arm in manifest["arms"]})


def flat_reference(folder: Storage, poses: PoseSet | KeypointSet, num_views: int) -> dict[str, float]:
    """Errors of the flat prediction on the same views."""
    config = override(Config(), next(iter(read_manifest(folder)["arms"].values())))
    found = flat_errors(labelled_views(poses, num_views, config.data))
    return {metric: found[metric] for metric in METRICS}


def choose_window(curve: pd.DataFrame, epoch: str, kept: Collection[int]) -> Window:
    """What `epoch` names of a run, by its curve and the epochs whose weights were kept."""
    run = str(curve["run"].iloc[0])
    known = sorted(at for at in kept if at <= len(curve))
    if not known:
        raise UserError(f"The run {run!r} has kept no weights; train it for at least one epoch.")
    if epoch == "last":
        return Window(known[-1], known[-1])
    if epoch.isdecimal() and int(epoch) in known:
        return Window(int(epoch), int(epoch))
    if epoch == "best" or epoch in NAMES:
        return kept_window(curve, Oracle().name if epoch == "best" else epoch, known)
    raise UserError(
        f"The run {run!r} has kept no weights of epoch {epoch!r}; give {EPOCHS} (kept: {known[0]} to {known[-1]}, {len(known)} in"
        f" all; rules: {', '.join(NAMES)})."
    )


def load_window(run: Storage, window: Window, config: Config) -> Lifter:
    """The lifter of a run after an epoch, or with the average of the weights of a window's epochs,
    statistics of norms included.

    Of a window, the epochs whose weights were kept. Raises ValueError if those of its last epoch
    were not.
    """
    kept = kept_epochs(run)
    if window.last not in kept:
        have = f"those of {len(kept)} epochs, {min(kept)} to {max(kept)}" if kept else "none"
        raise UserError(f"{str(run)!r} has kept no weights of epoch {window.last} (but {have}); give another epoch.")
    epochs = [epoch for epoch in range(window.first, window.last + 1) if epoch in kept]
    lifter = load_lifter(run, epochs[-1], config)
    if len(epochs) == 1:
        return lifter
    shares = [1.0 if window.half_life is None else 0.5 ** ((window.last - epoch) / window.half_life) for epoch in epochs]
    total: dict[str, torch.Tensor] = {}
    for epoch, share in zip(epochs, shares, strict=True):
        for name, value in load_lifter(run, epoch, config).state_dict().items():
            total[name] = total.get(name, 0.0) + value.double() * (share / sum(shares))
    lifter.load_state_dict({name: value.float() for name, value in total.items()})
    return lifter.eval()


def kept_epochs(run: Storage) -> set[int]:
    """Epochs of a run whose weights were kept."""
    return set(epochs_of(run.names(WEIGHTS), SUFFIX))


def load_lifter(run: Storage, epoch: int, config: Config) -> Lifter:
    """The lifter of a run as it was after an epoch; raises UserError for weights that were damaged
    on disk, or are of other networks than the config's.
    """
    lifter = Lifter(parts_of(config), config.network)
    file = repr(str(run / weights_name(epoch)))
    weights = unpacked(run.read(weights_name(epoch)))
    if weights is None or form_of(weights) is None:
        raise UserError(f"{file} is damaged; restore it, or delete it to go without that epoch.")
    if form_of(weights) != form_of(lifter.state_dict()):
        raise UserError(f"{file} has the weights of other networks; restore it, or delete it to go without that epoch.")
    lifter.load_state_dict(weights)
    return lifter.eval()
