"""What any stop rule, signal or loss term must hold to, as functions that tests call.

    from tips_ray.testing import check_rule, check_signal, check_term

    def test_my_rule():
        check_rule(MyRule())

Each raises ConformanceError, which says what does not hold, and returns nothing.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tips_ray.columns import DERIVED, LABEL_FREE, METRICS, TRAIN_METRIC
from tips_ray.errors import UserError
from tips_ray.stability.stopping import CausalRule, Curve, LabelledColumnError, Rule, Window, check_label_free

if TYPE_CHECKING:
    import torch

    from tips_ray.data.views import Views
    from tips_ray.lifting.losses import Step

LABELLED = (*METRICS, TRAIN_METRIC)
NUM_EPOCHS = 40


class ConformanceError(AssertionError):
    """A rule, signal or term that does not hold to what all must."""


def check_rule(rule: Rule, signals: Collection[str] = (), num_epochs: int = NUM_EPOCHS) -> None:
    """Check a stop rule on random curves of up to `num_epochs` epochs, which have the columns of
    tips-ray and the label-free `signals` of one's own.

    It names the columns that it reads, all label-free, and no other column changes what it says:
    neither scrambled labels nor labels that are missing. It answers with a window of the curve, and
    twice with the same; also of one epoch, and where values are NaN, infinite or missing. It keeps
    no memory of other curves. What it says of the first epochs does not depend on later ones; if it
    has `ended`, a stop stands, and is what the rule says of the whole curve. A curve that is too
    short may be refused with a UserError.
    """
    seen = (*LABEL_FREE, *signals)
    _check(isinstance(rule, Rule), rule, "has no `name`, no `columns`, or cannot be called with a curve")
    _check(isinstance(rule.name, str) and bool(rule.name.strip()), rule, "has no name")
    try:
        check_label_free(rule.columns, seen)
    except LabelledColumnError as error:
        raise ConformanceError(f"{rule.name}: {error}") from error
    for seed, gaps in enumerate((0.0, 0.3, 1.0)):
        rows = random_rows(num_epochs, signals, seed, gaps)
        _check_answers(rule, rows, seen)
        _check_blindness(rule, rows, seen, np.random.default_rng(seed))
        if isinstance(rule, CausalRule):
            _check_stops(rule, rows, random_rows(num_epochs, signals, seed + 100, gaps), seen)


def random_rows(num_epochs: int, signals: Collection[str], seed: int, gaps: float) -> pd.DataFrame:
    """A curve of random values, of which a share of the signals' are missing, and some infinite."""
    rng = np.random.default_rng(seed)
    names = [name for name in (*LABEL_FREE, *signals) if name not in DERIVED]
    values = rng.uniform(0, 1, (num_epochs, len(names))).round(2)
    values[rng.random(values.shape) < gaps] = np.nan
    values[rng.random(values.shape) < gaps / 20] = np.inf
    errors = rng.uniform(40, 90, (num_epochs, len(LABELLED)))
    rows = pd.DataFrame(np.hstack([values, errors]), columns=[*names, *LABELLED])
    return rows.assign(epoch=range(1, num_epochs + 1), status="ok")


def answer(rule: Rule, rows: pd.DataFrame, seen: Collection[str]) -> Window | None:
    """What a rule says of a curve; None where it refuses a curve that is too short."""
    try:
        return rule(Curve(rows.copy(), seen))
    except UserError:
        return None


