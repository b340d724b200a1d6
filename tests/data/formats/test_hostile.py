"""Files that are damaged or made to do harm: each is read, or refused in one sentence."""

import io
import random
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tips_ray.data import load_poses
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

from .test_cmu import AMC, ASF

CMU = Path(__file__).resolve().parents[4] / "shared/data/cmu_asf_amc"


def outcome(spec: Path) -> str:
    """ "read", or the sentence with which the poses are refused; no other error, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            load_poses(str(spec))
            return "read"
        except UserError as error:
            sentence = str(error)
    assert sentence.isprintable()  # a line break is not printable
    return sentence


def sound_arrays() -> dict[str, np.ndarray]:
    positions = np.random.default_rng(0).uniform(-800, 800, (6, 17, 3)).astype(np.float32)
    return {"positions": positions, "joint_names": np.array(JOINTS), "subject": np.array(list("aabbcc")), "up": np.array("y")}


def npz_bytes(method: int = zipfile.ZIP_STORED, **replaced: bytes) -> bytes:
    """An .npz file, some of whose members are other bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for key, array in sound_arrays().items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{key}.npy", replaced.get(key, member.getvalue()))
    return content.getvalue()


def header(text: str) -> bytes:
    """The start of an .npy file whose header is any text, with a little data."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1") + b"\0" * 200


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000, 17, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 400 + ", 17, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-6, 17, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 17, 3)}\n",
        "{'descr': '<f4', 'fortran_order': 2, 'shape': (6, 17, 3)}\n",
        "{'descr': '|O', 'fortran_order': False, 'shape': (6, 17, 3)}\n",
        "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (6, 17, 3)}\n",
        "{'descr': [('a', '<f4'), ('a', '<f4')], 'fortran_order': False, 'shape': (6,)}\n",
        "(" * 3000 + ")" * 3000 + "\n",
        "{'descr': '<f4'}\n",
        "\xff\xfe{'shape'\n",
        "",
    ],
)
def test_headers_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "poses.npz").write_bytes(npz_bytes(positions=header(text)))
    assert "poses.npz: 'positions'" in outcome(tmp_path / "poses.npz") or "'positions' holds" in outcome(tmp_path / "poses.npz")


@pytest.mark.parametrize("key", ["subject", "joint_names", "up"])
@pytest.mark.parametrize("code", [0x110000, 0xD800, 0xFFFFFFFF])
def test_code_points_that_are_no_characters_are_refused(tmp_path, key, code):
    arrays = sound_arrays()
    arrays[key] = arrays[key].copy()
    arrays[key].reshape(-1).view(np.uint32)[0] = code
    np.savez(tmp_path / "poses.npz", **arrays)
    result = outcome(tmp_path / "poses.npz")
    assert result != "read" or code == 0xD800  # half a character is left out of a label


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compression_and_unknown_methods_are_refused(tmp_path, method):
    content = npz_bytes(method)
    path = tmp_path / "poses.npz"
    path.write_bytes(content)
    assert outcome(path) == "read"
    for place in range(40, 700, 30):
        path.write_bytes(content[:place] + bytes(20) + content[place + 20 :])
        outcome(path)
    for number in (1, 12, 14, 93, 99):
        changed = bytearray(content)
        for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            changed[content.find(mark) + offset] = number
        path.write_bytes(changed)
        outcome(path)


def test_an_array_too_large_to_unpack_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("tips_ray.data.formats.npz.MAX_ARRAY_BYTES", 100)
    (tmp_path / "poses.npz").write_bytes(npz_bytes())
    assert "'positions' is" in outcome(tmp_path / "poses.npz")


INSERTED = [b"1e400", b"1e300", b"nan", b"-", b"\n", b"root", b"begin", b"9" * 5000, b"\xff", b"(", b":", b"\x1b[2J"]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with a few bytes or lines changed, doubled, moved or lost."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.randrange(len(changed) + 1)
        length = rng.choice([1, 2, 8, 40])
        kind = rng.randrange(5)
        if kind == 0:
            changed[place : place + length] = rng.randbytes(length)
        elif kind == 1:
            del changed[place : place + length]
        elif kind == 2:
            changed[place:place] = changed[place : place + length]
        elif kind == 3:
            changed[place:place] = rng.choice(
                [b"1e400", b"nan", b"-", b"\n", b"root", b"begin", b"9" * 5000, b"\xff", b"(", b":"]
            )
        else:
            lines = bytes(changed).split(b"\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            changed = bytearray(b"\n".join(lines))
    return bytes(changed)


def fuzz(folder: Path, seeds: range) -> None:
    sound = {"poses.npz": npz_bytes(), "07.asf": ASF.encode(), "07_01.amc": AMC.encode()}
    if CMU.exists():
        lines = (CMU / "02_03.amc").read_bytes().splitlines(keepends=True)
        frame_4 = next(number for number, line in enumerate(lines) if line.strip() == b"4")
        sound |= {"07.asf": (CMU / "02.asf").read_bytes(), "07_01.amc": b"".join(lines[:frame_4])}
    for seed in seeds:
        rng = random.Random(seed)
        target = rng.choice(list(sound))
        path = folder / str(seed)
        path.mkdir()
        for name, content in sound.items():
            if name == target or not (name == "poses.npz" or target == "poses.npz"):
                (path / name).write_bytes(mutated(content, rng) if name == target else content)
        try:
            outcome(path / "poses.npz" if target == "poses.npz" else path)
        except Exception as error:
            error.add_note(f"seed {seed}, {target}")
            raise
        shutil.rmtree(path)


def test_mutated_files_are_read_or_refused(tmp_path):
    fuzz(tmp_path, range(300))


@pytest.mark.nightly
def test_many_mutated_files_are_read_or_refused(tmp_path):
    fuzz(tmp_path, range(1000, 5000))
