"""Lifters from what campaigns have stored."""

import logging

import numpy as np
import pandas as pd
import torch
from torch import nn

from tips_ray.campaign.checkpoints import read_moments
from tips_ray.campaign.evaluate import config_of, load_window
from tips_ray.config import Config
from tips_ray.data.completion import Prior
from tips_ray.errors import UserError
from tips_ray.lift.card import Card
from tips_ray.lift.kept import keep_lifter, kept_lifter
from tips_ray.lift.lifter import Lifter
from tips_ray.lift.network import Network, network_of
from tips_ray.lifting import networks
from tips_ray.presets import knowledge_by_arm
from tips_ray.provenance import commit
from tips_ray.stability.campaign import LoadedCampaign, load_campaign
from tips_ray.stability.choice import DEFAULT_RULE, Choice, choose_weights
from tips_ray.stability.regret import stops
from tips_ray.store.curves import RUNS
from tips_ray.store.records import MANIFEST
from tips_ray.store.storage import Storage

log = logging.getLogger(__name__)


def lifter_of(campaign: str, arm: str | None = None, rule: str | None = None) -> Lifter:
    """The lifter of an arm of a campaign: of the run that is most plausible without labels, with
    the weights that a stop rule picks (by default an average over the end of training).

    Raises UserError for a folder that is no campaign, for an arm or a rule that it has not, and
    where no run is finished.
    """
    folder = Storage(campaign)
    if not folder.exists(MANIFEST):
        raise UserError(f"There is no lifter and no campaign in {campaign!r}; give a folder of one, as a study printed it.")
    loaded, rule = load_campaign(folder), rule or DEFAULT_RULE
    arms: list[str] = list(loaded.manifest["arms"])
    if arm is None and len(arms) > 1:
        raise UserError(
            f"The campaign {campaign!r} has several arms ({', '.join(arms)}); say which one is to lift: --arm NAME, or"
            " arm=NAME in Python."
        )
    arm = arm or arms[0]
    if arm not in arms:
        raise UserError(f"The campaign {campaign!r} has no arm {arm!r}; it has {', '.join(arms)}.")
    curves = furthest(loaded.curves[loaded.curves["arm"] == arm])
    stopped = stops(curves, [arm])
    rules = sorted(set(stopped["rule"])) if len(stopped) else []
    choice = choose_weights(curves, arm, stopped, rule) if rule in rules else None
    if choice is None:
        known = f"the rules are {', '.join(rules)}" if rules else "none of its runs is finished"
        raise UserError(f"The rule {rule!r} picks no weights of {arm!r} in {campaign!r}: {known}.")
    return trained_lifter(folder, loaded, arm, choice, rule)


def keep_lifters(folder: Storage) -> None:
    """Write a lifter of each arm of a campaign into its folder, as `lifters/ARM/`, with the weights
    to use; where they are there already, or cannot be had, nothing is written."""
    loaded = load_campaign(folder)
    for arm in loaded.manifest["arms"]:
        curves = furthest(loaded.curves[loaded.curves["arm"] == arm])
        choice = choose_weights(curves, arm, stops(curves, [arm])) if len(curves) else None
        kept = kept_lifter(folder, arm)
        if choice is None or (kept and kept.card.has(choice.seed, str(choice.window))):
            continue
        try:
            lifter = trained_lifter(folder, loaded, arm, choice, DEFAULT_RULE)
        except (UserError, FileNotFoundError) as error:  # of weights that were not kept, or with layer norm
            log.info("%s has no lifter of %s: %s", folder, arm, error)
            continue
        keep_lifter(folder, arm, lifter)


def trained_lifter(folder: Storage, loaded: LoadedCampaign, arm: str, choice: Choice, rule: str) -> Lifter:
    """The lifter of an arm of a campaign with the weights that a rule chose."""
    arms = list(loaded.manifest["arms"])
    run, config = folder / RUNS / choice.run, config_of(folder, loaded.manifest, arm)
    curve = loaded.curves[loaded.curves["run"] == choice.run]
    sign = float(curve.loc[curve["epoch"] == choice.last, "depth_sign"].iloc[0])
    known = knowledge_by_arm({name: config_of(folder, loaded.manifest, name) for name in arms})[arm]
    data = loaded.manifest["data"]
    trained = {
        "campaign": loaded.manifest["name"],
        "arm": arm,
        "seed": choice.seed,
        "rule": rule,
        "epochs": str(choice.window),
        "knows_beyond_2d": list(known),
        "data": {name: data[name] for name in ("name", "fingerprint", "synthetic", "train_subjects", "test_subjects")},
        "commit": commit(),
    }
    network = folded(load_window(run, choice.window, config), config, sign)
    parts = {each.part.name: list(each.part.joints) for each in network.parts}
    card = Card(f"{loaded.manifest['name']}-{arm}", parts, network.negative_slope, config.network.mirror_mean, trained=trained)
    return Lifter(network, Prior(*read_moments(run)), card)


def furthest(curves: pd.DataFrame) -> pd.DataFrame:
    """The curves of the runs that have come furthest without diverging."""
    if curves.empty:
        return curves
    length = curves[curves["status"] != "diverged"].groupby("run")["epoch"].max()
    return curves[curves["run"].isin(length[length == length.max()].index)]


def folded(lifter: networks.Lifter, config: Config, sign: float) -> Network:
    """A trained lifter as plain arrays: its norms and its depth sign are part of its linear layers.

    Raises UserError for layer norm, which depends on each pose and is no part of a linear layer.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, generator in lifter.generators.items():
        layers = [folded_layer(module) for module in generator.modules() if isinstance(module, networks.Layer)]
        *_, output = generator.children()
        assert isinstance(output, nn.Linear)
        layers.append((output.weight.double() * sign, output.bias.double() * sign))
        for number, (weight, bias) in enumerate(layers):
            arrays[f"{name}.{number}.weight"] = np.ascontiguousarray(weight.detach().T.float().numpy())
            arrays[f"{name}.{number}.bias"] = bias.detach().float().numpy()
    parts = {part.name: part.joints for part in lifter.parts}
    return network_of(parts, config.network.negative_slope, arrays)


def folded_layer(layer: networks.Layer) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias, in float64, of a linear layer with its norm, as it is outside training."""
    weight = layer.linear.weight.double()
    bias = weight.new_zeros(len(weight)) if layer.linear.bias is None else layer.linear.bias.double()
    norm = layer.norm
    if isinstance(norm, nn.LayerNorm):
        raise UserError("A lifter with layer norm cannot be written as plain layers; train one with another norm.")
    if isinstance(norm, networks.BatchNorm):
        factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        return weight * factor[:, None], (bias - norm.running_mean.double()) * factor + norm.bias.double()
    if isinstance(norm, networks.Affine):
        factor = norm.weight.double()
        return weight * factor[:, None], bias * factor + norm.bias.double()
    return weight, bias
