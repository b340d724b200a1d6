"""Ingredients, which arms have or lack one by one: `single_without_symmetry` is the arm `single`
with its symmetry term off, `parts_with_start` the arm `parts` with a flat start."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tips_ray.design import row_of

COSINE_EPOCHS = 120
"""Horizon of the cosine of the learning rates where a study does not say how long it trains."""

RATE = 1.5e-3
"""Learning rate of the recipe's arms, their students, and what these are held against."""


@dataclass(frozen=True)
class Ingredient:
    """What a config has where an ingredient is on, and where it is off."""

    label: str
    on: dict[str, Any]
    off: dict[str, Any] | None = None
    """None: the fields of `on` as the study's config has them."""


INGREDIENTS = {
    "start": Ingredient("nearly flat start", {"network": {"start_depth": 0.1}}, {"network": {"start_depth": 1.0}}),
    "rates": Ingredient(
        "higher learning rates, less dropout in the discriminator",
        {
            "network": {"discriminator_dropout": 0.1},
            "optimiser": {"learning_rate": RATE, "discriminator_learning_rate": RATE},
        },
    ),
    "weights": Ingredient(
        "searched weights of the paper's terms",
        {"weights": {"legs": 0.22, "torso": 0.26, "reprojection": 24.0, "ninety_degree": 1.8}},
    ),
    "label_free_weights": Ingredient(
        "weights of the paper's terms from a search without labels",
        {"weights": {"legs": 0.45, "torso": 0.91, "reprojection": 2.8, "ninety_degree": 3.2}},
    ),
    "averaging": Ingredient(
        "moving average of the weights", {"optimiser": {"averaging": 0.998}}, {"optimiser": {"averaging": 0.0}}
    ),
    "mirror_mean": Ingredient(
        "mean over a pose and its mirror image", {"network": {"mirror_mean": True}}, {"network": {"mirror_mean": False}}
    ),
    "mirror": Ingredient("training on mirror images", {"augmentation": {"mirror": True}}, {"augmentation": {"mirror": False}}),
    "symmetry": Ingredient("equal left and right bones", {"weights": {"symmetry": 5.0}}, {"weights": {"symmetry": 0.0}}),
    "proportions": Ingredient("adult proportions", {"weights": {"proportions": 5.0}}, {"weights": {"proportions": 0.0}}),
    "anatomy": Ingredient(
        "knees and facing", {"weights": {"knees": 3.0, "facing": 1.0}}, {"weights": {"knees": 0.0, "facing": 0.0}}
    ),
    "bones": Ingredient(
        "discriminator sees bones", {"adversary": {"features": "bones"}}, {"adversary": {"features": "keypoints"}}
    ),
    "renormalise": Ingredient(
        "discriminator sees poses at one size", {"adversary": {"renormalise": True}}, {"adversary": {"renormalise": False}}
    ),
    "rigidity": Ingredient("bones rigid in a clip", {"weights": {"rigidity": 20.0}}, {"weights": {"rigidity": 0.0}}),
    "pair": Ingredient(
        "discriminator sees pairs of frames", {"adversary": {"sees": "pair", "gap": 8}}, {"adversary": {"sees": "pose"}}
    ),
    "augmented": Ingredient(
        "augmented poses lifted as what they are",
        {"weights": {"augmented": 10.0}, "augmentation": {"stretched": 0.2, "bent": 0.3}},
        {"weights": {"augmented": 0.0}, "augmentation": {"stretched": 0.0, "bent": 0.0}},
    ),
    "noise": Ingredient(
        "noise on the keypoints of augmented poses", {"augmentation": {"noise": 0.05}}, {"augmentation": {"noise": 0.0}}
    ),
    "adversary": Ingredient("the adversary itself", {}, {"weights": {"legs": 0.0, "torso": 0.0}}),
    "layer_norm": Ingredient(
        "layer norm in the generators", {"network": {"generator_norm": "layer"}}, {"network": {"generator_norm": "batch"}}
    ),
    "all_angles": Ingredient(
        "all angles at once (eq. 16), layer norm",
        {"weights": {"all_angles": 3.0}, "network": {"generator_norm": "layer"}},
        {"weights": {"all_angles": 0.0}},
    ),
    "elevation": Ingredient("learnt elevation", {"adversary": {"elevation": "learnt"}}, {"adversary": {"elevation": "ignored"}}),
    "r1": Ingredient("R1 penalty", {"adversary": {"r1": 0.1}}, {"adversary": {"r1": 0.0}}),
    "r2": Ingredient("R2 penalty", {"adversary": {"r2": 0.1}}, {"adversary": {"r2": 0.0}}),
    "relativistic": Ingredient(
        "relativistic loss", {"adversary": {"loss": "relativistic"}}, {"adversary": {"loss": "non_saturating"}}
    ),
    "cosine": Ingredient(
        "learning rates fall along a cosine",
        {"optimiser": {"cosine_epochs": COSINE_EPOCHS}},
        {"optimiser": {"cosine_epochs": None}},
    ),
}
"""By the name that an arm's name has after `_with_` or `_without_`. Equation 16 cannot be had with
batch norm, so `all_angles` is to be held against `layer_norm`; every arm but those without it has
the adversary."""

_RECIPE = (
    *("start", "rates", "averaging", "mirror_mean", "mirror", "augmented"),
    *("anatomy", "bones", "renormalise", "symmetry"),
)
SINGLE = (*_RECIPE, "weights", "proportions")
"""Of single 2D poses, anatomy and the proportions of adults."""
CLIPS = (*_RECIPE, "label_free_weights", "rigidity", "pair")
"""Of 2D poses, anatomy, and which of them are frames of one clip."""


@dataclass(frozen=True)
class Variant:
    """An arm that is another one but for one ingredient."""

    base: str
    ingredient: str
    is_on: bool


def variant_of(arm: str) -> Variant | None:
    """What an arm's name says if it ends in `_with_` or `_without_` and an ingredient, whatever it
    is called; else None."""
    match = re.fullmatch(r"(.+)_(with|without)_(.+)", arm)
    return Variant(match[1], match[3], match[2] == "with") if match else None


def base_of(arm: str, arms: Collection[str]) -> str | None:
    """The one of some arms of which an arm is a variant; None if it is none."""
    variant = variant_of(arm)
    return variant.base if variant and variant.base in arms else None


def pairs_to_compare(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Every two of the arms that are neither variants nor rows of a design, and each variant with
    its base alone."""
    whole = [arm for arm in arms if base_of(arm, arms) is None and row_of(arm) is None]
    return [*combinations(whole, 2), *((arm, base) for arm in arms if (base := base_of(arm, arms)) is not None)]


def together(names: Iterable[str]) -> dict[str, Any]:
    """What a config has where all of some ingredients are on."""
    changes: dict[str, Any] = {}
    for name in names:
        for group, fields in INGREDIENTS[name].on.items():
            changes[group] = {**changes.get(group, {}), **fields}
    return changes
