"""What a search's scores are called, and how they are written."""

import pandas as pd

from tips_ray.search.summary import SearchSummary
from tips_ray.stability.statistics import Interval

SCORE_LABELS = {
    "error_mm": "error",
    "instability_mm": "instability",
    "label_free": "sum of consistency terms",
    "signals": "mean of signals",
}
SCORE_UNITS = {"error_mm": "mm", "instability_mm": "mm", "label_free": "", "signals": ""}


def title_of(column: str) -> str:
    """A score's name, with its unit."""
    return f"{SCORE_LABELS[column]}, {SCORE_UNITS[column]}" if SCORE_UNITS[column] else SCORE_LABELS[column]


def score_label(column: str, summary: SearchSummary, unit: bool = True) -> str:
    """A score's name, with its unit, and called an oracle if it was searched for with labels."""
    oracle = " (oracle)" if summary.oracle and column in summary.objective_columns else ""
    return f"{title_of(column) if unit else SCORE_LABELS[column]}{oracle}"


def score(value: float | None, column: str, sign: bool = False) -> str:
    """A score as text: tenths of a millimetre, or three digits of what has no unit; a dash where
    there is none."""
    if value is None or pd.isna(value):
        return "–"
    digits = ".1f" if SCORE_UNITS[column] else ".3g"
    return f"{float(format(value, digits)) + 0.0:{'+' if sign else ''}{digits}}".replace("-", "−")  # no −0.0


def with_unit(value: float | None, column: str, sign: bool = False) -> str:
    """A score as text, with its unit."""
    return f"{score(value, column, sign)} {SCORE_UNITS[column]}".strip()


def span(interval: Interval, column: str, sign: bool = False) -> str:
    """The ends of an interval of a score, or why it has none."""
    if interval.n == 0:
        return "no finished run"
    if interval.low is None:
        return "n = 1 seed, no interval"
    return f"{score(interval.low, column, sign)} to {score(interval.high, column, sign)}"
