"""Live progress of a search: a bar on a terminal, and a line for each trial that ends."""

import math
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn

from tips_ray.campaign.progress import LiveProgress, time_left
from tips_ray.search.objectives import OBJECTIVES, ORACLES, REPORTED, Score
from tips_ray.search.plan import Budget, Search
from tips_ray.search.queue import EndedTrial
from tips_ray.store.records import trial_name, trial_number

SECONDS_BETWEEN_LINES = 60.0
UNITS = {
    "error_mm": "mm",
    "instability_mm": "mm instability",
    "label_free": "consistency",
    "signals": "of the flat pose's signals",
}


class SearchProgress(LiveProgress):
    """Shows how many epochs of the trials are trained, which trials have ended, and the best."""

    def __init__(self, search: Search, budget: Budget, console: Console) -> None:
        super().__init__(console, TextColumn("epochs"), BarColumn(20), TextColumn("{task.fields[text]}"))
        self.search, self.budget = search, budget
        self.columns = OBJECTIVES[search.objective]
        self.ended = 0
        self.under_way: dict[str, int] = {}
        """Latest epoch of each trial that trains."""
        self.over: set[str] = set()
        """Trials that have ended: one that leaves a model ends before its last epoch comes here."""
        self.best: tuple[float, int] = (math.inf, -1)
        self.task = self.bars.add_task("epochs", total=budget.num_trials * search.num_epochs, text="")
        self.num_trained = 0
        """Epochs of this execution, over all its trials."""

    def begin(self, ended: int, going_on: int, best: tuple[float, int] | None) -> None:
        """Take in what earlier executions did: trials that ended, trials to go on with, and the
        best score with its trial."""
        self.ended, self.best = ended, best or self.best
        if ended or going_on:
            more = f"; {going_on} more {'was' if going_on == 1 else 'were'} begun and will go on" if going_on else ""
            self.print(f"{self._count()}{self._best()}{more}")

    def trial_ended(self, trial: EndedTrial) -> None:
        """Say how a trial ended."""
        self.ended += 1
        self.under_way.pop(trial_name(trial.number), None)
        self.over.add(trial_name(trial.number))
        score = trial.score
        if trial.state == "complete" and score is not None:
            self.best = min(self.best, (float(score[self.columns[0]]), trial.number))
        after = "" if trial.state == "complete" or score is None else f" after epoch {int(score['epochs'])}"
        texts = [] if trial.state == "diverged" or score is None else [score_text(score, column) for column in self.columns]
        values = f": {', '.join(texts)}" if texts else ""
        self._update()
        self.print(f"trial {trial.number} {trial.state}{after}{values}  |  {self._count()}{self._best()}{self._left()}")

    def epoch_ended(self, result: dict[str, Any]) -> None:
        """Take in one epoch of one trial."""
        if result["arm"] not in self.over:
            self.under_way[result["arm"]] = result["epoch"]
        self.num_trained += 1
        self._update()
        if self.is_silent(SECONDS_BETWEEN_LINES):
            number = trial_number(result["arm"])
            score = "error_mm" if math.isfinite(result["error_mm"]) else self.columns[0]
            reached = f"{result[REPORTED[score]]:.4g} {UNITS[score]}"
            under_way = f"trial {number} at epoch {result['epoch']} of {self.search.num_epochs} ({reached})"
            self.print(f"{under_way}  |  {self._count()}{self._best()}{self._left()}")

    def _update(self) -> None:
        """Of a trial that ended early, the epochs that it lacks are not to be trained any more."""
        left = (self.budget.num_trials - self.ended) * self.search.num_epochs - sum(self.under_way.values())
        self.bars.tasks[self.task].total = self.num_trained + max(0, left)
        self.bars.update(self.task, completed=self.num_trained, text=f"{self._count()}{self._best()}")

    def _count(self) -> str:
        return f"{self.ended} of {max(self.ended, self.budget.num_trials)} trials"

    def _best(self) -> str:
        value, number = self.best
        oracle = "oracle, " if self.search.objective in ORACLES else ""
        return f", best {value:.4g} {UNITS[self.columns[0]]} ({oracle}trial {number})" if number >= 0 else ""

    def _left(self) -> str:
        return time_left(self.bars.tasks[self.task], "at most ")


def score_text(score: Score, column: str) -> str:
    """A score with its unit; an error with its standard deviation between seeds."""
    spread = score["error_std_mm"]
    between = f" ± {spread:.1f}" if column == "error_mm" and not math.isnan(spread) else ""
    return f"{score[column]:.4g}{between} {UNITS[column]}"
