"""Live progress of a search: a bar over its trials on a terminal, and a line for each trial that
ends."""

import math
import time
from typing import Any

import pandas as pd
from ray import tune
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tips_ray.campaign.seeds import is_epoch
from tips_ray.search.objectives import OBJECTIVES, ORACLES
from tips_ray.search.plan import Budget, Search
from tips_ray.store.records import trial_name, trial_number

SECONDS_BETWEEN_LINES = 60.0
UNITS = {"error_mm": "mm", "instability_mm": "mm instability", "label_free": "consistency"}


class SearchProgress(tune.Callback):
    """Hears of epochs from Tune and of ended trials from the ledger."""

    def __init__(self, search: Search, budget: Budget, console: Console) -> None:
        self.search, self.budget, self.console = search, budget, console
        self.columns = OBJECTIVES[search.objective]
        self.last_line = time.monotonic()
        self.first_result: float | None = None
        """When training was under way: until then Ray starts, which says nothing about the pace."""
        self.epochs_since = 0
        self.ended = 0
        self.under_way: dict[str, int] = {}
        """Latest epoch of each trial that trains."""
        self.best: tuple[float, int] = (math.inf, -1)
        self.bar: Progress | None = None
        if console.is_terminal:
            columns = TextColumn("trials"), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[text]}")
            self.bar = Progress(*columns, TimeElapsedColumn(), console=console)
            self.task = self.bar.add_task("trials", total=budget.num_trials, text="")

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restoration that is not done here

    def __enter__(self) -> "SearchProgress":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def begin(self, ended: int, going_on: int, best: tuple[float, int] | None) -> None:
        """Take in what earlier executions did: trials that ended, trials to go on with, and the
        best score with its trial."""
        self.ended, self.best = ended, best or self.best
        if ended or going_on:
            more = f"; {going_on} more {'was' if going_on == 1 else 'were'} begun and will go on" if going_on else ""
            self._print(f"{self._count()}{self._best()}{more}")
        self._draw()

    def trial_ended(self, number: int, state: str, score: pd.Series | None) -> None:
        """Say how a trial ended."""
        self.ended += 1
        self.under_way.pop(trial_name(number), None)
        if state == "complete" and score is not None:
            self.best = min(self.best, (float(score[self.columns[0]]), number))
        after = "" if state == "complete" or score is None else f" after epoch {int(score['epochs'])}"
        values = "" if state == "diverged" or score is None else f": {', '.join(said(score, column) for column in self.columns)}"
        self._print(f"trial {number} {state}{after}{values}  |  {self._count()}{self.standing()}")
        self._draw()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Take in one epoch of one trial."""
        if not is_epoch(result):
            return
        now = time.monotonic()
        if self.first_result is None:
            self.first_result = now
        else:
            self.epochs_since += 1
        self.under_way[result["arm"]] = result["epoch"]
        if not self.bar and now - self.last_line > SECONDS_BETWEEN_LINES:
            number = trial_number(result["arm"])
            under_way = f"trial {number} at epoch {result['epoch']} of {self.search.num_epochs} ({result['error_mm']:.1f} mm)"
            self._print(f"{under_way}  |  {self._count()}{self.standing()}")
        self._draw()

    def standing(self) -> str:
        """The best trial so far, and the time that the rest may take."""
        return self._best() + self._left()

    def seconds_left(self) -> float | None:
        """Time to the last epoch at the pace since the first result, if no trial ends early; None
        before there is a pace."""
        if self.first_result is None or not self.epochs_since:
            return None
        epochs = (self.budget.num_trials - self.ended) * self.search.num_epochs - sum(self.under_way.values())
        return max(0, epochs) * (time.monotonic() - self.first_result) / self.epochs_since

    def _count(self) -> str:
        return f"{self.ended} of {max(self.ended, self.budget.num_trials)} trials"

    def _best(self) -> str:
        value, number = self.best
        oracle = "oracle, " if self.search.objective in ORACLES else ""
        return f", best {value:.4g} {UNITS[self.columns[0]]} ({oracle}trial {number})" if number >= 0 else ""

    def _left(self) -> str:
        seconds = self.seconds_left()
        if not seconds:
            return ""
        if seconds <= 90:
            return f", at most {seconds:.0f} s left"
        return f", at most {seconds / 60:.0f} min left" if seconds <= 5400 else f", at most {seconds / 3600:.1f} h left"

    def _draw(self) -> None:
        if self.bar:
            self.bar.update(self.task, completed=self.ended, text=self.standing().removeprefix(", "))

    def _print(self, line: str) -> None:
        self.last_line = time.monotonic()
        self.console.print(line, soft_wrap=True, highlight=False)


def said(score: pd.Series, column: str) -> str:
    """A score with its unit; an error with its standard deviation between seeds."""
    spread = score["error_std_mm"]
    between = f" ± {spread:.1f}" if column == "error_mm" and not math.isnan(spread) else ""
    return f"{score[column]:.4g}{between} {UNITS[column]}"
