"""The JSON files of a campaign, checked as they are read: each value has the type that the program
relies on."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tips_ray.errors import UserError
from tips_ray.store.storage import Storage

LARGEST_RECORD = 2**26
"""Bytes."""
DEEPEST = 100
"""Levels of lists and objects inside each other."""
Count = Annotated[int, Field(ge=0, le=10**12)]


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
    num_train_poses: Count = 0
    num_train_views: Count = 0
    num_test_poses: Count = 0
    num_test_views: Count = 0
    train_subjects: list[str] = []
    test_subjects: list[str] = []


class ExecutionRecord(Record):
    """When, where and for how long a campaign was trained."""

    seconds: Annotated[float, Field(ge=0)]


class Manifest(Record):
    """What studies and searches have in common."""

    version: Count
    name: str
    data: DataRecord
    references: dict[str, dict[str, float | None]]
    executions: list[ExecutionRecord]


class CampaignRecord(Manifest):
    """What a study is: `campaign.json`."""

    arms: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]


class SearchRecord(Manifest):
    """What a search is: `search.json`."""

    version: Count = 0
    name: str = ""
    data: DataRecord = DataRecord()
    references: dict[str, dict[str, float | None]] = {}
    executions: list[ExecutionRecord] = []
    id: str = ""
    config: dict[str, Any] = {}
    space: dict[str, Any] = {}
    baseline: dict[str, Any] = {}
    objective: str = ""
    pruner: str = ""
    num_seeds: Annotated[Count, Field(ge=1)] = 1
    num_epochs: Annotated[Count, Field(ge=1)] = 1


class TrialRecord(Record):
    """One trial of a search: a file of `trials/`."""

    model_config = ConfigDict(extra="forbid")

    number: Count
    params: dict[str, str | float | int | bool | None] = {}
    pruned_at: Annotated[int, Field(ge=1)] | None = None
    error: str | None = None


class LessonRecord(Record):
    """What is taken from one run."""

    model_config = ConfigDict(extra="forbid")

    run: str
    seed: Count
    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]
    half_life: float | None
    depth_sign: float
    churn_mm: float | None
    checkpoints: dict[str, str] = {}


class CardRecord(Record):
    """Who teaches an arm: a file of `teachers/`."""

    model_config = ConfigDict(extra="forbid")

    student: str
    teacher: dict[str, str]
    oracle: bool
    num_epochs: Annotated[int, Field(ge=1)]
    lessons: list[LessonRecord]
    expected_regret_mm: dict[str, float | int | None]
    reason: str = ""


def read_checked(folder: Storage, name: str, kind: type[Record], cure: str) -> dict[str, Any]:
    """The content of a JSON file.

    Raises FileNotFoundError if there is none, and UserError, with the cure, for one that is
    damaged or lacks what its kind of record holds.
    """
    content = folder.read(name, LARGEST_RECORD)
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
        kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "its content"
        reason = f"{field}: {first['msg']}"
    except RecursionError:
        reason = "lists within lists, too deep to be read"
    except ValueError as error:
        reason = str(error) if content else "it is empty"
    else:
        if depth(value) <= DEEPEST:
            return value
        reason = "lists within lists, too deep to be used"
    raise UserError(f"{str(folder / name)!r} is damaged ({reason}); {cure}.")


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
