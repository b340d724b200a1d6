"""Motion files beside an independent reader of them."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from tips_ray.data.formats.bvh_motion import read_hierarchy, read_motion, world_positions

from . import made

SHARED = Path(__file__).resolve().parents[4] / "shared"
REAL = ("cases/formats/rig_cm.bvh", "data/real/bvh/test_freebvh.bvh", "data/real/bvh/walk01.bvh")


def assert_as_bvhio_reads(path: Path) -> None:
    """Every joint of every frame lies where bvhio, which reckons in float32 with quaternions, has
    it, to 0.01 mm on a body of 1.8 m."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of a package that bvhio imports
        import bvhio
    words = path.read_text().split()
    hierarchy, motion = read_hierarchy(words, path)
    positions = world_positions(hierarchy, read_motion(words[motion:], sum(map(len, hierarchy.channels)), path))
    root = bvhio.readAsHierarchy(str(path))
    joints = [at for at, name in enumerate(hierarchy.names) if not name.endswith(" end")]
    size = np.linalg.norm(np.ptp(positions, axis=1), axis=-1).mean()
    for frame, own in enumerate(positions):
        root.loadPose(frame)
        theirs = {joint.Name: np.array(joint.PositionWorld) for joint, _, _ in root.layout()}
        assert len(theirs) == len(joints)
        for at in joints:
            np.testing.assert_allclose(own[at], theirs[hierarchy.names[at]], atol=0.01 / 1800 * size)


@pytest.mark.parametrize(
    "order", ["Zrotation Xrotation Yrotation", "Xrotation Yrotation Zrotation", "Yrotation Zrotation Xrotation"]
)
def test_joints_are_where_bvhio_has_them_for_each_order_of_turns(tmp_path: Path, order: str):
    text = made.bvh_text().replace("Zrotation Yrotation Xrotation", order)
    assert order in text
    (tmp_path / "walk.bvh").write_text(text)
    assert_as_bvhio_reads(tmp_path / "walk.bvh")


@pytest.mark.skipif(not SHARED.exists(), reason="the files of others are not on this machine")
@pytest.mark.parametrize("name", REAL)
def test_joints_of_real_files_are_where_bvhio_has_them(name: str):
    assert_as_bvhio_reads(SHARED / name)
