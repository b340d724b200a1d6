"""Searches as their runs leave them on disk, made of formulas."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.columns import CONSISTENCY, HEADLINE_METRIC
from tips_ray.search.confirmation import CONFIRMATION
from tips_ray.store.checked import VERSION
from tips_ray.store.curves import CURVE, RUNS, run_name
from tips_ray.store.records import MANIFEST, SEARCH, Record, trial_name, write_record
from tips_ray.store.storage import Storage

NUM_EPOCHS = 6


def search_manifest(name: str = "s", **changes: Any) -> dict[str, Any]:
    return {
        "version": VERSION,
        "name": name,
        "data": {"fingerprint": "abc", "labelled": True, "train_subjects": ["S1"], "test_subjects": ["S2"]},
        "references": {"flat": {HEADLINE_METRIC: 96.0}},
        "config": {"data": {"num_views": 4}},
        "evaluation": {"num_views": 1},
        "space": {"weights.legs": {"kind": "log", "low": 0.01, "high": 1.0}},
        "baseline": {"weights.legs": 0.05},
        "objective": "error",
        "pruner": "none",
        "num_seeds": 2,
        "num_epochs": NUM_EPOCHS,
        "confirmed_at": None,
        "executions": [{"seconds": 1.0}, {"seconds": 2.0}],
        **changes,
    }


def store_run(folder: Storage, arm: str, seed: int, errors: list[float], diverges: bool = False, **columns: float) -> None:
    rows = pd.DataFrame({"arm": arm, "seed": seed, "epoch": range(1, len(errors) + 1), "status": "ok", HEADLINE_METRIC: errors})
    if diverges:
        rows.loc[len(rows) - 1, ["status", HEADLINE_METRIC]] = "diverged", np.nan
    folder.write_table(f"{RUNS}/{run_name(arm, seed)}/{CURVE}", rows.assign(run=run_name(arm, seed), **columns))


def search_in(place: Path, **changes: Any) -> Storage:
    """Five trials: the start at 60 mm, a better one at 55, one pruned, one diverged, one that
    failed."""
    folder = Storage(str(place))
    folder.write(SEARCH, json.dumps(search_manifest(**changes)).encode())
    levels = {0: 60.0, 1: 55.0, 2: 80.0, 3: 50.0, 4: 52.0}
    for number, level in levels.items():
        pruned_at, error = (3 if number == 2 else None), ("out of memory" if number == 4 else None)
        write_record(folder, Record(number, {"weights.legs": 0.05 * (number + 1)}, pruned_at, error))
        epochs = NUM_EPOCHS if number < 2 else 3
        for seed in range(2):
            errors = [level + seed + 6.0 / epoch for epoch in range(1, epochs + 1)]
            store_run(folder, trial_name(number), seed, errors, number == 3 and seed == 1, **dict.fromkeys(CONSISTENCY, 0.5))
    return folder


def confirmed(place: Path, arms: dict[str, float], num_seeds: int = 3) -> Storage:
    """A search whose choices were trained again: the seed's own level cancels in pairs."""
    seeds = list(range(1000, 1000 + num_seeds))
    asked = {"arms": list(arms), "seeds": seeds, "num_epochs": NUM_EPOCHS, "num_trials": 5, "start_led": False}
    folder = search_in(place, confirmed_at=asked)
    own = folder / CONFIRMATION
    record = {"version": 0, "name": CONFIRMATION, "data": {"test_subjects": ["S3"]}, "references": {}, "executions": []}
    own.write(MANIFEST, json.dumps({**record, "arms": {arm: {"objective": "adversarial"} for arm in arms}}).encode())
    for arm, level in arms.items():
        for place_, seed in enumerate(seeds):
            store_run(own, arm, seed, [level + 10.0 * place_ + 6.0 / epoch for epoch in range(1, NUM_EPOCHS + 1)])
    return folder
