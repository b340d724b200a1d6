"""NumPy's object arrays, read without running code: pickles in which nothing but NumPy's arrays
may be made."""

import io
import pickle
from typing import Any

import numpy as np
from numpy.lib import format as npy

from tips_ray.errors import UserError


class OnlyNumpy(pickle.Unpickler):
    """Reads Python's plain values and NumPy's arrays; raises UserError for anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of an array's pickle; no other is looked up."""
        if module.replace("_core", "core") in ("numpy", "numpy.core.multiarray", "numpy.core.numeric") and name in MAKERS:
            return MAKERS[name]
        if (module, name) == ("_codecs", "encode"):  # bytes, in pickles that Python 2 can read
            return latin1
        raise UserError(f"it holds a Python object ({module}.{name}), which could run code; only NumPy's arrays are read")


def empty_array(kind: type, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """The array of no entries that a pickle fills afterwards."""
    if kind is not np.ndarray or shape != (0,):
        raise UserError("it holds an array of an unusual kind; write it again with numpy.save")
    return np.ndarray.__new__(np.ndarray, shape, np.dtype(dtype))


def scalar(dtype: np.dtype, data: bytes) -> Any:
    """A NumPy scalar from its bytes."""
    if dtype.hasobject:
        raise UserError("it holds a scalar of an unusual kind; write it again with numpy.save")
    return np.frombuffer(data, dtype=dtype, count=1)[0]


def from_buffer(data: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """An array from its bytes, as newer pickles hold it."""
    if order not in ("C", "F"):
        raise UserError("it holds an array of an unusual kind; write it again with numpy.save")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def latin1(text: str, _encoding: str = "latin1") -> bytes:
    """Bytes that were written as text."""
    return text.encode("latin1")


MAKERS = {"_reconstruct": empty_array, "scalar": scalar, "_frombuffer": from_buffer, "ndarray": np.ndarray, "dtype": np.dtype}


def read_object_array(stream: Any) -> np.ndarray:
    """An array of an .npy stream that needs pickle; raises UserError if anything but NumPy's arrays
    and Python's plain values would be made, and whatever `pickle` raises if it is damaged."""
    version = npy.read_magic(stream)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = reader(stream)
    if not dtype.hasobject:
        raise UserError("it is no object array")
    array = OnlyNumpy(stream, encoding="latin1").load()
    if not isinstance(array, np.ndarray) or array.size > 10_000_000:
        raise UserError("it is no object array; write it again with numpy.save")
    return array.reshape(shape) if array.shape != shape else array


def plain_pickle(content: bytes) -> Any:
    """A pickle of Python's plain values and NumPy's arrays; as `read_object_array` otherwise."""
    return OnlyNumpy(io.BytesIO(content), encoding="latin1").load()
