"""Curves that look like a study's and are made of formulas: no network was trained for them."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tips_ray.config import Weights
from tips_ray.search.confirmation import Confirmation, Confirmed, Gain
from tips_ray.search.summary import SearchSummary
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.statistics import Interval, rank_correlation
from tips_ray.stability.summary import Summary, summarise
from tips_ray.stability.teachers import TeacherCard
from tips_ray.store.measurements import NOTHING, Measured

CHROMIUM = shutil.which("chromium")
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
    """Errors that fall towards an arm's level and then, for solo, rise again; `diverged` gives the
    last epoch by (arm, seed)."""
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
            frame["train_p_mpjpe_signed_mm"] = error + 2
            frame["bone_asymmetry"] = error / 500
            frame["churn_mm"] = 8 + rng.normal(0, 1, end)
            (frame["poses_per_second"], frame["train_seconds"], frame["evaluate_seconds"]) = 9000.0, 6.0, 0.5
            columns = {f"p_mpjpe_signed_mm/{action}": error + 4 * place for place, action in enumerate(actions)}
            frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
            if (arm, run) in (diverged or {}):
                frame.loc[end - 1, "status"] = "diverged"
                frame.loc[end - 1, [*SCALES, *columns]] = np.nan
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def make_summary(
    curves: pd.DataFrame, measured: Measured = NOTHING, cards: dict[str, TeacherCard] | None = None, **record
) -> Summary:
    """The summary of `make_curves`, with data and provenance as a study writes them; `record`
    replaces parts of the campaign's record."""
    execution = {
        "command": "python studies/stability.py --campaign made-up --num-seeds 3",
        "versions": {"python": "3.11", "torch": "2.13"},
        "commit": "abc1234",
        "seconds": 512.3,
    }
    arms = curves["arm"].unique() if len(curves) else ()
    manifest = {
        "data": {"spec": "synthetic", "fingerprint": "0123456789abcdef", "synthetic": True, "num_train_poses": 30000},
        "references": {"flat": {metric: 95.2 * scale for metric, scale in SCALES.items()}},
        "arms": {arm: {"objective": "supervised" if arm == "supervised" else "adversarial"} for arm in arms},
        "executions": [execution],
    }
    return summarise(LoadedCampaign({**manifest, **record}, curves, measured, cards or {}))


@pytest.fixture(scope="session")
def curves() -> pd.DataFrame:
    """Three arms, three seeds, forty epochs."""
    return make_curves()


@pytest.fixture(scope="session")
def curves_with_divergence() -> pd.DataFrame:
    """The same, but that seed 1 of solo diverged in epoch 20."""
    return make_curves(diverged={("solo", 1): 20})


@pytest.fixture(scope="session")
def summary(curves_with_divergence) -> Summary:
    """The summary of the curves with a divergence."""
    return make_summary(curves_with_divergence)


@pytest.fixture(scope="session", name="make_curves")
def make_curves_fixture():
    """The function that makes curves."""
    return make_curves


@pytest.fixture(scope="session", name="make_summary")
def make_summary_fixture():
    """The function that sums them up."""
    return make_summary


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real browser."""
    if CHROMIUM is None:
        pytest.skip("needs the program `chromium` on PATH")
    return CHROMIUM


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """A real browser that may not call home."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


DRAW_ALL = """async () => {
  document.querySelectorAll("details").forEach((fold) => (fold.open = true));
  for (const plot of document.querySelectorAll(".plot")) {
    plot.scrollIntoView();
    while (!plot.querySelector(".main-svg")) await new Promise((next) => setTimeout(next, 5));
  }
  window.scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def opening(browser) -> Callable[..., AbstractContextManager]:
    """Opens a file as a page with all figures drawn, and fails the test on any request, error or
    warning but those that `expected`, a pattern, finds."""

    @contextmanager
    def opened(path: Path, width: int = 1100, expected: str = "$^") -> Iterator[Any]:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="light", offline=True)
        page = context.new_page()
        troubles = []
        page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else troubles.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
        page.evaluate(DRAW_ALL)
        yield page
        context.close()
        assert [trouble for trouble in troubles if not re.search(expected, trouble)] == []

    return opened


@pytest.fixture(scope="session")
def barriers() -> Callable[[Any], list[str]]:
    """What axe-core finds serious or critical on an open page, in light and dark: what keeps people
    from using it, such as faint text or a control without a name."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page: Any) -> list[str]:
        places = []
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            for fault in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]:
                if fault["impact"] in ("serious", "critical"):
                    places += [f"{scheme}: {fault['id']}: {node['target']}" for node in fault["nodes"]]
        return places

    return found


