"""The trials of a search: which one is trained next, and how each ended.

The search's folder holds everything: a record is written before a trial starts, and how it ended
is read from the curves of its runs. Optuna's study, from which trials are suggested, is filled
from both by each execution; trials that were begun and have not ended go on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from tips_ray.errors import UserError
from tips_ray.search.objectives import BY_EPOCH, OBJECTIVES, Score, score_trials, watched
from tips_ray.search.optuna_study import empty_study, plain, rungs, suggest
from tips_ray.search.plan import Budget, Search
from tips_ray.search.trials import read_scored, state_of
from tips_ray.store.curves import RUNS, arm_of
from tips_ray.store.records import Record, read_records, trial_name, trial_number, write_record

PENALTY = 1e4
"""Each score of a trial that diverged, for Optuna: finite, and worse than any."""
SCORES = "scores"
"""The attribute under which Optuna's trials have all their scores."""
ENDED = ("complete", "pruned", "diverged")


@dataclass(frozen=True)
class EndedTrial:
    """How a trial ended."""

    number: int
    state: str
    """One of ENDED."""
    score: Score | None
    """A row of `score_trials`; None if no epoch was stored."""
    optuna: FrozenTrial
    """The trial as Optuna's study has it."""


class TrialQueue:
    """Hands out the trials of a search, and takes note of how they end."""

    def __init__(self, search: Search, budget: Budget, on_end: Callable[[EndedTrial], None] = lambda trial: None) -> None:
        """`on_end` is called with each trial that ends from now on.

        Nothing is written. Raises UserError if a record is lost, or if the trials that were begun
        exceed the budget.
        """
        self.search, self.budget, self.on_end = search, budget, on_end
        self.records = {record.number: record for record in read_records(search.folder)}
        self.study = empty_study(search)
        self.open: list[int] = []
        """Trials that were begun and have not ended, to be handed out before new ones are begun."""
        self._check_records()
        self._enter_records()
        limit, begun = budget.max_run_epochs, self._num_run_epochs()
        if self.open and limit is not None and begun > limit:
            raise UserError(
                f"max_run_epochs = {limit}, but the {self.num_trials} trials that were begun come to {begun} epochs at"
                f" {search.num_seeds} seeds x {search.num_epochs} epochs; give more, or fewer seeds or epochs."
            )

    @property
    def num_trials(self) -> int:
        """Trials begun so far, in all executions."""
        return len(self.records)

    @property
    def ended(self) -> list[FrozenTrial]:
        """Optuna's trials that have ended."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]

    @property
    def unfinished(self) -> list[int]:
        """Trials that were begun and have not ended, those that are trained now among them."""
        running = (TrialState.RUNNING,)
        return [trial.number for trial in self.study.get_trials(deepcopy=False, states=running)]

    def best(self) -> tuple[float, int] | None:
        """The lowest first score of the complete trials that did not diverge, and its trial; None
        before there is one."""
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return min(((trial.values[0], trial.number) for trial in complete if trial.values[0] < PENALTY), default=None)

    def has_more(self) -> bool:
        """Whether there is a trial to go on with, or one to begin within the budget."""
        limit, each = self.budget.max_run_epochs, self.search.num_seeds * self.search.num_epochs
        suffices = limit is None or self._num_run_epochs() + each <= limit
        return bool(self.open) or (self.num_trials < self.budget.num_trials and suffices)

    def next(self) -> Record | None:
        """The next trial to train, recorded already; None if the budget is spent."""
        if not self.has_more():
            return None
        number = self.open.pop(0) if self.open else self._begin()
        if self.records[number].error is not None:
            self._record(replace(self.records[number], error=None))
        return self.records[number]

    def next_alike(self, most: int, key: Callable[[Record], Any]) -> list[Record]:
        """The next trials to train, as many of at most so many as have the key of the first; the
        others were begun, and come first the next time."""
        records = [record for _ in range(most) if (record := self.next()) is not None]
        alike = [record for record in records if key(record) == key(records[0])]
        self.open = [record.number for record in records if record not in alike] + self.open
        return alike

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        """Report an epoch's objective to Optuna's pruner; returns whether the trial should end with
        it. The first trial never does."""
        if self.search.pruner == "none" or epoch >= self.search.num_epochs or value != value:
            return False
        trial = self._trial(number)
        trial.report(value, epoch)
        poor = trial.should_prune()  # also notes the rungs that the first trial passes
        if number == 0 or not poor:
            return False
        self._record(replace(self.records[number], pruned_at=epoch))
        return True

    def end(self, number: int) -> str:
        """Take note of a trial that no process trains any more, and return its state; it stays open
        unless that is among `ENDED`."""
        score = self._scores(read_scored(self.search.folder, [number], self.search.num_seeds)).get(number)
        state = self._state(number, score)
        if state in ENDED:
            trial = self._trial(number)
            if score is not None:
                trial.set_user_attr(SCORES, plain_scores(score))
            self.study.tell(trial, **self._result(state, score))
            self.on_end(EndedTrial(number, state, score, self.study.get_trials(deepcopy=False)[number]))
        return state

    def fail(self, number: int, error: str) -> None:
        """Note why a trial stays open."""
        self._record(replace(self.records[number], error=error))

    def _record(self, record: Record) -> None:
        write_record(self.search.folder, record)
        self.records[record.number] = record

    def _begin(self) -> int:
        """Choose the next trial, and record it before anything of it is trained."""
        number = self.num_trials
        self._record(Record(number, suggest(self.study, self.search, number) if number else self.search.baseline))
        self._enter(number, "unfinished", None, {})
        return number

    def _num_run_epochs(self) -> int:
        """Epochs that the runs of all trials begun so far have when they end."""
        most = self.search.num_epochs
        return self.search.num_seeds * sum(min(most, record.pruned_at or most) for record in self.records.values())

    def _check_records(self) -> None:
        """Raise ValueError where a record is lost."""
        runs = self.search.folder.names(RUNS)
        trained = [trial_number(arm_of(run)) for run in runs if re.fullmatch(r"trial-\d{5,9}-seed\d+", run)]
        lost = set(range(max([*self.records, *trained], default=-1) + 1)) - set(self.records)
        if lost:
            raise UserError(
                f"The record of {trial_name(min(lost))} is missing in {str(self.search.folder)!r}, though it or a later trial was"
                " begun; restore the file, or give another --campaign name."
            )

    def _enter_records(self) -> None:
        """Fill the study from records and curves, and find the trials that are open."""
        curves = read_scored(self.search.folder, sorted(self.records), self.search.num_seeds)
        scores, values = self._scores(curves), self._watched_values(curves)
        for number in sorted(self.records):
            state = self._state(number, scores.get(number))
            try:
                self._enter(number, state, scores.get(number), values.get(number, {}))
            except (TypeError, ValueError) as error:
                raise UserError(
                    f"The record of {trial_name(number)} in {str(self.search.folder)!r} is damaged ({error}); restore the file,"
                    " or give another --campaign name."
                ) from error
            if state not in ENDED:
                self.open.append(number)

    def _enter(self, number: int, state: str, score: Score | None, values: dict[int, float]) -> None:
        """Add a trial to the study, with the values by epoch that its pruner watches."""
        self.study.add_trial(
            create_trial(
                params=self.records[number].params,
                distributions=dict(self.search.space),
                **self._result(state, score),
                user_attrs={SCORES: plain_scores(score)} if state in ENDED and score is not None else {},
                system_attrs=rungs(self.search, values),
                intermediate_values=values,
            )
        )

    def _trial(self, number: int) -> Trial:
        return Trial(self.study, self.study.get_trials(deepcopy=False)[number]._trial_id)

    def _result(self, state: str, score: Score | None) -> dict[str, Any]:
        """State and values of a trial in Optuna's words."""
        columns = OBJECTIVES[self.search.objective]
        if state == "diverged":
            return {"state": TrialState.COMPLETE, "values": [PENALTY] * len(columns)}
        if state == "complete" and score is not None:
            return {"state": TrialState.COMPLETE, "values": [min(float(score[column]), PENALTY) for column in columns]}
        if state == "pruned":  # by an earlier objective, perhaps: a study of several objectives has no pruned trials
            return {"state": TrialState.PRUNED if len(columns) == 1 else TrialState.FAIL}
        return {"state": TrialState.RUNNING}

    def _scores(self, curves: pd.DataFrame) -> dict[int, Score]:
        scores = score_trials(curves, self.search.num_seeds, self.search.num_epochs)
        return {trial_number(str(name)): score for name, score in scores.to_dict("index").items()}

    def _watched_values(self, curves: pd.DataFrame) -> dict[int, dict[int, float]]:
        """What a pruner watches of each trial: by number, the value of each epoch but the last."""
        if self.search.pruner == "none":
            return {}
        means = watched(curves, BY_EPOCH[OBJECTIVES[self.search.objective][0]], self.search.num_seeds)
        means = means[means.index.get_level_values("epoch") < self.search.num_epochs]
        values: dict[int, dict[int, float]] = {}
        for (arm, epoch), value in means.items():  # type: ignore[misc]
            values.setdefault(trial_number(arm), {})[int(epoch)] = float(value)
        return values

    def _state(self, number: int, score: Score | None) -> str:
        return state_of(self.records[number], score, self.search.num_seeds, self.search.num_epochs)


def plain_scores(score: Score) -> dict[str, float | int | None]:
    """A trial's scores as Optuna's storages take them."""
    return {str(name): plain(value) for name, value in score.items()}
