"""What several configs have in common, and where they differ: one row a setting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tips_ray.config import Config, override

ABSENT = "–"
PAPER = "the paper"


@dataclass(frozen=True)
class Setting:
    """A setting that is not the same everywhere, with its value as text by name."""

    name: str
    values: dict[str, str]


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted path."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    nested = [flattened(item, f"{path}.{name}" if path else str(name)) for name, item in value.items()]
    return {name: item for part in nested for name, item in part.items()}


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a stored config by dotted path; what it leaves out has its default."""
    fields = asdict(override(Config(), dict(config)))
    if fields["teacher"] is None:  # one field, not one for each of a teacher's
        fields["teacher"] = ABSENT
    return flattened(fields)


def differences(configs: Mapping[str, Mapping[str, Any]], order: Iterable[str] = ()) -> list[Setting]:
    """The settings whose values differ between flat configs, in their order; `order` names the
    first ones."""
    names = dict.fromkeys([*order, *(name for config in configs.values() for name in config)])
    texts = {name: {key: as_words(config.get(name, ABSENT)) for key, config in configs.items()} for name in names}
    return [Setting(name, values) for name, values in texts.items() if len(set(values.values())) > 1]


def as_words(value: Any) -> str:
    """A value of a config as a table shows it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(as_words, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {as_words(item)}" for name, item in value.items()) or "none"
    return str(value) or ABSENT


def beside_paper(configs: Mapping[str, Mapping[str, Any]]) -> list[Setting]:
    """The fields in which the stored configs of arms differ from each other, or from the paper's,
    which are the defaults."""
    return differences({PAPER: complete({}), **{arm: complete(config) for arm, config in configs.items()}})
