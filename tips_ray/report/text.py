"""Numbers, intervals and provenance as text, alike on all pages and on the terminal."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tips_ray.stability.groups import Count
from tips_ray.stability.regret import MedianRegret
from tips_ray.stability.statistics import Difference, Interval, PairedDifference

PROVENANCE_ORDER = ("command", "commit", "versions", "machine", "seeds", "wall_seconds", "config")

UNUSED = ("gpus_per_worker", "num_workers")
"""Keys of the provenance that say nothing where they are 0."""

COVERAGE = {2: 50, 3: 75, 4: 78, 5: 85, 7: 88, 10: 89}
"""How often, in %, a 95% BCa interval of the mean of n normal values holds the true mean (1,500
draws each; n = 2 is exact)."""

ENOUGH_SEEDS = 10
"""With fewer, the page warns that intervals are too narrow."""

FEW_SEEDS = 5
"""With fewer, even all seeds agreeing is likely enough by chance (1 in 8 for four) that the finding
itself says so."""


def mm(value: float | None, sign: bool = False) -> str:
    """Tenths of a millimetre as text, with a true minus sign; a dash where there is no number."""
    return "–" if value is None else f"{value:{'+' if sign else ''}.1f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "–" if share is None else f"{share:.0%}"


def as_text(value: Any, form: str = ".3g") -> str:
    """A value as a table shows it; a dash for none."""
    if value is None or value != value:  # NaN
        return "–"
    return format(value, form) if isinstance(value, float) else str(value)


def beyond_2d(knowledge: Sequence[str]) -> str:
    """What an arm knows beyond single 2D poses, in words."""
    return ", ".join(knowledge) or "nothing"


def span(interval: Interval) -> str:
    """The ends of an interval, or why it has none."""
    if interval.n == 0:
        return "no finished run"
    return "n = 1 seed, no interval" if interval.low is None else f"{mm(interval.low)} to {mm(interval.high)}"


def of_n(count: Count) -> str:
    """How many of how many runs; a dash where there are none."""
    return f"{count.count} of {count.n}" if count.n else "–"


def verdict(pair: PairedDifference) -> str:
    """What a paired difference says: which arm errs less, that they cannot be told apart, or that
    nothing can be said."""
    if pair.n == 0:
        return "no shared seed"
    if pair.low is None or pair.high is None:
        return "n = 1 seed, no interval"
    if pair.low <= 0 <= pair.high:
        return "cannot tell apart"
    return f"{pair.a if pair.high < 0 else pair.b} errs less"


def ends(interval: Interval | Difference | MedianRegret, sign: bool = False) -> str:
    """The ends of an interval in words."""
    return "no interval" if interval.low is None else f"{mm(interval.low, sign)} to {mm(interval.high, sign)}"


def ends_of_size(low: float, high: float) -> str:
    """The ends, in words, of an interval of how much less one errs than another, whichever it
    is."""
    return " to ".join(mm(end) for end in sorted((abs(low), abs(high))))


SYNTHETIC = "The poses are synthetic: no human was measured. Orders and effects may differ on real poses."


def data_cautions(data: Mapping[str, Any]) -> list[str]:
    """What a reader must know about the poses."""
    sentences = []
    if data.get("synthetic"):
        sentences.append(SYNTHETIC)
    if data.get("weakly_supervised"):
        sentences.append(
            "Every epoch saw the poses from new true views, which carry 3D information: this is the weakly supervised variant."
        )
    if data.get("observation"):
        seen = ", ".join(f"{name} {value:g}" for name, value in data["observation"].items())
        sentences.append(f"The 2D input of training and test was made so: {seen}; errors are against the true poses.")
    return sentences


def few_seeds(few: int) -> str:
    """By how much intervals over so few seeds (at least 2) are too narrow."""
    held = COVERAGE[max(n for n in COVERAGE if n <= few)]
    return (
        f"{few} seeds are few: bootstrap intervals over so few are too narrow. A 95% interval over {few} normal values holds"
        f" the true mean about {held}% of the time, and of two equal arms one would win on all {few} seeds in"
        f" 1 of {2 ** (few - 1)} studies."
    )


def epochs_text(first: int, last: int) -> str:
    """A window of epochs in words."""
    return f"epoch {last}" if first == last else f"epochs {first} to {last}"


def duration(seconds: float) -> str:
    """A time in the unit that shows it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ordered(provenance: Mapping[str, Any], without: Sequence[str] = ()) -> dict[str, Any]:
    """The keys of PROVENANCE_ORDER in that order, then the others as they come, but for some."""
    names = dict.fromkeys([*PROVENANCE_ORDER, *provenance])
    return {key: provenance[key] for key in names if key in provenance and key not in without}


def execution_rows(provenance: Mapping[str, Any]) -> list[dict[str, str]]:
    """When, for how long, of what commit and by what command each execution ran, as text."""
    return [
        {name: str(entry.get(name) or "–") for name in ("started", "commit", "command")} | {"minutes": mm(entry["seconds"] / 60)}
        for entry in provenance.get("executions", [])
    ]


def described(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each value with how it is shown: `code` for commands and hashes, `fold` for what is nested,
    else `text`; empty ones are left out."""
    entries = []
    for key, value in values.items():
        if value in ("", [], (), {}, None) or (key in UNUSED and not value):
            continue
        label = key.replace("_", " ")
        if key == "wall_seconds" and isinstance(value, (int, float)):
            entries.append({"label": "wall time", "kind": "text", "value": f"{value / 60:.1f} min"})
        elif key in ("command", "commit", "fingerprint", "spec"):
            entries.append({"label": label, "kind": "code", "value": readable(value)})
        elif isinstance(value, Mapping) and all(not isinstance(item, (Mapping, list, tuple)) for item in value.values()):
            entries.append({"label": label, "kind": "text", "value": ", ".join(f"{name} {item}" for name, item in value.items())})
        elif isinstance(value, (list, tuple)) and all(not isinstance(item, (Mapping, list, tuple)) for item in value):
            entries.append({"label": label, "kind": "text", "value": ", ".join(str(item) for item in value)})
        elif isinstance(value, (Mapping, list, tuple)):
            entries.append({"label": label, "kind": "fold", "value": value})
        else:
            entries.append({"label": label, "kind": "text", "value": readable(value)})
    return entries


def readable(value: Any) -> str:
    """A scalar as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def folded(value: Any) -> str:
    """Nested values as indented JSON text."""
    return json.dumps(value, indent=2, ensure_ascii=False)
