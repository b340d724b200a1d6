"""Poses that arms have lifted, to be shown: those on which seeds agree best and worst, and some
between."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.poses.skeleton import LIFTED, ROOT
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.choice import Choice, choose_weights
from tips_ray.stability.regret import stops

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Of the views on which seeds agree better, for each pose that is shown."""

FARTHEST_MM = 1e6
"""From the root: what is farther is no pose."""


@dataclass(frozen=True)
class LiftedView:
    """A pose as it was seen, and the bodies that arms lift from it."""

    bodies: dict[str, np.ndarray]
    """By arm: (17, 3), mm, in the camera's frame, relative to the root; x and y are what was
    seen."""
    missing: np.ndarray
    """(17,), joints that the detector missed."""
    subject: str
    action: str
    clip: str
    share: float | None
    """Of the views on which seeds agree better; None without several seeds."""
    distance_mm: float | None
    """Between seeds, mean over joints and arms."""


@dataclass(frozen=True)
class LiftedViews:
    """The poses to show of some arms."""

    choices: dict[str, Choice]
    """The weights that lifted them, by arm."""
    num_compared: int
    """Views among which they were chosen."""
    views: list[LiftedView]


NO_VIEWS = LiftedViews({}, 0, [])


@dataclass(frozen=True)
class ComparedViews:
    """What the weights to use of some arms lift of all views that runs are compared on."""

    choices: dict[str, Choice]
    """By arm, as `bodies`."""
    bodies: dict[str, dict[int, np.ndarray]]
    """By arm and view: (17, 3), as in `LiftedView`."""
    truth: dict[int, np.ndarray]
    """By view: (17, 3), the true pose, in the same frame, where it is known."""
    missing: dict[int, np.ndarray]
    """By view: (17,)."""
    labels: pd.DataFrame
    """By view: subject, action and clip."""
    views: list[int]
    """Those that all arms have lifted."""

    def texts(self, view: int) -> dict[str, str]:
        """Subject, action and clip of a view."""
        return {name: str(self.labels.loc[view, name]) for name in ("subject", "action", "clip")}


def compared_views(campaign: LoadedCampaign, arms: Sequence[str]) -> ComparedViews | None:
    """What was measured of some arms; None before anything was."""
    curves, table = campaign.curves, campaign.measured.bodies
    table = table[table["joint"].isin(LIFTED) & (table["view"] >= 0) & (table["view"] % 1 == 0)]
    if table.empty or curves.empty:
        return None
    stopped = stops(curves, arms)
    choices = {arm: choice for arm in arms if (choice := choose_weights(curves, arm, stopped))}
    rows = {arm: of_arm for arm, choice in choices.items() if len(of_arm := rows_of(table, arm, choice))}
    if not rows:
        return None
    bodies = {arm: joints_by_view(of_arm, ["x_mm", "y_mm", "z_mm"]) for arm, of_arm in rows.items()}
    seen = next(iter(rows.values()))
    missing = joints_by_view(seen, ["missing"])
    views = sorted(set.intersection(set(missing), *(set(of_arm) for of_arm in bodies.values())))
    return ComparedViews(
        {arm: choices[arm] for arm in rows},
        bodies,
        joints_by_view(seen, ["true_x_mm", "true_y_mm", "true_z_mm"]),
        {view: values[:, 0] > 0 for view, values in missing.items()},
        seen.drop_duplicates("view").set_index("view"),
        views,
    )


def lifted_views(campaign: LoadedCampaign, arms: Sequence[str]) -> LiftedViews:
    """The poses to show of some arms, each of another clip where there are enough; none before
    anything was measured."""
    compared = compared_views(campaign, arms)
    if compared is None or not compared.views:
        return NO_VIEWS
    views = compared.views
    distances = [of_arm for arm in compared.bodies if (of_arm := campaign.disagreement_by_view.get(arm)) is not None]
    distance = np.mean(distances, axis=0) if distances and views[-1] < min(map(len, distances)) else None
    return LiftedViews(
        compared.choices,
        len(views),
        [
            LiftedView(
                {arm: of_arm[view] for arm, of_arm in compared.bodies.items()},
                compared.missing[view],
                **compared.texts(view),
                share=share,
                distance_mm=None if distance is None else float(distance[view]),
            )
            for view, share in views_to_show(views, distance, [compared.texts(view)["clip"] for view in views])
        ],
    )


def rows_of(table: pd.DataFrame, arm: str, choice: Choice) -> pd.DataFrame:
    """The rows of what the chosen weights of an arm lift."""
    keys = {"arm": arm, "seed": choice.seed, "first": choice.first, "last": choice.last}
    return table[np.logical_and.reduce([table[name] == value for name, value in keys.items()])]


def joints_by_view(rows: pd.DataFrame, columns: list[str]) -> dict[int, np.ndarray]:
    """Values (17, columns) of the views of which all joints are within FARTHEST_MM; the root has
    0."""
    unique = rows.drop_duplicates(["view", "joint"])
    wide = [unique.pivot(index="view", columns="joint", values=name).reindex(columns=LIFTED) for name in columns]
    joints = np.insert(np.stack([values.to_numpy(float) for values in wide], axis=-1), ROOT, 0.0, axis=1)
    return {int(view): values for view, values in zip(wide[0].index, joints, strict=True) if (np.abs(values) < FARTHEST_MM).all()}


def views_to_show(views: Sequence[int], distance: np.ndarray | None, clips: Sequence[str]) -> list[tuple[int, float | None]]:
    """Views at SHARES of the order of their distances between seeds, those between the ends of
    clips that are not shown yet; without distances evenly spaced. Each with its share."""
    order = list(views) if distance is None else sorted(views, key=lambda view: distance[view])
    clip_of, chosen = dict(zip(views, clips, strict=True)), {}
    for share in (0.0, 1.0, *SHARES[1:-1]):
        place = round(share * (len(order) - 1))
        nearest = sorted((view for view in order if view not in chosen), key=lambda view: abs(order.index(view) - place))
        shown = {clip_of[view] for view in chosen}
        other = [view for view in nearest if clip_of[view] not in shown]
        if nearest:
            view = nearest[0] if share in (0.0, 1.0) or not other else other[0]
            chosen[view] = order.index(view) / max(1, len(order) - 1)
    by_share = sorted(chosen.items(), key=lambda entry: entry[1])
    return [(view, None if distance is None else share) for view, share in by_share]
