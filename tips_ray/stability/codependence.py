"""Codependence of an arm over its seeds, from what was measured of its runs."""

from dataclasses import dataclass

import pandas as pd

from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.statistics import Interval, interval


@dataclass(frozen=True)
class Codependence:
    """How far each depth of an arm depends on each keypoint, at the last epoch that was
    measured."""

    epoch: int
    outside_share: Interval
    """Share of a depth's sensitivity that lies outside its own part, over seeds."""
    sensitivity: list[list[float]]
    """Mean over seeds, by the depth's joint (rows) and the keypoint's (columns), in the order of
    `LIFTED`."""


def codependence_of(table: pd.DataFrame) -> dict[str, Codependence]:
    """The codependence of each arm that was measured, from the table of that name."""
    by_arm = {}
    for arm, rows in table.groupby("arm", sort=False):
        last = rows[rows["epoch"] == rows["epoch"].max()]
        means = last.pivot_table(index="depth", columns="keypoint", values="sensitivity", aggfunc="mean")
        sensitivity = means.loc[list(LIFTED), list(LIFTED)].to_numpy(float).tolist()
        share = interval(last.drop_duplicates("seed")["outside_share"])
        by_arm[str(arm)] = Codependence(int(last["epoch"].iloc[0]), share, sensitivity)
    return by_arm
