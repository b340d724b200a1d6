"""Which recording, and which frame of it, the name of an image file says."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

NUMBERED = re.compile(r"(?P<clip>.*?)[ _.-]*(?:frame|img|image)?[ _.-]*(?P<frame>[0-9]{1,15})", re.IGNORECASE)
DENSE = 4
"""Images whose numbers alone say what they are of are frames of a video if there is one for at
least every fourth number; else they are stills."""


def split_name(name: str) -> tuple[str, int | None]:
    """Recording and frame number of an image: "walk", 12 for "walk_00012.jpg"; "video/3", 7 for
    "video/3/000007.png"; None for a name without a number at its end."""
    path = PurePosixPath(name.replace("\\", "/"))
    folder = "/".join(part for part in path.parent.parts if part not in ("/", ".", ".."))
    stem = path.name.rsplit(".", 1)[0] if re.search(r"\.[A-Za-z][A-Za-z0-9]{0,4}$", path.name) else path.name
    match = NUMBERED.fullmatch(stem)
    if match is None:
        return "/".join(filter(None, (folder, stem))), None
    return "/".join(filter(None, (folder, match["clip"]))), int(match["frame"])


def places(names: Sequence[str], video: bool | None = None) -> list[tuple[str, int]]:
    """Recording and frame number of each image.

    `video`: whether the images are frames of videos; None: they are where their numbers follow
    each other. Each still image is a recording of its own; a recording without a name is "".
    """
    split = [split_name(name) for name in names]
    numbers: dict[str, list[int]] = {}
    for clip, frame in split:
        numbers.setdefault(clip, []).append(-1 if frame is None else frame)
    still = {clip for clip, own in numbers.items() if not (video or (video is None and follows(own)))}
    placed = []
    for name, (clip, frame) in zip(names, split, strict=True):
        own = PurePosixPath(name.replace("\\", "/")).with_suffix("").as_posix() if name else name
        placed.append((own, 0) if clip in still or frame is None else (clip, frame))
    return placed


def follows(numbers: Sequence[int]) -> bool:
    """Whether numbers are those of a video's frames."""
    distinct = set(numbers)
    return len(distinct) > 1 and max(distinct) - min(distinct) < DENSE * len(distinct)
