"""Codependence of an arm over its seeds, from what was measured of its runs."""

from typing import Any

import pandas as pd

from tips_ray.poses.skeleton import LIFTED
from tips_ray.stability.statistics import interval


def codependence_of(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """For each arm, at the last epoch that was measured: {epoch, outside_share (interval over
    seeds), sensitivity (16, 16)}.

    `sensitivity` is the mean over seeds, by the depth's joint (rows) and the keypoint's (columns),
    in the order of `LIFTED`.
    """
    found = {}
    for arm, rows in table.groupby("arm", sort=False):
        last = rows[rows["epoch"] == rows["epoch"].max()]
        means = last.pivot_table(index="depth", columns="keypoint", values="sensitivity", aggfunc="mean")
        found[str(arm)] = {
            "epoch": int(last["epoch"].iloc[0]),
            "outside_share": interval(last.drop_duplicates("seed")["outside_share"]),
            "sensitivity": means.loc[list(LIFTED), list(LIFTED)].to_numpy(float).tolist(),
        }
    return found
