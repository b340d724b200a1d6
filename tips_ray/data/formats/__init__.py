"""Readers of pose data, one file a format: what each accepts, whether a path is its own, and the
poses as the file gives them."""

from pathlib import Path

from tips_ray.data.formats import cmu, npz
from tips_ray.data.raw import RawPoses
from tips_ray.errors import UserError

FORMATS = (npz, cmu)
"""A new format is a file with `ACCEPTS`, `detect` and `read`, named here."""

ACCEPTED = ", ".join(("'synthetic'", *(reader.ACCEPTS for reader in FORMATS[:-1]))) + f", or {FORMATS[-1].ACCEPTS}"


def read(spec: str) -> RawPoses:
    """The poses of the file or folder that `spec` names; raises UserError for one of no known
    format."""
    path = Path(spec).expanduser()
    for reader in FORMATS:
        if reader.detect(path):
            return reader.read(path)
    fault = "is a file of another kind" if path.is_file() else "does not exist"
    raise UserError(f"{spec!r} {fault}; poses are {ACCEPTED}.")
