"""What the page says of a screening design: rows and sentences from a summary."""

from typing import Any

from tips_ray.report.text import ends, mm
from tips_ray.stability.screening import RESPONSES, FactorEffect
from tips_ray.stability.summary import Summary

RESPONSE_LABELS = {
    "last_half": "error, last half",
    "last": "error at the end",
    "spread": "spread over epochs",
    "regret": "regret of the last epoch",
}


def effects_of_bases(summary: Summary) -> dict[str, dict[str, list[FactorEffect]]]:
    """The effects by base and statistic; the factor with the largest effect on the error over the
    last half first."""
    by_base: dict[str, dict[str, list[FactorEffect]]] = {}
    for effect in summary.screening:
        by_base.setdefault(effect.base, {}).setdefault(effect.statistic, []).append(effect)
    for effects in by_base.values():
        sizes = {effect.factor: abs(effect.difference or 0.0) for effect in effects["last_half"]}
        for name in RESPONSES:
            effects[name].sort(key=lambda effect: sizes[effect.factor], reverse=True)
    return by_base


def level_label(effect: FactorEffect) -> str:
    """A factor, and its two levels."""
    return f"{effect.factor}: {effect.high_level} instead of {effect.low_level}"


def screening_rows(summary: Summary) -> list[dict[str, Any]]:
    """One entry a base: {place, base, rows}, with a row {label, cells, seeds} for each factor; the
    cells are in the order of RESPONSES."""
    entries = []
    for place, (base, effects) in enumerate(effects_of_bases(summary).items(), start=1):
        by_factor = zip(*(effects[name] for name in RESPONSES), strict=True)
        rows = [
            {
                "label": level_label(each[0]),
                "cells": [{"text": mm(effect.difference, sign=True), "span": ends(effect, sign=True)} for effect in each],
                "seeds": each[0].n,
            }
            for each in by_factor
        ]
        entries.append({"place": place, "base": base, "rows": rows})
    return entries


def screening_findings(summary: Summary) -> list[str]:
    """For each base and statistic, in a sentence, the factors whose interval excludes 0."""
    sentences = []
    for base, effects in effects_of_bases(summary).items():
        for name in ("last_half", "spread"):
            matter = [
                f"{level_label(effect)} ({mm(effect.difference, sign=True)} mm, {ends(effect, sign=True)})"
                for effect in effects[name]
                if effect.low is not None and effect.high is not None and not effect.low <= 0 <= effect.high
            ]
            if matter:
                sentences.append(f"{base}, {RESPONSE_LABELS[name]}: {'; '.join(matter)}.")
    return sentences
