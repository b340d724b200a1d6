"""Choose the teachers of a distilled arm from the curves of the teaching arm's runs, and record the
choice in a teacher card.

No label has a part in the choice, unless the rule is the oracle, which the card states. The
expected regret on the card is measured with labels after the choice, and for information alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.config import Teacher
from tips_ray.errors import UserError
from tips_ray.stability.regret import MedianRegret, best_epoch, median_interval, rules_for, score_stops, whole_runs
from tips_ray.stability.rule_sets import rule_named, standard_rules
from tips_ray.stability.statistics import BEGUN, runs_of
from tips_ray.stability.stopping import Curve, Oracle, Window
from tips_ray.store.checked import Count, HalfLife, Positive, Real, RunName, closed, read_checked
from tips_ray.store.storage import Storage

CARDS = "teachers"
"""Folder of a campaign's teacher cards, one a distilled arm."""

PICKED_BY = "bone_variation"
"""With `--teacher.runs picked`, the run whose late epochs have the lowest value of this signal
teaches. Between seeds of an arm, its rank correlation with the error is 0.70 (0.44 to 0.86; 30 runs
of `reports/gallery/cmu-tips`), among the highest; the signal was chosen with labels of those runs.
"""


@closed
@dataclass(frozen=True)
class TeacherWindow:
    """The epochs of one run whose weights teach."""

    run: RunName
    seed: Count
    first: Positive
    last: Positive
    half_life: HalfLife | None
    depth_sign: Annotated[float, Field(ge=-1, le=1)]
    """The sign that anatomy voted for at the last epoch."""
    churn_mm: Real | None
    """How far the run's predictions moved in the last epoch."""
    checkpoints: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], str] = field(default_factory=dict)
    """SHA-256 of each file of weights, by epoch."""

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise UserError(f"The window of epochs {self.first} to {self.last} of {self.run!r} ends before it begins.")

    @property
    def window(self) -> Window:
        """The epochs."""
        return Window(self.first, self.last, self.half_life)


@closed
@dataclass(frozen=True)
class ExpectedRegret(MedianRegret):
    """Regret of a rule over n runs."""

    n: int


NOT_MEASURED = ExpectedRegret(None, None, None, None, None, 0)


@closed
@dataclass(frozen=True)
class TeacherCard:
    """The teachers of a distilled arm, and the reason for their choice."""

    student: str
    teacher: Teacher
    oracle: bool
    num_epochs: Positive
    """Epochs that all runs of the teaching arm had when the teachers were chosen."""
    lessons: Annotated[tuple[TeacherWindow, ...], Field(min_length=1)]
    expected_regret_mm: ExpectedRegret
    """What the rule costs on the runs of the teaching arm; needs labels, and did not affect the
    choice."""
    reason: str = ""
    """Why these teachers, in a sentence."""

    def of_seed(self, seed: int) -> tuple[TeacherWindow, ...]:
        """The teachers of the student of a seed; raises ValueError if it has none."""
        teachers = self.lessons if self.teacher.runs != "own" else tuple(each for each in self.lessons if each.seed == seed)
        if not teachers:
            raise UserError(
                f"No teacher was picked for seed {seed} of {self.student!r}: {self.teacher.arm} has no finished run of that seed."
            )
        return teachers


def read_cards(folder: Storage) -> dict[str, TeacherCard]:
    """The teacher cards of a campaign, by the arm that learns."""
    names = [name for name in folder.names(CARDS) if name.endswith(".json")]
    cure = "restore the file; or delete it, and the arm's runs, to pick its teachers anew"
    return {name.removesuffix(".json"): read_checked(folder, f"{CARDS}/{name}", TeacherCard, cure) for name in names}


@dataclass(frozen=True)
class TeachingRuns:
    """What a campaign has of the runs that may teach."""

    curves: pd.DataFrame
    windows: pd.DataFrame
    """Errors of averages of their weights, as `tips_ray.store.measurements` keeps them."""
    kept: Mapping[str, Collection[int]]
    """The epochs of each run whose weights were kept."""


def choose_teachers(runs: TeachingRuns, student: str, teacher: Teacher, seeds: Sequence[int], num_epochs: int) -> TeacherCard:
    """The card of a distilled arm, without hashes of checkpoints.

    Raises ValueError for a teaching arm without finished runs, for a run that diverged where the
    student of its seed needs it, or has fewer epochs than `num_epochs`, for a rule that needs
    columns that the curves do not have, and where PICKED_BY is needed and missing.
    """
    curves = runs.curves
    curves = curves[(curves["arm"] == teacher.arm) & (curves["seed"].isin(seeds) | (teacher.runs != "own"))]
    finished, ended = whole_runs(curves, teacher.arm), runs_of(curves, teacher.arm)
    short = ended[ended["status"].isin(["ok", BEGUN]) & (ended["epochs"] < num_epochs)]
    if len(short):
        raise UserError(
            f"{student!r} learns from {short['run'].iloc[0]!r}, which has {short['epochs'].iloc[0]} of {num_epochs} epochs; train"
            " that arm to its end first, or give the student fewer --num-epochs."
        )
    if not finished:
        raise UserError(f"{student!r} learns from {teacher.arm!r}, which has no finished run; train that arm first.")
    missing = [seed for seed in seeds if seed not in finished]
    if teacher.runs == "own" and missing:
        diverged = ended[ended["status"] == "diverged"]["epochs"]
        why = f"diverged in epoch {diverged[missing[0]]}" if missing[0] in diverged else "was not trained"
        raise UserError(
            f"{student!r} of seed {missing[0]} learns from {teacher.arm!r} of that seed, which {why}; let all learn from one run"
            " that did not (--teacher.runs picked), or from their mean (all)."
        )
    windows = {seed: kept_window(run, teacher.rule, runs.kept[str(run["run"].iloc[0])]) for seed, run in finished.items()}
    oracle, seeds_that_teach = teacher.rule == Oracle().name, list(windows)
    if teacher.runs == "picked":
        seeds_that_teach = [most_plausible(finished, windows)]
    return TeacherCard(
        student=student,
        teacher=teacher,
        oracle=oracle,
        num_epochs=len(next(iter(finished.values()))),
        lessons=tuple(teacher_window(finished[seed], windows[seed]) for seed in seeds_that_teach),
        expected_regret_mm=expected_regret(curves, runs.windows, teacher, windows),
        reason=reason(teacher, oracle, len(finished)),
    )


