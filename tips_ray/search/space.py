"""What a search varies: fields of a config by their dotted paths, each with one of Optuna's own
distributions."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tips_ray.config import Config, WeightRanges, override
from tips_ray.errors import UserError

Space = Mapping[str, BaseDistribution]
"""Dotted path of a config field, such as "weights.legs", to the values it may take."""


def weight_space(ranges: WeightRanges) -> dict[str, BaseDistribution]:
    """The weights that have a range, log-uniform; raises ValueError for one that is upside down or
    not above 0."""
    given = {f"weights.{name}": ends for name, ends in asdict(ranges).items() if ends is not None}
    return {path: log_uniform(path, *ends) for path, ends in given.items()}


def log_uniform(path: str, low: float, high: float) -> FloatDistribution:
    """A range searched by its logarithm."""
    if not 0 < low < high < math.inf:
        raise UserError(f"The range of {path} is {low:g} to {high:g}; give two numbers above 0, the smaller one first.")
    return FloatDistribution(low, high, log=True)


def parse_field(text: str, base: Config) -> tuple[str, BaseDistribution]:
    """A field and its values from the command line.

    `optimiser.learning_rate=1e-4..1e-3` is a range, log-uniform; `optimiser.beta1=0..0.9:linear`
    one searched linearly (so is any range that starts at 0); `network.width=64..256` a range of
    whole numbers, as the field is; and `network.generator_norm=batch,layer` a choice. Raises
    ValueError for anything else, naming the known fields.
    """
    path, equals, values = text.partition("=")
    if not equals or not values:
        raise UserError(f"{text!r} is no field to search; give FIELD=LOW..HIGH or FIELD=VALUE,VALUE.")
    present = value_at(base, path)
    if ".." not in values:
        choices = [read_value(path, value, present) for value in values.split(",")]
        if len(set(choices)) < max(2, len(choices)):
            raise UserError(f"{text!r} is no choice; give at least two values, each once.")
        return path, CategoricalDistribution(choices)
    span, _, scale = values.partition(":")
    low, high = (read_value(path, value, present) for value in span.split("..", 1))
    if scale not in ("", "log", "linear") or isinstance(low, (str, bool)) or isinstance(high, (str, bool)):
        raise UserError(f"{text!r} is no range; give numbers as LOW..HIGH, with :linear or :log after it if need be.")
    log = scale == "log" or (scale == "" and low > 0)
    if not -math.inf < low < high < math.inf or (log and low <= 0):
        above = " above 0" if log else ""
        raise UserError(f"The range of {path} is {low:g} to {high:g}; give two numbers{above}, the smaller one first.")
    if isinstance(present, int):
        return path, IntDistribution(int(low), int(high), log=log)
    return path, FloatDistribution(low, high, log=log)


def read_value(path: str, text: str, present: Any) -> Any:
    """A value of the type that the field has now; raises ValueError if it is none."""
    readers = {bool: {"true": True, "false": False}.__getitem__, str: str, int: int}
    read = readers.get(type(present), float)
    try:
        return read(text.lower() if isinstance(present, bool) else text)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{path} cannot be {text!r}; it is {present!r} now, and takes values like it, as"
            f" {path}=LOW..HIGH or {path}=VALUE,VALUE."
        ) from error


def value_at(config: Any, path: str) -> Any:
    """The value of the field at a dotted path; raises ValueError for an unknown one, naming those
    that there are."""
    value = config
    for name in path.split("."):
        known = [entry.name for entry in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
        if name not in known:
            kind = type(value).__name__
            hint = f"it has {', '.join(known)}" if known else f"{kind} values have no fields"
            raise UserError(f"Unknown field {path!r} to search: {name!r} is none of {kind}; {hint}.")
        value = getattr(value, name)
    return value


def check_space(space: Space, base: Config) -> None:
    """Raise ValueError for a space that is empty, varies what trials must share, or leaves out the
    config it starts from."""
    if not space:
        raise UserError("The search space is empty; give at least one field to search.")
    for path, values in space.items():
        present = value_at(base, path)
        if path.split(".")[0] in ("data", "objective"):
            raise UserError(f"{path} cannot be searched: trials can be compared if they share their data and objective.")
        if dataclasses.is_dataclass(present):
            first = dataclasses.fields(present)[0].name
            raise UserError(f"{path} is a group of fields; search {path}.{first} or another of it.")
        for value in ends(values):
            try:
                override(base, changes({path: value}))
            except UserError as error:
                raise UserError(f"{path} cannot be searched over {in_words(values)}: {error}") from error
        if present == 0 and is_logarithmic(values):
            weight = f"--fix {path.partition('.')[2]} and " if path.startswith("weights.") else ""
            raise UserError(
                f"{path} is 0 in the config that the search starts from, and {in_words(values)} is searched by its logarithm,"
                " which 0 does not have; start from another value, or search it linearly"
                f" ({weight}--vary {path}=0..{ends(values)[-1]:g})."
            )
        if not contains(values, present):
            raise UserError(
                f"The values of {path}, {in_words(values)}, leave out {present!r}, with which the search starts; include it, or"
                " start from one of them."
            )


def ends(values: BaseDistribution) -> Sequence[Any]:
    """The extreme values of a distribution, or all choices."""
    return values.choices if isinstance(values, CategoricalDistribution) else (values.low, values.high)  # type: ignore[attr-defined]


def is_logarithmic(values: BaseDistribution) -> bool:
    """Whether a distribution is uniform in the logarithm of its values."""
    return isinstance(values, (FloatDistribution, IntDistribution)) and values.log


def contains(values: BaseDistribution, value: Any) -> bool:
    """Whether a field's value is among those searched."""
    if isinstance(values, CategoricalDistribution):
        return value in values.choices
    return value is not None and values.low <= value <= values.high  # type: ignore[attr-defined]


def changes(params: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted path as `config.override` takes them: `{"weights.legs": 0.1}` is
    `{"weights": {"legs": 0.1}}`."""
    nested: dict[str, Any] = {}
    for path, value in params.items():
        *groups, name = path.split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    return nested


def described(values: BaseDistribution) -> dict[str, Any]:
    """A distribution in plain JSON types."""
    if isinstance(values, CategoricalDistribution):
        return {"kind": "choice", "choices": list(values.choices)}
    if isinstance(values, IntDistribution):
        return {"kind": "integer", "low": values.low, "high": values.high, "log": values.log}
    assert isinstance(values, FloatDistribution)
    return {"kind": "log" if values.log else "linear", "low": values.low, "high": values.high}


def in_words(values: BaseDistribution) -> str:
    """A distribution for an error message."""
    if isinstance(values, CategoricalDistribution):
        return ", ".join(map(str, values.choices))
    return " to ".join(f"{end:g}" for end in ends(values))
