"""How far runs are from those of other seeds, and from their students: what each made, epoch by
epoch, of the same few views."""

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from tokenize import TokenError
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.stopping import DISAGREEMENTS
from tips_ray.store.curves import PARALLEL_READS, RUNS, run_name
from tips_ray.store.measurements import read_cards
from tips_ray.store.storage import Storage

SEEDS, STUDENT = DISAGREEMENTS


def lifted_name(epoch: int) -> str:
    """File of what a lifter makes of the witnesses after an epoch, inside a run's folder."""
    return f"lifted/epoch-{epoch:05d}.npy"


def as_lifted(depths: np.ndarray) -> bytes:
    """Depths (views, 16) in mm as a file's bytes, to a quarter of a millimetre within a metre of
    the root."""
    sink, farthest = io.BytesIO(), float(np.finfo(np.float16).max)
    np.save(sink, depths.clip(-farthest, farthest).astype(np.float16))
    return sink.getvalue()


def read_lifted(folder: Storage, run: str, newest: int | None = None) -> dict[int, np.ndarray]:
    """Depths (views, 16) in mm by epoch, of one run of a campaign, or of its `newest` epochs.

    Without epochs whose file is not there, or not whole.
    """
    names = (folder / RUNS / run).names("lifted")
    names = names if newest is None else names[-newest:]

    def read(name: str) -> np.ndarray | None:
        try:
            source = io.BytesIO(folder.read(f"{RUNS}/{run}/lifted/{name}"))
            depths = np.load(source).astype(np.float32)
        except (FileNotFoundError, ValueError, EOFError, SyntaxError, TokenError):  # what NumPy makes of a damaged header
            return None
        whole = depths.ndim == 2 and depths.shape[1] == len(LIFTED) and not source.read()
        return depths if whole and np.isfinite(depths).all() else None

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = zip(names, pool.map(read, names), strict=True)
        return {int(name[6:-4]): depths for name, depths in found if depths is not None}


def with_agreement(curves: pd.DataFrame, folder: Storage) -> pd.DataFrame:
    """The curves of a campaign with `seed_disagreement_mm` (`disagreement`) and
    `student_disagreement_mm` (`from_students`)."""
    students = students_of(read_cards(folder))
    ends = {student: last_upright(curves, folder, student) for taught in students.values() for student in taught}
    columns = {name: np.full(len(curves), np.nan) for name in (SEEDS, STUDENT)}
    for places in curves.groupby("arm").indices.values():  # what the runs of all arms lifted may be more than memory holds
        rows = curves.iloc[places]
        lifted = {run: read_lifted(folder, run) for run in rows["run"].unique()}
        learnt = {run: [depths for student in students.get(run, ()) for depths in ends[student]] for run in lifted}
        columns[SEEDS][places] = disagreement(rows, lifted)
        columns[STUDENT][places] = from_students(rows, lifted, learnt)
    return curves.assign(**columns)


def disagreement(curves: pd.DataFrame, lifted: Mapping[str, Mapping[int, np.ndarray]]) -> np.ndarray:
    """For each row: mean distance in mm of the run's lifted joints from the mean of the other runs
    of its arm, at that epoch.

    Each run has the depth sign that anatomy voted for. NaN where there is no other run, or one of
    them lacks the epoch.
    """
    found = np.full(len(curves), np.nan)
    rows = curves.reset_index(drop=True)
    present = rows.reindex(columns=["arm", "epoch", "run", "depth_sign"]).dropna()
    present = present.drop_duplicates(["arm", "epoch", "run"], keep="last")  # of an epoch that stands twice, the later row holds
    for _, group in present.groupby(["arm", "epoch"], sort=False):
        epoch = group["epoch"].iloc[0]
        depths = [lifted.get(str(run), {}).get(int(epoch)) for run in group["run"]]
        if len(depths) < 2 or any(each is None for each in depths):
            continue
        upright = np.stack([each * sign for each, sign in zip(depths, group["depth_sign"], strict=True)])
        others = (upright.sum(0) - upright) / (len(upright) - 1)
        found[group.index] = np.abs(upright - others).mean(axis=(1, 2))
    return found


def from_students(
    curves: pd.DataFrame, lifted: Mapping[str, Mapping[int, np.ndarray]], learnt: Mapping[str, Sequence[np.ndarray]]
) -> np.ndarray:
    """For each row: mean distance in mm of the run's lifted joints from what its students made of
    them in the end.

    `learnt` has those students' depths by run (`last_upright`); of several students, the mean
    distance. A student is trained after its teacher: this tells of the teacher's epochs in
    hindsight, without labels. An epoch near those that were taught is near the student too. NaN
    where a run has no student, or an epoch was not lifted.
    """
    found = np.full(len(curves), np.nan)
    rows = curves.reindex(columns=["run", "epoch", "depth_sign"]).itertuples(index=False)
    for place, (run, epoch, sign) in enumerate(rows):
        own = lifted.get(run, {}).get(int(epoch))
        if own is not None and learnt.get(run):
            found[place] = np.mean([np.abs(own * sign - depths).mean() for depths in learnt[run]])
    return found


def last_upright(curves: pd.DataFrame, folder: Storage, run: str) -> list[np.ndarray]:
    """Depths (views, 16) in mm of a run's newest epoch, with the depth sign that anatomy voted for;
    none where it has none."""
    rows = curves[curves["run"] == run].reindex(columns=["epoch", "depth_sign"]).dropna()
    signs = dict(rows.itertuples(index=False, name=None))
    return [depths * signs[epoch] for epoch, depths in read_lifted(folder, run, 1).items() if epoch in signs]


def students_of(cards: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The runs that learnt from each run alone, by the teacher cards of their arms; without
    students of an oracle's epochs."""
    found: dict[str, list[str]] = {}
    for arm, card in cards.items():
        if card["teacher"]["runs"] == "own" and not card["oracle"]:
            for lesson in card["lessons"]:
                found.setdefault(lesson["run"], []).append(run_name(arm, lesson["seed"]))
    return found
