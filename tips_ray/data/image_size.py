"""Width and height of image files, from their first bytes."""

import struct
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png")
HEAD_BYTES = 1 << 20
NO_LENGTH = (0x01, *range(0xD0, 0xD9))
"""JPEG's markers that no segment follows."""
NO_FRAME = (0xC4, 0xC8, 0xCC)
"""Markers among those of frames (0xC0 to 0xCF) that are of tables."""
ORIENTATION = 0x0112
ON_ITS_SIDE = (5, 6, 7, 8)
"""Exif's orientations with which an image is shown turned by a quarter."""


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG image as it is shown; None of any other file, and of a
    damaged one."""
    with path.open("rb") as file:
        content = file.read(HEAD_BYTES)
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", content[16:24])
        elif content.startswith(b"\xff\xd8"):
            width, height = jpeg_size(content)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return (width, height) if width and height else None


def jpeg_size(content: bytes) -> tuple[int, int]:
    """Width and height of a JPEG image as it is shown; raises IndexError or struct.error for a
    damaged one."""
    place, turned = 2, False
    while True:
        marker = content[place + 1]
        if content[place] != 0xFF:
            raise IndexError
        if marker == 0xFF or marker in NO_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", content, place + 2)[0]
        segment = content[place + 4 : place + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in NO_FRAME:
            height, width = struct.unpack_from(">HH", segment, 1)
            return (height, width) if turned else (width, height)
        if marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            turned = exif_orientation(segment[6:]) in ON_ITS_SIDE
        place += 2 + length


def exif_orientation(tiff: bytes) -> int:
    """The orientation that Exif data state; 1, which is upright, where they state none."""
    order = "<" if tiff.startswith(b"II") else ">"
    start = struct.unpack_from(f"{order}I", tiff, 4)[0]
    for number in range(struct.unpack_from(f"{order}H", tiff, start)[0]):
        tag, value = struct.unpack_from(f"{order}H6xH", tiff, start + 2 + 12 * number)
        if tag == ORIENTATION:
            return value
    return 1
