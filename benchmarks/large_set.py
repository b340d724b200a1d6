"""Time and memory of loading Human3.6M's 1.56 million training poses in VideoPose3D's layout, made
of synthetic poses: keypoints of four cameras, paired with their poses.

python benchmarks/large_set.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from measure import publish
from tips_ray.data.joint_sets import HUMAN36M_32_USED
from tips_ray.data.synthetic import synthesise

SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
CLIPS = 30
LOAD = """
import resource, sys, time
from tips_ray.data.load import load_keypoints, load_poses
started = time.perf_counter()
data = (load_keypoints if "2d" in sys.argv[1] else load_poses)(sys.argv[1])
seconds = time.perf_counter() - started
print(len(data), seconds, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, data.fingerprint)
"""


def write_set(folder: Path, frames: int) -> None:
    """Write poses of `frames` frames, their keypoints in four cameras, and the cameras."""
    few = synthesise(20_000, seed=0).positions
    poses, keypoints = {}, {}
    length = frames // (len(SUBJECTS) * CLIPS)
    for number, subject in enumerate(SUBJECTS):
        for clip in range(CLIPS):
            start = (number * CLIPS + clip) * 97 % (len(few) - 1)
            world = few[(start + np.arange(length)) % len(few)][..., [2, 0, 1]] / 1000
            whole = np.zeros((length, 32, 3), np.float32)
            whole[:, list(HUMAN36M_32_USED)] = world
            poses.setdefault(subject, {})[f"Walking {clip}"] = whole
            views = [1000 * np.stack([world[..., 1], 1 - world[..., 2]], -1) / (4 - world[..., :1]) + 500] * 4
            keypoints.setdefault(subject, {})[f"Walking {clip}"] = [view.astype(np.float32) for view in views]
    layout = {"layout_name": "h36m", "num_joints": 17}
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=np.array(poses, dtype=object))
    two, metadata = np.array(keypoints, dtype=object), np.array(layout, dtype=object)
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=two, metadata=metadata)
    camera = {"orientation": [0.5, -0.5, -0.5, 0.5], "translation": [4000, 0, 1000]}
    (folder / "h36m_cameras.json").write_text(json.dumps({subject: [camera] * 4 for subject in SUBJECTS}))


def main() -> None:
    """Print seconds and GB of loading the keypoints with their poses, and as many poses alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poses", type=int, default=1_560_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for name, frames in (("data_2d_h36m_gt.npz", options.poses // 4), ("data_3d_h36m.npz", options.poses)):
            if "3d" in name:
                for old in Path(place).iterdir():
                    old.unlink()
            child = f"from pathlib import Path; import large_set; large_set.write_set(Path({place!r}), {frames})"
            subprocess.run([sys.executable, "-c", child], check=True, cwd=Path(__file__).parent)
            path = str(Path(place) / name)
            words = subprocess.run([sys.executable, "-c", LOAD, path], check=True, capture_output=True, text=True).stdout.split()
            count, seconds, cpu, gigabytes = int(words[0]), *map(float, words[1:4])
            what = "keypoints" if "2d" in name else "poses"
            publish(f"load_{what}_seconds", seconds, 60, at_least=False, unit="s", frames=count, cpu_seconds=cpu)
            publish(f"load_{what}_memory", gigabytes, 6, at_least=False, unit="GB", frames=count)


if __name__ == "__main__":
    main()
