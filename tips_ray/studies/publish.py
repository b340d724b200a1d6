"""A lifter as a folder that is ready to be uploaded to a model hub.

Takes the lifter that comes with tips-ray, a folder of a lifter, or a campaign's:

    tips-ray publish cmu-tips --out my-model
    tips-ray publish reports/CAMPAIGN --arm single --data poses.npz --licence MIT
"""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

from tips_ray.errors import UserError
from tips_ray.store.names import safe_name
from tips_ray.studies.export import LifterOptions, described, graph_of, refuse_in_use
from tips_ray.studies.options import AGAIN, run_command

NUM_FRAMES = 60
PIXELS_PER_MM, CENTRE = 0.3, (640.0, 360.0)
"""Of the example's image, of 1280 x 720 pixels."""


@dataclass(frozen=True)
class Publish(LifterOptions):
    """Write a folder for a model hub: README.md as its card, weights, card and ONNX graph, and an
    example."""

    out: Path | None = None
    """Folder to write to; by default published/NAME."""


def publish(options: Publish) -> None:
    """Write the folder."""
    from tips_ray.report.lifted.hub import hub_card
    from tips_ray.store.atomic import replace_file

    if options.out:
        refuse_in_use(options.out)
    lifter = described(options)
    out = options.out or Path("published") / safe_name(lifter.card.name)
    refuse_in_use(out)
    try:
        graph = graph_of(lifter)
    except UserError as error:
        graph = b""
        print(f"note: {error} The folder has no lifter.onnx.", file=sys.stderr)
    if not lifter.card.errors:
        print("note: The card has no errors: measure them on poses of other people with --data.", file=sys.stderr)
    files = {"README.md": hub_card(lifter.card, bool(graph)).encode(), "example_keypoints.npz": example_keypoints()}
    lifter.save(out)
    for name, content in (files | ({"lifter.onnx": graph} if graph else {})).items():
        replace_file(out / name, content)
    print(f"Folder: {out}")
    print(f"To upload it with Hugging Face's client: hf upload YOU/{out.name} {out}")


def example_keypoints() -> bytes:
    """Keypoints of synthetic poses as an .npz file, in pixels, y down."""
    import numpy as np

    from tips_ray.data.synthetic import synthesise
    from tips_ray.poses.skeleton import JOINTS

    poses = synthesise(num_poses=2 * NUM_FRAMES, num_subjects=2).positions[:NUM_FRAMES, :, :2]
    keypoints = (poses - poses[:, :1]) * [PIXELS_PER_MM, -PIXELS_PER_MM] + CENTRE
    sink = io.BytesIO()
    np.savez_compressed(sink, keypoints=keypoints.astype(np.float32), joint_names=np.array(JOINTS), synthetic=np.array(True))
    return sink.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Publish with a command line (by default this process's); returns the exit code."""
    return run_command(Publish, publish, __doc__, arguments, AGAIN)
