"""Videos and photos in, keypoints out: a detector is run in an environment of its own."""

import json
import subprocess
import sys
from pathlib import Path

from tips_ray.errors import UserError

SCRIPT = Path(__file__).with_name("detect.py")
VIDEOS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
DEFAULT_PYTHON = Path("detector/bin/python")
"""Where docs/howto/video.md installs a detector."""


def is_footage(path: str) -> bool:
    """Whether a path names a video or a photo."""
    return Path(path).suffix.lower() in VIDEOS + PHOTOS and not Path(path).is_dir()


def detect(footage: str, out: Path, detector: str, python: Path | None) -> float | None:
    """Write the keypoints of the people in a video or photo to a .json file, and say how far it is;
    returns a video's frames a second.

    `detector` is `mediapipe`, `rtmpose`, `yolo`, or `any` that is installed; `python` the Python
    for which it is: by default that of DEFAULT_PYTHON, or else this one. Raises UserError where
    there is none, for footage that cannot be read, and where nobody is seen.
    """
    python = python or (DEFAULT_PYTHON if DEFAULT_PYTHON.exists() else Path(sys.executable))
    if not Path(footage).exists():
        raise UserError(f"There is no file {footage!r}; give the path of a video or photo.")
    if not python.is_file():
        raise UserError(
            f"--detector-python is '{python}', where there is no Python; give the path of one, such as {DEFAULT_PYTHON}."
        )
    command = [str(python), str(SCRIPT), footage, str(out), "--detector", detector]
    try:
        subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)
    except subprocess.CalledProcessError as error:
        *_, last = error.stderr.strip().splitlines() or ["it says nothing."]
        raise UserError(f"{footage}: no keypoints were found. {last}") from error
    return json.loads(out.read_text())["info"]["fps"]
