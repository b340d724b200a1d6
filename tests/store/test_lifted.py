"""What runs lifted, as files: read as they were stored; damaged ones are left out."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips_ray.poses.skeleton import LIFTED
from tips_ray.store.curves import RUNS
from tips_ray.store.lifted import lifted_bytes, lifted_name, read_lifted
from tips_ray.store.storage import Storage


def test_what_is_stored_is_read_as_it_was_stored(tmp_path: Path) -> None:
    folder, depths = Storage(str(tmp_path)), np.random.default_rng(0).normal(0, 250, (50, len(LIFTED))).clip(-1000, 1000)
    stored = {1: depths, 2: 0.001 * depths, 10: np.full_like(depths, 1e7), 100_000: depths}
    for epoch, values in stored.items():
        folder.write(f"{RUNS}/a-seed0/{lifted_name(epoch)}", lifted_bytes(values))
    found = read_lifted(folder, "a-seed0")
    assert list(found) == [1, 2, 10, 100_000]
    assert list(read_lifted(folder, "a-seed0", newest=1)) == [100_000]
    assert np.abs(found[1] - stored[1]).max() <= 0.25
    assert found[2] == pytest.approx(stored[2], rel=1e-3, abs=1e-7)
    assert (found[10] == np.float32(65504)).all()  # a lifter that is far off is not one without an answer
    assert all(depths.dtype == np.float32 for depths in found.values())
    assert read_lifted(folder, "b-seed0") == {}


def damaged() -> dict[str, bytes]:
    """A file as it may be after an accident, by what happened."""
    whole = lifted_bytes(np.ones((20, len(LIFTED))))

    def saved(array: np.ndarray) -> bytes:
        sink = io.BytesIO()
        np.save(sink, array)
        return sink.getvalue()

    archive = io.BytesIO()
    np.savez(archive, depths=np.ones((20, len(LIFTED))))
    return {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "one byte less": whole[:-1],
        "header cut": whole[:40],
        "no array": b"weights",
        "open bracket": whole.replace(b"}", b"{", 1),
        "open quote": whole.replace(b"'descr'", b"'descr(", 1),
        "fewer views": whole.replace(b"(20, 16)", b"(10, 16)"),
        "fewer joints": whole.replace(b"(20, 16)", b"(20, 12)"),
        "another shape": saved(np.ones(20 * len(LIFTED))),
        "complex numbers": saved(np.ones((20, len(LIFTED)), dtype=complex)),
        "texts": saved(np.full((20, len(LIFTED)), "1")),
        "an archive": archive.getvalue(),
        "more views than memory": whole.replace(b"(20, 16), }            ", b"(20000000000000, 16), }"),
        "not finite": lifted_bytes(np.full((20, len(LIFTED)), np.nan)),
    }


@pytest.mark.parametrize("accident", damaged())
def test_a_damaged_file_is_as_if_it_were_not_there(tmp_path: Path, accident: str) -> None:
    folder = Storage(str(tmp_path))
    folder.write(f"{RUNS}/a-seed0/{lifted_name(1)}", damaged()[accident])
    folder.write(f"{RUNS}/a-seed0/{lifted_name(2)}", lifted_bytes(np.ones((20, len(LIFTED)))))
    folder.write(f"{RUNS}/a-seed0/lifted/notes.npy", lifted_bytes(np.ones((20, len(LIFTED)))))
    assert list(read_lifted(folder, "a-seed0")) == [2]


@settings(max_examples=30)
@given(st.integers(0, 127), st.integers(1, 255))
def test_no_damaged_header_stops_the_reader(place: int, change: int) -> None:
    whole = lifted_bytes(np.ones((20, len(LIFTED))))
    content = bytearray(whole)
    content[place] ^= change

    class Folder(Storage):
        def names(self, folder: str = "") -> list[str]:
            return ["epoch-00001.npy"]

        def read(self, name: str) -> bytes:
            return bytes(content)

        def __truediv__(self, name: str) -> "Storage":
            return self

    found = read_lifted(Folder("anywhere"), "a-seed0")
    assert all(depths.shape == (20, len(LIFTED)) for depths in found.values())
