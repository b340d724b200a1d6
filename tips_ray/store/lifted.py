"""What each run lifted of the same few views, epoch by epoch: depths without their images."""

import io
from concurrent.futures import ThreadPoolExecutor
from tokenize import TokenError

import numpy as np

from tips_ray.poses.skeleton import LIFTED
from tips_ray.store.curves import PARALLEL_READS, RUNS
from tips_ray.store.storage import Storage

DAMAGE = (FileNotFoundError, ValueError, EOFError, SyntaxError, TokenError)
"""What reading an array raises where the file is missing or damaged: NumPy parses its header as
Python."""


def lifted_name(epoch: int) -> str:
    """The file of the depths after an epoch, inside a run's folder."""
    return f"lifted/epoch-{epoch:05d}.npy"


def lifted_bytes(depths: np.ndarray) -> bytes:
    """Depths (views, 16) in mm as a file's bytes, to a quarter of a millimetre within a metre of
    the root."""
    sink, farthest = io.BytesIO(), float(np.finfo(np.float16).max)
    np.save(sink, depths.clip(-farthest, farthest).astype(np.float16))
    return sink.getvalue()


def read_lifted(folder: Storage, run: str, newest: int | None = None) -> dict[int, np.ndarray]:
    """Depths (views, 16) in mm by epoch, of one run of a campaign, or of its `newest` epochs.

    Epochs whose file is missing or damaged are left out.
    """
    names = (folder / RUNS / run).names("lifted")
    names = names if newest is None else names[-newest:]

    def read(name: str) -> np.ndarray | None:
        try:
            source = io.BytesIO(folder.read(f"{RUNS}/{run}/lifted/{name}"))
            depths = np.load(source).astype(np.float32)
        except DAMAGE:
            return None
        whole = depths.ndim == 2 and depths.shape[1] == len(LIFTED) and not source.read()
        return depths if whole and np.isfinite(depths).all() else None

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        by_name = zip(names, pool.map(read, names), strict=True)
        return {int(name[6:-4]): depths for name, depths in by_name if depths is not None}
