"""A screening design: which of several choices matter, in a dozen arms.

Each row of a Plackett-Burman design sets all factors to their low or their high level, so that
every factor is high in half of the rows, and any two are independent. An effect is that of a factor
alone only as far as factors do not depend on each other: two-factor effects are spread over the
others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_GENERATOR = "++-+++---+-"
"""The first row of the design of 12 rows (Plackett & Burman 1946); the next ten shift it
cyclically, and the last is low throughout."""
NUM_ROWS = len(_GENERATOR) + 1


@dataclass(frozen=True)
class Factor:
    """A choice of which the paper does not tell both sides."""

    name: str
    low: tuple[str, Mapping[str, Any]]
    """What the level is called, and what a config has there; the package's default."""
    high: tuple[str, Mapping[str, Any]]


FACTORS = (
    Factor("rotation", ("a pose", {"adversary": {"rotation": "pose"}}), ("a batch", {"adversary": {"rotation": "batch"}})),
    Factor("norm", ("batch", {"network": {"generator_norm": "batch"}}), ("layer", {"network": {"generator_norm": "layer"}})),
    Factor("real label", ("0.8", {"adversary": {"real_label": 0.8}}), ("1", {"adversary": {"real_label": 1.0}})),
    Factor("renormalise", ("no", {"adversary": {"renormalise": False}}), ("yes", {"adversary": {"renormalise": True}})),
    Factor("dropout", ("0.3", {"network": {"discriminator_dropout": 0.3}}), ("0", {"network": {"discriminator_dropout": 0.0}})),
    Factor(
        "loss",
        ("non-saturating", {"adversary": {"loss": "non_saturating"}}),
        ("least squares", {"adversary": {"loss": "least_squares"}}),
    ),
    Factor("swapped labels", ("never", {"adversary": {"swap_labels": 0.0}}), ("1 in 20", {"adversary": {"swap_labels": 0.05}})),
)
"""At most as many as a row of the generator."""


def is_high(row: int, factor: int) -> bool:
    """Whether a row, from 1, has a factor, from 0, at its high level."""
    return row < NUM_ROWS and _GENERATOR[(factor - row + 1) % len(_GENERATOR)] == "+"


def row_changes(row: int) -> dict[str, dict[str, Any]]:
    """What a config has in a row of the design, of all factors."""
    changes: dict[str, dict[str, Any]] = {}
    for place, factor in enumerate(FACTORS):
        _, level = factor.high if is_high(row, place) else factor.low
        for group, fields in level.items():
            changes[group] = {**changes.get(group, {}), **fields}
    return changes


def row_name(base: str, row: int) -> str:
    """The name of an arm in a row of the design."""
    return f"{base}_row_{row:02d}"


def row_of(arm: str) -> tuple[str, int] | None:
    """The base of an arm that is a row of the design, and the row; None for other arms."""
    match = re.fullmatch(r"(.+)_row_(\d\d)", arm)
    return (match[1], int(match[2])) if match and 1 <= int(match[2]) <= NUM_ROWS else None
