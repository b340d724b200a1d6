"""A search in words: what was found, and what to be careful about."""

from dataclasses import asdict

import pandas as pd

from tips_ray.config import Weights
from tips_ray.report.search.scores import SCORE_LABELS, score, score_label, with_unit
from tips_ray.report.search.tables import complete_trials, edges, luck_of_the_best, short_names
from tips_ray.report.text import ENOUGH_SEEDS, FEW_SEEDS, data_cautions, few_seeds, mm
from tips_ray.search.confirmation import Confirmation, Gain
from tips_ray.search.summary import SearchSummary
from tips_ray.stability.statistics import Correlation
from tips_ray.wording import counted, listed

NO_ERRORS = "There are no labels here, so nothing below is an error. "


def start_name(summary: SearchSummary) -> str:
    """What the first trial is called: the paper's weights, if it has them and some are searched,
    else the starting config."""
    searched = {path.removeprefix("weights."): value for path, value in summary.baseline.items() if path.startswith("weights.")}
    weights = summary.provenance["config"]["weights"] | searched
    return "the paper's weights" if searched and weights == asdict(Weights()) else "the starting config"


def finding(summary: SearchSummary) -> str:
    """A few sentences: the search's first choice against what it started from, and how much of the
    gain was confirmed."""
    return f"{'' if summary.labelled else NO_ERRORS}{choice_of(summary)}"


def choice_of(summary: SearchSummary) -> str:
    """`finding`, without what it says of labels."""
    complete = complete_trials(summary.trials, summary.objective_columns)
    if complete.empty:
        counts = ", ".join(f"{count:,} {state}" for state, count in summary.counts.items())
        return f"No trial is complete yet{f' ({counts})' if counts else ''}, so there is nothing to rank."
    confirmation = summary.confirmation
    primary = next((gain for gain in confirmation.gains if gain.primary), None) if confirmation else None
    if confirmation and primary:
        choice = f"the search chose {primary.trial}"
        if confirmation.start_led:
            name, start = score_label(summary.objective_columns[0], summary, unit=False), start_name(summary)
            choice = f"none had a lower {name} than {start}, and {primary.trial} was the best of the others"
        return f"Of {searched(complete, summary)}, {choice}. {confirmed(primary, confirmation, summary)}"
    text = lead(complete, summary)
    if confirmation:
        text += " Its confirmation has not ended, so nothing is confirmed yet."
    elif len(complete) > 1 and not complete.iloc[0]["baseline"]:
        text += f" Not confirmed yet: the best of {len(complete)} noisy trials looks better than it is."
    return text


def searched(complete: pd.DataFrame, summary: SearchSummary) -> str:
    """How many trials are complete, and what they vary."""
    fields = listed(list(short_names(list(summary.space)).values()))
    return f"{counted(len(complete), 'complete trial')} over {fields}"


def lead(complete: pd.DataFrame, summary: SearchSummary) -> str:
    """What the search alone says."""
    best, start, number = complete.iloc[0], start_name(summary), len(complete)
    column = summary.objective_columns[0]
    name = score_label(column, summary, unit=False)
    if number == 1:
        only = start if best["baseline"] else best["trial"]
        value = with_unit(best[column], column)
        return f"One trial has finished so far, {only}: {name} {value}. There is nothing to compare it with."
    of = f"Of {searched(complete, summary)},"
    if best["baseline"]:
        return f"{of} none has a lower {name} than {start} ({with_unit(best[column], column)})."
    front = " of the Pareto front" if len(summary.objective_columns) > 1 else ""
    text = f"{of} {best['trial']} has the lowest {name}{front}, {with_unit(best[column], column)}"
    starts = complete[complete["baseline"] & (complete["search"] == best["search"])]
    if starts.empty:
        return f"{text}; the trial with {start} is not complete, so there is no gain to state."
    text += f" against {with_unit(starts[column].iloc[0], column)} with {start}"
    if column != summary.score:
        difference = starts[summary.score].iloc[0] - best[summary.score]
        if pd.notna(difference):
            text += f"; its error is {mm(abs(difference))} mm {'lower' if difference > 0 else 'higher'}"
    return f"{text}."


