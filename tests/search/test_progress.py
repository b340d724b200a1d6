"""What a search says of itself while it runs."""

import io
from pathlib import Path

from optuna.trial import TrialState, create_trial
from rich.console import Console

from tips_ray.campaign.seeds import FAILURE, NOTICES, epoch_result
from tips_ray.config import Config, WeightRanges
from tips_ray.search.plan import Budget, Search
from tips_ray.search.progress import SearchProgress
from tips_ray.search.queue import EndedTrial
from tips_ray.search.space import weight_space
from tips_ray.store.records import trial_name
from tips_ray.store.storage import Storage


def test_a_notice_of_damaged_files_or_of_a_failure_counts_as_no_epoch(tmp_path: Path) -> None:
    search = Search("s", Storage(str(tmp_path)), Config(), weight_space(WeightRanges()), num_seeds=2, num_epochs=10)
    progress = SearchProgress(search, Budget(2), Console(file=io.StringIO()))
    epoch = epoch_result(trial_name(0), 3, [])
    for notice in ({NOTICES: ["A file was damaged."]}, {FAILURE: "No space is left."}):
        progress.on_trial_result(0, [], None, epoch | notice)
    assert not progress.under_way
    assert progress.num_trained == 0
    progress.on_trial_result(0, [], None, epoch)
    assert progress.under_way == {trial_name(0): 3}
    assert progress.num_trained == 1
    ended = create_trial(state=TrialState.PRUNED)
    progress.trial_ended(EndedTrial(0, "pruned", None, ended))
    progress.on_trial_result(0, [], None, epoch)  # of a trial that left its model with this epoch
    assert progress.under_way == {}
    assert progress.num_trained == 2
