"""The JSON files of a campaign, checked as they are read: each value has the type that the program
relies on."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tips_ray.config import Config, Evaluation, KeepWeights, override
from tips_ray.errors import UserError
from tips_ray.store.storage import Storage
from tips_ray.terminal import printable

LARGEST_RECORD = 2**26
"""Bytes."""
DEEPEST = 100
"""Levels of lists and objects inside each other."""
VERSION = 4
"""Of what a campaign stores; 2: layers before batch norm have no bias; 3: states hold their rows,
and there are two of them. 4: columns and streams have other names."""

Count = Annotated[int, Field(ge=0, le=10**12)]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Amount = Annotated[float, Field(ge=0, le=1e12)]
Real = Annotated[float, Field(ge=-1e12, le=1e12)]
RunName = Annotated[str, Field(pattern=r"^[^/\x00]+-seed\d{1,12}$")]
References = dict[str, dict[str, Real | None]]


class Record(BaseModel):
    """A part of a file; it may hold more than what is named here."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)


class Closed(Record):
    """A part of a file that holds nothing else than what is named here."""

    model_config = ConfigDict(extra="forbid")


class DataRecord(Record):
    """What a campaign is trained and tested on, as `campaign.run.describe` writes it."""

    spec: str = ""
    name: str = ""
    fingerprint: str = ""
    synthetic: bool = False
    weakly_supervised: bool = False
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
        """What a manifest leaves out has its default; configs of this version are checked."""
        if not isinstance(value, dict):
            return value
        value = {**{name: field.default for name, field in cls.model_fields.items() if not field.is_required()}, **value}
        if isinstance(value.get("data"), dict):
            value["data"] = {**DataRecord().model_dump(), **value["data"]}
        if value.get("version") == VERSION:
            for name, default in (("evaluation", Evaluation()), ("keep_weights", KeepWeights()), ("config", Config())):
                if isinstance(value.get(name), dict):
                    value[name] = asdict(override(default, value[name]))
            if isinstance(value.get("arms"), dict):
                value["arms"] = {
                    arm: asdict(override(Config(), config)) if isinstance(config, dict) else config
                    for arm, config in value["arms"].items()
                }
        return value


class ArmRecord(Record):
    """The config of an arm; one of another version has other fields."""

    objective: str
    data: dict[str, Any] = {}
    teacher: dict[str, Any] | None = None


class CampaignRecord(Manifest):
    """What a study is: `campaign.json`."""

    arms: Annotated[dict[str, ArmRecord], Field(min_length=1)]


class RangeRecord(Record):
    """The values that a field may take in a search."""

    kind: Literal["log", "linear", "integer", "choice"]
    low: Real = 0.0
    high: Real = 0.0
    choices: list[str | float | int | bool | None] = []

    @model_validator(mode="after")
    def check(self) -> "RangeRecord":
        """A range has both ends, and a choice has values."""
        needed = {"choices"} if self.kind == "choice" else {"low", "high"}
        if not needed <= self.model_fields_set or (self.kind == "choice" and not self.choices) or self.low > self.high:
            raise ValueError(f"a {self.kind} needs {' and '.join(sorted(needed))}")
        if self.kind == "log" and self.low <= 0:
            raise ValueError("the logarithm needs a low above 0")
        return self


class ConfirmedRecord(Record):
    """What the confirmation of a search trains."""

    arms: Annotated[list[str], Field(min_length=2)]
    seeds: Annotated[list[Count], Field(min_length=1)]
    num_epochs: Positive
    num_trials: Count
    start_led: bool


class AskedRecord(Closed):
    """How many trials a search was asked for."""

    as_: Annotated[str, Field(alias="as")]
    num_trials: Count


Scalar = str | float | int | bool | None


class SearchRecord(Manifest):
    """What a search is: `search.json`."""

    version: Count = 0
    name: str
    data: DataRecord
    references: References
    executions: list[ExecutionRecord] = []
    id: str = ""
    config: dict[str, Any]
    space: dict[str, RangeRecord]
    baseline: dict[str, Scalar]
    objective: Literal["error", "instability", "pareto", "label_free"]
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


class TrialRecord(Closed):
    """One trial of a search: a file of `trials/`."""

    number: Count
    params: dict[str, Scalar] = {}
    pruned_at: Positive | None = None
    error: str | None = None


class LessonRecord(Closed):
    """What is taken from one run."""

    run: RunName
    seed: Count
    first: Positive
    last: Positive
    half_life: Annotated[float, Field(gt=0, le=1e12)] | None
    depth_sign: Annotated[float, Field(ge=-1, le=1)]
    churn_mm: Real | None
    checkpoints: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], str] = {}

    @model_validator(mode="after")
    def check(self) -> "LessonRecord":
        """Windows begin before they end."""
        if self.first > self.last:
            raise ValueError("its first epoch comes after its last")
        return self


class TeacherRecord(Closed):
    """Whose depths are learnt."""

    arm: str
    rule: str
    runs: Literal["own", "picked", "all"]


class RegretRecord(Closed):
    """What a rule costs on the runs that may teach."""

    median: Real | None
    p95: Real | None
    worst: Real | None
    low: Real | None
    high: Real | None
    n: Count


class CardRecord(Closed):
    """Who teaches an arm: a file of `teachers/`."""

    student: str
    teacher: TeacherRecord
    oracle: bool
    num_epochs: Positive
    lessons: Annotated[list[LessonRecord], Field(min_length=1)]
    expected_regret_mm: RegretRecord
    reason: str = ""


def read_checked(folder: Storage, name: str, kind: type[Record], cure: str) -> dict[str, Any]:
    """The content of a JSON file.

    Raises FileNotFoundError if there is none, and UserError, with the cure, for one that is
    damaged or lacks what its kind of record holds.
    """
    content = folder.read(name, LARGEST_RECORD)
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
        if depth(value) > DEEPEST:
            raise RecursionError
        record = kind.model_validate(value).model_dump(exclude_unset=True, by_alias=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "its content"
        reason = f"{field}: {first['msg'].removeprefix('Value error, ')}"
    except OverflowError:
        reason = "a number is too large"
    except RecursionError:
        reason = "lists within lists, too deep to be used"
    except ValueError as error:
        reason = str(error) if content else "it is empty"
    else:
        return record
    raise UserError(f"{str(folder / name)!r} is damaged ({printable(reason)[:300]}); {cure}.")


def depth(value: object) -> int:
    """How many levels of lists and objects there are."""
    level, deepest = [value], 0
    while level:
        parts = [list(each.values()) if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        inner = [item for part in parts for item in part]
        level, deepest = inner, deepest + bool(inner)
        if deepest > DEEPEST:
            break
    return deepest


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"it holds {constant}, which is no number")
