"""The page of a set of poses, as text and as a browser draws it."""

import subprocess
import sys

import numpy as np
import pytest

from tips_ray.data.raw import RawPoses, make_poseset
from tips_ray.data.summary import summarise
from tips_ray.report.data.page import MAX_SKELETONS, examples, render_data, write_data_page

POSES = np.random.default_rng(0).uniform(-1, 1, (3, 17, 3)) * (300, 900, 300)
HOSTILE = "</script><script>document.title = 'broken'</script><b>walk</b>"


@pytest.mark.parametrize("synthetic", [False, True])
def test_the_page_shows_each_action_and_says_what_is_synthetic(synthetic):
    action = np.array(["<b>walk</b>", "sit", "sit"])
    poses = make_poseset(RawPoses(POSES, "mine", subject=np.array(["a", "b", "b"]), action=action, synthetic=synthetic))
    page = render_data(poses, summarise(poses))
    visible = page[: page.index('<script type="application/json"')]
    assert ("The poses are synthetic" in visible) == ("synthetic" in visible[: visible.index("</title>")]) == synthetic
    assert "<b>walk</b>" not in visible
    assert "&lt;b&gt;walk&lt;/b&gt;" in visible
    for section in ("overview", "skeletons", "subjects", "actions"):
        assert f'href="#{section}"' in visible
        assert f'id="{section}"' in visible
    assert visible.count("<figure>") == 2


def test_bone_lengths_that_vary_are_flagged():
    for positions, flagged in ((POSES, True), (np.repeat(POSES[:1], 3, axis=0), False)):
        poses = make_poseset(RawPoses(positions, "mine", subject=np.array(["a", "b", "b"])))
        assert ("<li>Bone lengths vary by" in render_data(poses, summarise(poses))) == flagged


def test_scenes_are_drawn_offline_under_the_policy_of_the_page(opening, barriers, tmp_path):
    poses = make_poseset(
        RawPoses(POSES, HOSTILE, subject=np.array(["a", HOSTILE, "b"]), action=np.array([HOSTILE, "sit", "run"]))
    )
    write_data_page(poses, summarise(poses), tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with opening(tmp_path / "page.html", expected="Canvas2D|WebGL|GPU|Content Security Policy") as page:
        assert page.locator(".plot .main-svg").count() >= 3
        assert page.locator("h1").inner_text() == HOSTILE
        assert HOSTILE in page.title()
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.click("#theme")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        inject = "script => { const tag = document.createElement('script'); tag.text = script; document.body.append(tag) }"
        page.evaluate(inject, "document.title = 'broken'")
        assert page.title() != "broken"


def test_examples_are_of_different_actions_or_clips():
    positions = np.repeat(POSES, 10, axis=0)
    by_action = make_poseset(RawPoses(positions, "mine", action=np.arange(30) % 12))
    assert len({by_action.action[frame] for frame in examples(by_action)}) == MAX_SKELETONS
    by_clip = make_poseset(RawPoses(positions, "mine", clip=np.repeat(["a", "b"], 15)))
    assert examples(by_clip) == [7, 22]


def test_the_page_needs_no_torch():
    code = "import sys, tips_ray.report.data.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
