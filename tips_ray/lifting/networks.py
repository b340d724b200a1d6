"""The lifter, one generator a part, and the discriminator: residual networks after Martinez et al.
(ICCV 2017)."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch._C._functorch import is_batchedtensor
from torch.nn import functional

from tips_ray.config import Adversary, Network
from tips_ray.poses.bones import bone_vectors
from tips_ray.poses.geometry import mirror_keypoints, mirror_sides
from tips_ray.poses.skeleton import LIFTED, Part
from tips_ray.poses.types import Depth, Keypoints, KeypointsBatch, PerPose


class Affine(nn.Module):
    """A learnt scale and shift without statistics: what batch norm is when it always runs in
    inference mode."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias, x, self.weight)


class BatchNorm(nn.Module):
    """Batch norm of (poses, *views, width), each view by statistics of its own; in training gives
    back (poses, views * width).

    Several views in one call train as that many calls, one after another, would.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            statistics = self.running_mean, self.running_var
            return functional.batch_norm(x.flatten(0, -2), *statistics, self.weight, self.bias, eps=self.eps).view(x.shape)
        precision, views = x.dtype, x[0].numel() // x.shape[-1]
        if is_batchedtensor(x):  # under vmap, bfloat16 by float32 statistics is refused on a CPU
            x = x.to(self.running_mean.dtype)
        # Each view's features are features of their own; momentum 1 leaves the statistics of this
        # batch in `mean` and `var`.
        mean, var = (
            self.running_mean.new_zeros(views * x.shape[-1]) for _ in range(2)
        )  # two: vmap writes to whole tensors alone
        weight, bias = (self.weight, self.bias) if views == 1 else (self.weight.repeat(views), self.bias.repeat(views))
        y = functional.batch_norm(x.flatten(1), mean, var, weight, bias, training=True, momentum=1.0, eps=self.eps)
        with torch.no_grad():
            for running, seen in ((self.running_mean, mean), (self.running_var, var)):
                for one in seen.view(views, -1):
                    running.add_(one - running, alpha=self.momentum)  # lerp_ has no batching rule
        return y.to(precision)


NORMS = {"batch": BatchNorm, "layer": nn.LayerNorm, "affine": Affine, "none": lambda width: nn.Identity()}


class DropoutNumbers:
    """Uniform numbers in [0, 1) that the dropout layers of a run use, one a unit, in the order in
    which the layers are called."""

    def __init__(self) -> None:
        self.left = torch.empty(0)

    def take(self, shape: torch.Size) -> Tensor:
        """The next numbers."""
        taken, self.left = self.left[: shape.numel()], self.left[shape.numel() :]
        return taken.view(shape)


class Dropout(nn.Module):
    """Dropout by numbers that were drawn before the step, so that a step is a function of its
    inputs alone."""

    def __init__(self, probability: float, numbers: DropoutNumbers) -> None:
        super().__init__()
        self.keep = 1.0 - probability
        self.numbers = numbers

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.keep == 1.0:
            return x
        kept = self.numbers.take(x.shape) < self.keep
        return x * kept.to(x.dtype).mul_(1.0 / self.keep)


class Linear(nn.Linear):
    """A linear layer of (*poses, inputs), whose leading dimensions are one while it multiplies:
    under vmap each pose would else have a product of its own."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(0, -2)).unflatten(0, input.shape[:-1])


