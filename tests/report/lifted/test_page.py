"""The page of lifted clips, as a browser plays it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from made_lifter import made_network
from tips_ray.config import Config, Network
from tips_ray.data.completion import Prior
from tips_ray.lift.card import Card
from tips_ray.lift.clips import LiftedClip
from tips_ray.lift.lifter import Lifter
from tips_ray.lift.trained import folded
from tips_ray.report import browser as in_browser
from tips_ray.report.lifted.page import render_lifted, write_lifted_page

HOSTILE = "</script><b>clip</b>"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    """A small one."""
    config = Config(network=Network(width=16, generator_blocks=1, mirror_mean=True))
    network = folded(made_network(config.network), config, 1.0)
    parts = {each.part.name: list(each.part.joints) for each in network.parts}
    return Lifter(network, Prior(np.zeros(32), np.eye(32)), Card("small", parts, network.negative_slope, True))


def clip_named(name: str, lifter: Lifter, count: int = 30) -> LiftedClip:
    keypoints = RNG.uniform([0, -720], [1280, 0], (count, 17, 2)).astype(np.float32)
    poses = lifter.lift_whole(keypoints)
    missing = np.zeros((count, 17), dtype=bool)
    missing[:, 3] = True
    return LiftedClip(name, "s", "all", np.arange(count), keypoints, missing, (1280, 720), poses, lifter.spread(poses))


def test_clips_are_played_and_joints_can_be_dragged(lifter, opening, barriers, tmp_path):
    clips = [clip_named("first", lifter), clip_named(HOSTILE, lifter, 5)]
    clips[1] = replace(clips[1], frame=clips[1].frame + 10_128_340_000)  # such as PoseTrack numbers them
    write_lifted_page(tmp_path / "page.html", HOSTILE, clips, lifter, fps=30)
    with opening(tmp_path / "page.html", expected="Canvas2D") as page:
        assert page.locator("h1").inner_text() == HOSTILE
        assert page.locator("#when").inner_text().startswith("frame 0 (1 of 30)")
        page.click("#play")
        page.wait_for_timeout(400)
        page.click("#play")
        assert not page.locator("#when").inner_text().startswith("frame 0 (")
        page.select_option("#clip", HOSTILE)
        assert page.locator("#when").inner_text().startswith("frame 10128340000 (1 of 5)")
        pixels = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
        assert all(page.eval_on_selector(f"#{name}", pixels) for name in ("image", "body", "timeline"))
        box = page.locator("#image").bounding_box()
        for down in np.linspace(0.1, 0.9, 9):
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * down)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] / 2 + 15, box["y"] + box["height"] * down, steps=2)
            page.mouse.up()
        assert "changed by hand" in page.locator("#when").inner_text()
        page.click("#reset")
        assert "changed by hand" not in page.locator("#when").inner_text()
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_pose_that_is_larger_than_all_others_is_drawn_whole(lifter, opening, tmp_path):
    clip = clip_named("first", lifter)
    size = np.ones((30, 1, 1), dtype=np.float32)
    size[0] = 3.0
    middle = clip.keypoints[:, :1]
    large = replace(clip, keypoints=middle + (clip.keypoints - middle) * size, poses=clip.poses * size, image_size=None)
    write_lifted_page(tmp_path / "page.html", "made", [large], lifter, fps=30)
    edges = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const painted = (x, y) => data[4 * (y * canvas.width + x) + 3] > 0;
      return Array.from({ length: canvas.width }, (_, x) => painted(x, 0) || painted(x, canvas.height - 1)).some(Boolean);
    }"""
    with opening(tmp_path / "page.html", expected="Canvas2D") as page:
        assert page.locator("#when").inner_text().startswith("frame 0")
        assert not page.eval_on_selector("#image", edges)


def test_the_lifter_in_the_page_is_the_lifter(lifter, opening, tmp_path):
    clip = clip_named("first", lifter)
    write_lifted_page(tmp_path / "page.html", "made", [clip], lifter, fps=30)
    with opening(tmp_path / "page.html", expected="Canvas2D") as page:
        relative = (clip.keypoints - clip.keypoints[:, :1])[:, 1:]
        content = "JSON.parse(document.getElementById('content').textContent)"
        answer = f"poses => poses.map(lifterOf({content}.lifter))"
        depths = page.evaluate(answer, relative.tolist())
    np.testing.assert_allclose(
        depths, lifter.lift_whole(clip.keypoints)[:, 1:, 2], atol=0.1
    )  # of bodies of 500; the page rounds weights


def test_a_large_network_stays_at_home(lifter, monkeypatch):
    monkeypatch.setattr(in_browser, "MAX_NETWORK_BYTES", 10)
    page = render_lifted("made", [clip_named("first", lifter)], lifter, 30)
    content = json.loads(page.split('id="content">')[1].split("</script>")[0])
    assert content["lifter"] is None
    assert "Drag a joint" not in page
