"""Files of every format, damaged: each is read, or refused in one clear sentence, at once."""

import random
import shutil
import time
import warnings
from pathlib import Path

import pytest

from tips_ray.config import FileReading
from tips_ray.data import load_keypoints, load_poses
from tips_ray.errors import UserError

from . import made

TOKENS = [
    *(b"1e400", b"nan", b"NaN", b"null", b"-", b"\n", b"[", b"]", b"{", b"}", b",", b'"', b"[[[[", b"9" * 400, b"\xff", b"\x00"),
    *(b"\x1b[2J", b"true", b"{}", b"[]", b'"a"', b"0", b"-1", b"JOINT", b"}"),
]
SECONDS = 20
"""No small file takes longer, also on a busy machine."""


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with a few bytes or lines changed, doubled, moved or lost, or cut."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place, length = rng.randrange(len(changed) + 1), rng.choice([1, 2, 8, 40, 400])
        kind = rng.randrange(6)
        if kind == 0:
            changed[place : place + length] = rng.randbytes(length)
        elif kind == 1:
            del changed[place : place + length]
        elif kind == 2:
            changed[place:place] = changed[place : place + length]
        elif kind == 3:
            changed[place : place + rng.choice([0, 1, 5])] = rng.choice(TOKENS)
        elif kind == 4:
            changed = changed[: max(1, place)]
        else:
            lines = bytes(changed).split(b"\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            changed = bytearray(b"\n".join(lines))
    return bytes(changed)


def outcome(spec: Path) -> str:
    """ "read", or the sentence with which the file is refused; no other error, and no warning."""
    sentences = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for load in (load_keypoints, load_poses):
            try:
                load(str(spec), files=FileReading(max_gap=2))
                return "read"
            except UserError as error:
                sentences.append(str(error))
    assert all(sentence.isprintable() for sentence in sentences), sentences
    return sentences[0]


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> list[Path]:
    """A file or folder of each layout."""
    return made.write_all(tmp_path_factory.mktemp("sound"))


def fuzz(sound: list[Path], folder: Path, seeds: range) -> None:
    for seed in seeds:
        rng = random.Random(seed)
        source = sound[seed % len(sound)]
        spec = folder / str(seed) / source.name
        spec.parent.mkdir()
        shutil.copytree(source, spec) if source.is_dir() else shutil.copy(source, spec)
        victim = rng.choice(sorted(path for path in spec.rglob("*") if path.is_file())) if spec.is_dir() else spec
        victim.write_bytes(mutated(victim.read_bytes(), rng))
        started = time.monotonic()
        try:
            outcome(spec)
        except Exception as error:
            error.add_note(f"seed {seed}, {victim.name}")
            raise
        assert time.monotonic() - started < SECONDS, f"seed {seed}, {victim.name}"
        shutil.rmtree(spec.parent)


def test_damaged_files_are_read_or_refused(sound, tmp_path, without_shape_checks):
    fuzz(sound, tmp_path, range(44))


@pytest.mark.slow
def test_two_hundred_damaged_files_are_read_or_refused(sound, tmp_path, without_shape_checks):
    fuzz(sound, tmp_path, range(1000, 1200))


@pytest.mark.nightly
def test_thousands_of_damaged_files_are_read_or_refused(sound, tmp_path, without_shape_checks):
    fuzz(sound, tmp_path, range(10_000, 15_000))
