"""The order in which people list numbered names: S1, S5, S11, not S1, S11, S5."""

import re
from collections.abc import Iterable

Key = tuple[tuple[str, int, str], ...]


def natural_key(name: str) -> tuple[Key, str]:
    """A sort key that compares the whole numbers in a name by value and all else as text.

    Names that differ only in leading zeros ("2", "02") keep an order of their own.
    """
    texts = re.split(r"[0-9]+", name)
    numbers = [digits.lstrip("0") for digits in re.findall(r"[0-9]+", name)]
    parts = zip(texts, [*numbers, ""], strict=True)  # digits are compared by length, then as text: any length will do
    return tuple((text, len(digits), digits) for text, digits in parts), name


def natural_sorted(names: Iterable[str]) -> list[str]:
    """The distinct names in natural order."""
    return sorted(set(names), key=natural_key)
