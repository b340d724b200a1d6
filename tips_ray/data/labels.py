"""Labels of frames: plain text without blanks around it, and takes of one action under its name."""

import re

import numpy as np

from tips_ray.errors import UserError

ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)")
"""Sequences that would move a terminal's cursor, change its colours or its title."""

TAKE = re.compile(r"(.*\S) [0-9]+")


def clean_text(label: object) -> str:
    """A label as text that can be printed: no terminal escapes or control characters, single
    spaces, none at the ends."""
    text = label.decode("utf-8", errors="replace") if isinstance(label, bytes) else str(label)
    text = " ".join(ESCAPES.sub("", text).split())
    return "".join(character for character in text if character.isprintable()).strip()


def clean_labels(labels: np.ndarray, field: str, num_poses: int) -> np.ndarray:
    """Labels (frames,) of text or numbers as clean text; an empty one becomes "unnamed".

    Raises UserError unless there is one for each pose.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "USiufb":
        raise UserError(f"{field!r} holds {labels.dtype.name} values; give text or whole numbers")
    if labels.shape != (num_poses,):
        raise UserError(f"{field!r} has shape {labels.shape}; give one entry for each of the {num_poses} poses.")
    distinct, place = np.unique(labels, return_inverse=True)
    try:
        return np.array([clean_text(label) or "unnamed" for label in distinct.tolist()])[place]
    except (ValueError, SystemError) as error:  # NumPy's answer to code points that are no characters
        raise UserError(f"{field!r} holds what is not text ({error}); write the labels again") from error


def merge_takes(action: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Actions without the number of the take, and a note of what was merged.

    "Directions 1" is a take of "Directions" only where "Directions" is an action, too: a lone
    "Walking 2" keeps its name.
    """
    distinct, place = np.unique(action, return_inverse=True)
    names = distinct.tolist()
    matches = [TAKE.fullmatch(name) for name in names]
    merged = [match[1] if match and match[1] in names else name for name, match in zip(names, matches, strict=True)]
    takes = [(name, kept) for name, kept in zip(names, merged, strict=True) if name != kept]
    if not takes:
        return action, ()
    count = (
        "1 action is a take of another and counts as it"
        if len(takes) == 1
        else f"{len(takes)} actions are takes of others and count as these"
    )
    note = f"{count}, such as {takes[0][0]!r} as {takes[0][1]!r}."
    return np.array(merged)[place], (note,)
