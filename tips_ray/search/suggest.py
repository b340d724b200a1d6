"""Between Ray Tune and a search's ledger: suggests trials, stops those that are pruned or diverged,
and books their ends."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from tips_ray.campaign.tune import suggestion
from tips_ray.config import override
from tips_ray.search.ledger import Ledger
from tips_ray.search.space import changes
from tips_ray.store.records import trial_name

REPORTED = {"error": "error_mm", "label_free": "consistency"}
"""What a pruner watches, by objective."""


class Pilot(Searcher):
    """Asks the ledger for the trials that Tune wants.

    Ray's own OptunaSearch keeps its state in Tune's files, leaves trials with NaN running for ever,
    and tells those that were stopped early as complete; here the ledger decides, which reads what
    is stored.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.numbers: dict[str, int] = {}
        """Of the search's trials, by the ids that Tune gave them."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Pilot":
        return self  # Tune copies what it is given, but there is one ledger

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next trial, or that there is none."""
        record = self.ledger.next()
        if record is None:
            return Searcher.FINISHED
        self.numbers[trial_id] = record.number
        return {"arm": suggestion(trial_name(record.number), override(self.ledger.search.base, changes(record.params)))}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Book a trial's end, whatever it was."""
        self.ledger.end(self.numbers[trial_id])

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what the ledger knows is stored already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""


class Pruning(FIFOScheduler):
    """Stops a trial when one of its seeds has diverged or its pruner says so."""

    def __init__(self, pilot: Pilot) -> None:
        super().__init__()
        self.pilot = pilot

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide on one epoch of one trial."""
        ledger = self.pilot.ledger
        if result["num_diverged"]:
            return self.STOP
        watched = result.get(REPORTED.get(ledger.search.objective, ""), float("nan"))
        pruned = ledger.should_prune(self.pilot.numbers[trial.trial_id], result["epoch"], watched)
        return self.STOP if pruned else self.CONTINUE