SPACE = {
    "weights.legs": {"kind": "log", "low": 0.01, "high": 1.0},
    "weights.reprojection": {"kind": "log", "low": 1.0, "high": 100.0},
    "weights.ninety_degree": {"kind": "log", "low": 0.3, "high": 30.0},
    "weights.torso": {"kind": "log", "low": 0.01, "high": 1.0},
    "network.generator_norm": {"kind": "choice", "choices": ["batch", "layer", "none"]},
    "network.width": {"kind": "integer", "low": 64, "high": 256},
    "optimiser.beta1": {"kind": "linear", "low": 0.0, "high": 0.95},
}
"""A searched field of every kind."""
PAPER_VALUES = {
    "weights.legs": 0.05,
    "weights.reprojection": 10.0,
    "weights.ninety_degree": 3.0,
    "weights.torso": 0.08,
    "network.generator_norm": "batch",
    "network.width": 128,
    "optimiser.beta1": 0.9,
}
OBJECTIVES = {
    "error": ["error_mm"],
    "instability": ["instability_mm"],
    "pareto": ["error_mm", "instability_mm"],
    "label_free": ["label_free"],
    "signals": ["signals"],
}


def make_search(
    num_trials: int = 60,
    num_seeds: int = 2,
    num_epochs: int = 60,
    fields: tuple[str, ...] = tuple(SPACE)[:4],
    pruned: float = 0.25,
    name: str = "made-up-search",
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials and surface of a search whose sampler draws closer to the better weights as it goes.

    The error has a valley in w1 and in w2, hardly knows w3 and w4, rises late in training where w1
    is large, and is noisy. Of the trials past the tenth a share `pruned` is stopped early, about 1
    of 20 diverges, and the last but one is unfinished.
    """
    rng = np.random.default_rng(seed)
    number = np.arange(num_trials)
    narrow = 1 - 0.6 * number / max(1, num_trials - 1)  # as a sampler that learns
    params = {}
    for path in fields:
        entry, start = SPACE[path], PAPER_VALUES[path]
        if entry["kind"] == "choice":
            params[path] = rng.choice(entry["choices"], num_trials).astype(object)
        else:
            ends = np.array([entry["low"], entry["high"]], float)
            low, high = np.log(ends) if entry["kind"] == "log" else ends
            values = low + (high - low) * (0.35 * (1 - narrow) + narrow * rng.random(num_trials))
            values = np.exp(values) if entry["kind"] == "log" else values
            params[path] = values.round().astype(int) if entry["kind"] == "integer" else values
        params[path][0] = start
    legs = np.log10(params.get("weights.legs", np.full(num_trials, 0.05)))
    reprojection = np.log10(params.get("weights.reprojection", np.full(num_trials, 10.0)))
    level = 58 + 6 * (legs + 1.1) ** 2 + 5 * (reprojection - 0.7) ** 2 + rng.normal(0, 0.8, num_trials)
    rise = 6 * np.clip(legs + 1.2, 0, None)
    state = np.full(num_trials, "complete", object)
    state[(number > 10) & (rng.random(num_trials) < pruned)] = "pruned"
    state[(number > 0) & (rng.random(num_trials) < 0.05)] = "diverged"
    if num_trials > 8:
        (state[-2], state[-5]) = "unfinished", "failed"
    end = np.where(state == "complete", num_epochs, rng.integers(1, max(2, num_epochs // 2), num_trials))
    end[state == "failed"] = 0
    epoch = np.arange(1, num_epochs + 1)
    done = epoch / num_epochs
    offset = rng.normal(0, 1.2, (num_trials, num_seeds, 1))
    noise = rng.normal(0, 1.1, (num_trials, num_seeds, num_epochs))
    curves = level[:, None, None] + offset + 35 * np.exp(-8 * done) + rise[:, None, None] * done**3 + noise
    rows = []
    for place in range(num_trials):
        own = curves[place, :, : end[place]]
        row = {"search": name, "number": place, "trial": f"trial-{place:05d}", "state": state[place]}
        row |= {"epochs": int(end[place]), "seeds": num_seeds if end[place] else 0}
        scores = dict.fromkeys(
            ("error_mm", "error_std_mm", "instability_mm", "label_free", "signals", "best_epoch", "best_error_mm"), np.nan
        )
        if end[place] and state[place] != "diverged":
            window, means = own[:, end[place] // 2 :], own.mean(axis=0)
            std = window.mean(axis=1).std(ddof=1) if num_seeds > 1 else np.nan
            within = window.var(axis=1, ddof=1).mean() if window.shape[1] > 1 else 0.0
            scores |= {
                "error_mm": window.mean(),
                "error_std_mm": std,
                "instability_mm": np.sqrt(within + np.nan_to_num(std) ** 2),
            }
            scores |= {"label_free": 0.01 + 0.0004 * level[place] + rng.normal(0, 0.0008)}
            scores |= {"signals": 0.005 * level[place] + rng.normal(0, 0.005)}
            scores |= {"best_epoch": float(means.argmin() + 1), "best_error_mm": means.min()}
        row |= scores | {"hours": 0.004 * end[place] * num_seeds, "baseline": place == 0}
        rows.append(row | {path: params[path][place] for path in fields})
    kept = (epoch[None] <= end[:, None]) & (state != "diverged")[:, None]
    places, epochs = np.nonzero(kept)
    means = curves.mean(axis=1)[places, epochs]
    surface = pd.DataFrame({"search": name, "number": places, "epoch": epochs + 1, "error_mm": means})
    return pd.DataFrame(rows), surface


def make_search_summary(
    trials: pd.DataFrame,
    objective: str = "error",
    num_epochs: int = 60,
    synthetic: bool = True,
    confirmed: tuple[float, float, float] | None = None,
    **changes,
) -> SearchSummary:
    """The summary of `make_search`; `confirmed`: mean, low and high of the gain that the first
    choice has on fresh seeds."""
    fields = [path for path in SPACE if path in trials]
    columns = OBJECTIVES[objective]
    complete = trials[trials["state"] == "complete"].sort_values(columns, kind="stable")
    summary = SearchSummary(
        campaign="made-up-search",
        objective=objective,
        objective_columns=columns,
        oracle=objective not in ("label_free", "signals"),
        window=(num_epochs // 2 + 1, num_epochs),
        num_seeds=int(trials["seeds"].max()) if len(trials) else 2,
        num_epochs=num_epochs,
        pruner="asha" if (trials["state"] == "pruned").any() else "none",
        space={path: SPACE[path] for path in fields},
        baseline={path: PAPER_VALUES[path] for path in fields},
        counts={str(state): int(count) for state, count in trials["state"].value_counts().items()},
        ranked=complete["trial"].tolist(),
        label_free_and_error=rank_correlation(complete["label_free"].astype(float), complete["error_mm"].astype(float)),
        signals_and_error=rank_correlation(complete["signals"].astype(float), complete["error_mm"].astype(float)),
        flat=95.2,
        data={
            "spec": "synthetic" if synthetic else "poses.npz",
            "fingerprint": "0123456789abcdef",
            "synthetic": synthetic,
            "num_train_poses": 30000,
            "num_test_poses": 8000,
            "train_subjects": ["S1", "S5", "S6"],
            "test_subjects": ["S7", "S8"],
            "left_out_subjects": ["S9", "S11"],
        },
        trials=trials,
        confirmation=make_confirmation(complete, confirmed) if confirmed else None,
        provenance={
            "command": "python studies/weight_search.py --name made-up-search --num-trials 60",
            "config": {"weights": asdict(Weights())},
            "versions": {"python": "3.11", "optuna": "5.0"},
            "commit": "abc1234",
            "wall_seconds": 5120.3,
        },
    )
    return replace(summary, **changes)


def make_confirmation(complete: pd.DataFrame, confirmed: tuple[float, float, float], num_seeds: int = 5) -> Confirmation:
    """The first three of the trials, trained again on fresh seeds."""
    baseline = float(complete.loc[complete["baseline"], "error_mm"].iloc[0])

    def about(mean: float, low: float, high: float, n: int = num_seeds) -> Interval:
        return Interval(mean, (high - low) / 3, low, high, n)

    gains = []
    for place, (name, error) in enumerate(complete.loc[~complete["baseline"], ["trial", "error_mm"]].head(3).to_numpy()):
        gain = baseline - float(error)
        shift = -0.3 * place
        gains.append(
            Gain(
                trial=name,
                search_gain=about(gain, gain - 1.1, gain + 1.4, 2),
                confirmed_gain=about(*(end + shift for end in confirmed)),
                score=about(baseline - confirmed[0] - shift, baseline - confirmed[2], baseline - confirmed[1]),
                instability_mm=1.4 + 0.1 * place,
                num_diverged=0,
                primary=place == 0,
            )
        )
    return Confirmation(
        complete=True,
        num_seeds=num_seeds,
        seeds=list(range(1000, 1000 + num_seeds)),
        subjects=["S9", "S11"],
        num_epochs=60,
        num_trials_searched=60,
        start_led=False,
        gains=gains,
        baseline=Confirmed(about(baseline + 0.3, baseline - 0.7, baseline + 1.2), 1.9, 0),
    )


@pytest.fixture(scope="session", name="make_search")
def make_search_fixture():
    """The function that makes a search's trials and surface."""
    return make_search


@pytest.fixture(scope="session", name="make_search_summary")
def make_search_summary_fixture():
    """The function that sums them up."""
    return make_search_summary
