"""Pick the teachers of a distilled arm from the curves of the runs that may teach, and say why in a
teacher card.

No label is looked at, unless the rule is the oracle, and then the card says so. What a card says of
the regret to expect was measured with labels on the campaign's own subjects: it is there to judge
the choice by, and had no part in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Teacher
from tips_ray.errors import UserError
from tips_ray.stability.regret import MedianRegret, best_epoch, median_interval, rules_for, score_stops, whole_runs
from tips_ray.stability.rules import rule_named, standard_rules
from tips_ray.stability.statistics import runs_of
from tips_ray.stability.stopping import Curve, Oracle, Window

PICKED_BY = "bone_variation"
"""The signal that is lowest, late in its training, for the run that is picked. Its rank correlation
with the error between seeds of an arm is 0.70 (0.44 to 0.86; 30 runs of
`reports/gallery/cmu-tips`), among the highest. Labels of those runs chose it."""


@dataclass(frozen=True)
class Lesson:
    """What is taken from one run."""

    run: str
    seed: int
    first: int
    last: int
    half_life: float | None
    depth_sign: float
    """The anatomy's vote at the last epoch."""
    churn_mm: float | None
    """How far its predictions moved in the last epoch."""
    checkpoints: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file of weights, by epoch."""

    @property
    def window(self) -> Window:
        """The epochs."""
        return Window(self.first, self.last, self.half_life)


@dataclass(frozen=True)
class ExpectedRegret(MedianRegret):
    """Regret of a rule over n runs."""

    n: int


NOT_MEASURED = ExpectedRegret(None, None, None, None, None, 0)


@dataclass(frozen=True)
class TeacherCard:
    """Who teaches an arm, and why."""

    student: str
    teacher: Teacher
    oracle: bool
    num_epochs: int
    """Epochs that all runs of the teaching arm had when they were picked."""
    lessons: tuple[Lesson, ...]
    expected_regret_mm: ExpectedRegret
    """What the rule costs on the runs that may teach: measured with labels, not used."""
    reason: str = ""
    """Why these teachers, in a sentence."""

    def of_seed(self, seed: int) -> tuple[Lesson, ...]:
        """Whom the student of a seed learns from; raises ValueError if nobody was picked for it."""
        found = self.lessons if self.teacher.runs != "own" else tuple(each for each in self.lessons if each.seed == seed)
        if not found:
            raise UserError(
                f"No teacher was picked for seed {seed} of {self.student!r}: {self.teacher.arm} has no finished run of that seed."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "TeacherCard":
        """What `to_json` gave."""
        lessons = tuple(Lesson(**lesson) for lesson in content["lessons"])
        teacher, regret = Teacher(**content["teacher"]), ExpectedRegret(**content["expected_regret_mm"])
        return cls(**{**content, "teacher": teacher, "lessons": lessons, "expected_regret_mm": regret})


def pick(
    curves: pd.DataFrame,
    windows: pd.DataFrame,
    student: str,
    teacher: Teacher,
    seeds: Sequence[int],
    num_epochs: int,
    kept: Mapping[str, Collection[int]],
) -> TeacherCard:
    """The card of a distilled arm, without checkpoints' hashes; `kept` has the epochs of each run
    whose weights were kept.

    Raises ValueError for a teaching arm without finished runs, for a run that diverged where its
    own student needs it, or has fewer epochs than `num_epochs`, and for a rule that needs columns
    that the curves do not have, as does a pick of one run.
    """
    own = curves[(curves["arm"] == teacher.arm) & (curves["seed"].isin(seeds) | (teacher.runs != "own"))]
    runs, ended = whole_runs(own, teacher.arm), runs_of(own, teacher.arm)
    short = ended[(ended["status"] != "diverged") & (ended["epochs"] < num_epochs)]
    if len(short):
        raise UserError(
            f"{student!r} learns from {short['run'].iloc[0]!r}, which has {short['epochs'].iloc[0]} of {num_epochs} epochs; train"
            " that arm to its end first, or give the student fewer --num-epochs."
        )
    if not runs:
        raise UserError(f"{student!r} learns from {teacher.arm!r}, which has no finished run; train that arm first.")
    needed = [seed for seed in seeds if seed not in runs]
    if teacher.runs == "own" and needed:
        lost = ended[ended["status"] == "diverged"]["epochs"]
        why = f"diverged in epoch {lost[needed[0]]}" if needed[0] in lost else "was not trained"
        raise UserError(
            f"{student!r} of seed {needed[0]} learns from {teacher.arm!r} of that seed, which {why}; let all learn from one run"
            " that did not (--teacher.runs picked), or from their mean (all)."
        )
    oracle = teacher.rule == Oracle().name
    found = {seed: named(run, teacher.rule, kept[str(run["run"].iloc[0])]) for seed, run in runs.items()}
    regret = expected(own, windows, teacher, found)
    if teacher.runs == "picked":
        picked = most_plausible(runs, found)
        found = {picked: found[picked]}
    lessons = tuple(lesson(runs[seed], window) for seed, window in found.items())
    return TeacherCard(
        student, teacher, oracle, len(next(iter(runs.values()))), lessons, regret, reason(teacher, oracle, len(runs))
    )


def most_plausible(runs: dict[int, pd.DataFrame], windows: dict[int, Window]) -> int:
    """The seed whose run has the lowest PICKED_BY, on average over the last half of the epochs up
    to its stop.

    Raises ValueError if that is known of none.
    """
    found = {}
    for seed, run in runs.items():
        curve, last = Curve(run), windows[seed].last
        values = curve[PICKED_BY][last // 2 : last] if PICKED_BY in curve else np.empty(0)
        if np.isfinite(values).any():
            found[seed] = float(values[np.isfinite(values)].mean())
    if not found and len(runs) > 1:
        names = ", ".join(repr(str(run["run"].iloc[0])) for run in runs.values())
        raise UserError(
            f"The runs {names} have no {PICKED_BY!r} up to their stops, by which one would be picked; let each student learn from"
            " the run of its own seed (--teacher.runs own), or from the mean of all (all)."
        )
    return min(found or runs, key=lambda seed: found.get(seed, 0.0))


def reason(teacher: Teacher, oracle: bool, num_runs: int) -> str:
    """Why these teachers, in a sentence."""
    which = {
        "own": "each student has the run of its own seed",
        "picked": f"of {num_runs} runs, the one with the lowest {PICKED_BY} over the last half up to its stop",
        "all": f"the mean of {num_runs} runs, each with the depth sign that anatomy voted for",
    }[teacher.runs]
    labels = "3D labels chose the epoch" if oracle else "no label of these runs was looked at"
    return f"{teacher.rule}; {which}; {labels}."


def named(run: pd.DataFrame, rule: str, kept: Collection[int]) -> Window:
    """The window that a rule, or the oracle, names of a run, ending at the newest epoch up to there
    whose weights were kept.

    The oracle looks at kept epochs alone. Raises ValueError for a rule that is unknown, or lacks
    columns, and if no weights were kept up to its epoch.
    """
    name = str(run["run"].iloc[0])
    if rule == Oracle().name:
        errors = run[HEADLINE_METRIC].where(run["epoch"].isin(kept)).to_numpy(float)
        window = Window(best_epoch(errors), best_epoch(errors))
    else:
        curve = Curve(run)
        chosen = rule_named(rule, standard_rules(len(curve)))
        lacking = [column for column in chosen.columns if column not in curve]
        if lacking:
            able = ", ".join(repr(other.name) for other in rules_for(curve))
            raise UserError(f"The stop rule {rule!r} needs {lacking[0]!r}, which {name!r} does not have; choose another: {able}.")
        window = curve.check(chosen(curve))
    last = max((epoch for epoch in kept if epoch <= window.last), default=None)
    if last is None:
        raise UserError(
            f"{rule!r} names epoch {window.last} of {name!r}, which has kept no weights up to there; choose another rule, or"
            " train it anew with more kept (--keep-weights.every)."
        )
    return replace(window, first=min(window.first, last), last=last)


def lesson(run: pd.DataFrame, window: Window) -> Lesson:
    """What is taken from a run at a window."""
    at = run.iloc[window.last - 1]
    churn = float(at.get("churn_mm", np.nan))
    return Lesson(
        str(at["run"]),
        int(at["seed"]),
        window.first,
        window.last,
        window.half_life,
        float(at["depth_sign"]),
        churn if np.isfinite(churn) else None,
    )


def expected(curves: pd.DataFrame, windows: pd.DataFrame, teacher: Teacher, found: Mapping[int, Window]) -> ExpectedRegret:
    """What the teacher's rule costs on the runs that may teach."""
    rows = [(teacher.arm, seed, teacher.rule, window) for seed, window in found.items()]
    scored_stops = score_stops(curves, pd.DataFrame(rows, columns=["arm", "seed", "rule", "window"]), windows)
    regret = scored_stops[scored_stops["rule"] == teacher.rule].drop_duplicates("seed")["regret"].to_numpy(float)
    if len(regret) == 0:
        return NOT_MEASURED
    return ExpectedRegret(**vars(median_interval(regret)), n=len(regret))
