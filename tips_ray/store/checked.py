"""The JSON files of a campaign, checked as they are read: each value has the type that the program
relies on."""

from dataclasses import asdict
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator, with_config
from pydantic_core import from_json

from tips_ray.config import Config, Evaluation, KeepWeights, override
from tips_ray.errors import UserError
from tips_ray.store.storage import Storage
from tips_ray.terminal import printable

LARGEST_RECORD = 2**26
"""Bytes."""
VERSION = 4
"""Of what a campaign stores; 2: layers before batch norm have no bias; 3: states hold their rows,
and there are two of them. 4: columns and streams have other names."""

Count = Annotated[int, Field(ge=0, le=10**12)]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Amount = Annotated[float, Field(ge=0, le=1e12)]
Real = Annotated[float, Field(ge=-1e12, le=1e12)]
HalfLife = Annotated[float, Field(gt=0, le=1e12)]
RunName = Annotated[str, Field(pattern=r"^[^/\x00]+-seed\d{1,12}$")]
Scalar = str | float | int | bool | None
References = dict[str, dict[str, Real | None]]


closed = with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
"""Of a dataclass that is read from a file, which holds nothing else than its fields."""


class Record(BaseModel):
    """A part of a file; it may hold more than what is named here."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)


class DataRecord(Record):
    """What a campaign is trained and tested on, as `campaign.run.describe` writes it."""

    spec: str = ""
    name: str = ""
    fingerprint: str = ""
    synthetic: bool = False
    weakly_supervised: bool = False
    labelled: bool = True
    labelled_name: str = ""
    labelled_fingerprint: str = ""
    num_train_poses: Count = 0
    num_train_views: Count = 0
    num_test_poses: Count = 0
    num_test_views: Count = 0
    train_subjects: list[str] = []
    test_subjects: list[str] = []
    left_out_subjects: list[str] = []


class ExecutionRecord(Record):
    """When, where and for how long a campaign was trained."""

    seconds: Amount
    started: str = ""
    command: str = ""
    commit: str | None = None
    versions: dict[str, str] = {}
    machine: dict[str, str | int | None] = {}


class Manifest(Record):
    """What studies and searches have in common."""

    version: Count
    name: str
    data: DataRecord
    references: References
    executions: list[ExecutionRecord]
    evaluation: dict[str, Any] = {}
    keep_weights: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def complete(cls, value: Any) -> Any:
        """Configs of this version are checked, and what they leave out has its default."""
        if not isinstance(value, dict) or value.get("version") != VERSION:
            return value
        defaults = {"evaluation": Evaluation(), "keep_weights": KeepWeights(), "config": Config()}
        value = value | {name: completed(default, value[name]) for name, default in defaults.items() if name in value}
        if isinstance(value.get("arms"), dict):
            value["arms"] = {arm: completed(Config(), config) for arm, config in value["arms"].items()}
        return value


def completed(default: Any, changes: Any) -> Any:
    """The fields of a config by those that were written; anything else as it is.

    `numerics.compile`, which configs no longer have, is left out. No other version is needed for
    it: as it was false, fingerprints are the same, and runs that were compiled are not continued,
    since theirs differ.
    """
    if not isinstance(changes, dict):
        return changes
    if isinstance(changes.get("numerics"), dict):
        changes = changes | {"numerics": {name: value for name, value in changes["numerics"].items() if name != "compile"}}
    return asdict(override(default, changes))


class ArmRecord(Record):
    """The config of an arm; one of another version has other fields."""

    objective: str
    data: dict[str, Any] = {}
    teacher: dict[str, Any] | None = None


class StopRecord(Record):
    """The rule that ends runs, and for how many epochs of training it was made."""

    rule: str
    num_epochs: Positive


class CampaignRecord(Manifest):
    """What a study is: `campaign.json`."""

    stop: StopRecord | None = None

    arms: Annotated[dict[str, ArmRecord], Field(min_length=1)]


class RangeRecord(Record):
    """The numbers that a field may take in a search."""

    kind: Literal["log", "linear", "integer"]
    low: Real
    high: Real

    @model_validator(mode="after")
    def check(self) -> "RangeRecord":
        """A range begins before it ends, and a logarithmic one above 0."""
        if self.low > self.high or (self.kind == "log" and self.low <= 0):
            raise ValueError("low must be below high, and for a logarithm above 0")
        return self


class ChoiceRecord(Record):
    """The values that a field may take in a search."""

    kind: Literal["choice"]
    choices: Annotated[list[Scalar], Field(min_length=1)]


class ConfirmedRecord(Record):
    """What the confirmation of a search trains."""

    arms: Annotated[list[str], Field(min_length=2)]
    seeds: Annotated[list[Count], Field(min_length=1)]
    num_epochs: Positive
    num_trials: Count
    start_led: bool


class AskedRecord(Record):
    """How many trials a search was asked for."""

    as_: Annotated[str, Field(alias="as")]
    num_trials: Count


class SearchRecord(Manifest):
    """What a search is: `search.json`."""

    id: str = ""
    config: dict[str, Any]
    space: dict[str, Annotated[RangeRecord | ChoiceRecord, Field(discriminator="kind")]]
    baseline: dict[str, Scalar]
    objective: Literal["error", "instability", "pareto", "label_free", "signals"]
    pruner: Literal["none", "asha", "median"] = "none"
    num_seeds: Annotated[int, Field(ge=1, lt=1000)]
    num_epochs: Positive
    confirmed_at: ConfirmedRecord | None = None
    asked: AskedRecord | None = None

    @model_validator(mode="after")
    def check(self) -> "SearchRecord":
        """The start of a search has a value of each field."""
        if self.space.keys() != self.baseline.keys():
            raise ValueError("space and baseline have other fields")
        return self


Kind = TypeVar("Kind")


reader_of = cache(TypeAdapter)
"""Of a kind of record; it takes a while to make."""


def read_checked(folder: Storage, name: str, kind: type[Kind], cure: str) -> Kind:
    """The content of a JSON file.

    Raises FileNotFoundError if there is none, and UserError, with the cure, for one that is
    damaged or lacks what its kind of record holds.
    """
    content = folder.read(name, LARGEST_RECORD)
    try:
        from_json(content, allow_inf_nan=False)  # the reader takes NaN where a value may be anything
        return reader_of(kind).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "its content"
        reason = f"{field}: {first['msg'].removeprefix('Value error, ')}"
    except (ValueError, OverflowError) as error:
        reason = str(error) if content else "it is empty"
    raise UserError(f"{str(folder / name)!r} is damaged ({printable(reason)[:300]}); {cure}.")
