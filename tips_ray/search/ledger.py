"""The trials of a search: recorded in the search's folder, entered in Optuna's study, and told from
the curves.

The folder is the truth: a record is written before a trial starts, and what Optuna is told is read
off the curves that are stored. Optuna's study mirrors it. Where the study lacks trials (another
objective, more epochs or seeds, a storage that was lost), they are entered again; where it has
trials under way that no process trains any more, they go on.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pandas as pd
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from tips_ray.errors import UserError
from tips_ray.search.objectives import OBJECTIVES, WATCHED, score_trials, watched
from tips_ray.search.optuna_study import emptied, rungs
from tips_ray.search.plan import Budget, Search
from tips_ray.search.trials import read_scored, state_of, without_curves
from tips_ray.seeding import derived_seed
from tips_ray.store.curves import RUNS
from tips_ray.store.records import Record, read_records, trial_name, trial_number, write_record

PENALTY = 1e4
"""What Optuna is told of a trial that diverged, for each score: finite, and no better than any."""
STARTUP_TRIALS = 10
"""Trials drawn at random before the sampler models what it has seen."""
SCORES = "scores"
"""The attribute under which Optuna's trials have all their scores."""
ENDED = ("complete", "pruned", "diverged")


class Ledger:
    """Hands out the trials of a search, one at a time, and books what became of them."""

    def __init__(
        self, search: Search, budget: Budget, study: optuna.Study, ended: Callable[[int, str, pd.Series | None], None]
    ) -> None:
        """`ended` hears of each trial that ends from now on: its number, state and scores.

        Raises ValueError if study and folder are not of the same search, or if a record is lost.
        """
        self.search, self.budget, self.study, self.ended = search, budget, study, ended
        self.records = {record.number: record for record in read_records(search.folder)}
        self.trials: dict[int, Trial] = {}
        """Optuna's handles of the trials that have not ended."""
        self.open: list[int] = []
        """Trials that were begun and not ended, to be handed out before new ones are asked for."""
        self._mirror()
        limit, begun = budget.max_run_epochs, self._committed()
        if self.open and limit is not None and begun > limit:
            raise UserError(
                f"max_run_epochs = {limit}, but the {self.num_trials} trials that were begun come to {begun} epochs at"
                f" {search.num_seeds} seeds x {search.num_epochs} epochs; give more, or fewer seeds or epochs."
            )

    @property
    def num_trials(self) -> int:
        """Trials begun so far, in all executions."""
        return len(self.records)

    def best(self) -> tuple[float, int] | None:
        """The lowest first score of the complete trials that did not diverge, and its trial; None
        before there is one."""
        known = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return min(((trial.values[0], trial.number) for trial in known if trial.values[0] < PENALTY), default=None)

    def has_more(self) -> bool:
        """Whether there is a trial to go on with, or one to begin within the budget."""
        return bool(self.open) or (self.num_trials < self.budget.num_trials and self._epochs_suffice())

    def next(self) -> Record | None:
        """The next trial to train, recorded already; None if the budget is spent."""
        if not self.has_more():
            return None
        number = self.open.pop(0) if self.open else self._begin()
        if self.records[number].error is not None:
            self._record(replace(self.records[number], error=None))
        return self.records[number]

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        """Tell Optuna of an epoch's objective, and whether the trial should end with it. The first
        trial never does."""
        if self.search.pruner == "none" or epoch >= self.search.num_epochs or value != value:
            return False
        trial = self.trials[number]
        trial.report(value, epoch)
        poor = trial.should_prune()  # it takes note of the first trial, too
        if number == 0 or not poor:
            return False
        self._record(replace(self.records[number], pruned_at=epoch))
        return True

    def end(self, number: int) -> str:
        """Book a trial that no process trains any more, and return its state; it stays open unless
        that is among `ENDED`."""
        curves = read_scored(self.search.folder, [number], self.search.num_seeds)
        score = self._scores(curves).get(number)
        state = self._state(number, score)
        if state in ENDED:
            self._tell(number, state, score)
            self.ended(number, state, score)
        return state

    def fail(self, number: int, error: str) -> None:
        """Note why a trial stays open."""
        self._record(replace(self.records[number], error=error))

    def _record(self, record: Record) -> None:
        write_record(self.search.folder, record)
        self.records[record.number] = record

    def _begin(self) -> int:
        """Choose and record the next trial, then enter it, so that a process that dies in between
        has lost nothing."""
        number = self.num_trials
        self._record(Record(number, suggest(self.study, self.search, number) if number else self.search.baseline))
        self._enter(number, "unfinished", None, {})
        self._hold(number, self.study.get_trials(deepcopy=False)[number])
        return number

    def _committed(self) -> int:
        """Run-epochs that the trials begun so far come to, when they end."""
        each, seeds = self.search.num_seeds * self.search.num_epochs, self.search.num_seeds
        return sum(min(each, seeds * (record.pruned_at or self.search.num_epochs)) for record in self.records.values())

    def _epochs_suffice(self) -> bool:
        limit = self.budget.max_run_epochs
        return limit is None or self._committed() + self.search.num_seeds * self.search.num_epochs <= limit

    def _mirror(self) -> None:
        """Bring records and study into agreement, and find the trials that are open."""
        known = self.study.get_trials(deepcopy=False)
        self._check(known)
        complete = [trial.number for trial in known if trial.state == TrialState.COMPLETE and trial.values[0] < PENALTY]
        if without_curves(self.search.folder, complete, self.search.num_seeds):
            self.study, known = emptied(self.study), []  # a trial that ended cannot be opened again
        unsettled = [number for number in sorted(self.records) if number >= len(known) or not known[number].state.is_finished()]
        curves = read_scored(self.search.folder, unsettled, self.search.num_seeds)
        scores, seen = self._scores(curves), self._seen(curves)
        for number in unsettled:
            state = self._state(number, scores.get(number))
            if state not in ENDED:
                self.open.append(number)
            if number >= len(known):
                self._enter(number, state, scores.get(number), seen.get(number, {}))
                continue
            self._hold(number, known[number])
            for epoch, value in seen.get(number, {}).items():
                if epoch not in known[number].intermediate_values:
                    self.trials[number].report(value, epoch)
            for rung, value in rungs(self.search, seen.get(number, {})).items():
                if rung not in known[number].system_attrs:
                    self.study._storage.set_trial_system_attr(known[number]._trial_id, rung, value)
            if state in ENDED:
                self._tell(number, state, scores.get(number))
        known = self.study.get_trials(deepcopy=False) if self.open else []
        for number in self.open:
            self._hold(number, known[number])

    def _check(self, known: list[FrozenTrial]) -> None:
        """Restore records from the study where it has them; raise ValueError where it is another
        search's, or they are lost."""
        for trial in known:
            if trial.number not in self.records:
                self._record(Record(trial.number, trial.params, trial.last_step if trial.state == TrialState.PRUNED else None))
        others = [trial.number for trial in known if trial.params != self.records[trial.number].params]
        if others:
            raise UserError(
                f"Optuna's study {self.study.study_name!r} holds other trials than {str(self.search.folder)!r} (first at number"
                f" {min(others)}): it is another search's. Give another --study-storage or --campaign name."
            )
        trained = [int(run.split("-")[1]) for run in self.search.folder.names(RUNS) if run.startswith("trial-")]
        lost = set(range(max([*self.records, *trained], default=-1) + 1)) - set(self.records)
        if lost:
            raise UserError(
                f"The record of {trial_name(min(lost))} is missing in {str(self.search.folder)!r}, though it or a later trial was"
                " trained, and Optuna's study has it neither; restore the file, or give another --campaign name."
            )

    def _enter(self, number: int, state: str, score: pd.Series | None, seen: dict[int, float]) -> None:
        """Add a trial to the study, as what it is by now."""
        self.study.add_trial(
            create_trial(
                state=self._told_state(state),
                params=self.records[number].params,
                distributions=dict(self.search.space),
                values=self._told_values(state, score),
                user_attrs={SCORES: plain_scores(score)} if state in ENDED and score is not None else {},
                system_attrs=rungs(self.search, seen),
                intermediate_values=seen,
            )
        )

    def _hold(self, number: int, trial: FrozenTrial) -> None:
        self.trials[number] = Trial(self.study, trial._trial_id)

    def _tell(self, number: int, state: str, score: pd.Series | None) -> None:
        """Tell Optuna how a trial ended that it believes to be running."""
        trial = self.trials.pop(number)
        if score is not None:
            trial.set_user_attr(SCORES, plain_scores(score))  # at once, since each attribute is a transaction
        self.study.tell(trial, self._told_values(state, score), self._told_state(state))

    def _told_state(self, state: str) -> TrialState:
        if state == "pruned":  # by an earlier objective, perhaps: a study of several objectives knows no pruned trials
            return TrialState.PRUNED if len(OBJECTIVES[self.search.objective]) == 1 else TrialState.FAIL
        return TrialState.COMPLETE if state in ENDED else TrialState.RUNNING

    def _told_values(self, state: str, score: pd.Series | None) -> list[float] | None:
        columns = OBJECTIVES[self.search.objective]
        if state == "diverged":
            return [PENALTY] * len(columns)
        return [min(float(score[column]), PENALTY) for column in columns] if state == "complete" and score is not None else None

    def _scores(self, curves: pd.DataFrame) -> dict[int, pd.Series]:
        scores = score_trials(curves, self.search.num_seeds, self.search.num_epochs)
        return {trial_number(str(name)): score for name, score in scores.iterrows()}

    def _seen(self, curves: pd.DataFrame) -> dict[int, dict[int, float]]:
        """What a pruner would have been told of trials by now: by number, the value of each epoch
        but the last."""
        if self.search.pruner == "none":
            return {}
        means = watched(curves, WATCHED[self.search.objective], self.search.num_seeds)
        means = means[means.index.get_level_values("epoch") < self.search.num_epochs]
        seen: dict[int, dict[int, float]] = {}
        for (arm, epoch), value in means.items():  # type: ignore[misc]
            seen.setdefault(trial_number(arm), {})[int(epoch)] = float(value)
        return seen

    def _state(self, number: int, score: pd.Series | None) -> str:
        return state_of(self.records[number], score, self.search.num_seeds, self.search.num_epochs)


def suggest(study: optuna.Study, search: Search, number: int) -> dict[str, Any]:
    """Values for a trial; they depend on the search's seed, the trial's number and what the study
    knows, alone.

    Nothing is written: `study.ask` writes value by value, and a process that died meanwhile would
    leave half a trial.
    """
    sampler_seed = derived_seed(search.seed, "suggest", number) % 2**32
    sampler = TPESampler(seed=sampler_seed, n_startup_trials=STARTUP_TRIALS, constant_liar=False)  # a liar writes, too
    known = optuna.load_study(study_name=study.study_name, storage=study._storage)  # a study caches what its sampler has seen
    trial = create_trial(state=TrialState.RUNNING)
    values = sampler.sample_relative(known, trial, sampler.infer_relative_search_space(known, trial))
    for path, distribution in search.space.items():
        if path not in values:
            values[path] = sampler.sample_independent(known, trial, path, distribution)
    return {path: plain(values[path]) for path in search.space}


def plain_scores(score: pd.Series) -> dict[str, Any]:
    """A trial's scores as Optuna's storages take them."""
    return {str(name): plain(value) for name, value in score.items()}


def plain(value: Any) -> Any:
    """A number of plain Python; NaN as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value
