"""Live progress of a campaign in the terminal, or a line now and then where there is none."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray import tune
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tips_ray.campaign.seeds import is_epoch

SECONDS_BETWEEN_LINES = 20.0
PACE_SECONDS = 3600.0
"""How far back results are taken into the estimate of the time left."""


class ProgressListener(tune.Callback):
    """Shows for each arm: epoch, error over its seeds, time left."""

    def __init__(self, arms: list[str], num_epochs: int, console: Console) -> None:
        self.num_epochs, self.console = num_epochs, console
        self.last_line = time.monotonic()
        columns = TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}")
        self.bars = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, speed_estimate_period=PACE_SECONDS
        )
        self.tasks = {arm: self.bars.add_task(arm, total=num_epochs, text="waiting") for arm in arms}

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks for an experiment to be restored, which is not done here; a
        # terminal cannot be pickled.
        return {}

    def __enter__(self) -> "ProgressListener":
        if self.console.is_terminal:
            self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.bars.stop()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Take in one epoch of one arm."""
        if not is_epoch(result):
            return
        error = f"{result['error_mm']:.1f} ± {result['spread_mm']:.1f} mm"
        self.bars.update(self.tasks[result["arm"]], completed=result["epoch"], text=error)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self.last_line > SECONDS_BETWEEN_LINES or result["epoch"] == self.num_epochs):
            self.last_line = now
            lines = [
                f"{task.description} {task.completed:.0f}/{self.num_epochs} {task.fields['text']}{time_left(task)}"
                for task in self.bars.tasks
                if task.completed
            ]
            self.console.print("  |  ".join(lines), soft_wrap=True, highlight=False)


@contextmanager
def step_bar(console: Console, what: str, num_steps: int) -> Iterator[Callable[[], object]]:
    """A bar for some work on a terminal, one line where there is none; yields what is to be called
    after each of its steps."""
    if not console.is_terminal:
        console.print(f"{what} ({num_steps}) ...", highlight=False)
        yield lambda: None
        return
    with Progress(TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=num_steps)
        yield lambda: bar.advance(task)


def time_left(task: Task, bound: str = "") -> str:
    """The time that a task will take at its pace so far, as it ends a line; empty before there is a
    pace."""
    seconds = task.time_remaining
    if not seconds:
        return ""
    if seconds <= 90:
        return f", {bound}{seconds:.0f} s left"
    return f", {bound}{seconds / 60:.0f} min left" if seconds <= 5400 else f", {bound}{seconds / 3600:.1f} h left"
