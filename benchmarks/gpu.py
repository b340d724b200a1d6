"""What one GPU does: the same training as a CPU, and how fast.

    python benchmarks/gpu.py               # on a GPU, at most 8 minutes
    python benchmarks/gpu.py --rehearse    # on a CPU, at most 5 minutes, at a tiny size

First it checks that training and evaluation are the same on the CPU, on the GPU, as a CUDA graph
and as one model of several seeds or configs (`equalities.py`). Then it prints a table of steps, the
time of P-MPJPE, and a study in small. The last line is one JSON object. The exit code is 0 only if
all equalities hold.
"""

import argparse
import json
import logging
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from equalities import equalities
from gpu_steps import PRECISIONS, Case, Row, laptop_on_cpu, measured, seconds_of_steps
from measure import publish
from tips_ray.config import Config, override
from tips_ray.data.dataset import prepare
from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.data.synthetic import synthesise
from tips_ray.lifting.run import Run
from tips_ray.lifting.together import Together
from tips_ray.lifting.train import next_epochs
from tips_ray.poses.metrics import p_mpjpe
from tips_ray.presets import arm_config, laptop, paper

SECONDS = 420.0
"""After which no further row of the table is measured: the rest of the 8 minutes is for the end."""
REHEARSAL_SECONDS = 150.0
"""After which a rehearsal, on a machine with other work, leaves out the steps at laptop size."""
PAPER_STEPS, NUM_ARMS = 152_000, 4


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    device: str
    configs: dict[str, Config]
    cases: list[Case]
    num_steps: int
    """Timed for each row, at most."""
    num_poses: int
    """Of which P-MPJPE is timed."""
    study: tuple[int, int]
    """Seeds and epochs of the study in small."""


def gpu_plan() -> Plan:
    """What is measured on a GPU."""
    ways = ("eager", "graph", "batched")
    cases = [Case("laptop", seeds, way) for seeds in (1, 5, 10, 50) for way in ways if way != "eager" or seeds == 1]
    cases += [Case("laptop", 10, "graph", precision) for precision in ("TF32", "bfloat16")]
    cases += [Case("paper", seeds, way) for seeds in (1, 2, 5) for way in ways if way != "eager" or seeds == 1]
    cases += [Case("paper", 5, "graph", precision) for precision in ("TF32", "bfloat16")]
    data = {"data": {"epoch_views": None}}
    configs = {"laptop": arm_config(override(laptop().config, data), "parts"), "paper": arm_config(paper().config, "parts")}
    return Plan("cuda", configs, cases, 60, 550_000, (10, 2))


def rehearsal() -> Plan:
    """The same at a size that a CPU does in a minute or two."""
    changes = {"network": {"width": 32}, "optimiser": {"batch_size": 64}, "data": {"epoch_views": 128}}
    cases = [Case("tiny", 1, "eager"), *(Case("tiny", seeds, way) for seeds in (1, 3) for way in ("graph", "batched"))]
    return Plan("cpu", {"tiny": arm_config(override(laptop().config, changes), "parts")}, cases, 4, 20_000, (2, 1))


