"""Distances, epoch by epoch and on the same few views, of a run's poses from those of other seeds
and from those of its students."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tips_ray.columns import DISAGREEMENTS
from tips_ray.stability.teachers import TeacherCard
from tips_ray.store.curves import run_name

SEED_DISAGREEMENT, STUDENT_DISAGREEMENT = DISAGREEMENTS


def seed_disagreement(curves: pd.DataFrame, lifted: Mapping[str, Mapping[int, np.ndarray]]) -> np.ndarray:
    """For each row: mean distance in mm of the run's lifted joints from the mean of the other runs
    of its arm, at that epoch.

    `lifted` has depths (views, 16) in mm by run and epoch; each run has the depth sign that
    anatomy voted for. NaN where there is no other run, or one of them lacks the epoch.
    """
    distances = np.full(len(curves), np.nan)
    rows = curves.reset_index(drop=True)
    present = rows.reindex(columns=["arm", "epoch", "run", "depth_sign"]).dropna()
    present = present.drop_duplicates(["arm", "epoch", "run"], keep="last")  # of an epoch that stands twice, the later row holds
    for _, group in present.groupby(["arm", "epoch"], sort=False):
        epoch = group["epoch"].iloc[0]
        depths = [lifted.get(str(run), {}).get(int(epoch)) for run in group["run"]]
        if len(depths) < 2 or any(each is None for each in depths):
            continue
        signed = np.stack([each * sign for each, sign in zip(depths, group["depth_sign"], strict=True)])
        distances[group.index] = distances_by_view(signed).mean(axis=1)
    return distances


def distances_by_view(depths: np.ndarray) -> np.ndarray:
    """Mean distance in mm (runs, views) of the joints of each run from the mean of the other runs;
    `depths` (runs, views, 16) have the signs that anatomy voted for."""
    others = (depths.sum(0) - depths) / (len(depths) - 1)
    return np.abs(depths - others).mean(axis=2)


def signed_depths(rows: Sequence[pd.Series], lifted: Mapping[str, Mapping[int, np.ndarray]]) -> np.ndarray | None:
    """Depths in mm (runs, views, 16) of the runs of an arm at the epochs of the `rows`, one a run,
    with the signs that anatomy voted for; None of a single run, or where what one lifted is not
    stored."""
    depths = [lifted.get(str(row["run"]), {}).get(int(row["epoch"])) for row in rows]
    signed = [each * row["depth_sign"] for each, row in zip(depths, rows, strict=True) if each is not None]
    return np.stack(signed) if len(signed) == len(rows) > 1 else None


def error_bound(depths: np.ndarray) -> float:
    """A lower bound in mm of the error of runs whose depths (runs, views, 16) in mm have the signs
    that anatomy voted for: the root mean square of the distances between a lifted joint and the
    true one.

    Of runs that differ in nothing but their seeds, the mean squared error is the square of what
    they have in common, which nobody can see without labels, and their variance, which is half of
    the mean squared distance between two of them. It holds for the mean over seeds; x and y, which
    are given, have no error.
    """
    return float(np.sqrt(depths.var(axis=0, ddof=1).mean()))


def student_disagreement(
    curves: pd.DataFrame, lifted: Mapping[str, Mapping[int, np.ndarray]], of_students: Mapping[str, Sequence[np.ndarray]]
) -> np.ndarray:
    """For each row: mean distance in mm of the run's lifted joints from those of its students at
    the end of their training.

    `of_students` has the students' depths by the run that taught them (`final_depths`); of several
    students, the mean distance. The column exists only after students have been trained, and it
    favours the epochs that taught them, since students resemble these. NaN where a run has no
    student, or an epoch was not lifted.
    """
    distances = np.full(len(curves), np.nan)
    rows = curves.reindex(columns=["run", "epoch", "depth_sign"]).itertuples(index=False)
    for place, (run, epoch, sign) in enumerate(rows):
        depths = lifted.get(run, {}).get(int(epoch))
        if depths is not None and of_students.get(run):
            distances[place] = np.mean([np.abs(depths * sign - final).mean() for final in of_students[run]])
    return distances


def final_depths(rows: pd.DataFrame, newest: Mapping[int, np.ndarray]) -> list[np.ndarray]:
    """Depths (views, 16) in mm of a run's newest epoch, with the depth sign that anatomy voted for;
    none where its `rows` have no sign for that epoch."""
    signs = dict(rows.reindex(columns=["epoch", "depth_sign"]).dropna().itertuples(index=False, name=None))
    return [depths * signs[epoch] for epoch, depths in newest.items() if epoch in signs]


def students_of(cards: Mapping[str, TeacherCard]) -> dict[str, list[str]]:
    """Names of the students that learn from each run and no other, by the teacher cards of their
    arms; without students whose teachers were chosen by the oracle."""
    students: dict[str, list[str]] = {}
    for arm, card in cards.items():
        if card.teacher.runs == "own" and not card.oracle:
            for lesson in card.lessons:
                students.setdefault(lesson.run, []).append(run_name(arm, lesson.seed))
    return students