def confirmed(primary: Gain, confirmation: Confirmation, summary: SearchSummary) -> str:
    """How the search's first choice does on fresh seeds and subjects, and what is left of its
    gain."""
    start, trial, baseline = start_name(summary), primary.trial, confirmation.baseline
    gain, before, column = primary.confirmed_gain, primary.search_gain.mean, summary.score
    fresh = "on fresh seeds and subjects that it never saw" if summary.labelled else "on fresh seeds"
    if gain.mean is None or baseline is None:
        return f"No fresh seed was finished by both {trial} and {start}: there is no gain to state."
    had = "" if before is None else f"; the search had it at {with_unit(before, column, sign=True)}"
    if gain.low is None or gain.high is None:
        return (
            f"On the one fresh seed that both finished, {trial} gains {with_unit(gain.mean, column, sign=True)} over"
            f" {start}{had}: n = 1 seed, no interval, so this may be luck."
        )
    few = "" if gain.n >= FEW_SEEDS else ", too few to be sure"
    ends = f"{score(gain.low, column, sign=True)} to {with_unit(gain.high, column, sign=True)}"
    interval = f"95% interval {ends}, n = {gain.n} seeds{few}"
    difference = with_unit(abs(gain.mean), column)
    if summary.labelled:
        errs = f"{fresh}, {trial} errs by {difference} {'less' if gain.mean > 0 else 'more'} than {start}"
    else:
        less = "below" if gain.mean > 0 else "above"
        errs = f"{fresh}, the {SCORE_LABELS[column]} of {trial} is {difference} {less} that of {start}"
    if "error_mm" not in summary.objective_columns and summary.oracle:  # it was searched for something else
        text = f"{errs[0].upper()}{errs[1:]} ({interval})."
    elif gain.low > 0 and primary.num_diverged > baseline.num_diverged:
        text = f"Not confirmed: {errs} where both finished ({interval}), but more of its seeds diverged."
    elif gain.low > 0:
        part = f", {gain.mean / before:.0%} of its gain in the search" if before and before > gain.mean else had
        text = f"Confirmed: {errs} ({interval}){part}."
    elif gain.high < 0:
        text = f"Refuted: {errs} (gain {interval}){had}."
    else:
        shown = "No weighting was shown to beat the paper's" if "weights" in start else f"Nothing was shown to beat {start}"
        text = f"{shown}: {fresh}, {trial} gains {with_unit(gain.mean, column, sign=True)} ({interval}){had}."
    instability, of_start = primary.instability_mm, baseline.instability_mm
    if "instability_mm" in summary.objective_columns and instability is not None and of_start is not None:
        text += f" Its instability there is {instability:.2f} mm, against {of_start:.2f} mm (no interval)."
    return text


NO_LABELS = (
    "The objective is measured without labels, on the poses that were trained on. Whether a trial with a lower one errs less"
    " cannot be seen here; a search on labelled poses says how alike the two orders are there."
)


