"""What an execution of a study or a search is given beside the plan."""

from dataclasses import dataclass

from rich.console import Console

from tips_ray.config import Placement
from tips_ray.data.dataset import Sources


@dataclass(frozen=True)
class Session:
    """On which poses and machines to train, and whom to tell."""

    sources: Sources
    data: str
    """How the poses that are trained on were named, such as a file's path."""
    placement: Placement
    console: Console
