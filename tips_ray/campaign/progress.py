"""Live progress of a campaign in the terminal, or a line now and then where there is none."""

import time
from dataclasses import dataclass
from typing import Any

from ray import tune
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tips_ray.campaign.seeds import is_epoch

SECONDS_BETWEEN_LINES = 20.0


@dataclass
class ArmPace:
    """How far an arm is, and how fast it goes."""

    epoch: int = 0
    error_mm: float = float("nan")
    spread_mm: float = float("nan")
    first: tuple[int, float] | None = None
    """Epoch and time of the first result of this execution, from which the pace is told."""

    def seconds_left(self, num_epochs: int, now: float) -> float | None:
        """Time to the last epoch at the present pace; None before there is one."""
        if self.first is None or self.epoch == self.first[0]:
            return None
        return (now - self.first[1]) / (self.epoch - self.first[0]) * (num_epochs - self.epoch)


class ProgressListener(tune.Callback):
    """Shows for each arm: epoch, error over its seeds, time left."""

    def __init__(self, arms: list[str], num_epochs: int, console: Console) -> None:
        self.num_epochs, self.console = num_epochs, console
        self.paces = {arm: ArmPace() for arm in arms}
        self.last_line = time.monotonic()
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}
        if console.is_terminal:
            columns = TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}")
            self.bars = Progress(*columns, TimeElapsedColumn(), console=console)
            self.tasks = {arm: self.bars.add_task(arm, total=num_epochs, text="waiting") for arm in arms}

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks for an experiment to be restored, which is not done here; a
        # terminal cannot be pickled.
        return {}

    def __enter__(self) -> "ProgressListener":
        if self.bars:
            self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bars:
            self.bars.stop()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Take in one epoch of one arm."""
        if not is_epoch(result):
            return
        now = time.monotonic()
        pace = self.paces[result["arm"]]
        pace.epoch, pace.error_mm, pace.spread_mm = result["epoch"], result["error_mm"], result["spread_mm"]
        pace.first = pace.first or (pace.epoch, now)
        if self.bars:
            self.bars.update(self.tasks[result["arm"]], completed=pace.epoch, text=self.text(pace, now))
        elif now - self.last_line > SECONDS_BETWEEN_LINES or pace.epoch == self.num_epochs:
            self.last_line = now
            lines = [f"{arm} {p.epoch}/{self.num_epochs} {self.text(p, now)}" for arm, p in self.paces.items() if p.epoch]
            self.console.print("  |  ".join(lines), soft_wrap=True, highlight=False)

    def text(self, pace: ArmPace, now: float) -> str:
        """Error and time left in words."""
        left = pace.seconds_left(self.num_epochs, now)
        remaining = "" if not left else f", {left / 60:.0f} min left" if left > 90 else f", {left:.0f} s left"
        return f"{pace.error_mm:.1f} ± {pace.spread_mm:.1f} mm{remaining}"
