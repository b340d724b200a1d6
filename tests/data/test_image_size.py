"""Sizes of images that a browser has drawn, of files written by hand, and of damaged ones."""

import struct

import pytest

from tips_ray.data.image_size import image_size

FRAME = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, 480, 640, 1) + bytes(3)
"""Of a progressive JPEG image, 640 wide and 480 high."""
TABLE = b"\xff\xc4\x00\x04\x00\x00"


def exif(orientation: int, order: str = "<") -> bytes:
    """A segment of Exif data with an orientation after another entry."""
    mark = b"II" if order == "<" else b"MM"
    entries = [struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in ((0x010F, 9), (0x0112, orientation))]
    tiff = mark + struct.pack(f"{order}HIH", 42, 8, len(entries)) + b"".join(entries)
    return b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff


@pytest.mark.parametrize(
    ("before", "size"),
    [
        (TABLE, (640, 480)),
        (b"\xff\xff" + TABLE[1:], (640, 480)),
        (exif(1), (640, 480)),
        (exif(6), (480, 640)),
        (exif(8, ">"), (480, 640)),
    ],
)
def test_a_photograph_is_as_large_as_it_is_shown(tmp_path, before, size):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8" + before + FRAME)
    assert image_size(path) == size


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8" + FRAME[:5], b"\xff\xd8junk", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_damaged_or_another_kind_has_no_size(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert image_size(tmp_path / "a.jpg") is None
