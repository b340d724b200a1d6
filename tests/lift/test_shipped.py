"""The lifter that comes along is what its card says."""

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from helpers import ROOT
from tips_ray import Lifter
from tips_ray.data.load import load_poses
from tips_ray.lift.lifter import SHIPPED
from tips_ray.lift.measure import measure

CMU = Path(os.environ.get("TIPS_RAY_CMU", ROOT.parent / "shared" / "data" / "cmu17.npz"))


def test_it_is_small_and_lifts():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 2_000_000
    lifter = Lifter.open()
    assert lifter.card.credit
    assert lifter.card.trained["data"]["synthetic"] is False
    assert lifter.lift(np.random.default_rng(0).random((3, 17, 2))).shape == (3, 17, 3)


@pytest.mark.skipif(not CMU.exists(), reason="needs CMU's poses, cmu17.npz, which are not part of the project (TIPS_RAY_CMU)")
def test_its_errors_are_those_of_its_card():
    lifter = Lifter.open()
    poses = load_poses(str(CMU))
    tested = poses.select(np.isin(poses.subject, lifter.card.trained["data"]["test_subjects"]))
    measured = asdict(measure(lifter, tested))
    for name, value in lifter.card.errors["cmu17.npz"].items():
        if isinstance(value, dict):
            assert measured[name] == pytest.approx(value, abs=0.01)
        else:
            assert measured[name] == pytest.approx(value, abs=0.01), name