class Layer(nn.Module):
    """Linear, normalisation, leaky ReLU, dropout of (poses, *views, inputs)."""

    def __init__(self, inputs: int, width: int, norm: str, dropout: float, slope: float, numbers: DropoutNumbers) -> None:
        super().__init__()
        self.linear = Linear(inputs, width, bias=norm != "batch")  # batch norm would take any bias away again
        self.norm = NORMS[norm](width)
        self.activation = nn.LeakyReLU(slope, inplace=norm != "affine")
        self.dropout = Dropout(dropout, numbers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return self.dropout(self.activation(self.norm(x))).view_as(x)


class Residual(nn.Module):
    """Two layers and a bridge over them."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def residual_network(inputs: int, outputs: int, blocks: int, width: int, layer: Callable[[int, int], Layer]) -> nn.Sequential:
    """One layer, `blocks` residual blocks of two, and a linear output (figure 4 of the paper,
    before its tanh); `layer` makes a layer of so many inputs and outputs."""
    body = [Residual(layer(width, width), layer(width, width)) for _ in range(blocks)]
    return nn.Sequential(layer(inputs, width), *body, Linear(width, outputs))


class Lifter(nn.Module):
    """Predicts the depth of each of the 16 joints; each part's generator sees that part's keypoints
    only (equation 1)."""

    order: Tensor

    def __init__(self, parts: tuple[Part, ...], network: Network, numbers: DropoutNumbers | None = None) -> None:
        """`numbers` are those of its dropout layers while it is trained."""
        super().__init__()
        self.parts, self.mirror_mean = parts, network.mirror_mean
        layer = partial(
            Layer,
            norm=network.generator_norm,
            dropout=network.generator_dropout,
            slope=network.negative_slope,
            numbers=numbers or DropoutNumbers(),
        )
        self.generators = nn.ModuleDict(
            {
                part.name: residual_network(
                    2 * len(part.joints), len(part.joints), network.generator_blocks, network.width, layer
                )
                for part in parts
            }
        )
        inputs = [index for part in parts for index in part.indices]
        self.register_buffer("order", torch.tensor([inputs.index(joint) for joint in range(len(LIFTED))]), persistent=False)
        for part in parts:
            self.register_buffer(f"{part.name}_joints", torch.tensor(part.indices), persistent=False)

    def forward(self, keypoints: Keypoints) -> Depth:
        """Depths in (-1, 1) of max-normalised keypoints (poses, 16, 2), or (poses, views, 16, 2) of
        several views at once.

        With `mirror_mean`, and in eval mode, each is the mean over the pose and its mirror image.
        """
        if self.training or not self.mirror_mean:
            return self._depths(keypoints)
        return (self._depths(keypoints) + mirror_sides(self._depths(mirror_keypoints(keypoints)))) / 2

    def _depths(self, keypoints: Keypoints) -> Depth:
        depths = [
            self.generators[part.name](keypoints.index_select(-2, self.get_buffer(f"{part.name}_joints")).flatten(-2))
            for part in self.parts
        ]
        return torch.tanh(torch.cat(depths, dim=-1).index_select(-1, self.order).to(keypoints.dtype))


NUM_BONE_PRODUCTS = len(LIFTED) * (len(LIFTED) + 1) // 2
BONE_PRODUCT_SCALE = 4.0
"""Makes inner products of bones about as large as keypoints."""


def bone_products(keypoints: Keypoints) -> Float[Tensor, "*poses products"]:
    """Inner products of each two bones of 2D poses, and of each with itself (kinematic chain space,
    Wandt & Rosenhahn), in the precision of the keypoints."""
    with torch.autocast(keypoints.device.type, enabled=False):
        bones = bone_vectors(keypoints)
        products = bones @ bones.transpose(-1, -2)
    rows, columns = torch.triu_indices(len(LIFTED), len(LIFTED), device=keypoints.device)
    return BONE_PRODUCT_SCALE * products[..., rows, columns]


class Discriminator(nn.Module):
    """Tells 2D poses, or pairs of them, that were observed from reprojected ones, by one logit
    each."""

    def __init__(self, network: Network, adversary: Adversary | None = None, numbers: DropoutNumbers | None = None) -> None:
        super().__init__()
        adversary = adversary or Adversary()
        self.features, self.num_frames = adversary.features, 2 if adversary.sees == "pair" else 1
        layer = partial(
            Layer,
            norm=network.discriminator_norm,
            dropout=network.discriminator_dropout,
            slope=network.negative_slope,
            numbers=numbers or DropoutNumbers(),
        )
        inputs = self.num_frames * (2 * len(LIFTED) + (NUM_BONE_PRODUCTS if self.features == "bones" else 0))
        self.network = residual_network(inputs, 1, network.discriminator_blocks, network.width, layer)

    def forward(self, keypoints: Keypoints) -> PerPose:
        """Logits (poses,), positive for poses that look observed; of pairs, the keypoints of both
        frames follow each other (pairs, 32, 2)."""
        seen = keypoints.flatten(-2)
        if self.features == "bones":
            products = bone_products(keypoints.unflatten(-2, (self.num_frames, len(LIFTED))))
            seen = torch.cat([seen, products.flatten(-2)], dim=-1)
        return self.network(seen).squeeze(-1).to(keypoints.dtype)


class Elevation(nn.Module):
    """Tells the elevation of the camera from a 2D pose (ElePose)."""

    def __init__(self, network: Network, limit: float) -> None:
        """`limit` is the greatest elevation, in radians."""
        super().__init__()
        self.limit = limit
        layer = partial(Layer, norm=network.generator_norm, dropout=0.0, slope=network.negative_slope, numbers=DropoutNumbers())
        self.network = residual_network(2 * len(LIFTED), 1, 1, network.width, layer)

    def forward(self, keypoints: KeypointsBatch) -> PerPose:
        """Elevations (poses,) of max-normalised keypoints."""
        return self.limit * torch.tanh(self.network(keypoints.flatten(1)).squeeze(-1).to(keypoints.dtype))


def start_flat(lifter: Lifter, start_depth: float) -> None:
    """Multiply the output layers of a lifter's generators by a factor, so that lifted poses start
    that much flatter."""
    with torch.no_grad():
        for generator in lifter.generators.values():
            *_, output = generator.children()
            for parameter in output.parameters():
                parameter.mul_(start_depth)


def initialise(module: nn.Module, rng: torch.Generator) -> None:
    """Draw every linear layer uniformly within 1 / sqrt(inputs), as PyTorch does, but from
    `rng`."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            limit = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -limit, limit, generator=rng)
            # Drawn even where batch norm makes a bias pointless, so that a norm changes no other
            # layer's draw.
            bias = layer.weight.new_empty(layer.out_features) if layer.bias is None else layer.bias
            nn.init.uniform_(bias, -limit, limit, generator=rng)
