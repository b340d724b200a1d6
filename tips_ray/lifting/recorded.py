"""Steps that are recorded once as a CUDA graph and then replayed: one launch a step."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

log = logging.getLogger(__name__)
NUM_WARM_UPS = 3
"""Calls before recording, in which libraries set themselves up."""


class RecordedStep:
    """A function of tensors that changes some state in place, recorded when it is first called.

    Where no graph can be recorded, on a CPU or because the device refuses, each call takes the same
    way, through the same fixed inputs, but calls the function; `reason` then says why.
    """

    def __init__(self, function: Callable[..., Tensor], state: Sequence[Tensor]) -> None:
        """`state` is all that the function changes. Its inputs must always have the same shapes,
        and it may not wait for the device."""
        self.function, self.state = function, state
        self.inputs: tuple[Any, ...] = ()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.output = torch.empty(0)
        self.reason = ""

    def __call__(self, *inputs: Any) -> Tensor:
        """What the function returns for these inputs; the next call overwrites it."""
        if not self.inputs:
            self.inputs = tree_map(torch.clone, inputs)
            self._record()
        for fixed, given in zip(tree_flatten(self.inputs)[0], tree_flatten(inputs)[0], strict=True):
            fixed.copy_(given)
        if self.graph is None:
            return self.function(*self.inputs)
        self.graph.replay()
        return self.output

    def _record(self) -> None:
        if not self.state[0].is_cuda:
            self._refuse("the runs train on a CPU")
            return
        before = [value.detach().clone() for value in self.state]
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(NUM_WARM_UPS):
                    self.function(*self.inputs)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.output = self.function(*self.inputs)
            self.graph = graph
        except RuntimeError as error:  # as of an operation that no graph can hold
            self._refuse(str(error).partition("\n")[0])
        with torch.no_grad():
            for value, old in zip(self.state, before, strict=True):
                value.copy_(old)

    def _refuse(self, reason: str) -> None:
        self.reason = reason
        log.warning("Steps are not recorded as a CUDA graph, but taken one by one: %s.", reason)
