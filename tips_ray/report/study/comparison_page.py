"""The page of `tips-ray compare`: several studies beside each other, in one file that opens
offline."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from tips_ray.columns import HEADLINE_METRIC, METRICS
from tips_ray.report.base import LONG_TABLE, filled
from tips_ray.report.study import figures, tables
from tips_ray.report.style import arm_colours
from tips_ray.report.text import ENOUGH_SEEDS, FEW_SEEDS, SYNTHETIC, ends_of_size, few_seeds, mm
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.comparison import ComparedPair, Comparison, label_of_arm

STATISTIC_LABELS = {"best": "best epoch (oracle)", "last_half": "last half", "last": "last epoch"}
MOST_DRAWN = 12
"""Curves in a figure."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""An arm has one colour in all studies, and a study one kind of line."""


def render_comparison(comparison: Comparison, campaigns: Mapping[str, LoadedCampaign]) -> str:
    """The page as HTML text."""
    by_arm = arm_colours(list(dict.fromkeys(entry.arm for entry in comparison.arms)))
    colours = {label_of_arm(entry.study, entry.arm): by_arm[entry.arm] for entry in comparison.arms}
    return filled(
        "study/comparison.html.j2",
        draw(comparison, campaigns, colours),
        title="Comparison",
        campaign=" against ".join(comparison.studies),
        answers=findings(comparison),
        finding="",
        cautions=cautions(comparison),
        comparison=comparison,
        statistics=STATISTIC_LABELS,
        pairs=[pair for pair in comparison.paired if pair.metric == HEADLINE_METRIC],
        label=label_of_arm,
        colours=colours,
        synthetic=comparison.synthetic,
        long_table=LONG_TABLE,
        known={},
        costs=[],
    )


def draw(comparison: Comparison, campaigns: Mapping[str, LoadedCampaign], colours: Mapping[str, str]) -> dict[str, go.Figure]:
    """Errors and regrets by epoch, of the arms that are compared with another."""
    compared = {(pair.study_a, pair.a) for pair in comparison.paired} | {(pair.study_b, pair.b) for pair in comparison.paired}
    shown = [(entry.study, entry.arm) for entry in comparison.arms if (entry.study, entry.arm) in compared][:MOST_DRAWN]
    curves = labelled_curves(campaigns, shown)
    metrics = [metric for metric in METRICS if metric in curves]
    if not metrics:
        return {}
    bands = {metric: tables.seed_band(curves, metric) for metric in metrics}
    lines = {metric: tables.seed_lines(curves, metric) for metric in metrics}
    drawn = {
        "errors": figures.draw_error_curves(bands, lines, {metric: {} for metric in metrics}, colours, comparison.synthetic),
        "regret": figures.draw_regret(tables.regret_table(curves), tables.regret_lines(curves), colours, comparison.synthetic),
    }
    dashes = {label_of_arm(study, arm): DASHES[comparison.studies.index(study) % len(DASHES)] for study, arm in shown}
    for figure in drawn.values():
        figure.for_each_trace(lambda trace: trace.update(line_dash=dashes[trace.legendgroup]))
    return drawn


def labelled_curves(campaigns: Mapping[str, LoadedCampaign], shown: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """The curves of some arms, each as (study, arm), with arms named after their studies too."""
    parts = []
    for study, arm in shown:
        curves = campaigns[study].curves
        label = label_of_arm(study, arm)
        few = curves.loc[curves["arm"] == arm].reindex(columns=["run", "seed", "epoch", "status", *METRICS])
        parts.append(few.dropna(axis="columns", how="all").assign(arm=label))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def findings(comparison: Comparison) -> list[str]:
    """How the arms of the other studies fare against those of the first, over the last half of
    training; a sentence each. Of studies that share no arm with the first, against each other."""
    first = comparison.studies[0]
    pairs = [pair for pair in comparison.paired if pair.metric == HEADLINE_METRIC and pair.statistic == "last_half"]
    against_first = [pair for pair in pairs if pair.study_a == first]
    sentences = [pair_sentence(pair) for pair in against_first or pairs]
    return sentences or ["No study has an arm with a finished run, so there is nothing to compare."]


def pair_sentence(pair: ComparedPair) -> str:
    """A paired difference in words."""
    a, b = label_of_arm(pair.study_a, pair.a), label_of_arm(pair.study_b, pair.b)
    if pair.difference is None:
        return f"{a} and {b} share no finished seed, so they cannot be paired; their means stand in the table below."
    size = f"{mm(abs(pair.difference))} mm"
    less, more = (a, b) if pair.difference < 0 else (b, a)
    if pair.low is None or pair.high is None:
        return f"{less} errs by {size} less than {more} on the one seed that both have: n = 1, no interval, so this may be luck."
    if pair.low <= 0 <= pair.high:
        return (
            f"{a} and {b} cannot be told apart: the difference is {mm(pair.difference, sign=True)} mm (95% interval"
            f" {mm(pair.low, sign=True)} to {mm(pair.high, sign=True)} mm, n = {pair.n} shared seeds)."
        )
    ends = ends_of_size(pair.low, pair.high)
    few = "" if pair.n >= FEW_SEEDS else ", too few to be sure"
    return f"{less} errs by {size} less than {more} (95% interval {ends} mm, n = {pair.n} shared seeds{few})."


def cautions(comparison: Comparison) -> list[str]:
    """What limits the comparison; one sentence or two each."""
    sentences = [SYNTHETIC.replace("The poses", "Some of the poses")] if comparison.synthetic else []
    if not comparison.same_poses:
        sentences.append(
            "The studies were not trained and tested on the same poses: a difference may be one of the poses, and pairing by seed"
            " removes less of the chance."
        )
    counts = [pair.n for pair in comparison.paired if pair.metric == HEADLINE_METRIC and pair.n > 1]
    if counts and min(counts) < ENOUGH_SEEDS:
        sentences.append(few_seeds(min(counts)))
    epochs = {(entry.study, entry.arm): entry.num_epochs for entry in comparison.arms}
    if any(epochs[pair.study_a, pair.a] != epochs[pair.study_b, pair.b] for pair in comparison.paired if pair.n):
        sentences.append(
            "Arms that are compared have different numbers of epochs; a paired difference uses those that both have."
        )
    for entry in comparison.arms:
        if entry.num_diverged:
            name = label_of_arm(entry.study, entry.arm)
            sentences.append(f"{entry.num_diverged} of {entry.num_seeds} runs of {name} diverged and are left out of all means.")
    if comparison.made or comparison.configs:
        names = [*(entry.setting.name for entry in comparison.configs), *(row.name for row in comparison.made)]
        if len(dict.fromkeys(names)) > 1:
            sentences.append("More than one thing differs between these studies: no number here says which of them matters.")
    else:
        sentences.append("Nothing that is recorded differs between these studies: what differs is chance.")
    return sentences
