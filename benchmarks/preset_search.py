"""Error against training time for settings of the laptop preset, on validation subjects only.

    python benchmarks/preset_search.py POSES.npz --variant NAME --arm parts --minutes 5 --out OUT

The test subjects of CMU's split are left out altogether: settings are chosen on training subjects
held out for this purpose, and the study then scores the choice on the test subjects.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from tips_ray.config import Config, Data, Network, Optimiser, override
from tips_ray.data.dataset import prepare
from tips_ray.data.load import load_poses
from tips_ray.lifting.train import fit
from tips_ray.presets import ARMS

CMU_TEST_SUBJECTS = ("6", "8", "9", "14", "35", "906")
VALIDATION_SUBJECTS = ("2", "7", "16", "38", "39", "904")

BASE = Config(
    data=Data(test_subjects=VALIDATION_SUBJECTS, epoch_views=16384),
    network=Network(width=128),
    optimiser=Optimiser(learning_rate=5e-4, batch_size=512),
)


def main(poses: str, variant: str, arm: str = "parts", minutes: float = 5.0, seed: int = 0, out: Path | None = None) -> None:
    """Train one variant (JSON of config changes) for some minutes and print its validation error by
    epoch."""
    torch.set_num_threads(1)
    everyone = load_poses(poses)
    known = everyone.select(~np.isin(everyone.subject, CMU_TEST_SUBJECTS))
    changes: dict[str, Any] = json.loads(variant)
    config = override(override(BASE, ARMS[arm]), changes)
    dataset = prepare(known, config.data)
    started = time.process_time()
    rows = []
    for epoch in fit(config, dataset, seed):
        row = {name: value for name, value in epoch.row.items() if "/" not in name}
        rows.append({"epoch": epoch.number, "seconds": time.process_time() - started, **row})
        if epoch.diverged or rows[-1]["seconds"] > 60 * minutes:
            break
    half = [row["p_mpjpe_signed_mm"] for row in rows if row["epoch"] > len(rows) // 2]
    result = {"arm": arm, "variant": changes, "seed": seed, "minutes": minutes, "epochs": len(rows)}
    result |= {"last_half_mm": float(np.mean(half)), "spread_mm": float(np.std(half)), "best_mm": min(half), "last_mm": half[-1]}
    print(json.dumps(result))
    if out is not None:
        out.write_text("".join(json.dumps(row) + "\n" for row in [{**result, "config": asdict(config)}, *rows]))


if __name__ == "__main__":
    tyro.cli(main)
