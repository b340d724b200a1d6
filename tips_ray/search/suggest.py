"""A search as Ray Tune sees it: where trials come from, and when they stop."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from tips_ray.campaign.tune import suggestion
from tips_ray.config import override
from tips_ray.search.objectives import OBJECTIVES, REPORTED
from tips_ray.search.queue import TrialQueue
from tips_ray.search.space import changes
from tips_ray.store.records import trial_name


class QueueSearcher(Searcher):
    """Gives Tune the trials of a queue, and tells the queue which have ended.

    Ray's own OptunaSearch keeps its state in Tune's files, never ends trials with NaN, and takes
    those that were stopped early for complete ones.
    """

    def __init__(self, queue: TrialQueue) -> None:
        super().__init__()
        self.queue = queue
        self.numbers: dict[str, int] = {}
        """Of the search's trials, by the ids that Tune gave them."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "QueueSearcher":
        return self  # Tune copies what it is given, but there is one queue

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it for a restoration that is not done here

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next trial, or that there is none."""
        record = self.queue.next()
        if record is None:
            return Searcher.FINISHED
        self.numbers[trial_id] = record.number
        return {"arm": suggestion(trial_name(record.number), override(self.queue.search.base, changes(record.params)))}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on that a trial is no longer trained, for whatever reason."""
        self.queue.end(self.numbers[trial_id])

    def save(self, checkpoint_path: str) -> None:
        """Nothing: all that the queue needs is stored already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""


class PruningScheduler(FIFOScheduler):
    """Stops a trial when one of its seeds has diverged or its pruner says so."""

    def __init__(self, searcher: QueueSearcher) -> None:
        super().__init__()
        self.searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide on one epoch of one trial."""
        queue = self.searcher.queue
        if result["num_diverged"]:
            return self.STOP
        watched = result.get(REPORTED.get(OBJECTIVES[queue.search.objective][0], ""), float("nan"))
        pruned = queue.should_prune(self.searcher.numbers[trial.trial_id], result["epoch"], watched)
        return self.STOP if pruned else self.CONTINUE
