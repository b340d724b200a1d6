"""A summary in words and in one table: what was found, what to be careful about, and the numbers
beside the paper's."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.report.study.answers import answer_cautions
from tips_ray.report.study.run_tables import failing_sentences, seeds_in_words
from tips_ray.report.text import ENOUGH_SEEDS, FEW_SEEDS, beyond_2d, data_cautions, ends_of_size, few_seeds, mm, of_n, span
from tips_ray.stability.distillation import StudentComparison
from tips_ray.stability.statistics import STATISTICS, Interval, PairedDifference
from tips_ray.stability.summary import ArmSummary, Summary

REFLECTED_METRIC = "p_mpjpe_reflected_mm"

PAPER = {
    "solo": {"best": "52.6", "last_half": "64.3 ± 6.2", "last": "70.2"},
    "legs + torso": {"best": "43.8", "last_half": "45.4 ± 1.1", "last": "45.2"},
    "TIPS (distilled)": {"best": "43.2"},
}
"""The paper's P-MPJPE on Human3.6M in mm: table 1 (best epoch) and section 4.3 (last half: epochs
400 to 800)."""


def finding(summary: Summary) -> str:
    """What comes after the answers, in a sentence or two: the two best arms over the last half of
    training, and a student against its teachers, with their intervals.

    Where there are no such numbers: which there are instead, or why there are none.
    """
    return " ".join([*rivals_finding(summary), *student_finding(summary)]) or unranked_finding(summary)


def unranked_finding(summary: Summary) -> str:
    """The finding where no two arms can be compared: errors of students and supervised arms, or why
    there are none."""
    sentences = []
    for kind, arms in (("student", summary.arms), ("supervised arm", summary.supervised)):
        for name, arm in arms.items():
            error = arm.last_half[HEADLINE_METRIC]
            if error.n:
                sentences.append(f"The {kind} {name} errs by {mm(error.mean)} mm ({span(error)}) over the last half of training.")
    if sentences:
        return " ".join([*sentences, "No other arm has finished an epoch, so there is nothing to compare."])
    arms = [*summary.arms.values(), *summary.supervised.values()]
    num_runs = sum(arm.num_seeds for arm in arms)
    if num_runs and num_runs == sum(len(arm.diverged) for arm in arms):
        which = "The only run" if num_runs == 1 else f"All {num_runs} runs"
        return f"{which} diverged, so there is nothing to compare; a lower --optimiser.learning-rate may help."
    return "No run has finished an epoch yet, so there is nothing to compare."


def student_finding(summary: Summary) -> list[str]:
    """Whether a student beats its teachers: the first that learns from runs of its own seed, by no
    oracle, or else the first.

    Nothing where none has been trained, or its teachers were not measured.
    """

    def shares(comparison: StudentComparison) -> bool:
        card = summary.teachers.get(comparison.a)
        return card is None or card.oracle or card.teacher.runs != "own"

    for student in sorted(summary.distillation, key=shares):
        if student.kind == "teacher" and student.n:
            size = f"{mm(student.difference, sign=True)} mm"
            if student.low is None or student.high is None:
                return [f"At its last epoch, {student.a} errs by {size} against its teachers: n = 1 seed, no interval."]
            size += f" (95% interval {mm(student.low, sign=True)} to {mm(student.high, sign=True)} mm, n = {student.n} seeds"
            size += ")" if student.n >= FEW_SEEDS else ", too few to be sure)"
            if student.low <= 0 <= student.high:
                return [f"At its last epoch, {student.a} cannot be told apart from its teachers: {size}."]
            return [f"At its last epoch, {student.a} errs {'less' if student.high < 0 else 'more'} than its teachers: {size}."]
    return []


def rivals_finding(summary: Summary) -> list[str]:
    """The two best arms that are no students; nothing where none has finished an epoch."""
    errors = {name: summary.arms[name].last_half[HEADLINE_METRIC] for name in summary.shown if name not in summary.students}
    means = {name: error.mean for name, error in errors.items() if error.mean is not None}
    arms = sorted(means, key=means.__getitem__)
    if not arms:
        return []
    if len(arms) == 1:
        error = f"Over the last half of training, {arms[0]} errs by {mm(means[arms[0]])} mm ({span(errors[arms[0]])})"
        return [f"{error}; there is no other arm to compare it with."]
    return [pair_finding(summary, arms)]


def pair_finding(summary: Summary, arms: Sequence[str]) -> str:
    """The first two of some arms, compared by their paired difference."""
    pair = next(pair for pair in pairs(summary, "last_half") if {pair.a, pair.b} == set(arms[:2]))
    if pair.difference is None:
        return f"{arms[0]} and {arms[1]} share no finished seed, so they cannot be compared yet."
    lower, higher = (pair.a, pair.b) if pair.difference < 0 else (pair.b, pair.a)
    size = mm(abs(pair.difference))
    if pair.low is None or pair.high is None:
        return (
            f"Over the last half of training, {lower} errs by {size} mm less than {higher} on the one seed that both finished:"
            " n = 1 seed, no interval, so this may be luck."
        )
    if pair.low <= 0 <= pair.high:
        return (
            f"Over the last half of training, {pair.n} seeds cannot tell {lower} and {higher} apart: {pair.a} − {pair.b}"
            f" is {mm(pair.difference, sign=True)} mm"
            f" (95% interval {mm(pair.low, sign=True)} to {mm(pair.high, sign=True)} mm)."
        )
    ends, few = ends_of_size(pair.low, pair.high), "" if pair.n >= FEW_SEEDS else ", too few to be sure"
    return (
        f"Over the last half of training, {lower} errs by {size} mm less than {higher}"
        f" (95% interval of the paired difference {ends} mm, n = {pair.n} seeds{few})."
    )


def pairs(summary: Summary, statistic: str | None = None) -> list[PairedDifference]:
    """The paired differences of the headline metric, but for those of variants; of one statistic
    only if given."""
    of_metric = [pair for pair in summary.paired if pair.metric == HEADLINE_METRIC and pair.a not in summary.hidden]
    return [pair for pair in of_metric if statistic in (None, pair.statistic)]


def cautions(summary: Summary) -> list[str]:
    """What limits the finding; one sentence or two each."""
    sentences = [*summary.left_out, *data_cautions(summary.data)]
    arms = {name: summary.arms[name] for name in summary.shown if summary.arms[name].num_seeds}
    sentences += failing_sentences(arms)
    for name, arm in arms.items():
        if arm.diverged:
            sentences.append(
                f"{len(arm.diverged)} of {arm.num_seeds} runs of {name} diverged"
                f" ({seeds_in_words([run.seed for run in arm.diverged])}). Such runs are left out of the means, which may flatter"
                f" {name}."
            )
    for name, arm in arms.items():
        ahead = [run.epochs for run in arm.runs if run.status != "diverged" and run.epochs > arm.num_epochs]
        if ahead:
            excepted = " that are not left out" if arm.begun else ""
            sentences.append(
                f"{len(ahead)} of {arm.num_seeds} runs of {name} are further than epoch {arm.num_epochs}, up to"
                f" {max(ahead)}; the numbers of {name} use only the epochs that all its runs have{excepted}."
            )
    epochs = {name: (arm.best_epoch.mean, arm.num_epochs) for name, arm in arms.items()}
    mixed = {name: seeds_in_words([run.seed for run in arm.runs if run.mixed_signs]) for name, arm in arms.items()}
    sentences += answer_cautions(summary.answers, epochs, mixed=mixed)
    counts = [arm.last_half[HEADLINE_METRIC].n for arm in arms.values()]
    few = min((n for n in counts if n > 1), default=ENOUGH_SEEDS)
    if few < ENOUGH_SEEDS:
        sentences.append(few_seeds(few))
    for student, card in summary.teachers.items():
        teacher = card.teacher.arm
        if card.oracle:
            sentences.append(f"{student} learns from an oracle: 3D labels chose its teachers' epochs.")
        if teacher in summary.arms and summary.arms[teacher].num_epochs > card.num_epochs:
            sentences.append(
                f"{student} learns from {teacher} as it was after {card.num_epochs} epochs; it has"
                f" {summary.arms[teacher].num_epochs} by now."
            )
        if card.teacher.runs != "own":
            sentences.append(
                f"All students of {student} share one teacher: its intervals hold the chance of the students alone, not that of"
                " other teachers, and are too narrow."
            )
    for name, rules in summary.unmeasured_rules.items():
        if name in summary.hidden:
            continue
        count, verb = (f"{len(rules)} stop rules", "are") if len(rules) > 1 else ("One stop rule", "is")
        sentences.append(
            f"{count} of {name} {verb} left out below: the averages of weights that they name have not been measured."
        )
    flat = summary.references.get("flat", {}).get(HEADLINE_METRIC)
    for name, arm in arms.items():
        error = arm.last_half[HEADLINE_METRIC]
        if flat is not None and error.mean is not None and (error.high or error.mean) >= flat:
            sentences.append(
                f"{name} is not shown to be better than the flat prediction ({mm(flat)} mm), which needs no training."
            )
    unequal = unequal_epochs(summary)
    if unequal:
        sentences.append(f"The arms stand at different epochs ({unequal}); a paired difference uses those that both arms have.")
    return sentences


def unequal_epochs(summary: Summary) -> str:
    """The epochs of each arm, in words, where they differ."""
    trained = {name: summary.arms[name].num_epochs for name in summary.shown if summary.arms[name].num_epochs}
    return ", ".join(f"{name} {count}" for name, count in trained.items()) if len(set(trained.values())) > 1 else ""


def own_halves(summary: Summary) -> str:
    """A sentence that says, where arms stand at different epochs, that each is shown over the last
    half of its own."""
    unequal = unequal_epochs(summary)
    return f" The arms stand at different epochs ({unequal}), and each is shown over the last half of its own." if unequal else ""


def headline_rows(summary: Summary) -> list[dict[str, Any]]:
    """One row an arm or reference: name, kind ("arm", "supervised", "flat"), as text what it knows
    beyond 2D, its seeds and how many of them have mixed signs, for each metric its cells by
    statistic, and cells of the last epoch's raw error and mean over subjects.

    "medians" has those of the headline metric over seeds, by statistic; "" of fewer than two.

    A cell is {text, span}: "mean ± std" where std is the spread over epochs of the last half, and
    elsewhere the mean alone.
    """
    metrics = (HEADLINE_METRIC, REFLECTED_METRIC)
    flat = [
        {"name": name, "kind": "flat", "knows": "", "seeds": "", "mixed": "", "medians": {}}
        | {metric: {name: {"text": mm(errors.get(metric)), "span": ""} for name in STATISTICS} for metric in metrics}
        for name, errors in summary.references.items()
    ]
    arms, supervised = (
        [
            {"name": name, "kind": kind, "knows": beyond_2d(arm.knowledge), "seeds": _seeds(arm)}
            | {"mixed": of_n(arm.last_epoch.mixed_signs)}
            | {"raw": _cell(arm.last_raw, "last"), "over_subjects": _cell(arm.last_epoch.over_subjects, "last")}
            | {metric: {name: _cell(getattr(arm, name)[metric], name) for name in STATISTICS} for metric in metrics}
            | {"medians": {name: _median(arm, name) for name in STATISTICS}}
            for name, arm in summaries.items()
        ]
        for kind, summaries in (("arm", summary.arms), ("supervised", summary.supervised))
    )
    return [*arms, *flat, *supervised]


def _cell(interval: Interval, statistic: str) -> dict[str, str]:
    spread = f" ± {mm(interval.std)}" if statistic == "last_half" and interval.std is not None else ""
    return {"text": mm(interval.mean) + spread, "span": span(interval)}


def _median(arm: ArmSummary, statistic: str) -> str:
    errors = [error for run in arm.runs if (error := getattr(run, statistic)) is not None]
    return mm(median(errors)) if len(errors) > 1 else ""


def _seeds(arm: ArmSummary) -> str:
    used = arm.last_half[HEADLINE_METRIC].n
    return str(used) if used == arm.num_seeds else f"{used} of {arm.num_seeds}"