def main() -> int:
    """Check, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, at a tiny size")
    rehearse = parser.parse_args().rehearse
    if not rehearse and not torch.cuda.is_available():
        print("PyTorch sees no CUDA GPU here; run this on a machine that has one, or add --rehearse.", file=sys.stderr)
        return 2
    if rehearse:
        logging.getLogger("tips_ray").setLevel(logging.ERROR)  # that no graph is recorded is in the table
    started, plan, console = time.perf_counter(), rehearsal() if rehearse else gpu_plan(), Console(width=150, highlight=False)
    device = torch.cuda.get_device_name() if plan.device == "cuda" else "CPU"
    console.print(f"{device}, PyTorch {torch.__version__}")
    checks = []
    for check in equalities(plan.device):
        checks.append(check)
        verdict = "equal " if check.holds else "DIFFER"
        console.print(
            f"{verdict} {check.difference:.1e} (at most {check.tolerance:.0e})  {check.name}  {check.error}", markup=False
        )
    poses = synthesise(num_poses=600 if rehearse else 8000)
    rows = list(measured_rows(plan, poses, started + SECONDS))
    console.print(table_of(rows))
    metric_ms = p_mpjpe_ms(plan, poses)
    console.print(f"P-MPJPE of {plan.num_poses:,} poses: {metric_ms:.2f} ms")
    is_quick = time.perf_counter() - started < REHEARSAL_SECONDS
    on_cpu = laptop_on_cpu(arm_config(laptop().config, "parts"), poses) if rehearse and is_quick else {}
    for way, ms in on_cpu.items():
        console.print(f"laptop size on this CPU, two runs {way}: {ms:.1f} ms of CPU time a step of each")
    study = small_study(plan, poses)
    for arm, errors in study.items():
        over = f"{errors['mean_mm']:.1f} mm ± {errors['sd_mm']:.1f} over {errors['num_ok']} seeds"
        console.print(f"{arm}: P-MPJPE {over}, in {errors['seconds']:.1f} s")
    met = {} if rehearse else goals(rows, metric_ms)
    for goal, value in met.items():
        console.print(f"{goal}: {'not measured' if value is None else value}", markup=False)
    whole = all(check.holds for check in checks)
    raw = {
        "rehearsed": rehearse,
        "device": device,
        "equal": whole,
        "equalities": [{**asdict(check), "difference": finite(check.difference), "holds": check.holds} for check in checks],
        "rows": [asdict(row) for row in rows],
        "p_mpjpe_ms": metric_ms,
        "laptop_on_cpu_ms": on_cpu,
        "study": study,
        "goals": met,
        "seconds": round(time.perf_counter() - started, 1),
    }
    ten = found(rows, "laptop", 10, "graph")
    if ten is None:
        print(json.dumps({"name": "gpu", **raw}))
    else:
        publish("gpu", ten, 2.0, at_least=False, unit="ms", **raw)
    return 0 if whole else 1


def measured_rows(plan: Plan, poses: PoseSet, deadline: float) -> Iterator[Row]:
    """Every case of a plan, until the deadline."""
    datasets = {name: prepare(poses, config.data).to(plan.device) for name, config in plan.configs.items()}
    for case in plan.cases:
        if time.perf_counter() > deadline:
            yield Row(**asdict(case), note="left out: the time is up")
            continue
        config = override(plan.configs[case.size], {"numerics": PRECISIONS[case.precision]})
        try:
            yield measured(case, config, datasets[case.size], plan.num_steps)
        except RuntimeError as error:  # out of memory among them
            yield Row(**asdict(case), note=str(error).partition("\n")[0][:80])
        if plan.device == "cuda":
            torch.cuda.empty_cache()


def p_mpjpe_ms(plan: Plan, poses: PoseSet) -> float:
    """Median milliseconds of P-MPJPE of many poses, which are some again and again, and of noisy
    predictions of them."""
    known = torch.from_numpy(np.delete(root_centred(poses.positions), 0, axis=1)).float().to(plan.device)
    target = known[torch.arange(plan.num_poses, device=plan.device) % len(known)]
    predicted = target + 60.0 * torch.randn_like(target)
    on_gpu = plan.device == "cuda"
    seconds = [seconds_of_steps(lambda: p_mpjpe(predicted, target), 5, on_gpu, most=1.0) for _ in range(3)]
    return 1e3 * statistics.median(seconds)


def small_study(plan: Plan, poses: PoseSet) -> dict[str, dict[str, float]]:
    """Two arms of some seeds, each arm as one model, for a few epochs: errors over seeds, and
    seconds."""
    num_seeds, num_epochs = plan.study
    base, results = next(iter(plan.configs.values())), {}
    for arm in ("solo", "parts"):
        started = time.perf_counter()
        config = override(arm_config(base, arm), {"data": {"epoch_views": min(32 * base.optimiser.batch_size, 16_384)}})
        dataset = prepare(poses, config.data).to(plan.device)
        runs = [Run(config, dataset, seed) for seed in range(num_seeds)]
        model, epochs = Together(runs, record=True), []
        for _ in range(num_epochs):
            epochs = next_epochs(runs, model)
        errors = [epoch.row["p_mpjpe_signed_mm"] for epoch in epochs if not epoch.diverged]
        mean, sd = (statistics.fmean(errors), statistics.pstdev(errors)) if errors else (0.0, 0.0)
        results[arm] = {"mean_mm": mean, "sd_mm": sd, "num_ok": len(errors), "seconds": time.perf_counter() - started}
    return results


def found(rows: Sequence[Row], size: str, num_seeds: int, way: str) -> float | None:
    """The milliseconds of a case in float32, if it was measured."""
    values = [row.ms for row in rows if (row.size, row.num_seeds, row.way, row.precision) == (size, num_seeds, way, "float32")]
    return values[0] if values else None


def goals(rows: Sequence[Row], metric_ms: float) -> dict[str, str | None]:
    """What was aimed at on an H100, and what was found."""
    eager, ten, fifty = (found(rows, "laptop", *case) for case in ((1, "eager"), (10, "graph"), (50, "graph")))
    seeds = None if eager is None or fifty is None else f"{fifty:.2f} ms against {5 * eager:.2f} ms"
    minutes = None if ten is None else f"{NUM_ARMS * PAPER_STEPS * ten / 6e4:.1f} minutes"
    return {
        "50 seeds as a graph take no longer than 5 in turn, at laptop size": seeds,
        "a step of 10 seeds at laptop size takes at most 2 ms": None if ten is None else f"{ten:.2f} ms",
        "the paper's steps of 10 seeds of 4 arms take at most 20 minutes": minutes,
        "P-MPJPE takes at most 5 ms": f"{metric_ms:.2f} ms",
    }


def finite(value: float) -> float | None:
    """A number that JSON has."""
    return value if math.isfinite(value) else None


def table_of(rows: Sequence[Row]) -> Table:
    """The measured rows."""
    table = Table("size", "seeds", "way", "precision", "ms a step", "seeds x steps / s", "of GEMM rate", "GB", "note")
    for row in rows:
        values: tuple[tuple[Any, str], ...] = (
            (row.ms, ".2f"),
            (row.seed_steps_a_second, ",.0f"),
            (row.gemm_share, ".1%"),
            (row.gigabytes, ".2f"),
        )
        shown = ["-" if value is None else format(value, style) for value, style in values]
        table.add_row(row.size, str(row.num_seeds), row.way, row.precision, *shown, row.note)
    return table


if __name__ == "__main__":
    sys.exit(main())
