"""What the page says of stop rules, signals, steadiness, budgets and distillation: rows and
sentences from a summary."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from statistics import fmean
from typing import Any

from tips_ray.columns import label_of
from tips_ray.report.text import ends, mm, percent, span
from tips_ray.stability.codependence import Codependence
from tips_ray.stability.correlations import SignalCorrelation
from tips_ray.stability.distillation import Kind, StudentComparison
from tips_ray.stability.regret import RuleScore
from tips_ray.stability.statistics import MIN_RANKED, Correlation, Interval, late_epochs
from tips_ray.stability.steadiness import DivergenceRate
from tips_ray.stability.summary import Summary
from tips_ray.stability.teachers import TeacherWindow

STEADINESS = {
    "gap_to_best_mm": "gap to the best so far, mm",
    "within_1mm": "epochs within 1 mm",
    "within_2mm": "within 2 mm",
    "within_5mm": "within 5 mm",
    "longest_stretch": "longest stretch within 2 mm, epochs",
    "drift_mm_per_100_epochs": "drift over the last half, mm",
    "late_change_points": "late change points",
}
SHARES = ("within_1mm", "within_2mm", "within_5mm")
STATISTICS = {"last_half": "error over the last half", "last": "error at the end", "spread": "spread over the last half's epochs"}


def rules_by_arm(summary: Summary) -> dict[str, list[RuleScore]]:
    """The stop rules of each arm but variants, by median regret."""
    by_arm: dict[str, list[RuleScore]] = {}
    for score in summary.stop_rules:
        if score.arm in summary.hidden:
            continue
        by_arm.setdefault(score.arm, []).append(score)
    return by_arm


def rules_to_show(summary: Summary) -> dict[str, list[RuleScore]]:
    """`rules_by_arm` without students, which are taken at their last epoch; of all arms if there
    are no others."""
    by_arm = rules_by_arm(summary)
    return {arm: scores for arm, scores in by_arm.items() if arm not in summary.students} or by_arm


def in_order(scores: Iterable[RuleScore]) -> list[str]:
    """Names of stop rules by the mean over arms of their median regrets; those that have none in
    any arm last."""
    medians: dict[str, list[float]] = {}
    for score in scores:
        median = score.regret_mm.median
        medians.setdefault(score.rule, []).extend([] if median is None else [median])
    return sorted(medians, key=lambda rule: fmean(medians[rule]) if medians[rule] else math.inf)


def rule_findings(summary: Summary) -> list[str]:
    """For each arm, in a sentence or two: the rule that training subjects would choose, and what it
    costs on others."""
    sentences = []
    for arm, scores in rules_to_show(summary).items():
        chosen = next((score for score in scores if score.chosen), None)
        last = next((score for score in scores if score.rule == "last epoch"), None)
        if chosen is None or last is None:
            continue
        regret, at_last = chosen.regret_mm, last.regret_mm
        beside = "" if chosen is last else f"; the last epoch costs {mm(at_last.median)} mm ({ends(at_last)})"
        sentence = (
            f"{arm}: by the error on training subjects, which needs their 3D labels, one would choose “{chosen.rule}”."
            " On the test subjects it costs"
            f" {mm(regret.median)} mm in the median ({ends(regret)}, at worst {mm(regret.worst)}, n = {chosen.n})"
            f"{beside}."
        )
        if arm in summary.rule_choice:
            choice = summary.rule_choice[arm]
            cost, rules = choice.regret_mm, " or ".join(f"“{rule}”" for rule in choice.rules)
            sentence += (
                f" Chosen for each run by the other runs’ training subjects alone ({rules}), it is {mm(cost.median)} mm"
                f" ({ends(cost)}, at worst {mm(cost.worst)})."
            )
        sentences.append(sentence)
    return sentences


def steadiness_rows(summary: Summary) -> list[dict[str, Any]]:
    """One row an arm: cells {text, span} in the order of STEADINESS, and divergence and variance in
    words."""
    rows = []
    for arm, steadiness in summary.steadiness.arms.items():
        intervals: dict[str, Interval] = {name: getattr(steadiness, name) for name in STEADINESS}
        intervals["drift_mm_per_100_epochs"] = times(
            steadiness.drift_mm_per_100_epochs, late_epochs(summary.arms[arm].num_epochs) / 100
        )
        cells = [
            _share(interval.mean, interval)
            if name in SHARES
            else {"text": mm(interval.mean), "span": span(interval) if interval.n else "too few epochs"}
            for name, interval in intervals.items()
        ]
        rate, variance = steadiness.divergence_rate, steadiness.variance
        between = {"text": percent(variance.between_share), "span": f"n = {variance.n} seeds"}
        rows.append({"arm": arm, "cells": cells, "diverged": _share(rate.rate, rate), "between": between})
    return rows


def times(over: Interval, factor: float) -> Interval:
    """An interval of values that are multiplied by a positive factor."""
    mean, std, low, high = (None if value is None else factor * value for value in (over.mean, over.std, over.low, over.high))
    return Interval(mean, std, low, high, over.n)


def ranking_sentence(summary: Summary) -> str:
    """Whether the order of the arms depends on the stop epoch."""
    ranking = summary.steadiness.ranking
    if not ranking or ranking.mean_tau is None:
        return ""
    return (
        f"Over the last half of the epochs, the arms are ranked as at the last epoch in {ranking.same_share:.0%} of the stop"
        f" epochs (mean Kendall’s τ {ranking.mean_tau:.2f}); from epoch {ranking.settled_epoch} on the order stays."
    )


def signal_rows(summary: Summary) -> list[dict[str, Any]]:
    """One row a signal: its label, cells {text, span} by arm (within a run), and those between
    runs, and seeds, which are left out where no signal has them; by how well it goes with the
    error."""
    has_between = any(signal.between.rank_correlation is not None for signal in summary.signals)

    def merit(signal: SignalCorrelation) -> float:
        within = [interval.mean for interval in signal.within.values() if interval.mean is not None]
        between = signal.between_seeds.rank_correlation
        return between if between is not None else fmean(within) if within else -math.inf

    return [
        {
            "label": label_of(signal.signal),
            "within": {
                arm: _correlation(interval.mean, interval) for arm, interval in signal.within.items() if arm not in summary.hidden
            },
            "between": [
                _correlation(over.rank_correlation, over) for over in (signal.between, signal.between_seeds) if has_between
            ],
        }
        for signal in sorted(summary.signals, key=merit, reverse=True)
    ]


def too_short_for_signals(summary: Summary) -> str:
    """The arms of which nothing can be said of signals within a run, in words."""
    arms = {arm for signal in summary.signals for arm in signal.within if arm not in summary.hidden}
    return " and ".join(arm for arm, entry in summary.arms.items() if arm in arms and late_epochs(entry.num_epochs) < MIN_RANKED)


def budget_rows(summary: Summary) -> list[dict[str, Any]]:
    """One row a pair of arms that are no variants, and statistic: {pair, statistic, cells}."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for gap in summary.budgets.paired if summary.budgets else ():
        if gap.a in summary.hidden:
            continue
        cell = {"text": mm(gap.difference, sign=True), "span": ends(gap, sign=True), "n": gap.n}
        rows.setdefault((f"{gap.a} − {gap.b}", STATISTICS[gap.statistic]), []).append(cell)
    return [{"pair": pair, "statistic": statistic, "cells": cells} for (pair, statistic), cells in rows.items()]


