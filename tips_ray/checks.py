"""Checks of the fields of config classes: values come from manifests and searches too, which no
command line has checked."""

import re
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tips_ray.errors import UserError

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "text",
    tuple[str, ...]: "a list of texts",
    NoneType: "None",
}

PREFIXES = {"config": "", "placement": "", "file-reading": "", "lift": "", "observation": "data.observation."}
"""What stands before the options of groups that are not called as their class is."""


def check_fields(config: Any, **intervals: str) -> None:
    """Raise ValueError unless each field's value is of its declared type and in its interval, such
    as `width="[1, 16384]"`.

    Overrides and manifests bring values that no command line has checked. A whole number in a field
    of real ones becomes one, so that equal configs have equal fingerprints.
    """
    for name, kind in get_type_hints(type(config)).items():
        value, interval = getattr(config, name), intervals.get(name, "")
        if kind in (float, float | None) and type(value) is int:
            value = float(value)
        if not is_of(value, kind) or (interval and value is not None and not is_within(value, interval)):
            raise UserError(f"{option_of(config, name)} is {value!r}; give {in_words(kind, interval)}.")
        object.__setattr__(config, name, value)


def option_of(config: Any, field: str) -> str:
    """The option of the command line that sets a field, such as --network.width."""
    group = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(config).__name__).lower()
    return "--" + PREFIXES.get(group, f"{group}.") + field.replace("_", "-")


def is_of(value: object, kind: Any) -> bool:
    """Whether a value is of the declared type of a field; True and False are no numbers."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return any(is_of(value, option) for option in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(is_of(entry, get_args(kind)[0]) for entry in value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def is_within(value: Any, interval: str) -> bool:
    """Whether a number lies in an interval such as "(0, 1]"; NaN lies in none."""
    low, high = map(float, interval[1:-1].split(","))
    return low < value < high or (interval[0] == "[" and value == low) or (interval[-1] == "]" and value == high)


def in_words(kind: Any, interval: str = "") -> str:
    """What a field accepts, for an error message."""
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) in (Union, UnionType):
        first, *others = get_args(kind)
        return ", or ".join([in_words(first, interval), *map(in_words, others)])
    return WORDS.get(kind, f"a {getattr(kind, '__name__', kind)}") + (f", {limits_in_words(interval)}" if interval else "")


def limits_in_words(interval: str) -> str:
    """An interval such as "(0, 1]" in words: above 0 and at most 1."""
    low, high = interval[1:-1].split(", ")
    return f"{'at least' if interval[0] == '[' else 'above'} {low} and {'at most' if interval[-1] == ']' else 'below'} {high}"
