"""3D skeletons: what the drawing says is what the pose is."""

import numpy as np
import pytest

from tips_ray.poses.skeleton import BONES, JOINTS
from tips_ray.report.viewer import COLOURS, facing_viewer, skeleton_figure

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
