import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tips_ray.storage import Storage

WRITER = """
import sys
from tips_ray.storage import Storage
folder, sizes = Storage(sys.argv[1]), (1_000, 2_000_000)
number = 0
while True:
    number += 1
    folder.write("file", bytes([number % 256]) * sizes[number % 2])
"""


def test_writes_reads_lists_and_deletes(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path)) / "a"
    assert not storage.exists("b/c")
    assert storage.names() == []
    storage.write("b/c", b"one")
    storage.write("b/c", b"two")
    assert storage.read("b/c") == b"two"
    assert storage.names("b") == ["c"]
    storage.delete("b/c")
    assert not storage.exists("b/c")
    with pytest.raises(FileNotFoundError):
        storage.read("b/c")


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    table = pd.DataFrame({"run": ["a", "b"], "epoch": [1, 2], "error": [1.5, float("nan")]})
    Storage(str(tmp_path)).write_table("t.parquet", table)
    pd.testing.assert_frame_equal(Storage(str(tmp_path)).read_table("t.parquet"), table, check_dtype=False)


def test_travels_to_another_process(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("x", b"1")
    assert pickle.loads(pickle.dumps(storage)).read("x") == b"1"


def test_a_relative_place_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(Storage("a"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    pickle.loads(sent).write("x", b"1")
    assert (tmp_path / "a" / "x").read_bytes() == b"1"


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    for wait in (0.3, 0.35, 0.4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        while not (tmp_path / "file").exists():
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        content = Storage(str(tmp_path)).read("file")
        assert len(content) in (1_000, 2_000_000)
        assert len(set(content)) == 1


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Cannot write to the storage .*file/inside"):
        Storage(str(tmp_path / "file" / "inside")).make()


def test_an_unknown_scheme_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match=r"ftp://host/x.*give a folder, or a URI"):
        Storage("ftp://host/x").exists("y")