def comparison_rows(summary: Summary, kind: Kind) -> list[dict[str, Any]]:
    """Comparisons of students of one kind, with a verdict."""
    return [
        asdict(gap) | {"text": mm(gap.difference, sign=True), "span": ends(gap, sign=True), "verdict": _verdict(gap)}
        for gap in summary.distillation
        if gap.kind == kind
    ]


def card_rows(summary: Summary) -> list[dict[str, Any]]:
    """One row a distilled arm: its teachers, the rule, the epochs, and the regret to expect."""
    rows = []
    for student, card in summary.teachers.items():
        teacher, regret, lessons = card.teacher, card.expected_regret_mm, card.lessons
        epochs = list(dict.fromkeys(_epochs(lesson) for lesson in lessons))
        churn = [lesson.churn_mm for lesson in lessons if lesson.churn_mm is not None]
        hashes = [hash for lesson in lessons for hash in list(lesson.checkpoints.values())[-1:]]
        rows.append(
            {
                "student": student,
                "whom": {
                    "own": f"{teacher.arm}, seed by seed",
                    "picked": lessons[0].run,
                    "all": f"mean of {len(lessons)} {teacher.arm}",
                }[teacher.runs],
                "rule": teacher.rule,
                "reason": card.reason,
                "epochs": ", ".join(epochs[:3]) + (" …" if len(epochs) > 3 else ""),
                "regret": {"text": mm(regret.median), "span": f"{ends(regret)}, n = {regret.n}"},
                "churn": mm(fmean(churn)) if churn else "–",
                "hashes": ", ".join(hash[:8] for hash in hashes[:3]) + (" …" if len(hashes) > 3 else ""),
            }
        )
    return rows


def codependence_to_show(summary: Summary) -> dict[str, Codependence]:
    """The codependence of all arms but variants."""
    return {arm: codependence for arm, codependence in summary.codependence.items() if arm not in summary.hidden}


def codependence_rows(summary: Summary) -> list[dict[str, Any]]:
    """One row an arm: the share of a depth's sensitivity that lies outside its own part."""
    return [
        {"arm": arm, "epoch": codependence.epoch, **_share(codependence.outside_share.mean, codependence.outside_share)}
        for arm, codependence in codependence_to_show(summary).items()
    ]


def _epochs(lesson: TeacherWindow) -> str:
    return str(lesson.last) if lesson.first == lesson.last else f"{lesson.first}–{lesson.last}"


def _share(value: float | None, ends: Interval | DivergenceRate) -> dict[str, str]:
    return {"text": percent(value), "span": "" if ends.low is None else f"{percent(ends.low)} to {percent(ends.high)}"}


def _correlation(value: float | None, ends: Interval | Correlation) -> dict[str, str]:
    text = "–" if value is None else f"{value:+.2f}"
    span = "" if ends.low is None else f"{ends.low:+.2f} to {ends.high:+.2f}"
    return {"text": text.replace("-", "−"), "span": span.replace("-", "−")}


def _verdict(gap: StudentComparison) -> str:
    if gap.low is None or gap.high is None:
        return "no interval"
    if gap.low <= 0 <= gap.high:
        return "cannot tell apart"
    return f"{gap.a if gap.high < 0 else gap.b} {'gains more' if gap.kind == 'gain' else 'errs less'}"
