"""The page of `tips-ray lift`: clips played in 3D beside their keypoints, in one file that opens
offline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tips_ray.lift.card import Card
from tips_ray.lift.clips import LiftedClip
from tips_ray.lift.lifter import Lifter
from tips_ray.poses.skeleton import BONES, JOINTS
from tips_ray.report.base import PAGES, filled
from tips_ray.report.browser import encoded, network_content
from tips_ray.report.viewer import COLOURS
from tips_ray.store.atomic import replace_file
from tips_ray.wording import counted

MAX_FRAMES = 20_000
"""Of the clips that the page plays, the first ones: it has 5 MB then."""
SPREAD_UNIT_MM = 2.0


def write_lifted_page(path: Path, name: str, clips: Sequence[LiftedClip], lifter: Lifter, fps: float) -> None:
    """Write the page; raises OSError if the place cannot be written, and leaves nothing
    half-written."""
    replace_file(path, render_lifted(name, clips, lifter, fps).encode())


def render_lifted(name: str, clips: Sequence[LiftedClip], lifter: Lifter, fps: float) -> str:
    """The page as HTML text."""
    frames, network, played = sum(len(clip.frame) for clip in clips), network_content(lifter), first_clips(clips)
    cautions = ["How large people are, and how far from the camera, is not known: each clip has an adult's size."]
    if len(played) < len(clips):
        cautions.append(f"The page plays the first {len(played):,} of {len(clips):,} clips; the files have all of them.")
    scripts = [(PAGES / file).read_text(encoding="utf-8") for file in ("skeleton.js", "network.js", "lifted/player.js")]
    return filled(
        "lifted/page.html.j2",
        {},
        scripts=scripts,
        content={
            "clips": [clip_content(clip) for clip in played],
            "bones": BONES,
            "joints": JOINTS,
            "colours": COLOURS,
            "lifter": network,
            "fps": fps,
        },
        title="Lifted poses",
        campaign=name,
        finding=f"{counted(frames, 'frame')} of {counted(len(clips), 'clip')}, lifted to 3D.",
        cautions=cautions,
        colours=COLOURS,
        draggable=network is not None,
        clips=[clip_row(clip) for clip in played],
        about=about(lifter.card),
    )


def first_clips(clips: Sequence[LiftedClip]) -> Sequence[LiftedClip]:
    """As many as the page plays: at least one, however long it is."""
    ends = np.cumsum([len(clip.frame) for clip in clips])
    return clips[: max(1, int((ends <= MAX_FRAMES).sum()))]


def clip_row(clip: LiftedClip) -> dict[str, Any]:
    """What the page's table says of a clip."""
    return {
        "name": clip.name,
        "frames": len(clip.frame),
        "missing": f"{clip.missing.mean():.1%}",
        "spread": f"{np.median(clip.spread.mean(axis=1)):.0f}",
    }


def clip_content(clip: LiftedClip) -> dict[str, Any]:
    """A clip for the player: whole numbers as base64, and what they are to be multiplied with."""
    unit = max(float(np.abs(clip.keypoints).max()) / 32000, 1e-9)
    relative = clip.poses - clip.poses[:, :1]
    seen, lifted = clip.keypoints - clip.keypoints[:, :1], relative[..., :2]
    mm = float((seen * lifted).sum() / max(float(np.square(seen).sum()), 1e-9))
    return {
        "image": clip.image_size,
        "frames": encoded(clip.frame, "<f8"),
        "keypoints": encoded(clip.keypoints / unit, "<i2"),
        "unit": unit,
        "mm": mm,
        "poses": encoded(relative.clip(-32000, 32000), "<i2"),
        "spread": encoded((clip.spread / SPREAD_UNIT_MM).clip(0, 255), "u1"),
        "spreadUnit": SPREAD_UNIT_MM,
        "missing": encoded(clip.missing, "u1"),
        "reach": 2.2 * float(np.quantile(np.linalg.norm(relative, axis=-1).max(axis=1), 0.98).clip(1.0)),
    }


def about(card: Card) -> dict[str, str]:
    """What the page says of the lifter."""
    trained = card.trained
    rows = {"Name": card.name}
    if trained:
        data = trained.get("data", {})
        rows |= {
            "Trained on": f"{data.get('name', '')}{' (synthetic)' if data.get('synthetic') else ''}",
            "Knows beyond 2D poses": ", ".join(trained.get("knows_beyond_2d", [])) or "nothing",
            "Weights": f"arm {trained.get('arm')}, seed {trained.get('seed')}, epochs {trained.get('epochs')}",
            "Chosen by": str(trained.get("rule", "")),
        }
    return {name: value for name, value in (rows | {"Licence": card.licence, "Credit": card.credit}).items() if value}
