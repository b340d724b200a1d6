"""A search as Ray Tune sees it: where trials come from, and when they stop."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from tips_ray.campaign.tune import ARMS, suggestion
from tips_ray.config import Config, override
from tips_ray.lifting.sharing import sharing_key
from tips_ray.search.objectives import OBJECTIVES, REPORTED
from tips_ray.search.queue import TrialQueue
from tips_ray.search.space import changes
from tips_ray.store.records import Record, trial_name, trial_number


class QueueSearcher(Searcher):
    """Gives Tune the trials of a queue, and tells the queue which have ended.

    Ray's own OptunaSearch keeps its state in Tune's files, never ends trials with NaN, and takes
    those that were stopped early for complete ones.
    """

    def __init__(self, queue: TrialQueue, at_once: int = 1) -> None:
        """Each of Tune's trials has at most `at_once` trials of the search, which share a model."""
        super().__init__()
        self.queue, self.at_once = queue, at_once
        self.under_way: dict[str, list[int]] = {}
        """By the ids of Tune's trials, the numbers of those of the search."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "QueueSearcher":
        return self  # Tune copies what it is given, but there is one queue

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it for a restoration that is not done here

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next trials that can share a model, or that there is none."""
        records = self.queue.next_alike(self.at_once, lambda record: sharing_key(self.config_of(record)))
        if not records:
            return Searcher.FINISHED
        self.under_way[trial_id] = [record.number for record in records]
        return {ARMS: suggestion({trial_name(record.number): self.config_of(record) for record in records})}

    def config_of(self, record: Record) -> Config:
        """The config of a trial."""
        return override(self.queue.search.base, changes(record.params))

    def leave(self, trial_id: str, number: int) -> bool:
        """Let a trial end before others of its model; returns whether there are others."""
        if self.under_way[trial_id] == [number]:
            return False  # it ends with Tune's trial
        self.under_way[trial_id].remove(number)
        self.queue.end(number)
        return True

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on that trials are no longer trained, for whatever reason."""
        for number in self.under_way.pop(trial_id):
            self.queue.end(number)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: all that the queue needs is stored already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""


class PruningScheduler(FIFOScheduler):
    """Ends a trial of the search when one of its seeds has diverged or its pruner says so; Tune's
    trial ends with the last one that it has."""

    def __init__(self, searcher: QueueSearcher) -> None:
        super().__init__()
        self.searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide on one epoch of one trial."""
        queue = self.searcher.queue
        # Tune repeats the last result, if there was one, when the function of its trial returns.
        number = trial_number(result["arm"]) if "arm" in result else -1
        if number not in self.searcher.under_way.get(trial.trial_id, ()):
            return self.CONTINUE
        watched = result.get(REPORTED.get(OBJECTIVES[queue.search.objective][0], ""), float("nan"))
        if not result["num_diverged"] and not queue.should_prune(number, result["epoch"], watched):
            return self.CONTINUE
        return self.CONTINUE if self.searcher.leave(trial.trial_id, number) else self.STOP
