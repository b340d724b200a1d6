"""What is said of a lifter: how it was trained, and what it is known to do."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from tips_ray.errors import UserError

VERSION = 1
"""Of the card's form."""


@with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class Card:
    """Everything of a lifter but its weights; one JSON object."""

    name: str
    parts: dict[str, list[str]]
    """Joints by part, of `tips_ray.poses.skeleton.LIFTED`: each part's network sees its own
    alone."""
    negative_slope: Annotated[float, Field(ge=0, le=1)]
    mirror_mean: bool
    """Whether it answers with the mean over a pose and its mirror image, unless told otherwise."""
    weights_sha256: str = ""
    """Of the file of weights that the card belongs to."""
    version: int = VERSION
    trained: dict[str, Any] = field(default_factory=dict)
    """On what, how, and what was known beyond 2D poses."""
    errors: dict[str, Any] = field(default_factory=dict)
    """In mm, by the set of poses that they were measured on."""
    licence: str = ""
    credit: str = ""

    def has(self, seed: int, epochs: str) -> bool:
        """Whether the lifter has the weights of a run's epochs."""
        return (self.trained.get("seed"), self.trained.get("epochs")) == (seed, epochs)

    def to_json(self) -> bytes:
        """As a file."""
        return CARD.dump_json(self, indent=1)


CARD = TypeAdapter(Card)


def read_card(content: bytes) -> Card:
    """The card that a file holds; raises UserError, with what is wrong with it, for anything
    else."""
    try:
        card = CARD.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{place}: {first['msg']}") from error
    if card.version != VERSION:
        raise UserError(f"it is of version {card.version}, and this tips-ray reads version {VERSION}")
    return card
