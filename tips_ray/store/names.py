"""Names of what lies in a campaign's folder."""

import re
from collections.abc import Iterable

from tips_ray.errors import UserError

LONGEST_NAME = 150
"""Bytes of a campaign's name: file systems allow 255 for a name, and some of ours hold others."""


def epoch_file(epoch: int, suffix: str) -> str:
    """The file of an epoch in a folder that has one for each; its epochs count from 1."""
    return f"epoch-{epoch:05d}{suffix}"


def epochs_of(names: Iterable[str], suffix: str) -> list[int]:
    """The epochs of which there are files, in order; names of another form are left out."""
    numbers = (int(match[1]) for name in names if (match := re.fullmatch(rf"epoch-([0-9]{{5,7}}){re.escape(suffix)}", name)))
    return sorted(epoch for epoch in numbers if epoch)


def check_name(name: str) -> None:
    """Raise UserError for a campaign's name that is not safe as a folder's, on a disk and in a
    URI."""
    if not name or name != safe_name(name):
        raise UserError(
            f"The campaign name {name!r} cannot be a folder's; use at most {LONGEST_NAME} letters, digits, '-', '_', '.' and"
            " spaces, with a letter, digit or '_' first and no space or '.' last."
        )


def safe_name(text: str) -> str:
    """A text as the name of a folder, with `-` for each character that `check_name` does not
    allow."""
    allowed = "".join(character if character.isalnum() or character in "-_. " else "-" for character in text)
    first = re.sub(r"^[^\w]+", "", allowed)
    return first.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(" .")
