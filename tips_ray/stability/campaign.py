"""A campaign's folder, read once: its record, its curves with all their columns, and what was
measured beside them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.stability.agreement import (
    SEED_DISAGREEMENT,
    STUDENT_DISAGREEMENT,
    distances_by_view,
    error_bound,
    final_depths,
    seed_disagreement,
    signed_depths,
    student_disagreement,
    students_of,
)
from tips_ray.stability.early import with_stops
from tips_ray.stability.regret import whole_runs
from tips_ray.stability.teachers import TeacherCard, read_cards
from tips_ray.store.curves import read_curves
from tips_ray.store.lifted import read_lifted
from tips_ray.store.measurements import NOTHING, Measured, read_measurements
from tips_ray.store.records import read_manifest
from tips_ray.store.storage import Storage


@dataclass(frozen=True)
class LoadedCampaign:
    """All that the statistics, stop rules and reports of a campaign need from its folder."""

    manifest: dict[str, Any]
    """The record of what the campaign is."""
    curves: pd.DataFrame
    """One row a run and epoch, with `seed_disagreement_mm` and `student_disagreement_mm`."""
    measured: Measured = NOTHING
    """Tables of what was measured of the weights that runs have kept."""
    cards: dict[str, TeacherCard] = field(default_factory=dict)
    """Teacher cards, by the arm that learns."""
    disagreement_by_view: dict[str, np.ndarray] = field(default_factory=dict)
    """By arm of several runs: how far its runs are from each other, in mm, on each of the views
    that they are compared on, at the last epoch that all of them have."""
    error_bound_mm: dict[str, float] = field(default_factory=dict)
    """By arm of several runs: what their error is at least at that epoch (`error_bound`)."""


def load_campaign(folder: Storage, arms: Collection[str] | None = None, skip_damaged: bool = False) -> LoadedCampaign:
    """Read a campaign, with the curves of all arms, or of some; nothing is written.

    `student_disagreement_mm` needs the curves of the students too. Raises ValueError if there is
    no campaign in the folder, and DamagedCurveError for a curve that is damaged, unless
    `skip_damaged` leaves such runs out.
    """
    manifest = read_manifest(folder)
    cards = read_cards(folder)
    stored = with_stops(read_curves(folder, manifest["name"], arms, skip_damaged), manifest)
    curves, last = with_agreement(stored, cards, folder)
    by_view = {arm: distances_by_view(depths).mean(axis=0) for arm, depths in last.items()}
    bounds = {arm: error_bound(depths) for arm, depths in last.items()}
    return LoadedCampaign(manifest, curves, read_measurements(folder), cards, by_view, bounds)


def open_campaign(folder: str) -> LoadedCampaign:
    """Read the campaign in a folder, or under a URI, as the study printed it."""
    return load_campaign(Storage(folder))


def with_agreement(
    curves: pd.DataFrame, cards: Mapping[str, TeacherCard], folder: Storage
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The curves with `seed_disagreement_mm` and `student_disagreement_mm`, from what the runs in
    a campaign's folder lifted; and by arm the depths that its runs lifted at the last epoch that
    all of them have (`signed_depths`)."""
    students = students_of(cards)
    finals = {
        student: final_depths(curves[curves["run"] == student], read_lifted(folder, student, 1))
        for names in students.values()
        for student in names
    }
    columns = {name: np.full(len(curves), np.nan) for name in (SEED_DISAGREEMENT, STUDENT_DISAGREEMENT)}
    last = {}
    for arm, places in curves.groupby("arm").indices.items():  # arm by arm: memory may not hold what all runs lifted
        rows = curves.iloc[places]
        lifted = {run: read_lifted(folder, run) for run in rows["run"].unique()}
        of_students = {run: [depths for name in students.get(run, ()) for depths in finals[name]] for run in lifted}
        columns[SEED_DISAGREEMENT][places] = seed_disagreement(rows, lifted)
        columns[STUDENT_DISAGREEMENT][places] = student_disagreement(rows, lifted, of_students)
        last[str(arm)] = signed_depths([run.iloc[-1] for run in whole_runs(rows, str(arm)).values()], lifted)
    return curves.assign(**columns), {arm: depths for arm, depths in last.items() if depths is not None}
