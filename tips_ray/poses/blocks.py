"""Applies a metric to any number of pairs of poses, block by block: memory beyond the answer does
not grow with their number."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tips_ray.errors import UserError

VALUES_AT_ONCE = {"cpu": 1 << 19, "cuda": 1 << 25}
"""Coordinates a block: few enough to stay in a CPU's cache with all that is made of them, enough to
keep a GPU busy."""

Pair = tuple[Tensor, Tensor]
Metric = Callable[[Tensor, Tensor], Tensor]


def by_blocks(
    metric: Metric,
    predicted: Tensor,
    target: Tensor,
    otherwise: Metric | None = None,
    everywhere: Metric | None = None,
) -> Tensor:
    """What `metric` says of pairs of poses (..., joints, 3): a tensor (*rows, ...) with its `rows`
    for each pair; no gradients.

    `metric` takes two blocks (3, joints, poses), so that it computes with few long vectors instead
    of many short ones, may overwrite them, and returns a new (*rows, poses), of at most one row
    dimension. Pairs of which it says NaN are given to `otherwise`, as two tensors (poses, joints,
    3). On a CPU, `torch.get_num_threads()` threads share the blocks. Raises ValueError for poses
    that differ in shape or type, or are not finite.

    Under torch.vmap the host never waits for the device: poses are not checked to be finite, and
    `everywhere` is given all pairs and its answers are taken where `metric` says NaN.
    """
    check_alike(predicted, target)
    return _ByBlocks.apply(predicted, target, metric, otherwise, everywhere)


class _ByBlocks(torch.autograd.Function):
    """A function without gradients that has a rule for torch.vmap."""

    @staticmethod
    def forward(predicted: Tensor, target: Tensor, metric: Metric, otherwise: Metric | None, _: Metric | None) -> Tensor:
        return _over_blocks(partial(_checked, metric, otherwise), predicted, target)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        *pair, metric, _, everywhere = inputs
        predicted, target = (
            poses.expand(info.batch_size, *poses.shape) if dim is None else poses.movedim(dim, 0)
            for poses, dim in zip(pair, in_dims, strict=False)
        )
        values = _over_blocks(partial(_unchecked, metric, everywhere), predicted, target)
        return values, values.ndim - predicted.ndim + 2


def _over_blocks(answer: Callable[[Pair, Tensor], Tensor], predicted: Tensor, target: Tensor) -> Tensor:
    *leading, joints, _ = predicted.shape
    size = max(1, VALUES_AT_ONCE.get(predicted.device.type, VALUES_AT_ONCE["cpu"]) // (3 * joints))
    pairs = list(zip(*(poses.reshape(-1, joints, 3).split(size) for poses in (predicted, target)), strict=True))
    threads = min(torch.get_num_threads(), len(pairs)) if predicted.device.type == "cpu" else 1
    shares = [pairs[len(pairs) * k // threads : len(pairs) * (k + 1) // threads] for k in range(threads)]
    values = torch.cat(_in_threads(lambda share: _walk(answer, share), shares), dim=-1)
    return values.reshape((*values.shape[:-1], *leading))


@torch.no_grad()
def _walk(answer: Callable[[Pair, Tensor], Tensor], pairs: list[Pair]) -> Tensor:
    # One pair of buffers for all blocks: fresh memory for each would cost more than the
    # computation.
    first, _ = pairs[0]
    buffers = first.new_empty((2, *first.shape[::-1]))
    return torch.cat([answer(pair, buffers[..., : len(pair[0])]) for pair in pairs], dim=-1)


def _checked(metric: Metric, otherwise: Metric | None, pair: Pair, blocks: Tensor) -> Tensor:
    for poses, name, block in zip(pair, ("predicted", "target"), blocks, strict=True):
        check_finite(poses, name)  # reads in order, which brings the poses into the cache for the copy that does not
        block.copy_(poses.permute(2, 1, 0))
    value = metric(*blocks)
    if otherwise is not None:
        left = torch.atleast_2d(value).sum(0).isnan().nonzero().squeeze(1)
        if len(left):
            value[..., left] = otherwise(*(poses[left] for poses in pair)).to(value.dtype)
    return value


def _unchecked(metric: Metric, everywhere: Metric | None, pair: Pair, blocks: Tensor) -> Tensor:
    for poses, block in zip(pair, blocks, strict=True):
        block.copy_(poses.permute(2, 1, 0))
    value = metric(*blocks)
    return value if everywhere is None else torch.where(value.isnan(), everywhere(*pair).to(value.dtype), value)


def _in_threads(work: Callable[[list[Pair]], Tensor], shares: list[list[Pair]]) -> list[Tensor]:
    """One thread a share, since operations on blocks are too short to be worth dividing among
    threads one by one."""
    if len(shares) == 1:
        return [work(shares[0])]
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(len(shares), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, shares))
    finally:
        torch.set_num_threads(threads)  # what a thread sets for itself is also the default of threads to come


def check_alike(predicted: Tensor, target: Tensor) -> None:
    """Raises ValueError unless both are poses of one shape (..., joints, 3) and one floating point
    type."""
    if predicted.shape != target.shape or predicted.ndim < 2 or predicted.shape[-1] != 3 or predicted.shape[-2] == 0:
        raise UserError(
            f"The poses have shapes {tuple(predicted.shape)} and {tuple(target.shape)};"
            " give two of the same shape (..., joints, 3)."
        )
    if predicted.dtype != target.dtype or not predicted.is_floating_point():
        raise UserError(f"The poses are of {predicted.dtype} and {target.dtype}; give two of the same type, float32 or float64.")


def check_finite(poses: Tensor, name: str) -> None:
    """Raises ValueError, which calls the poses by their name, if any coordinate is NaN or
    infinite."""
    # The sum of finite values may overflow, but any other sum is not finite either: it spares most
    # poses the slow check.
    if not poses.sum().isfinite() and not poses.isfinite().all():
        raise UserError(f"The {name} poses hold NaN or infinity; an error is defined for finite poses only.")
