"""Readers of poses and keypoints, one file a format: what each accepts, whether a path is its own,
and what the file gives."""

from pathlib import Path

from tips_ray.config import FileReading
from tips_ray.data.formats import (
    bvh,
    cmu,
    coco,
    deeplabcut,
    detectron,
    h36m_fetch,
    mediapipe,
    mmpose_json,
    mmpose_npz,
    mpi_inf_3dhp,
    mpi_inf_3dhp_train,
    npz,
    npz_keypoints,
    openpose,
    refused,
    results,
    videopose3d,
    yolo,
)
from tips_ray.data.formats.opened import Opened
from tips_ray.data.labels import clean_text
from tips_ray.data.raw import RawPoses
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError
from tips_ray.wording import listed

FORMATS = (
    *(refused, videopose3d, detectron, mmpose_npz, npz_keypoints),
    *(mpi_inf_3dhp, mpi_inf_3dhp_train, h36m_fetch, deeplabcut, openpose, coco, results, mediapipe, mmpose_json, bvh),
    *(yolo, npz, cmu),
)
"""A new format is a file with `ACCEPTS`, `detect` and `read`, named here. The first that a file is
of reads it; `npz` takes every other .npz."""

ACCEPTED = (
    ", ".join(("'synthetic'", *(reader.ACCEPTS for reader in FORMATS[:-1] if reader.ACCEPTS))) + f", or {FORMATS[-1].ACCEPTS}"
)


def read(spec: str, reading: FileReading | None = None) -> RawPoses | RawKeypoints:
    """The poses or keypoints of the file or folder that `spec` names; raises UserError for one of
    no known format."""
    path = Path(spec).expanduser()
    if not path.exists():
        raise UserError(f"{clean_text(spec)!r} does not exist; poses are 'synthetic', or a file or folder of poses or keypoints.")
    if path.is_file() and not path.stat().st_size:
        raise UserError(f"{clean_text(spec)!r} is an empty file; write it again.")
    file = Opened(path, reading or FileReading())
    for reader in FORMATS:
        if reader.detect(file):
            try:
                return reader.read(file)
            except UserError as error:
                if str(path) in str(error):
                    raise
                raise UserError(f"{path}: {error}") from error
    inside = path.iterdir() if path.is_dir() else ()
    readable = sorted(clean_text(each.name) for each in inside if each.suffix and each.suffix.lower() in ACCEPTED)
    cure = f" Or give one file of the folder: {listed(readable)}." if readable else ""
    fault = "is a folder without such files" if path.is_dir() else "is a file of another kind"
    raise UserError(f"{clean_text(spec)!r} {fault}; poses and keypoints are {accepted(path)}.{cure}")


def accepted(path: Path) -> str:
    """What is read of folders, or of files that end like a path; of all kinds where there is
    none."""
    kind = "folder" if path.is_dir() else path.suffix.lower()
    fitting = [reader.ACCEPTS for reader in FORMATS if kind and kind in reader.ACCEPTS]
    return f"{', '.join(fitting[:-1])}, or {fitting[-1]}" if len(fitting) > 1 else fitting[0] if fitting else ACCEPTED
