"""Numbers and networks as scripts in a page read them."""

import base64
from typing import Any

import numpy as np

from tips_ray.lift.lifter import Lifter
from tips_ray.lift.network import MIRRORED

MAX_NETWORK_BYTES = 4_000_000
"""A larger network does not come along, and joints cannot be dragged."""
STEPS = 32_000
"""To either side of 0, of an array that is stored as whole numbers."""


def encoded(values: np.ndarray, kind: str) -> str:
    """Whole numbers as base64 of one kind; others are rounded."""
    return base64.b64encode(np.rint(np.asarray(values, dtype=float)).astype(kind).tobytes()).decode()


def scaled(values: np.ndarray) -> tuple[str, float]:
    """An array as whole numbers of two bytes, and what they are to be multiplied with."""
    unit = float(np.abs(values).max(initial=0.0)) / STEPS or 1.0
    return encoded(values / unit, "<i2"), unit


def network_content(lifter: Lifter) -> dict[str, Any] | None:
    """The network of a lifter for `network.js`, if it is small enough."""
    if sum(array.nbytes for array in lifter.network.arrays().values()) > MAX_NETWORK_BYTES:
        return None
    return {
        "slope": lifter.network.negative_slope,
        "mirrorMean": lifter.card.mirror_mean,
        "mirrored": MIRRORED.tolist(),
        "parts": [
            {
                "joints": list(each.part.indices),
                "layers": [{"weight": scaled(layer.weight), "bias": scaled(layer.bias)} for layer in each.layers],
            }
            for each in lifter.network.parts
        ],
    }
