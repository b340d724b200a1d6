"""What a stop rule sees of a run: label-free columns, of whole curves, and windows that are
some."""

import math
import pickle
import struct
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import DERIVED, LABEL_FREE, METRICS, TRAIN_METRIC
from tips_ray.stability.rules import Lowest
from tips_ray.stability.stopping import Curve, LabelledColumnError, Window

LABELLED = (*METRICS, TRAIN_METRIC, "loss_supervised", "part_sign_agreement")


def rows_of(num_epochs: int) -> pd.DataFrame:
    names = [*(name for name in LABEL_FREE if name not in DERIVED), *LABELLED]
    values = np.random.default_rng(0).uniform(0, 1, (num_epochs, len(names)))
    return pd.DataFrame(values, columns=names).assign(epoch=range(1, num_epochs + 1), status="ok", depth_sign=1.0)


def curve_of(**columns: Sequence[float]) -> Curve:
    table = pd.DataFrame(columns, dtype=float)
    return Curve(table.assign(epoch=range(1, len(table) + 1)))


@pytest.mark.parametrize("column", [*LABELLED, "depth_sign", "epoch", "status", "no such column"])
def test_a_curve_hands_out_nothing_that_is_not_known_to_be_free_of_labels(column: str) -> None:
    curve = Curve(rows_of(12))
    assert column not in curve
    with pytest.raises(LabelledColumnError, match=f"asked for '{column}'.*it may see loss_adversarial, .*churn_mm") as refused:
        curve[column]
    assert isinstance(refused.value, ValueError)
    with pytest.raises(LabelledColumnError, match=column):
        Lowest((column,))(curve)


def test_no_labelled_number_is_anywhere_in_a_curve() -> None:
    secret, open_ = 1234.56789, 9876.54321
    rows = rows_of(12).assign(**dict.fromkeys(LABELLED, secret), churn_mm=open_)
    kept = pickle.dumps(Curve(rows))
    assert struct.pack("<d", open_) in kept
    assert struct.pack("<d", secret) not in kept


def test_derived_columns_are_sums_of_what_is_there() -> None:
    curve = curve_of(loss_reprojection=[1, 2], loss_ninety_degree=[3, 5], real_accuracy=[0.5, 1.0], churn_mm=[math.nan] * 2)
    assert curve["consistency"].tolist() == [4, 7]
    assert "consistency" in curve
    assert "discriminator_accuracy" not in curve  # fake_accuracy is not there
    assert "churn_mm" not in curve  # not one value
    with pytest.raises(KeyError, match="The curve has no column 'fake_accuracy', which the stop rule needs"):
        curve["discriminator_accuracy"]
    whole = curve_of(real_accuracy=[0.5, 1.0], fake_accuracy=[0.25, 0.0])
    assert whole["discriminator_accuracy"].tolist() == [0.375, 0.5]


def test_a_rule_cannot_change_the_curve_for_the_next() -> None:
    curve = curve_of(churn_mm=[3.0, 2.0])
    curve["churn_mm"][:] = 0
    assert curve["churn_mm"].tolist() == [3, 2]


@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 2), (-1, -1)])
def test_a_window_that_is_none_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=f"A window of the epochs {first} to {last} is none; epochs count from 1"):
        Window(first, last)


@pytest.mark.parametrize("epochs", [[], [2, 3], [1, 2, 4], [1, 2, 2], [2, 1]])
def test_a_curve_with_gaps_is_refused(epochs: list[int]) -> None:
    with pytest.raises(ValueError, match=r"needs a curve with the epochs 1, 2, … in order; this one has gaps, or no rows"):
        Curve(pd.DataFrame({"epoch": pd.Series(epochs, dtype=int), "churn_mm": 1.0}))
