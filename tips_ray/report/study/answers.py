"""The answer of a report: what to take of each arm and what it costs, in a sentence, and what
speaks against it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tips_ray.stability.answers import Answer, Caution
from tips_ray.stability.early import EarlyStops
from tips_ray.stability.regret import MedianRegret
from tips_ray.stability.rules import Last


@dataclass(frozen=True)
class Unit:
    """How errors are written."""

    name: str = "mm"
    digits: int = 1

    def number(self, value: float | None, sign: bool = False) -> str:
        """A number without its unit, with a true minus sign; a dash where there is none."""
        if value is None:
            return "–"
        rounded = round(value, self.digits) + 0.0  # which has no negative zero
        return f"{rounded:{'+' if sign else ''}.{self.digits}f}".replace("-", "−")

    def size(self, value: float | None, sign: bool = False) -> str:
        """A number with its unit."""
        return f"{self.number(value, sign)} {self.name}".rstrip()


MILLIMETRES = Unit()


def unit_of(name: str, size: float) -> Unit:
    """A unit for errors of about this size, which are written with three digits."""
    return Unit(name, max(0, 2 - math.floor(math.log10(abs(size))))) if size else Unit(name)


def answer_sentences(answers: Mapping[str, Answer], unit: Unit = MILLIMETRES) -> list[str]:
    """What to take of each arm, and what that and the last epoch cost."""
    return [answer_sentence(arm, answer, unit) for arm, answer in answers.items()]


def answer_sentence(arm: str, answer: Answer, unit: Unit) -> str:
    """What to take of one arm."""
    is_last = answer.rule == Last().name
    what = "the last epoch" if is_last else f"“{answer.rule}”"
    worst = f", at worst {unit.number(answer.regret_mm.worst)}" if answer.n > 1 else ""
    last = "" if is_last else f"; the last epoch costs {with_ends(answer.last_epoch_mm, unit)}"
    runs = f"n = {answer.n} runs" if answer.n > 1 else "n = 1 run, no interval"
    early = " Training ended too early to be sure." if {"too early", "still falling"} & {*answer.cautions} else ""
    cost = f"{against_best(answer.regret_mm, unit)}{worst} ({runs}){last}"
    return f"For {arm}, take {what}: {cost}.{early} {used_labels(answer, unit)}"


def against_best(regret: MedianRegret, unit: Unit) -> str:
    """A regret as it ends "take this: "."""
    if regret.median is None:
        return "what it costs is not known"
    if unit.number(regret.median).startswith("−"):
        low, high = (None if end is None else -end for end in (regret.high, regret.low))
        return f"{with_ends(MedianRegret(-regret.median, None, None, low, high), unit)} below the best epoch"
    return f"{with_ends(regret, unit)} above the best epoch"


def with_ends(regret: MedianRegret, unit: Unit) -> str:
    """A median and its interval."""
    span = "" if regret.low is None else f" ({unit.number(regret.low)} to {unit.number(regret.high)})"
    return f"{unit.size(regret.median)}{span}"


def used_labels(answer: Answer, unit: Unit) -> str:
    """Whose labels chose the rule, as a sentence."""
    if not answer.labels:
        return "This choice used no 3D label of these poses."
    if answer.in_hindsight:
        return f"This choice used {answer.labels} of the same run, in hindsight: one run cannot say what choosing a rule costs."
    if answer.chosen_by_others_mm is None:
        return f"This choice used {answer.labels}."
    cost = with_ends(answer.chosen_by_others_mm, unit)
    worst = unit.number(answer.chosen_by_others_mm.worst)
    return (
        f"This choice used {answer.labels}. A rule that is chosen for each run by the other runs alone costs {cost}, at worst"
        f" {worst}."
    )


def early_sentences(stops: Mapping[str, EarlyStops]) -> list[str]:
    """What ending runs by a stop rule saved and costs, a sentence an arm."""
    sentences = []
    for arm, early in stops.items():
        if not early.ends:
            sentences.append(f"“{early.rule}” ended no run of {arm}.")
            continue
        first, last = min(early.ends.values()), max(early.ends.values())
        when = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        cost = ""
        if early.regret_mm is not None:
            against = against_best(early.regret_mm, MILLIMETRES).replace("best epoch", "best epoch up to there")
            cost = f" The epoch that it names is {against}, at worst {MILLIMETRES.size(early.regret_mm.worst)}."
        sentences.append(
            f"“{early.rule}” ended {len(early.ends)} runs of {arm} at {when} of {early.num_epochs}, which saved"
            f" {early.saved_share:.0%} of the epochs.{cost} What later epochs would have brought is not known."
        )
    return sentences


def answer_cautions(
    answers: Mapping[str, Answer],
    epochs: Mapping[str, tuple[float | None, int]],
    unit: Unit = MILLIMETRES,
    names: Mapping[int, str] | None = None,
    mixed: Mapping[str, str] | None = None,
) -> list[str]:
    """What speaks against each answer, a sentence each; `epochs` has the mean best epoch and the
    number of epochs of each arm, `names` those of runs where they are not their seeds, `mixed` in
    words which runs have mixed signs."""
    sentences = []
    for arm, answer in answers.items():
        best, end = epochs[arm]
        worst = f"seed {answer.worst_seed}" if names is None else names.get(answer.worst_seed or 0, "")
        change = answer.change_over_last_half_mm
        size = unit.size(None if change is None else abs(change))
        texts: dict[Caution, str] = {
            "too early": (
                f"Training ended too early to say when {arm} should stop: the error was lowest at epoch {best or 0:.1f} of {end}"
                " on average, so it may have gone on falling."
            ),
            "still falling": (
                f"Training ended too early to say when {arm} should stop: the error still fell by {size} over the last half."
            ),
            "rising": f"The error of {arm} rose by {size} over the last half of training: do not train on blindly.",
            "worse than flat": (
                f"{answer.worse_than_flat.count} of {answer.worse_than_flat.n} runs of {arm} are no better than the flat"
                " prediction where the rule stops."
            ),
            "mixed signs": (
                f"{answer.mixed_signs.count} of {answer.mixed_signs.n} runs of {arm} end with mixed depth signs"
                f"{f' ({mixed[arm]})' if mixed else ''}: their poses are partly inside out."
            ),
            "bad worst run": (
                f"The rule of {arm} costs up to {unit.size(answer.regret_mm.worst)} in one run ({worst}): a single run may"
                " fare as badly."
            ),
        }
        sentences += [texts[caution] for caution in answer.cautions]
    return sentences
