"""Runs that have hardly begun, as where a study was stopped while it was given more seeds. They are
in no statistic, since all other runs of their arm would be cut to their few epochs."""

from dataclasses import dataclass

import pandas as pd

from tips_ray.stability.statistics import BEGUN, arms_of, runs_of


@dataclass(frozen=True)
class BegunRun:
    """A run with less than half of the epochs of the longest run of its arm (`runs_of`)."""

    arm: str
    run: str
    seed: int
    epochs: int
    longest: int
    """Epochs of the longest run."""


def begun_runs(curves: pd.DataFrame) -> list[BegunRun]:
    """The runs that have hardly begun, by arm and seed."""
    found = []
    for arm in arms_of(curves):
        runs = runs_of(curves, arm)
        begun, longest = runs[runs["status"] == BEGUN], runs.loc[runs["status"] != "diverged", "epochs"].max()
        found += [
            BegunRun(arm, str(run), int(seed), int(epochs), int(longest))
            for seed, run, epochs in zip(begun.index, begun["run"], begun["epochs"], strict=True)
        ]
    return found


def begun_sentences(runs: list[BegunRun]) -> list[str]:
    """Which runs are left out since they have hardly begun, and how they are finished; one text an
    arm."""
    texts = []
    for arm in dict.fromkeys(run.arm for run in runs):
        of_arm = [run for run in runs if run.arm == arm]
        which = ", ".join(f"seed {run.seed} ({run.epochs} epoch{'s' if run.epochs > 1 else ''})" for run in of_arm)
        many, has, is_, them = ("runs", "have", "are", "them") if len(of_arm) > 1 else ("run", "has", "is", "it")
        texts.append(
            f"{len(of_arm)} {many} of {arm} {has} less than half of the {of_arm[0].longest} epochs of the longest and {is_} left"
            f" out of all statistics: {which}. Run the same command again to finish {them}."
        )
    return texts
