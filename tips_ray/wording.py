"""Words that messages and pages share."""

from collections.abc import Sequence


def counted(count: int, thing: str) -> str:
    """How many of a thing there are: "1 frame", "2,000 frames"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(names: Sequence[object], most: int = 8) -> str:
    """Names with commas; of many the first, and how many more."""
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
