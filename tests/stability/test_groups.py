"""Errors by subject and action at the last epoch, and which runs have mixed signs."""

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import ACTION_PREFIX, HEADLINE_METRIC, RAW_METRIC, SUBJECT_PREFIX
from tips_ray.stability.groups import Count, grouped, mixed_signs, of_last_epoch


def curves() -> pd.DataFrame:
    """Three runs of an arm; seed 2 diverges in epoch 3. Another arm has neither subjects nor raw
    errors."""
    rows = []
    for seed, end in enumerate((4, 3, 3)):
        for epoch in range(1, end + 1):
            lost = (seed, epoch) == (2, 3)
            row = {
                "arm": "single",
                "run": f"single-seed{seed}",
                "seed": seed,
                "epoch": epoch,
                "status": "diverged" if lost else "ok",
            }
            errors = {HEADLINE_METRIC: 50.0 + seed - epoch, "p_mpjpe_reflected_mm": 50.0 - epoch, RAW_METRIC: 52.0 + seed - epoch}
            errors |= {f"{SUBJECT_PREFIX}6": 40.0 + seed, f"{SUBJECT_PREFIX}14": 60.0, f"{ACTION_PREFIX}walk/stride": 45.0}
            rows.append(row | {name: np.nan if lost else value for name, value in errors.items()})
    rows.append({"arm": "solo", "run": "solo-seed0", "seed": 0, "epoch": 1, "status": "ok", HEADLINE_METRIC: 70.0})
    return pd.DataFrame(rows)


def test_runs_are_taken_at_the_last_epoch_that_all_have() -> None:
    rows = of_last_epoch(curves(), "single")
    assert rows[HEADLINE_METRIC].to_dict() == {0: 47.0, 1: 48.0}
    assert rows[RAW_METRIC].to_dict() == {0: 49.0, 1: 50.0}
    assert of_last_epoch(curves(), "duo").empty


def test_subjects_count_alike() -> None:
    found = grouped(of_last_epoch(curves(), "single"))
    assert {name: over.mean for name, over in found.by_subject.items()} == {"6": 40.5, "14": 60.0}
    assert {name: over.mean for name, over in found.by_action.items()} == {"walk/stride": 45.0}
    assert (found.over_subjects.mean, found.over_subjects.n) == (50.25, 2)
    assert found.mixed_signs == Count(0, 2)


def test_an_arm_without_subjects_has_none() -> None:
    found = grouped(of_last_epoch(curves(), "solo"))
    assert (found.by_subject, found.over_subjects.n, found.mixed_signs) == ({}, 0, Count(0, 1))


@pytest.mark.parametrize(
    ("signed", "reflected", "agreement", "mixed"),
    [(40.0, 39.9, 0.9, False), (40.0, 37.9, 0.9, True), (40.0, 39.9, 0.4, True), (40.0, 39.9, np.nan, False)],
)
def test_signs_are_mixed_between_poses_or_within_them(signed: float, reflected: float, agreement: float, mixed: bool) -> None:
    row = {HEADLINE_METRIC: signed, "p_mpjpe_reflected_mm": reflected, "limb_sign_agreement": agreement}
    assert mixed_signs(pd.DataFrame([row])).tolist() == [mixed]
