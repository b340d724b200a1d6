"""Whether the page of lifted clips plays 10,000 frames smoothly: what drawing one takes, frames a
second, memory.

    python benchmarks/player.py [--frames 10000]

Needs a chromium on the path. The clip is synthetic, lifted by the lifter that comes along.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import CDPSession, sync_playwright

from measure import publish
from tips_ray import Lifter
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.synthetic import synthesise
from tips_ray.lift.clips import lift_clips
from tips_ray.report.lifted.page import write_lifted_page

GOAL_MS = 16.7
"""Of CPU for a frame, at 60 frames a second."""
SECONDS = 5
NUM_DRAWN = 300
DRAWN = """count => {
  const scrubber = document.getElementById("frame");
  for (let at = 0; at < count; at++) {
    scrubber.value = Math.floor((at / count) * scrubber.max);
    scrubber.dispatchEvent(new Event("input"));
  }
}"""
PLAYED = """seconds => new Promise((done) => {
  const seen = new Set(), started = performance.now();
  document.getElementById("play").click();
  const tick = () => {
    seen.add(document.getElementById("when").textContent);
    if (performance.now() - started < 1000 * seconds) return requestAnimationFrame(tick);
    document.getElementById("play").click();
    done(seen.size / seconds);
  };
  requestAnimationFrame(tick);
})"""


def keypoints(count: int) -> KeypointSet:
    """One clip of synthetic poses, as a camera sees them."""
    poses = synthesise(num_poses=count * 2, num_subjects=2)
    seen = poses.positions[:count, :, :2].astype(np.float32) * np.float32(0.3)
    whole = np.ones(seen.shape[:2])
    subject, action, clip = (np.full(count, text) for text in ("S1", "all", "clip"))
    size = np.tile([1280, 720], (count, 1)).astype(np.int32)
    return KeypointSet(seen, whole.astype(np.float32), whole < 0, subject, action, clip, np.arange(count), size, "synthetic")


def main() -> None:
    """Print what was measured, and publish the CPU time of a frame."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    frames = parser.parse_args().frames
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("This needs the program chromium on the path.")
    lifter = Lifter.open()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "poses.html"
        write_lifted_page(path, "synthetic", lift_clips(lifter, keypoints(frames)), lifter, fps=60)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.goto(path.as_uri(), timeout=120_000)
        page.wait_for_selector("html[data-drawn=yes]", timeout=120_000)
        loaded = page.evaluate("performance.now()") / 1000
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable", {"timeDomain": "threadTicks"})  # CPU seconds
        before = measured(client)
        page.evaluate(DRAWN, NUM_DRAWN)
        after = measured(client)
        rate = page.evaluate(PLAYED, SECONDS)
        browser.close()
        size = path.stat().st_size / 1e6
    heap, draw_ms = after["JSHeapUsedSize"] / 1e6, 1000 * (after["ScriptDuration"] - before["ScriptDuration"]) / NUM_DRAWN
    print(f"{frames:,} frames: {size:.1f} MB, drawn {loaded:.1f} s after it was opened, {heap:.0f} MB on the heap of scripts")
    print(f"a frame takes the page's script {draw_ms:.2f} ms of CPU; played: {rate:.0f} frames a second")
    publish("player", draw_ms, GOAL_MS, at_least=False, unit="ms", frames_a_second=rate, megabytes=size, heap_megabytes=heap)


def measured(client: CDPSession) -> dict[str, float]:
    """What the browser counts of a page."""
    return {entry["name"]: entry["value"] for entry in client.send("Performance.getMetrics")["metrics"]}


if __name__ == "__main__":
    main()