def cautions(summary: SearchSummary) -> list[str]:
    """What limits the finding; one sentence or two each."""
    sentences = data_cautions(summary.data)
    complete = complete_trials(summary.trials, summary.objective_columns)
    counts, data = summary.counts, summary.data
    if not summary.labelled:
        sentences.append(NO_LABELS)
    if len(complete) and summary.score == "signals" and complete["signals"].iloc[0] >= 1:
        sentences.append("The best trial's mean of signals is no lower than the flat pose's, about 1, which needs no training.")
    if len(complete) and summary.flat is not None and complete["error_mm"].iloc[0] >= summary.flat:
        sentences.append(
            f"The best trial errs no less than the flat prediction ({mm(summary.flat)} mm), which needs no training."
        )
    if summary.oracle:
        sentences.append(
            "The objective needs 3D labels: this search is an oracle. It says which weights are good, not how to find them where"
            " there are no labels."
        )
    if len(complete) > 1 and summary.score in summary.objective_columns:
        luck = luck_of_the_best(complete, summary.score)
        by = ""
        if luck is not None:
            by = (
                f" If all were equally good, the best would still look up to about {with_unit(luck, summary.score)} better than"
                " they are, by the spread between a trial's seeds."
            )
        sentences.append(f"The best was picked among {len(complete):,} trials by a noisy score, which is therefore too good.{by}")
    if len(complete) and summary.num_seeds == 1:
        sentences.append(
            "Each trial has one seed: luck of the seed and merit of the weights cannot be told apart within a trial."
        )
    if data.get("test_subjects"):
        kept = f" Subjects {listed(data['left_out_subjects'])} were kept from it." if data.get("left_out_subjects") else ""
        sentences.append(
            f"Errors of the search are on the validation subjects {listed(data['test_subjects'])}: no run trained on them, but"
            f" the weights were chosen on them.{kept}"
        )
    if summary.confirmation:
        sentences += confirmation_cautions(summary.confirmation, complete)
    if counts.get("pruned"):
        sentences.append(
            f"Stopped early by a pruner: {counted(counts['pruned'], 'trial')}. A score of fewer epochs is not"
            " comparable, so they are in no ranking, front or importance."
        )
    lost = [f"{counted(counts[state], 'trial')} {state}" for state in ("diverged", "failed", "unfinished") if counts.get(state)]
    if lost:
        sentences.append(f"{', '.join(lost)}: listed below, and in no ranking, front or importance.")
    if len(complete):
        best = complete.iloc[0]
        if not best["baseline"] and (near := edges(best, summary.space)):
            sentences.append(
                f"The best trial lies at the edge of the searched range of {listed(near)}: better values may lie beyond it."
            )
    return sentences


def agreement(summary: SearchSummary) -> str:
    """Whether the label-free scores order the trials as the error does; nothing where there are too
    few."""
    correlations = {"label_free": summary.label_free_and_error, "signals": summary.signals_and_error}
    return " ".join(filter(None, (score_agreement(SCORE_LABELS[name], over) for name, over in correlations.items())))


def score_agreement(name: str, correlation: Correlation) -> str:
    """Whether one label-free score orders the trials as the error does."""
    if correlation.rank_correlation is None or correlation.low is None or correlation.high is None:
        return ""
    if correlation.low > 0:
        meaning = "trials with a lower score tend to err less"
    elif correlation.high < 0:
        meaning = "trials with a lower score tend to err more: it would choose the wrong ones"
    else:
        meaning = "it cannot be told whether choosing by it, without labels, would help or harm"
    numbers = f"{correlation.rank_correlation:+.2f} (Spearman; 95% interval {correlation.low:+.2f} to {correlation.high:+.2f})"
    return (
        f"Over {correlation.n:,} complete trials the {name} and the error have a rank correlation of"
        f" {numbers.replace('-', '−')}: {meaning}."
    )


def confirmation_cautions(confirmation: Confirmation, complete: pd.DataFrame) -> list[str]:
    """What to know about the confirmation."""
    if confirmation.baseline is None:
        return []
    sentences = []
    n = min((gain.confirmed_gain.n for gain in confirmation.gains), default=0)
    if 1 < n < ENOUGH_SEEDS:
        sentences.append(few_seeds(n))
    lost = {"the start": confirmation.baseline.num_diverged} | {gain.trial: gain.num_diverged for gain in confirmation.gains}
    if any(lost.values()):
        diverged = listed([f"{count} of {name}" for name, count in lost.items() if count])
        sentences.append(
            f"Fresh seeds that diverged, and are in no gain or error: {diverged} (of {confirmation.num_seeds} each)."
        )
    tested = [gain.trial for gain in confirmation.gains if gain.primary]
    now = complete.loc[~complete["baseline"], "trial"].tolist()[:1]
    if tested and now and now != tested:
        sentences.append(f"The search went on after its confirmation: {tested[0]} was its first choice then, {now[0]} is now.")
    others = sum(not gain.primary for gain in confirmation.gains)
    if others:
        sentences.append(
            f"The search's first choice is the one that the confirmation tests; the"
            f" {counted(others, 'other trial')} in it are further looks, and the best of them would again be picked by luck."
        )
    return sentences
