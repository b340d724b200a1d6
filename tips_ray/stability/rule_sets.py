"""The stop rules that reports compare, and those that a table of curves has; the lengths of their
windows are shares of the training's length."""

import difflib
from collections.abc import Sequence

from tips_ray.columns import BY_NAME, SIGNALS
from tips_ray.errors import UserError
from tips_ray.stability.rules import Average, Band, Fixed, GuardedAverage, Last, Lowest, Plateau
from tips_ray.stability.stopping import Rule

SIGN_WATCH = ("seed_disagreement_mm", "joint_limits")
"""Signals that see a part whose depths turn over while it trains. Bones keep their lengths then,
and images of the pose still look like poses; but the run moves away from the other seeds, and its
knees bend backwards. Each alone has other reasons too: a run is also left behind by seeds that
turn."""


def standard_rules(num_epochs: int) -> tuple[Rule, ...]:
    """The rules that reports compare, with windows that are shares of a training of `num_epochs`
    epochs."""

    def share(percent: int) -> int:
        return max(1, num_epochs * percent // 100)

    smooth = share(5)
    plausible = ("bone_asymmetry", "bone_variation", "flipped_vote_share")
    likely = ("frechet_2d", "view_inconsistency_mm", *plausible)
    falling = ("consistency", "frechet_2d", "fresh_critic", "churn_mm")
    timely = (signal for signal in SIGNALS if not BY_NAME[signal].in_hindsight)
    return (
        Last(),
        *(Fixed(share(percent), f"epoch at {percent} %") for percent in (25, 50, 75)),
        *(Average(share(percent), label=f"average of the last {percent} %") for percent in (10, 25, 50)),
        Average(min(num_epochs, 5 * smooth), smooth, "moving average, half-life 5 %"),
        GuardedAverage(share(10), SIGN_WATCH, "average of the last 10 %, guarded"),
        Band("discriminator_accuracy", 0.55, 0.8, patience=3),
        Band("loss_discriminator", 0.45, 0.65, patience=3),
        *(Plateau(column, share(10), smooth=smooth) for column in falling),
        *(Lowest((column,), smooth) for column in ("consistency", "loss_adversarial", *timely)),
        Lowest(plausible, smooth, label="implausibility"),
        Lowest(likely, smooth, label="unlikeliness"),
        Lowest(likely, smooth, share(10), "unlikeliness, average of 10 %"),
    )


def averages_weights(rule: Rule) -> bool:
    """Whether a rule takes the average of several epochs' weights, which a table of errors cannot
    score."""
    return isinstance(rule, Average | GuardedAverage) or (isinstance(rule, Lowest) and rule.average > 1)


def rules_of_epochs(num_epochs: int, signals: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that choose single epochs, for curves that have these signals, whatever their
    names: of `standard_rules` those that see nothing else, and for each other signal its lowest
    value and where it levels off."""
    smooth, patience = max(1, num_epochs * 5 // 100), max(1, num_epochs * 10 // 100)
    standard = [rule for rule in standard_rules(num_epochs) if not averages_weights(rule)]
    others = [signal for signal in signals if signal not in BY_NAME]
    return (
        *(rule for rule in standard if set(rule.columns) <= set(signals)),
        *(Plateau(signal, patience, smooth=smooth) for signal in others),
        *(Lowest((signal,), smooth) for signal in others),
        *((Lowest(tuple(others), smooth, label="mean rank of these signals"),) if len(others) > 1 else ()),
    )


def rule_named(name: str, rules: Sequence[Rule]) -> Rule:
    """The rule of this name; raises ValueError, with the nearest name and all others, if there is
    none."""
    for rule in rules:
        if rule.name == name:
            return rule
    names = [rule.name for rule in rules]
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" (is {near[0]!r} meant?)" if near else ""
    raise UserError(f"There is no stop rule {name!r}{meant}; there are {', '.join(map(repr, names))}.")
