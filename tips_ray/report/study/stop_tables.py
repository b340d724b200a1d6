"""What the page says of stop rules, signals, steadiness, budgets and distillation: rows and
sentences from a summary."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from tips_ray.columns import label_of
from tips_ray.report.text import ends, mm, span

STEADINESS = {
    "gap_to_best_mm": "gap to the best so far, mm",
    "within_1mm": "epochs within 1 mm",
    "within_2mm": "within 2 mm",
    "within_5mm": "within 5 mm",
    "longest_stretch": "longest stretch within 2 mm, epochs",
    "drift_mm_per_100_epochs": "late drift, mm in 100 epochs",
    "late_change_points": "late change points",
}
SHARES = ("within_1mm", "within_2mm", "within_5mm")
STATISTICS = {"last_half": "error over the last half", "last": "error at the end", "spread": "spread over the last half's epochs"}


def rules_by_arm(summary: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The stop rules of each arm, by median regret."""
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for entry in summary["stop_rules"]:
        by_arm.setdefault(entry["arm"], []).append(entry)
    return by_arm


def rules_to_show(summary: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """`rules_by_arm` without students, which are taken at their last epoch; of all arms if there
    are no others."""
    by_arm = rules_by_arm(summary)
    return {arm: entries for arm, entries in by_arm.items() if arm not in summary["students"]} or by_arm


def in_order(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of stop rules by the mean over arms of their median regrets; those that have none in
    any arm last."""
    medians: dict[str, list[float]] = {}
    for entry in entries:
        median = entry["regret_mm"]["median"]
        medians.setdefault(entry["rule"], []).extend([] if median is None else [median])
    return sorted(medians, key=lambda rule: fmean(medians[rule]) if medians[rule] else math.inf)


def rule_findings(summary: Mapping[str, Any]) -> list[str]:
    """For each arm, in a sentence or two: the rule that training subjects would choose, and what it
    costs on others."""
    sentences = []
    for arm, entries in rules_to_show(summary).items():
        chosen = next((entry for entry in entries if entry["chosen"]), None)
        last = next((entry for entry in entries if entry["rule"] == "last epoch"), None)
        if chosen is None or last is None:
            continue
        regret, at_last = chosen["regret_mm"], last["regret_mm"]
        beside = "" if chosen is last else f"; the last epoch costs {mm(at_last['median'])} mm ({ends(at_last)})"
        sentence = (
            f"{arm}: by the error on training subjects, which needs their 3D labels, one would choose “{chosen['rule']}”."
            " On the test subjects it costs"
            f" {mm(regret['median'])} mm in the median ({ends(regret)}, at worst {mm(regret['worst'])}, n = {chosen['n']})"
            f"{beside}."
        )
        elsewhere = summary["rule_choice"].get(arm)
        if elsewhere:
            cost, rules = elsewhere["regret_mm"], " or ".join(f"“{rule}”" for rule in elsewhere["rules"])
            sentence += (
                f" Chosen for each run by the other runs’ training subjects alone ({rules}), it is {mm(cost['median'])} mm"
                f" ({ends(cost)}, at worst {mm(cost['worst'])})."
            )
        sentences.append(sentence)
    return sentences


def steadiness_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row an arm: cells {text, span} in the order of STEADINESS, and divergence and variance in
    words."""
    rows = []
    for arm, entry in summary["steadiness"]["arms"].items():
        cells = [
            _share(entry[key])
            if key in SHARES
            else {"text": mm(entry[key]["mean"]), "span": span(entry[key]) if entry[key]["n"] else "too few epochs"}
            for key in STEADINESS
        ]
        rate, variance = entry["divergence_rate"], entry["variance"]
        diverged = "–" if rate["rate"] is None else f"{rate['rate']:.0%}"
        between = "–" if variance["between_share"] is None else f"{variance['between_share']:.0%}"
        rows.append(
            {
                "arm": arm,
                "cells": cells,
                "diverged": {"text": diverged, "span": "" if rate["low"] is None else f"{rate['low']:.0%} to {rate['high']:.0%}"},
                "between": {"text": between, "span": f"n = {variance['n']} seeds"},
            }
        )
    return rows


def ranking_sentence(summary: Mapping[str, Any]) -> str:
    """Whether the order of the arms depends on the stop epoch."""
    ranking = summary["steadiness"]["ranking"]
    if not ranking or ranking["mean_tau"] is None:
        return ""
    return (
        f"Over the last half of the epochs, the arms are ranked as at the last epoch in {ranking['same_share']:.0%} of the stop"
        f" epochs (mean Kendall’s τ {ranking['mean_tau']:.2f}); from epoch {ranking['settled_epoch']} on the order stays."
    )


def signal_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a signal: its label, cells {text, span} by arm (within a run), and those between
    runs, and seeds."""
    rows = []
    for entry in summary["signals"]:
        within = {arm: _correlation(over["mean"], over) for arm, over in entry["within"].items()}
        between = [_correlation(over["rank_correlation"], over) for over in (entry["between"], entry["between_seeds"])]
        rows.append({"label": label_of(entry["signal"]), "within": within, "between": between})
    return rows


def budget_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a pair of arms and statistic: {pair, statistic, cells by budget}."""
    if not summary["budgets"]:
        return []
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entry in summary["budgets"]["paired"]:
        rows.setdefault((entry["a"], entry["b"], entry["statistic"]), []).append(entry)
    return [
        {
            "pair": f"{a} − {b}",
            "statistic": STATISTICS[statistic],
            "cells": [
                {"text": mm(cell["difference"], sign=True), "span": ends(cell, sign=True), "n": cell["n"]} for cell in cells
            ],
        }
        for (a, b, statistic), cells in rows.items()
    ]


def comparison_rows(summary: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Comparisons of students of one kind, with a verdict."""
    return [
        {
            **entry,
            "text": mm(entry["difference"], sign=True),
            "span": ends(entry, sign=True),
            "verdict": _verdict(entry, kind),
        }
        for entry in summary["distillation"]
        if entry["kind"] == kind
    ]


def card_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a distilled arm: its teachers, the rule, the epochs, and the regret to expect."""
    rows = []
    for student, card in summary["teachers"].items():
        teacher, regret, lessons = card["teacher"], card["expected_regret_mm"], card["lessons"]
        epochs = list(dict.fromkeys(_epochs(lesson) for lesson in lessons))
        churn = [lesson["churn_mm"] for lesson in lessons if lesson["churn_mm"] is not None]
        hashes = [hash for lesson in lessons for hash in list(lesson["checkpoints"].values())[-1:]]
        rows.append(
            {
                "student": student,
                "whom": {
                    "own": f"{teacher['arm']}, seed by seed",
                    "picked": lessons[0]["run"],
                    "all": f"mean of {len(lessons)} {teacher['arm']}",
                }[teacher["runs"]],
                "rule": teacher["rule"],
                "reason": card.get("reason", ""),
                "oracle": card["oracle"],
                "epochs": ", ".join(epochs[:3]) + (" …" if len(epochs) > 3 else ""),
                "regret": {"text": mm(regret["median"]), "span": f"{ends(regret)}, n = {regret['n']}"},
                "churn": mm(sum(churn) / len(churn)) if churn else "–",
                "hashes": ", ".join(hash[:8] for hash in hashes[:3]) + (" …" if len(hashes) > 3 else ""),
            }
        )
    return rows


def codependence_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row an arm: the share of a depth's sensitivity that lies outside its own part."""
    rows = []
    for arm, entry in summary["codependence"].items():
        rows.append({"arm": arm, "epoch": entry["epoch"], **_share(entry["outside_share"])})
    return rows


def _epochs(lesson: Mapping[str, Any]) -> str:
    return str(lesson["last"]) if lesson["first"] == lesson["last"] else f"{lesson['first']}–{lesson['last']}"


def _share(entry: Mapping[str, Any]) -> dict[str, str]:
    text = "–" if entry["mean"] is None else f"{entry['mean']:.0%}"
    return {"text": text, "span": "" if entry["low"] is None else f"{entry['low']:.0%} to {entry['high']:.0%}"}


def _correlation(value: float | None, entry: Mapping[str, Any]) -> dict[str, Any]:
    text = "–" if value is None else f"{value:+.2f}".replace("-", "−")
    low, high = entry["low"], entry["high"]
    return {"text": text, "span": "" if low is None else f"{low:+.2f} to {high:+.2f}".replace("-", "−")}


def _verdict(entry: Mapping[str, Any], kind: str) -> str:
    if entry["low"] is None:
        return "no interval"
    if entry["low"] <= 0 <= entry["high"]:
        return "cannot tell apart"
    lower: Sequence[str] = (entry["a"], entry["b"]) if entry["high"] < 0 else (entry["b"], entry["a"])
    return f"{lower[0]} {'gains more' if kind == 'gain' else 'errs less'}"
