"""Every run of a study: a row each, and sentences that name those that fail."""

import math
from dataclasses import dataclass
from statistics import median

import pandas as pd

from tips_ray.report.text import duration, mm
from tips_ray.stability.failing import failing
from tips_ray.stability.summary import ArmSummary, RunSummary, Summary

MOST_RUNS = 2000
"""Rows of the table; with more runs, those that diverged or have the highest error at the end."""


@dataclass(frozen=True)
class RunCell:
    """What a table shows of a run, and the number that it sorts by."""

    text: str
    value: float | str | None


@dataclass(frozen=True)
class RunRow:
    """A run in the table."""

    arm: str
    fails: bool
    cells: dict[str, RunCell]
    """By title of the column."""
    is_cut: bool
    """Whether its numbers are of fewer epochs than it has."""


def run_rows(curves: pd.DataFrame, summary: Summary) -> list[RunRow]:
    """The runs of all arms, by arm and seed."""
    arms = {**summary.arms, **summary.supervised}
    lasts = last_rows(curves)
    rows = []
    for arm, entry in arms.items():
        bad = failing_seeds(entry)
        for run in entry.runs:
            is_cut = run.best is not None and run.epochs > entry.num_epochs
            epochs = f"{entry.num_epochs} of {run.epochs}" if is_cut else str(run.epochs)
            cells = cells_of(run, lasts.get((arm, run.seed), {}), epochs, is_outlier=run.seed in bad)
            rows.append((run.last, RunRow(arm, run.seed in bad or run.status == "diverged", cells, is_cut)))
    if len(rows) > MOST_RUNS:
        rows = sorted(rows, key=lambda entry: -math.inf if entry[0] is None else -entry[0])[:MOST_RUNS]
    return [row for _, row in rows]


def last_rows(curves: pd.DataFrame) -> dict[tuple[str, int], dict[str, float]]:
    """By arm and seed: the depth sign at the run's last epoch, and its seconds of training and
    evaluation."""
    if curves.empty:
        return {}
    rows = curves.reindex(columns=["arm", "seed", "epoch", "depth_sign", "train_seconds", "evaluate_seconds"])
    rows = rows.drop_duplicates(["arm", "seed", "epoch"], keep="last").sort_values("epoch", kind="stable")
    groups = rows.groupby(["arm", "seed"])
    signs = groups["depth_sign"].last()
    seconds = groups[["train_seconds", "evaluate_seconds"]].sum(min_count=1).sum(axis=1, min_count=1)
    table = pd.DataFrame({"sign": signs, "seconds": seconds}).to_dict("index")
    return {(str(arm), int(seed)): values for (arm, seed), values in table.items()}  # type: ignore[misc]


def cells_of(run: RunSummary, last: dict[str, float], epochs: str, is_outlier: bool) -> dict[str, RunCell]:
    """The cells of a run's row, by title; `epochs` says in words of which its numbers are."""
    status = f"{run.status}, outlier" if is_outlier else run.status
    sign = last.get("sign")
    which = "–" if sign is None or pd.isna(sign) else "+" if sign > 0 else "−"
    mixed = {True: f"{which} mixed", False: which, None: "–"}[run.mixed_signs]
    seconds = last.get("seconds")
    time = RunCell("–", None) if seconds is None or pd.isna(seconds) else RunCell(duration(seconds), seconds)
    return {
        "seed": RunCell(str(run.seed), run.seed),
        "epochs": RunCell(epochs, run.epochs),
        "best, mm (oracle)": RunCell(mm(run.best), run.best),
        "best epoch": RunCell("–" if run.best_epoch is None else str(run.best_epoch), run.best_epoch),
        "last half, mm": RunCell(mm(run.last_half), run.last_half),
        "last, mm": RunCell(mm(run.last), run.last),
        "regret, mm": RunCell(mm(run.regret), run.regret),
        "status": RunCell(status, status),
        "depth sign": RunCell(mixed, mixed),
        "time": time,
    }


def failing_seeds(arm: ArmSummary) -> list[int]:
    """The seeds of an arm's runs whose error at the last epoch is far above that of the others."""
    return failing({run.seed: run.last for run in arm.runs if run.last is not None})


def failing_sentences(arms: dict[str, ArmSummary]) -> list[str]:
    """The runs that fare much worse than the others of their arm, a sentence each arm."""
    sentences = []
    for name, arm in arms.items():
        errors = {run.seed: run.last for run in arm.runs if run.last is not None}
        bad = failing_seeds(arm)
        if bad:
            which = ", ".join(f"seed {seed} errs by {mm(errors[seed])} mm" for seed in bad)
            sentences.append(
                f"{len(bad)} of {len(errors)} runs of {name} {'fails' if len(bad) == 1 else 'fail'}: {which} at the last epoch;"
                f" the median run errs by {mm(median(errors.values()))} mm. A single run may fare as badly."
            )
    return sentences


def seeds_in_words(seeds: list[int]) -> str:
    """Seeds by their numbers."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
