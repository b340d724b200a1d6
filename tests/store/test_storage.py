import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tips_ray.errors import UserError
from tips_ray.store.names import check_name, safe_name
from tips_ray.store.storage import Storage

WRITER = """
import sys
from tips_ray.store.storage import Storage
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


def test_what_a_killed_writer_left_is_neither_listed_nor_kept(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("file", b"")
    left: list[Path] = []
    for _ in range(3):  # each time another process
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob(".tips-ray-*.new"))) == len(left):
            assert time.monotonic() < deadline
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        left = list(tmp_path.glob(".tips-ray-*.new"))
    assert len(list(tmp_path.iterdir())) > 1
    assert storage.names() == ["file"]
    storage.sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_damaged_table_is_an_error_that_names_it(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write_table("t.parquet", pd.DataFrame({"epoch": range(1000)}))
    content = bytearray(storage.read("t.parquet"))
    content[100] ^= 1
    for damaged in (content[:500], content[:0], content):
        storage.write("t.parquet", bytes(damaged))
        with pytest.raises(ValueError, match=r"t\.parquet' is damaged \("):
            storage.read_table("t.parquet")


def test_a_full_disk_is_said_at_once_and_costs_nothing_that_was_stored(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tips-ray-test", str(tmp_path)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        storage = Storage(str(tmp_path))
        storage.write("file", b"old")
        began = time.monotonic()
        with pytest.raises(OSError, match=r"No space is left in .*; free some, and run the same command again\."):
            storage.write("file", bytes(2_000_000))
        assert time.monotonic() - began < 5
        assert storage.read("file") == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_folder_is_joined_before_the_query_of_its_uri() -> None:
    inside = Storage("s3://bucket/x?endpoint_override=127.0.0.1:9&scheme=http") / "a" / "b"
    assert inside.location == "s3://bucket/x/a/b?endpoint_override=127.0.0.1:9&scheme=http"
    assert (Storage("/what?") / "a").location == "/what?/a"  # no URI, so no query


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file/inside' lies below a file; give the path of a folder"):
        Storage(str(tmp_path / "file" / "inside")).make()


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("ftp://host/x", r"Cannot use 'ftp://host/x' as storage.*give a folder, or a URI"),
        ("s3://", r"'s3://' names no bucket; give a folder, or a URI such as"),
        ("s3:/bucket", r"'s3:/bucket' names no bucket"),
        ("abfs://container/x", r"Cannot use 'abfs://container/x' as storage \(.*account name"),
        ("~nobody-of-that-name/x", r"Cannot use '~nobody-of-that-name/x' as storage"),
        ("loop/x", r"Cannot use 'loop/x' as storage \(.*loop"),
        ("s3://key:s3cret@bucket/x y?region=us-east-1", r"Cannot use 's3://key:\*\*\*@bucket/x y\?region=us-east-1' as storage"),
    ],
)
def test_a_place_that_is_none_is_a_clear_error(location: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=told):
        Storage(location).exists("y")


def make_special(path: Path, kind: str) -> None:
    """Put something else than a regular file at a path."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling link":
        path.symlink_to("nothing")
    elif kind == "huge file":
        path.touch()
        os.truncate(path, 2**36)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "huge file"])
def test_what_is_no_file_of_ours_is_not_read(kind: str, tmp_path: Path) -> None:
    make_special(tmp_path / "t.parquet", kind)
    with pytest.raises((UserError, OSError), match=r"t\.parquet"):
        Storage(str(tmp_path)).read_table("t.parquet")


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "dangling link"])
def test_what_is_no_file_is_not_replaced(kind: str, tmp_path: Path) -> None:
    make_special(tmp_path / "page.html", kind)
    before = (tmp_path / "page.html").lstat()
    with pytest.raises(UserError, match=r"page\.html' is a .* and is not replaced; give the path of a file"):
        Storage(str(tmp_path)).write("page.html", b"page")
    assert (tmp_path / "page.html").lstat() == before
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_link_put_where_a_file_will_be_written_aside_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    (tmp_path / "precious").write_bytes(b"old")
    (tmp_path / ".tips-ray-guessed.new").symlink_to("precious")
    with pytest.raises(FileExistsError):
        Storage(str(tmp_path)).write("file", b"new")
    assert (tmp_path / "precious").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("run#1", "run-1"),
        ("..%2fx", "2fx"),
        ("../x", "x"),
        ("a\x1bb", "a-b"),
        ("poses: v2?", "poses- v2-"),
        ("é" * 90 + ".", "é" * 75),
    ],
)
def test_names_that_mean_more_than_a_folder_are_refused(name: str, safe: str) -> None:
    with pytest.raises(UserError, match="cannot be a folder's"):
        check_name(name)
    assert safe_name(name) == safe
    check_name(safe)


def test_names_that_differ_are_different_places_of_a_uri() -> None:
    names = ("a 1", "a%201", "a#1", "ä", "..%2f", "a?b=1")
    assert [(Storage("s3://bucket/x?region=us-east-1") / name).path() for name in names] == [f"bucket/x/{name}" for name in names]
