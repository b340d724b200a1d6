"""How the benchmarks time rivals side by side, and how they publish what they found."""

import gc
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from tips_ray.provenance import provenance

CHOSEN = os.environ.get("TIPS_RAY_RESULTS")
ROUNDING = 1e-9
"""How much, relatively, numbers of the same training may differ in double precision after some
steps."""
RESULTS = Path(CHOSEN or Path(__file__).parent / "results")


def seconds_of(rivals: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Wall seconds of every call, `rounds` of each rival by turns, so that a slow moment of the
    machine hits all alike."""
    for call in rivals.values():
        for _ in range(warm_up):
            call()
    gc.collect()
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, call in rivals.items():
            started = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - started)
    return taken


def ratio_of(taken: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times faster `fast` is: the median over rounds of each round's ratio."""
    return statistics.median(a / b for a, b in zip(taken[slow], taken[fast], strict=True))


def only_rounding(differences: list[float]) -> float:
    """The largest of relative differences between rivals; raises RuntimeError if one is NaN or more
    than rounding."""
    if not all(difference < ROUNDING for difference in differences):
        raise RuntimeError(f"The rivals do not train alike: relative differences {differences}.")
    return max(differences)


def publish(name: str, ratio: float, target: float, at_least: bool = True, **raw: Any) -> None:
    """Print a result as the last line, one JSON object; at the default options, keep it in
    `results/` with machine and versions.

    `ratio` is what `target` is held against: it should be at least that, or with `at_least=False`
    at most.
    """
    met = ratio >= target if at_least else ratio <= target
    result = {"name": name, "ratio": round(ratio, 3), "target": target, "at_least": at_least, "met": met, **raw}
    print(json.dumps(result))
    if sys.argv[1:] and not CHOSEN:
        return  # a trial at other settings, not what is claimed
    origin = provenance() | {"command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({**result, "provenance": origin}, indent=1) + "\n")


def gemm_rate(rows: int, width: int, rounds: int = 30) -> float:
    """FLOP/s of the three products of a square linear layer, forwards and backwards, on torch's
    threads."""
    x, weight, gradient = torch.randn(rows, width), torch.randn(width, width), torch.randn(rows, width)

    def products() -> tuple[torch.Tensor, ...]:
        return x @ weight.T, gradient @ weight, gradient.T @ x

    taken = seconds_of({"gemm": products}, rounds)["gemm"]
    return 3 * 2 * rows * width**2 / statistics.median(taken)


def copy_rate(megabytes: int = 256, rounds: int = 10) -> float:
    """Bytes per second of a copy too large for any cache, counting what is read and what is
    written."""
    source = torch.ones(megabytes * 2**18)
    target = torch.empty_like(source)
    taken = seconds_of({"copy": lambda: target.copy_(source)}, rounds)["copy"]
    return 2 * source.nbytes / statistics.median(taken)