def _check_answers(rule: Rule, rows: pd.DataFrame, seen: Collection[str]) -> None:
    lengths = (1, 2, len(rows) // 2, len(rows))
    answers = {length: answer(rule, rows[:length], seen) for length in lengths}
    for length, said in answers.items():
        _check(said is None or isinstance(said, Window), rule, f"answers with {said!r}, which is no Window")
        _check(said is None or said.last <= length, rule, f"answers with {said} of a curve of {length} epochs")
        again = answer(rule, rows[:length], seen)
        _check(said == again, rule, "answers otherwise when it is asked again, after it has seen a longer curve")
    _check(answers[len(rows)] is not None, rule, f"refuses a curve of {len(rows)} epochs; give a larger num_epochs")


def _check_blindness(rule: Rule, rows: pd.DataFrame, seen: Collection[str], rng: np.random.Generator) -> None:
    said = answer(rule, rows, seen)
    scrambled = rows.assign(**{name: rng.permutation(rows[name].to_numpy()) * rng.uniform(-9, 9) for name in LABELLED})
    _check(answer(rule, scrambled, seen) == said, rule, "says something else when labels are scrambled")
    _check(answer(rule, rows.drop(columns=list(LABELLED)), seen) == said, rule, "says something else without labels")
    own = {part for name in rule.columns for part in DERIVED.get(name, ((name,), 1.0))[0]}
    others = [name for name in seen if name in rows and name not in own]
    elsewhere = rows.assign(**{name: rng.uniform(0, 1, len(rows)) for name in others})
    _check(answer(rule, elsewhere, seen) == said, rule, f"reads other columns than its own, {', '.join(rule.columns) or 'none'}")


def _check_stops(rule: CausalRule, rows: pd.DataFrame, other: pd.DataFrame, seen: Collection[str]) -> None:
    for whole in (rows, pd.concat([rows[: len(rows) // 2], other[len(rows) // 2 :]], ignore_index=True)):
        ends = [rule.ended(Curve(whole[:length].copy(), seen)) for length in range(1, len(whole) + 1)]
        stands = all(end is None or end == later for end, later in pairwise(ends))
        _check(stands, rule, "has `ended`, but takes back a stop, or moves it, when later epochs come")
        said = answer(rule, whole, seen)
        _check(ends[-1] is None or ends[-1] == said, rule, f"has ended at {ends[-1]}, but says {said} of the whole curve")


def check_signal(signal: "Callable[[torch.nn.Module, Views, torch.Tensor, float], float | Mapping[str, float]]") -> None:
    """Check a signal, or several by name, that is called as `tips_ray.lifting.signals.signals` is:
    with a lifter, the views, their lifted poses (views, 16, 3) in mm and the depth sign.

    It is a finite number for plausible poses, also of one view and of flat poses; the same when the
    true poses of the views are scrambled or missing, and when it is asked again, whatever random
    numbers are drawn in between. It changes none of its inputs. Of poses that are NaN it answers
    with some number or NaN, and does not raise.
    """
    import torch

    from tips_ray.poses.geometry import lift

    views, lifter = _views(), _lifter()

    def measured(pose: torch.Tensor, given: "Views") -> dict[str, float]:
        with torch.no_grad():
            value = signal(lifter, given, pose.clone(), 1.0)
        return {name: float(each) for name, each in (value if isinstance(value, Mapping) else {"it": value}).items()}

    def lifted(given: "Views") -> torch.Tensor:
        with torch.no_grad():
            return lift(given.keypoints, lifter(given.keypoints)) * given.scale[:, None, None]

    said = measured(lifted(views), views)
    _check(all(map(np.isfinite, said.values())), signal, f"is {said} of ordinary poses")
    before = [each.clone() for each in (views.keypoints, views.pose, views.scale)]
    torch.rand(3)
    _check(_same(measured(lifted(views), views), said), signal, "is another number when it is asked again")
    unchanged = all(
        torch.equal(one, other) for one, other in zip(before, (views.keypoints, views.pose, views.scale), strict=True)
    )
    _check(unchanged, signal, "changes the views that it is given")
    for labels in (views.pose.flip(0) * 3, torch.full_like(views.pose, torch.nan)):
        blind = measured(lifted(views), _with_pose(views, labels))
        _check(_same(blind, said), signal, "is another number when the true poses are others, or missing: it sees labels")
    one = views.spread(1)
    measured(lifted(one), one)
    flat = measured(lift(views.keypoints, torch.zeros_like(views.keypoints[..., 0])) * views.scale[:, None, None], views)
    _check(all(map(np.isfinite, flat.values())), signal, f"is {flat} of flat poses")
    measured(torch.full_like(views.pose, torch.nan), views)


def check_term(term: "Callable[[Step], torch.Tensor]") -> None:
    """Check a term of the loss: it has one value a joint, or one for the body, finite and not below
    0; its gradient reaches the lifter and is finite, also of flat poses, where training starts.

    It is the same when it is asked again, and changes nothing of the step. A NaN among the depths
    makes it NaN, so that a run that diverges is noticed. A step holds no labels, so it sees none.
    """
    import torch

    for flat in (False, True):
        lifter = _lifter(flat)
        step = _step(lifter)
        before = step.keypoints.clone()
        value = term(step)
        _check(isinstance(value, torch.Tensor) and value.shape in ((), (16,)), term, "has not one value a joint, or one in all")
        _check(bool(torch.isfinite(value).all() and (value >= 0).all()), term, f"is {value.tolist()}, below 0 or not finite")
        _check(torch.equal(term(step), value), term, "is another number when it is asked again")
        _check(torch.equal(step.keypoints, before), term, "changes the step that it is given")
        gradients = torch.autograd.grad(value.sum(), list(lifter.parameters()), allow_unused=True)
        reached = [gradient for gradient in gradients if gradient is not None]
        _check(bool(reached), term, "has no gradient that reaches the lifter")
        finite = all(bool(torch.isfinite(gradient).all()) for gradient in reached)
        _check(finite, term, f"has a gradient that is not finite{' of flat poses' if flat else ''}")
    lost = _lifter()
    with torch.no_grad():
        next(iter(lost.parameters())).fill_(torch.nan)
    _check(bool(torch.isnan(term(_step(lost))).any()), term, "hides depths that are NaN: a run that diverges would go on")


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and np.allclose(
        [one[name] for name in other], list(other.values()), rtol=1e-6, equal_nan=True
    )


def _check(holds: bool, checked: Any, fault: str) -> None:
    if not holds:
        name = getattr(checked, "name", None) or getattr(checked, "__name__", None) or type(checked).__name__
        raise ConformanceError(f"{name} {fault}.")


@cache
def _made_views() -> "Views":
    from tips_ray.config import Data
    from tips_ray.data.dataset import prepare
    from tips_ray.data.synthetic import synthesise

    return prepare(synthesise(num_poses=200), Data(num_views=1)).train


def _views() -> "Views":
    """Some views of synthetic bodies, to keep or to change."""
    views = _made_views()
    return views.spread(len(views))


def _with_pose(views: "Views", pose: "torch.Tensor") -> "Views":
    from dataclasses import replace

    return replace(views, pose=pose)


def _lifter(flat: bool = False) -> "torch.nn.Module":
    """A linear lifter of 16 joints, of random weights or none."""
    import torch

    lifter = torch.nn.Sequential(torch.nn.Flatten(-2), torch.nn.Linear(32, 16))
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for values in lifter.parameters():
            values.copy_(torch.zeros_like(values) if flat else 0.2 * torch.randn(values.shape, generator=rng))
    return lifter


def _step(lifter: "torch.nn.Module") -> "Step":
    """A step of a lifter on pairs of frames."""
    from math import pi

    import torch

    from tips_ray.config import Augmentation
    from tips_ray.lifting.augment import Batch, turn_share
    from tips_ray.lifting.losses import Step
    from tips_ray.poses.geometry import View, lift, quarter_turns, reproject, rotate, rotate_back

    seen, rng = _views().keypoints, torch.Generator().manual_seed(1)
    view = View((2 * torch.rand(len(seen), generator=rng) - 1) * pi, torch.zeros(len(seen)))
    depth = lifter(seen)
    turns = quarter_turns(seen, depth)
    reprojected = reproject(rotate(lift(seen, depth), view))
    again = lifter(reprojected)
    cycled = reproject(rotate_back(lift(reprojected, again), view))
    turned = tuple(lifter(each) for each, _ in turns), tuple(expected for _, expected in turns)
    scale, numbers = torch.ones(len(seen)), torch.rand(2, len(seen), generator=rng)
    elsewhere = turn_share(Batch(seen, depth.detach(), scale), Augmentation(), pi / 18, {"turn": numbers})
    augmented = lifter(elsewhere.keypoints), elsewhere.depth
    return Step(lifter, seen, scale, depth, *turned, reprojected, again, cycled, augmented)
