"""The network of a lifter as plain arrays, for inference: batch norms and the depth sign are part
of its linear layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tips_ray.errors import UserError
from tips_ray.poses.skeleton import LIFTED, Part, mirrored, partition

MIRRORED = np.array([LIFTED.index(mirrored(joint)) for joint in LIFTED])
AT_ONCE = 512
"""Poses in one pass: what a layer makes of them stays in a core's cache."""


@dataclass(frozen=True)
class Dense:
    """A linear layer."""

    weight: np.ndarray
    """float32 (inputs, outputs)."""
    bias: np.ndarray
    """float32 (outputs,)."""


@dataclass(frozen=True)
class PartNetwork:
    """The generator of one part: a layer, residual blocks of two layers each, and a linear output,
    with leaky ReLUs between."""

    part: Part
    layers: tuple[Dense, ...]

    def __post_init__(self) -> None:
        widths = [2 * len(self.part.joints), *(layer.weight.shape[1] for layer in self.layers)]
        fits = all(layer.weight.shape == (inputs, len(layer.bias)) for inputs, layer in zip(widths, self.layers, strict=False))
        if len(self.layers) < 2 or len(self.layers) % 2 or not fits or widths[-1] != len(self.part.joints):
            raise UserError(f"the layers of the part {self.part.name!r} do not fit its joints, or each other.")

    def __call__(self, keypoints: np.ndarray, slope: np.float32) -> np.ndarray:
        """Depths before the tanh (poses, joints) of the part's keypoints (poses, 2 joints)."""
        first, *hidden, output = self.layers
        x = _layer(first, keypoints, slope)
        for one, other in zip(hidden[::2], hidden[1::2], strict=True):
            x += _layer(other, _layer(one, x, slope), slope)
        return x @ output.weight + output.bias


@dataclass(frozen=True)
class Network:
    """The generators of all parts; each sees its part's keypoints alone."""

    parts: tuple[PartNetwork, ...]
    negative_slope: float

    def __post_init__(self) -> None:
        partition({each.part.name: each.part.joints for each in self.parts})

    def depths(self, keypoints: np.ndarray, mirror_mean: bool) -> np.ndarray:
        """Depths float32 (poses, 16) of max-normalised keypoints (poses, 16, 2), y up; with
        `mirror_mean` the mean over each pose and its mirror image."""
        keypoints = np.asarray(keypoints, dtype=np.float32)
        passes = [self._depths(each, mirror_mean) for each in np.split(keypoints, range(AT_ONCE, len(keypoints), AT_ONCE))]
        return np.concatenate(passes)

    def arrays(self) -> dict[str, np.ndarray]:
        """All layers by name, as `network_of` takes them."""
        return {
            f"{each.part.name}.{number}.{kind}": getattr(layer, kind)
            for each in self.parts
            for number, layer in enumerate(each.layers)
            for kind in ("weight", "bias")
        }

    def _depths(self, keypoints: np.ndarray, mirror_mean: bool) -> np.ndarray:
        depth = self._once(keypoints)
        if not mirror_mean:
            return depth
        image = keypoints[:, MIRRORED] * np.array([-1, 1], dtype=np.float32)
        return (depth + self._once(image)[:, MIRRORED]) / 2

    def _once(self, keypoints: np.ndarray) -> np.ndarray:
        depth = np.empty(keypoints.shape[:2], dtype=np.float32)
        for each in self.parts:
            joints = list(each.part.indices)
            seen = keypoints[:, joints].reshape(len(keypoints), -1)
            depth[:, joints] = each(seen, np.float32(self.negative_slope))
        return np.tanh(depth, out=depth)


def network_of(parts: Mapping[str, Sequence[str]], negative_slope: float, arrays: Mapping[str, np.ndarray]) -> Network:
    """The network whose layers have these arrays, by name; raises UserError where they do not fit
    the parts."""
    networks = []
    for part in partition({name: tuple(joints) for name, joints in parts.items()}):
        count = sum(name.startswith(f"{part.name}.") for name in arrays) // 2
        try:
            layers = [Dense(arrays[f"{part.name}.{at}.weight"], arrays[f"{part.name}.{at}.bias"]) for at in range(count)]
        except KeyError as error:
            raise UserError(f"there is no array {error.args[0]!r}.") from error
        networks.append(PartNetwork(part, tuple(layers)))
    return Network(tuple(networks), negative_slope)


def _layer(layer: Dense, x: np.ndarray, slope: np.float32) -> np.ndarray:
    y = x @ layer.weight
    y += layer.bias
    return np.maximum(y, y * slope, out=y)  # a leaky ReLU, of a slope of at most 1
