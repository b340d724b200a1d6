"""Curves that look like a study's and are made of formulas: no network was trained for them."""

import numpy as np
import pandas as pd
import pytest

from tips_ray.stability.summary import summarise

ACTIONS = ("walking", "sitting down on a low chair, then standing up again", "waving")
SCALES = {"p_mpjpe_signed_mm": 1.0, "p_mpjpe_reflected_mm": 0.95, "p_mpjpe_mm": 1.05, "n_mpjpe_mm": 1.4, "mpjpe_mm": 1.6}
LEVELS = {"solo": 70.0, "parts": 63.0, "supervised": 42.0}


def make_curves(
    arms: tuple[str, ...] = ("solo", "parts", "supervised"),
    num_seeds: int = 3,
    num_epochs: int = 40,
    actions: tuple[str, ...] = ACTIONS,
    diverged: dict[tuple[str, int], int] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Errors that fall towards an arm's level and then, for solo, rise again; `diverged` gives the last epoch by (arm, seed)."""
    rng = np.random.default_rng(seed)
    frames = []
    for arm in arms:
        for run in range(num_seeds):
            end = (diverged or {}).get((arm, run), num_epochs)
            epoch = np.arange(1, end + 1)
            done = epoch / num_epochs
            level = LEVELS.get(arm, 66.0) + rng.normal(0, 1.2)
            error = level + 32 * np.exp(-9 * done) + (7 * done**2 if arm == "solo" else 0) + rng.normal(0, 0.9, end)
            frame = pd.DataFrame({"campaign": "made-up", "arm": arm, "run": f"{arm}-seed{run}", "seed": run, "epoch": epoch})
            frame["status"] = ["ok"] * end
            for metric, scale in SCALES.items():
                frame[metric] = error * scale
            frame["depth_sign"] = np.where(rng.random(end) < 0.1, -1, 1) * (1 if run % 2 else -1)
            frame["part_sign_agreement"] = 1 - 0.4 * np.exp(-5 * done)
            if arm == "supervised":
                frame["loss_supervised"] = 0.3 * np.exp(-4 * done)
            else:
                frame["loss_adversarial"] = 0.7 + 0.6 * done + rng.normal(0, 0.02, end)
                frame["loss_reprojection"] = 0.2 * np.exp(-6 * done) + 0.004
                frame["loss_ninety_degree"] = 0.5 * np.exp(-5 * done) + 0.02
                frame["loss_discriminator"] = 0.68 - 0.2 * done + rng.normal(0, 0.01, end)
                frame["real_accuracy"] = 0.55 + 0.3 * done
                frame["fake_accuracy"] = 0.5 + 0.35 * done
                frame["generator_gradient_norm"] = 0.4 + rng.normal(0, 0.03, end)
                frame["discriminator_gradient_norm"] = 0.8 + rng.normal(0, 0.05, end)
            (frame["poses_per_second"], frame["train_seconds"], frame["evaluate_seconds"]) = 9000.0, 6.0, 0.5
            columns = {f"p_mpjpe_signed_mm/{action}": error + 4 * place for place, action in enumerate(actions)}
            frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
            if (arm, run) in (diverged or {}):
                frame.loc[end - 1, "status"] = "diverged"
                frame.loc[end - 1, [*SCALES, *columns]] = np.nan
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def make_summary(curves: pd.DataFrame, synthetic: bool = True, **changes) -> dict:
    """The summary of `make_curves`, with data and provenance as a study writes them."""
    given = {
        "data": {"spec": "synthetic", "fingerprint": "0123456789abcdef", "synthetic": synthetic, "num_train_poses": 30000},
        "references": {"flat": {metric: 95.2 * scale for metric, scale in SCALES.items()}},
        "provenance": {
            "command": "python studies/stability.py --campaign made-up --num-seeds 3",
            "config": {"solo": {"partition": "solo", "weights": {"legs": 0.05, "torso": 0.08}}},
            "versions": {"python": "3.11", "torch": "2.13"},
            "commit": "abc1234",
            "seeds": [0, 1, 2],
            "wall_seconds": 512.3,
        },
    }
    return summarise(curves, **{**given, **changes})


@pytest.fixture(scope="session")
def curves() -> pd.DataFrame:
    """Three arms, three seeds, forty epochs."""
    return make_curves()


@pytest.fixture(scope="session", name="make_curves")
def make_curves_fixture():
    """The function that makes curves."""
    return make_curves


@pytest.fixture(scope="session", name="make_summary")
def make_summary_fixture():
    """The function that sums them up."""
    return make_summary
