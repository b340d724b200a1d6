"""Live progress of a campaign in the terminal, or a line now and then where there is none."""

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from ray import tune
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tips_ray.campaign.seeds import is_epoch

Step = TypeVar("Step")

SECONDS_BETWEEN_LINES = 20.0
PACE_SECONDS = 3600.0
"""How far back results are taken into the estimate of the time left."""


class LiveProgress(tune.Callback):
    """Bars on a terminal, and lines elsewhere, of what trials report while they train."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        """`columns` stand before the time that has passed and the time that is left."""
        self.console, self.last_line = console, time.monotonic()
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self.bars = Progress(*columns, *times, console=console, speed_estimate_period=PACE_SECONDS)

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks for an experiment to be restored, which is not done here; a
        # terminal cannot be pickled.
        return {}

    def __enter__(self) -> "LiveProgress":
        if self.console.is_terminal:
            self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.bars.stop()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Take in what a trial reports, if it is of an epoch."""
        if is_epoch(result):
            self.epoch_ended(result)

    def epoch_ended(self, result: dict[str, Any]) -> None:
        """Take in one epoch of one trial."""
        raise NotImplementedError

    def is_silent(self, seconds: float) -> bool:
        """Whether there is no terminal, and the last line is older than so many seconds."""
        return not self.console.is_terminal and time.monotonic() - self.last_line > seconds

    def print(self, line: str) -> None:
        """Print a line, above the bars if there are some."""
        self.last_line = time.monotonic()
        self.console.print(line, soft_wrap=True, highlight=False)


class CampaignProgress(LiveProgress):
    """Shows for each arm: epoch, error over its seeds (without labels: the consistency terms, and
    what the error is at least), time left."""

    def __init__(self, arms: list[str], num_epochs: int, console: Console) -> None:
        columns = TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}")
        super().__init__(console, *columns)
        self.num_epochs = num_epochs
        self.tasks = {arm: self.bars.add_task(arm, total=num_epochs, text="waiting") for arm in arms}

    def epoch_ended(self, result: dict[str, Any]) -> None:
        """Take in one epoch of one arm."""
        error = f"{result['error_mm']:.1f} ± {result['spread_mm']:.1f} mm"
        bound = "" if math.isnan(result["bound_mm"]) else f", error at least {result['bound_mm']:.1f} mm (by its seeds)"
        text = f"consistency {result['consistency']:.3f}{bound}" if math.isnan(result["error_mm"]) else error
        self.bars.update(self.tasks[result["arm"]], completed=result["epoch"], text=text)
        if self.is_silent(0.0 if result["epoch"] == self.num_epochs else SECONDS_BETWEEN_LINES):
            texts = [
                f"{task.description} {task.completed:.0f}/{self.num_epochs} {task.fields['text']}{time_left(task)}"
                for task in self.bars.tasks
                if task.completed
            ]
            self.print("  |  ".join(texts))


def tracked(steps: Iterable[Step], num_steps: int, what: str, console: Console) -> Iterator[Step]:
    """The steps of some work as they come, counted by a bar on a terminal; one line where there is
    none."""
    if not console.is_terminal:
        console.print(f"{what} ({num_steps}) ...", highlight=False)
        yield from steps
        return
    with Progress(TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console) as bar:
        yield from bar.track(steps, num_steps)


def time_left(task: Task, bound: str = "") -> str:
    """The time that a task will take at its pace so far, as it ends a line; empty before there is a
    pace."""
    seconds = task.time_remaining
    if not seconds:
        return ""
    if seconds <= 90:
        return f", {bound}{seconds:.0f} s left"
    return f", {bound}{seconds / 60:.0f} min left" if seconds <= 5400 else f", {bound}{seconds / 3600:.1f} h left"
