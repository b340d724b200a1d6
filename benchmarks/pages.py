"""How heavy a study's page is, and how soon it is seen: its bytes, its first paint, and when all
its figures are painted, folded ones too.

    python benchmarks/pages.py [--arms 10 --seeds 10 --epochs 800]

Needs a chromium on the path. The curves are made up.
"""

import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from playwright.sync_api import Browser, sync_playwright

from measure import publish
from tips_ray.columns import DERIVED, METRICS, TABLE, TRAIN_METRIC
from tips_ray.report.study.page import render
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.summary import summarise

MEGABYTES, FIRST_SECONDS, ALL_SECONDS = 2.5, 0.5, 2.0
ACTIONS = 15
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
ALL_PAINTED = """() => new Promise((done) => {
  const look = () => {
    const plots = [...document.querySelectorAll(".plot")].filter((plot) => plot.checkVisibility());
    if (plots.length && plots.every((plot) => plot.querySelector(".main-svg"))) done(performance.now());
    else setTimeout(look, 50);
  };
  look();
})"""
OPEN_FOLDS = (
    "addEventListener('DOMContentLoaded', () => document.querySelectorAll('details').forEach((fold) => (fold.open = true)))"
)


@dataclass(frozen=True)
class Painted:
    """Seconds after a page was opened."""

    first: float
    """At which something was seen."""
    all: float
    """At which all figures that are not folded were painted, in a window that shows them all."""
    all_cpu: float
    """Of these, on a processor, which does not depend on what else the machine does."""
    unfolded: float
    """As `all`, with all folds open."""
    unfolded_cpu: float


def made_up(arms: int, seeds: int, epochs: int) -> pd.DataFrame:
    """Curves with the columns of a study: errors that fall, and all losses and signals, each with
    noise."""
    rng = np.random.default_rng(0)
    runs = pd.MultiIndex.from_product([[f"arm-{arm}" for arm in range(arms)], range(seeds), range(1, epochs + 1)])
    curves = runs.to_frame(index=False, name=["arm", "seed", "epoch"])
    curves["run"], curves["status"], curves["campaign"] = curves["arm"] + "-seed" + curves["seed"].astype(str), "ok", "made-up"
    fall = 60 + 40 * np.exp(-9 * curves["epoch"].to_numpy() / epochs) + rng.normal(0, 1, len(curves))
    errors = {name: fall * (1 + 0.1 * place) for place, name in enumerate([*METRICS, TRAIN_METRIC])}
    actions = {f"{METRICS[0]}/action {place}": fall + place for place in range(ACTIONS)}
    others = [each.name for each in TABLE if each.name not in (*errors, *DERIVED) and each.group not in ("error", "benchmark")]
    signals = {name: np.abs(rng.normal(0.5, 0.1, len(curves))) for name in others}
    return pd.concat([curves, pd.DataFrame({**errors, **actions, **signals})], axis=1)


def page_of(arms: int, seeds: int, epochs: int) -> str:
    """The page of a study of made-up curves."""
    curves = made_up(arms, seeds, epochs)
    manifest = {
        "data": {"spec": "made up", "labelled": True},
        "references": {"flat": dict.fromkeys(METRICS, 96.0)},
        "arms": {arm: {"objective": "adversarial"} for arm in curves["arm"].unique()},
        "executions": [],
    }
    return render(curves, summarise(LoadedCampaign(manifest, curves)))


def painted(browser: Browser, path: Path) -> Painted:
    """When a page is painted."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
    first = page.evaluate(FIRST_PAINT)
    page.close()
    return Painted(first / 1000, *all_painted(browser, path, ""), *all_painted(browser, path, OPEN_FOLDS))


def all_painted(browser: Browser, path: Path, before: str) -> tuple[float, float]:
    """Until all figures are painted in a window that shows them all, in seconds and in those on a
    processor; `before` is a script that runs first."""
    page = browser.new_page(viewport={"width": 1440, "height": 60_000})
    page.add_init_script(before)
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    ended = page.evaluate(ALL_PAINTED)
    metrics = {entry["name"]: entry["value"] for entry in client.send("Performance.getMetrics")["metrics"]}
    page.close()
    return ended / 1000, metrics["TaskDuration"]


def main(arms: int = 10, seeds: int = 10, epochs: int = 800, rounds: int = 3) -> None:
    """Print what was measured, and publish each number with its goal."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("This needs the program chromium on the path.")
    started = time.perf_counter()
    page = page_of(arms, seeds, epochs)
    rendered = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        times = [painted(browser, path) for _ in range(rounds)]
        browser.close()
    seconds = {each.name: round(statistics.median(getattr(time, each.name) for time in times), 3) for each in fields(Painted)}
    size = len(page.encode()) / 1e6
    print(
        f"{arms} arms x {seeds} seeds x {epochs} epochs: {size:.2f} MB, made in {rendered:.1f} s; median of {rounds}: {seconds} s"
    )
    sizes = {"arms": arms, "seeds": seeds, "epochs": epochs}
    publish("page_megabytes", size, MEGABYTES, at_least=False, unit="MB", **sizes)
    publish("page_first_paint", seconds["first"], FIRST_SECONDS, at_least=False, unit="s", **sizes)
    publish("page_all_painted", seconds["all"], ALL_SECONDS, at_least=False, unit="s", **sizes, raw_seconds=seconds)


if __name__ == "__main__":
    tyro.cli(main)
