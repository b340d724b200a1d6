"""What do noisy, missing or perspective keypoints do to arms?

Trains the same arms once for each condition, a campaign each (NAME-noise-5, ...): keypoints have
noise of some mm at the body, a share of them is missing, or the camera is a perspective one, some
metres away; in training and test alike. Compares each with exact keypoints, seed by seed:

    tips-ray noise --data poses.npz
    tips-ray noise --arms single parts --conditions exact noise=5 distance=3 --data poses.npz
"""

import json
import sys
from dataclasses import dataclass, replace
from typing import Any

from tips_ray.config import override
from tips_ray.errors import UserError, user_errors
from tips_ray.presets import named_arms
from tips_ray.store.names import safe_name
from tips_ray.studies.arm_study import ArmStudy, carry_out
from tips_ray.studies.options import interruptible, load_sources, parse

FIELDS = {"noise": "noise_mm", "missing": "missing", "distance": "distance_m"}
EXACT = "exact"


@dataclass(frozen=True)
class Noise(ArmStudy):
    """Train arms on keypoints as cameras and detectors give them, and compare with exact ones."""

    arms: tuple[str, ...] = ("single", "single_solo", "parts", "solo")
    """What is trained under each condition."""
    conditions: tuple[str, ...] = (
        *(EXACT, "noise=2", "noise=5", "noise=10", "missing=0.05", "missing=0.1"),
        *("distance=6", "distance=4.5", "distance=3"),
    )
    """`exact`, or of noise (mm), missing (a share) and distance (m) those that are on, such as
    noise=5+missing=0.1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cluster:
            raise UserError(
                "tips-ray noise makes a campaign for each condition; on a cluster, start each with tips-ray stability and"
                " --data.observation."
            )
        for condition in self.conditions:
            observation(condition)


def observation(condition: str) -> dict[str, float]:
    """The fields of an `Observation` that a condition names; raises UserError for a wrong one."""
    if condition == EXACT:
        return {}
    changes = {}
    for term in condition.split("+"):
        name, _, value = term.partition("=")
        try:
            changes[FIELDS[name]] = float(value)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"--conditions {condition!r} is none; give exact, or noise=MM, missing=SHARE and distance=M, joined by +."
            ) from error
    return changes


def run(arguments: list[str]) -> int:
    """Parse the command line, train and report each condition, and compare them; returns the exit
    code of the first that failed, or 0."""
    with user_errors():
        study = parse(Noise, "noise", arguments, __doc__)
        configs = {name: override(study.config, {"data": {"observation": observation(name)}}) for name in study.conditions}
        campaigns = {name: safe_name(f"{study.name('noise')}-{name}") for name in study.conditions}
        sources = load_sources(study)
        for name, config in configs.items():
            code = carry_out(replace(study, config=config), "noise", campaigns[name], arguments, sources)
            if code:
                return code
        if not study.plan:
            compare(study, campaigns)
    return 0


def compare(study: Noise, campaigns: dict[str, str]) -> None:
    """Print the error of each arm at the last epoch under each condition, and what it is above that
    under the first one, and write both to NAME.json."""
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from tips_ray.report.text import ends, mm, span
    from tips_ray.stability.campaign import load_campaign
    from tips_ray.stability.statistics import difference, errors_of, interval
    from tips_ray.stability.summary import strict
    from tips_ray.store.storage import Storage

    table = Table(box=None, padding=(0, 2, 0, 0), title="\nError at the last epoch, mm, by condition", title_justify="left")
    for column in ("arm", "condition", "error", f"minus {study.conditions[0]}"):
        table.add_column(column)
    last: dict[tuple[str, str], pd.Series] = {}
    for name, campaign in campaigns.items():
        curves = load_campaign(Storage(study.storage) / campaign).curves
        for arm in named_arms(study.arms):
            errors = errors_of(curves, arm)
            last[arm, name] = errors.iloc[-1] if len(errors) else pd.Series(dtype=float)
    rows: list[dict[str, Any]] = []
    for (arm, name), values in last.items():
        error, gap = interval(values), difference(values - last[arm, study.conditions[0]])
        rows.append({"arm": arm, "condition": name, "error_mm": error, "difference_mm": gap})
        more = "" if name == study.conditions[0] else f"{mm(gap.difference, sign=True)} ({ends(gap, sign=True)}, n = {gap.n})"
        table.add_row(arm, name, f"{mm(error.mean)} ({span(error)})", more)
    file = f"{study.name('noise')}.json"
    Storage(study.storage).write(file, json.dumps(strict(rows), indent=1, allow_nan=False).encode())
    Console().print(table)
    print(f"Comparison: {Storage(study.storage) / file}")


def main(arguments: list[str] | None = None) -> int:
    """Run the study with a command line (by default this process's); returns the exit code."""
    return interruptible(lambda: run(sys.argv[1:] if arguments is None else arguments))
