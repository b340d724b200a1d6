"""What the page says of ingredients: rows and sentences from a summary."""

import json
import math
from dataclasses import dataclass
from typing import Any

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.ingredients import INGREDIENTS
from tips_ray.report.text import ends, mm, of_n, span
from tips_ray.stability.ingredients import BudgetEffect, IngredientEffect
from tips_ray.stability.statistics import Difference
from tips_ray.stability.summary import ArmSummary, Summary


@dataclass(frozen=True)
class BaseEffects:
    """The variants of one arm, the ingredient that is worth most first."""

    base: str
    effects: list[IngredientEffect]


def effects_by_base(summary: Summary) -> list[BaseEffects]:
    """The effects of the ingredients of each arm."""
    by_base: dict[str, list[IngredientEffect]] = {}
    for effect in summary.ingredients:
        by_base.setdefault(effect.base, []).append(effect)
    return [BaseEffects(base, sorted(effects, key=worth, reverse=True)) for base, effects in by_base.items()]


def worth(effect: IngredientEffect) -> float:
    """By how many mm the ingredient lowers the error at the end of the training; lowest of all
    where that is not known."""
    gap = effect.whole.difference
    return -math.inf if gap is None else -gap if effect.is_on else gap


def change(effect: IngredientEffect) -> str:
    """What a variant does to its base, in two words."""
    return f"{'with' if effect.is_on else 'without'} {effect.ingredient}"


def ingredient_rows(summary: Summary) -> list[dict[str, Any]]:
    """One entry a base: {place, base, error, signs, lost, rows}, with a row {change, arm, label,
    half, whole, seeds, signs, lost, verdict} for each of its variants.

    `signs` counts runs with mixed signs, `lost` those that diverged."""
    entries = []
    for place, group in enumerate(effects_by_base(summary), start=1):
        base = summary.arms[group.base]
        error = base.last[HEADLINE_METRIC]
        rows = [
            {
                "change": change(effect),
                "arm": effect.arm,
                "label": _label(summary, effect),
                "half": _cell(effect.half),
                "whole": _cell(effect.whole),
                "seeds": effect.whole.n,
                **_runs(summary.arms[effect.arm]),
                "verdict": verdict(effect.whole),
            }
            for effect in group.effects
        ]
        entries.append(
            {"place": place, "base": group.base, "error": f"{mm(error.mean)} mm ({span(error)})", **_runs(base), "rows": rows}
        )
    return entries


def ingredient_findings(summary: Summary) -> list[str]:
    """For each base, in a sentence, which changes raise its error, which lower it, and of which
    nothing is shown."""
    sentences = []
    for group in effects_by_base(summary):
        by_verdict: dict[str, list[str]] = {}
        for effect in group.effects:
            by_verdict.setdefault(verdict(effect.whole), []).append(change(effect))
        said = [f"{verb} {', '.join(by_verdict[verb])}" for verb in ("errs more", "errs less") if verb in by_verdict]
        if "cannot tell apart" in by_verdict:
            said.append(f"cannot be told apart {', '.join(by_verdict['cannot tell apart'])}")
        if said:
            num_seeds = min(effect.whole.n for effect in group.effects if effect.whole.n)
            sentences.append(f"{group.base} {'; '.join(said)} (95% intervals of paired differences, n = {num_seeds} seeds).")
    return sentences


def verdict(gap: Difference) -> str:
    """What an interval says of a variant."""
    if gap.low is None or gap.high is None:
        return "no interval" if gap.n else "no shared seed"
    if gap.low <= 0 <= gap.high:
        return "cannot tell apart"
    return "errs more" if gap.low > 0 else "errs less"


def _label(summary: Summary, effect: IngredientEffect) -> str:
    """What the ingredient is; of a partition that a config spells out, the joints of its parts."""
    if effect.ingredient in INGREDIENTS:
        return INGREDIENTS[effect.ingredient].label
    partition = summary.provenance["config"].get(effect.arm, {}).get("partition", "")
    return " | ".join(" ".join(joints) for joints in json.loads(partition).values()) if partition.startswith("{") else ""


def _cell(effect: BudgetEffect) -> dict[str, str]:
    return {"text": mm(effect.difference, sign=True), "span": f"epoch {effect.epochs}: {ends(effect, sign=True)}"}


def _runs(arm: ArmSummary) -> dict[str, Any]:
    lost = len(arm.diverged)
    return {"signs": of_n(arm.last_epoch.mixed_signs), "lost": f"{lost} of {arm.num_seeds}"}