def most_plausible(runs: dict[int, pd.DataFrame], windows: dict[int, Window]) -> int:
    """The seed whose run has the lowest mean of PICKED_BY over the last half of the epochs up to
    its stop; runs without values are passed over.

    Raises ValueError if several runs have no values and no other has any.
    """
    means = {}
    for seed, run in runs.items():
        curve, last = Curve(run), windows[seed].last
        values = curve[PICKED_BY][last // 2 : last] if PICKED_BY in curve else np.empty(0)
        if np.isfinite(values).any():
            means[seed] = float(values[np.isfinite(values)].mean())
    if not means and len(runs) > 1:
        names = ", ".join(repr(str(run["run"].iloc[0])) for run in runs.values())
        raise UserError(
            f"The runs {names} have no {PICKED_BY!r} up to their stops, by which one would be picked; let each student learn from"
            " the run of its own seed (--teacher.runs own), or from the mean of all (all)."
        )
    return min(means or runs, key=lambda seed: means.get(seed, 0.0))


def reason(teacher: Teacher, oracle: bool, num_runs: int) -> str:
    """A sentence that gives the reason for the choice."""
    which = {
        "own": "each student has the run of its own seed",
        "picked": f"of {num_runs} runs, the one with the lowest {PICKED_BY} over the last half up to its stop",
        "all": f"the mean of {num_runs} runs, each with the depth sign that anatomy voted for",
    }[teacher.runs]
    labels = "3D labels chose the epoch" if oracle else "no label of these runs was looked at"
    return f"{teacher.rule}; {which}; {labels}."


def kept_window(run: pd.DataFrame, rule: str, kept: Collection[int]) -> Window:
    """The window of epochs that a rule, or the oracle, chooses in a run; moved back to the newest
    epoch whose weights were kept.

    The oracle compares kept epochs only. Raises ValueError for an unknown rule, for one whose
    columns the curve lacks, and if no weights were kept up to the end of the window.
    """
    name = str(run["run"].iloc[0])
    if rule == Oracle().name:
        errors = run[HEADLINE_METRIC].where(run["epoch"].isin(kept)).to_numpy(float)
        window = Window(best_epoch(errors), best_epoch(errors))
    else:
        curve = Curve(run)
        stop_rule = rule_named(rule, standard_rules(len(curve)))
        lacking = [column for column in stop_rule.columns if column not in curve]
        if lacking:
            able = ", ".join(repr(other.name) for other in rules_for(curve))
            raise UserError(f"The stop rule {rule!r} needs {lacking[0]!r}, which {name!r} does not have; choose another: {able}.")
        window = curve.check(stop_rule(curve))
    last = max((epoch for epoch in kept if epoch <= window.last), default=None)
    if last is None:
        raise UserError(
            f"{rule!r} names epoch {window.last} of {name!r}, which has kept no weights up to there; choose another rule, or"
            " train it anew with more kept (--keep-weights.every)."
        )
    return replace(window, first=min(window.first, last), last=last)


def teacher_window(run: pd.DataFrame, window: Window) -> TeacherWindow:
    """The teacher that a run is over a window of its epochs."""
    row = run.iloc[window.last - 1]
    churn = float(row.get("churn_mm", np.nan))
    return TeacherWindow(
        run=str(row["run"]),
        seed=int(row["seed"]),
        first=window.first,
        last=window.last,
        half_life=window.half_life,
        depth_sign=float(row["depth_sign"]),
        churn_mm=churn if np.isfinite(churn) else None,
    )


def expected_regret(
    curves: pd.DataFrame, measured: pd.DataFrame, teacher: Teacher, windows: Mapping[int, Window]
) -> ExpectedRegret:
    """What the teacher's rule costs on the runs of the teaching arm; `windows` are those it chooses
    by seed, and `measured` has the errors of averages."""
    rows = [(teacher.arm, seed, teacher.rule, window) for seed, window in windows.items()]
    scored_stops = score_stops(curves, pd.DataFrame(rows, columns=["arm", "seed", "rule", "window"]), measured)
    regret = scored_stops[scored_stops["rule"] == teacher.rule].drop_duplicates("seed")["regret"].to_numpy(float)
    if len(regret) == 0:
        return NOT_MEASURED
    return ExpectedRegret(**vars(median_interval(regret)), n=len(regret))
