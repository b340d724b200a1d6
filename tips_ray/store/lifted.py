"""What each run lifted of the same few views, epoch by epoch: depths without their images."""

import io
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from tokenize import TokenError

import numpy as np

from tips_ray.poses.skeleton import LIFTED
from tips_ray.store.curves import PARALLEL_READS, RUNS
from tips_ray.store.names import epoch_file, epochs_of
from tips_ray.store.storage import Storage

SUFFIX = ".npy"
DAMAGE = (FileNotFoundError, ValueError, EOFError, SyntaxError, TokenError, MemoryError)
"""What reading an array raises where the file is missing or damaged: NumPy parses its header as
Python."""


def lifted_name(epoch: int) -> str:
    """The file of the depths after an epoch, inside a run's folder."""
    return f"lifted/{epoch_file(epoch, SUFFIX)}"


def lifted_bytes(depths: np.ndarray) -> bytes:
    """Depths (views, 16) in mm as a file's bytes, to a quarter of a millimetre within a metre of
    the root."""
    sink, farthest = io.BytesIO(), float(np.finfo(np.float16).max)
    np.save(sink, depths.clip(-farthest, farthest).astype(np.float16))
    return sink.getvalue()


def lifted_epochs(folder: Storage, run: str) -> list[int]:
    """The epochs of which a run of a campaign has stored what it lifted."""
    return epochs_of((folder / RUNS / run).names("lifted"), SUFFIX)


def read_lifted(
    folder: Storage, run: str, newest: int | None = None, among: Collection[int] | None = None
) -> dict[int, np.ndarray]:
    """Depths (views, 16) in mm by epoch, of one run of a campaign: of all epochs, of its `newest`,
    or of those `among` some.

    Epochs whose file is missing or damaged are left out.
    """
    stored = folder / RUNS / run
    epochs = [epoch for epoch in lifted_epochs(folder, run) if among is None or epoch in among]
    epochs = epochs if newest is None else epochs[-newest:]

    def read(epoch: int) -> np.ndarray | None:
        try:
            source = io.BytesIO(stored.read(lifted_name(epoch)))
            depths = np.lib.format.read_array(source, allow_pickle=False)
        except DAMAGE:
            return None
        whole = depths.dtype.kind == "f" and depths.ndim == 2 and depths.shape[1] == len(LIFTED) and not source.read()
        return depths.astype(np.float32) if whole and np.isfinite(depths).all() else None

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        by_epoch = zip(epochs, pool.map(read, epochs), strict=True)
        return {epoch: depths for epoch, depths in by_epoch if depths is not None}
