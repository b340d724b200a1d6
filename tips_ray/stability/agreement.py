"""How far runs are from those of other seeds, and from their students: what each made, epoch by epoch, of the same few views."""

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from tokenize import TokenError
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.curves import PARALLEL_READS, RUNS, run_name
from tips_ray.stability.measured import read_cards
from tips_ray.stability.stopping import DISAGREEMENTS
from tips_ray.storage import Storage

SEEDS, STUDENT = DISAGREEMENTS


def lifted_name(epoch: int) -> str:
    """File of what a lifter makes of the witnesses after an epoch, inside a run's folder."""
    return f"lifted/epoch-{epoch:05d}.npy"


def as_lifted(depths: np.ndarray) -> bytes:
    """Depths (views, 16) in mm as a file's bytes, to a quarter of a millimetre within a metre of the root."""
    sink, farthest = io.BytesIO(), float(np.finfo(np.float16).max)
    np.save(sink, depths.clip(-farthest, farthest).astype(np.float16))
    return sink.getvalue()


def read_lifted(folder: Storage, run: str) -> dict[int, np.ndarray]:
    """Depths (views, 16) in mm by epoch, of one run of a campaign; without epochs whose file is not there, or not whole."""
    names = (folder / RUNS / run).names("lifted")

    def read(name: str) -> np.ndarray | None:
        source = io.BytesIO(folder.read(f"{RUNS}/{run}/lifted/{name}"))
        try:
            depths = np.load(source).astype(np.float32)
        except (ValueError, EOFError, SyntaxError, TokenError):  # what NumPy makes of a damaged header
            return None
        whole = depths.ndim == 2 and depths.shape[1] == len(LIFTED) and not source.read()
        return depths if whole and np.isfinite(depths).all() else None

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = zip(names, pool.map(read, names), strict=True)
        return {int(name[6:-4]): depths for name, depths in found if depths is not None}


def with_agreement(curves: pd.DataFrame, folder: Storage) -> pd.DataFrame:
    """The curves of a campaign with `seed_disagreement_mm` (`disagreement`) and `student_disagreement_mm` (`from_students`)."""
    if curves.empty:
        return curves
    lifted = {run: read_lifted(folder, run) for run in curves["run"].unique()}
    students = students_of(read_cards(folder))
    return curves.assign(**{SEEDS: disagreement(curves, lifted), STUDENT: from_students(curves, lifted, students)})


def disagreement(curves: pd.DataFrame, lifted: Mapping[str, Mapping[int, np.ndarray]]) -> np.ndarray:
    """For each row: mean distance in mm of the run's lifted joints from the mean of the other runs of its arm, at that epoch.

    Each run has the depth sign that anatomy voted for. NaN where there is no other run, or one of them lacks the epoch.
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
    curves: pd.DataFrame, lifted: Mapping[str, Mapping[int, np.ndarray]], students: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """For each row: mean distance in mm of the run's lifted joints from those of its student after that one's last epoch.

    `students` has the runs that learnt from each run; of several, the mean distance. Each run has the depth sign that anatomy
    voted for. A student is trained after its teacher: this tells of the teacher's epochs in hindsight, without labels. NaN where
    a run has no student, or an epoch was not lifted.
    """
    signs = {}
    for run, epoch, sign in curves.reindex(columns=["run", "epoch", "depth_sign"]).dropna().itertuples(index=False):
        signs[run, int(epoch)] = sign
    upright = {
        run: {epoch: depths * signs[run, epoch] for epoch, depths in each.items() if (run, epoch) in signs}
        for run, each in lifted.items()
    }
    found = np.full(len(curves), np.nan)
    ends = {run: each[max(each)] for run, each in upright.items() if each}
    for place, (run, epoch) in enumerate(curves[["run", "epoch"]].itertuples(index=False)):
        own = upright.get(run, {}).get(int(epoch))
        learnt = [ends[student] for student in students.get(run, ()) if student in ends]
        if own is not None and learnt:
            found[place] = np.mean([np.abs(own - each).mean() for each in learnt])
    return found


def students_of(cards: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The runs that learnt from each run alone, by the teacher cards of their arms; without students of an oracle's epochs."""
    found: dict[str, list[str]] = {}
    for arm, card in cards.items():
        if card["teacher"]["runs"] == "own" and not card["oracle"]:
            for lesson in card["lessons"]:
                found.setdefault(lesson["run"], []).append(run_name(arm, lesson["seed"]))
    return found
