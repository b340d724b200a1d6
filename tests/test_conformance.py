"""Our own rules, signals and terms hold to what all must, and what does not is told from them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.lifting.losses import TERMS
from tips_ray.lifting.signals import signals
from tips_ray.stability.rule_sets import rules_of_epochs, standard_rules
from tips_ray.stability.rules import Last, Lowest, Plateau
from tips_ray.stability.stopping import CausalRule, Curve, Rule, Window
from tips_ray.testing import NUM_EPOCHS, ConformanceError, check_rule, check_signal, check_term


@pytest.mark.parametrize("rule", standard_rules(NUM_EPOCHS), ids=lambda rule: rule.name)
def test_our_rules_conform(rule: Rule) -> None:
    check_rule(rule)


def test_rules_for_anyone_s_signals_conform() -> None:
    rules = [rule for rule in rules_of_epochs(NUM_EPOCHS, ("critic", "cycle")) if "critic" in rule.columns]
    assert len(rules) == 3
    for rule in rules:
        check_rule(rule, signals=("critic", "cycle"))


def test_rules_that_stand_are_known_and_others_do_not_pose_as_them() -> None:
    causal = {rule.name for rule in standard_rules(NUM_EPOCHS) if isinstance(rule, CausalRule)}
    assert "consistency levels off" in causal
    assert "epoch at 50 %" in causal
    assert "discriminator loss leaves 0.45–0.65" in causal
    assert not {"last epoch", "average of the last 10 %", "lowest frechet 2d"} & causal


def test_our_signals_conform() -> None:
    check_signal(signals)


@pytest.mark.parametrize("name", TERMS)
def test_our_terms_conform(name: str) -> None:
    check_term(TERMS[name])


@dataclass
class Made:
    """A rule of a function."""

    rule: Callable[[Curve], Any]
    columns: tuple[str, ...] = ("churn_mm",)
    name: str = "made"

    def __call__(self, curve: Curve) -> Any:
        return self.rule(curve)


class TakesBack(Plateau):
    """Says that it has ended at the newest lowest value."""

    def ended(self, curve: Curve) -> Window | None:
        return Lowest(("churn_mm",))(curve)


def remembering(curve: Curve, longest: list[int]) -> Window:
    longest.append(max(len(curve), *longest, 1))
    return Window(min(len(curve), max(1, longest[-1] // 4)), len(curve))


MEMORY: list[int] = [1]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Made(lambda curve: Window(1, 1), columns=(HEADLINE_METRIC,)), "not known to be free of 3D labels"),
        (Made(lambda curve: len(curve)), "no Window"),
        (Made(lambda curve: Window(len(curve) + 1, len(curve) + 1)), "of a curve of 1 epochs"),
        (Made(lambda curve: Window(*[1 + int(np.nan_to_num(curve["frechet_2d"]).argmin())] * 2)), "reads other columns"),
        (Made(lambda curve: remembering(curve, MEMORY)), "after it has seen a longer curve"),
        (TakesBack("churn_mm", 5), "takes back a stop"),
        (Made(lambda curve: Last()(curve), name=" "), "has no name"),
    ],
)
def test_rules_that_break_a_law_are_told_which(rule: Any, said: str) -> None:
    with pytest.raises(ConformanceError, match=said):
        check_rule(rule)


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (lambda lifter, views, pose, sign: (pose - views.pose).abs().mean(), "sees labels"),
        (lambda lifter, views, pose, sign: torch.rand(()), "asked again"),
        (lambda lifter, views, pose, sign: views.keypoints.mul_(2).mean(), "asked again|changes the views"),
        (lambda lifter, views, pose, sign: 1 / pose[..., 2].std() + (pose[..., 2].std() * 0).log() * 0, "ordinary poses"),
        (lambda lifter, views, pose, sign: 1 / pose[..., 2].std(), "of flat poses"),
    ],
)
def test_signals_that_break_a_law_are_told_which(signal: Any, said: str) -> None:
    with pytest.raises(ConformanceError, match=said):
        check_signal(signal)


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (lambda step: step.depth.mean(1), "one value a joint"),
        (lambda step: -step.depth.square().mean(), "below 0"),
        (lambda step: step.depth.detach().square().mean(), "no gradient|does not require grad"),
        (lambda step: step.depth.square().sum().sqrt(), "gradient that is not finite"),
        (lambda step: step.depth.nan_to_num().square().mean(), "hides depths"),
    ],
)
def test_terms_that_break_a_law_are_told_which(term: Any, said: str) -> None:
    with pytest.raises((ConformanceError, RuntimeError), match=said):
        check_term(term)
