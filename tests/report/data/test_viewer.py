"""3D skeletons: what the drawing says is what the pose is."""

import subprocess
import sys

import numpy as np
import pytest

from tips_ray.data.poseset import make_poseset
from tips_ray.data.summary import summarise
from tips_ray.poses.skeleton import BONES, JOINTS
from tips_ray.report.data.page import MAX_SKELETONS, examples, write_data_page
from tips_ray.report.data.viewer import COLOURS, facing_viewer, skeleton_figure

POSES = np.random.default_rng(0).uniform(-1, 1, (3, 17, 3)) * (300, 900, 300)


def segments(figure) -> dict[str, np.ndarray]:
    """Per side, each drawn bone's two ends in body axes (bones, 2, 3), y up."""
    drawn = {}
    for trace in figure.data:
        if trace.name in COLOURS:
            points = np.array([trace.y, trace.z, trace.x], dtype=float).T.reshape(-1, 3, 3)
            assert np.isnan(points[:, 2]).all()
            drawn[trace.name] = points[:, :2]
    return drawn


def test_each_bone_is_drawn_once_at_its_length_on_its_side():
    drawn = segments(skeleton_figure(POSES))
    for side, prefix in (("left", "l_"), ("right", "r_")):
        assert len(drawn[side]) == len(POSES) * sum(JOINTS[child].startswith(prefix) for _, child in BONES)
    assert sum(map(len, drawn.values())) == len(POSES) * len(BONES)
    ours = np.concatenate([np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1) for ends in drawn.values()])
    true = [np.linalg.norm(pose[child] - pose[parent]) for pose in POSES for parent, child in BONES]
    np.testing.assert_allclose(np.sort(ours), np.sort(true))


def test_the_drawing_is_not_mirrored():
    right_leg = segments(skeleton_figure(POSES[0]))["right"][:3].reshape(-1, 3)
    bones = np.array([right_leg[1] - right_leg[0], right_leg[3] - right_leg[2], right_leg[5] - right_leg[4]])
    chain = POSES[0][[0, 1, 2, 3]]
    np.testing.assert_allclose(np.linalg.det(bones), np.linalg.det(np.diff(chain, axis=0)))


def test_hips_face_the_viewer_and_heights_stay():
    turned = facing_viewer(POSES)
    across = turned[:, JOINTS.index("l_hip")] - turned[:, JOINTS.index("r_hip")]
    np.testing.assert_allclose(across[:, 2], 0, atol=1e-9)
    assert (across[:, 0] > 0).all()
    np.testing.assert_array_equal(turned[..., 1], POSES[..., 1])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(POSES, axis=-1))


def test_scenes_are_true_to_scale():
    scene = skeleton_figure(POSES, titles=["a", "b", "c"]).layout.scene
    per_mm = [scene.aspectratio[side] / np.ptp(scene[f"{side}axis"].range) for side in "xyz"]
    np.testing.assert_allclose(per_mm, per_mm[0])
    one, other = (skeleton_figure(pose, heights=(-900, 900), reach=500).layout.scene for pose in POSES[:2])
    assert one.aspectratio == other.aspectratio
    assert one.zaxis.range == other.zaxis.range


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 16, 3\)"):
        skeleton_figure(POSES[:, :16])
    with pytest.raises(ValueError, match=r"2 titles for 3 poses"):
        skeleton_figure(POSES, titles=["a", "b"])


@pytest.mark.parametrize("synthetic", [False, True])
def test_the_page_opens_offline_and_says_what_is_synthetic(tmp_path, synthetic):
    action = np.array(["<b>walk</b>", "sit", "sit"])
    poses = make_poseset(POSES, "mine", subject=np.array(["a", "b", "b"]), action=action, synthetic=synthetic)
    write_data_page(poses, summarise(poses), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    own = page[page.rindex("<body>") :]
    assert ("These poses are synthetic" in own) == ("synthetic" in own) == synthetic
    assert ("synthetic" in page[: page.index("</title>")]) == synthetic
    assert "<b>walk</b>" not in own
    assert "&lt;b&gt;walk&lt;/b&gt;" in own
    assert "src=" not in own
    assert "http" not in own
    for section in ("overview", "skeletons", "subjects", "actions"):
        assert f'href="#{section}"' in own
        assert f'id="{section}"' in own
    assert own.count("<figure>") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_examples_are_of_different_actions_or_clips():
    positions = np.repeat(POSES, 10, axis=0)
    by_action = make_poseset(positions, "mine", action=np.arange(30) % 12)
    assert len({by_action.action[frame] for frame in examples(by_action)}) == MAX_SKELETONS
    by_clip = make_poseset(positions, "mine", clip=np.repeat(["a", "b"], 15))
    assert examples(by_clip) == [7, 22]


def test_the_report_needs_no_torch():
    code = "import sys, tips_ray.report.data.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
