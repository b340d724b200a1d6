"""The lifters that a campaign's folder has, one an arm."""

from tips_ray.errors import UserError
from tips_ray.lift.lifter import CARD, WEIGHTS, Lifter, lifter_from
from tips_ray.store.storage import Storage

KEPT = "lifters"
"""Folder of a campaign in which each arm has a folder of its lifter."""


def keep_lifter(campaign: Storage, arm: str, lifter: Lifter) -> None:
    """Write the lifter of an arm into a campaign's folder, where `Lifter.open` finds it."""
    for file, content in lifter.contents().items():
        (campaign / KEPT / arm).write(file, content)


def kept_lifter(campaign: Storage, arm: str) -> Lifter | None:
    """The lifter of an arm; None where there is none, or none that is whole."""
    folder = campaign / KEPT / arm
    try:
        return lifter_from({file: folder.read(file) for file in (CARD, WEIGHTS)}, str(folder))
    except (FileNotFoundError, UserError):
        return None
