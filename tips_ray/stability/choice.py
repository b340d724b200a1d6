"""The weights to use of an arm where no label has a say: by the default rule, of one of its
runs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tips_ray.config import Teacher
from tips_ray.errors import UserError
from tips_ray.stability.agreement import SEED_DISAGREEMENT
from tips_ray.stability.regret import whole_runs
from tips_ray.stability.stopping import Window
from tips_ray.stability.teachers import most_plausible

DEFAULT_RULE = Teacher().rule
"""The rule to stop by where there are no labels to choose another. Of ten runs each of solo and
parts on CMU's poses, whose labels are known, it costs 0.2 mm in the median against each run's best
epoch, at worst 0.8 mm (`reports/gallery/cmu-tips`)."""


@dataclass(frozen=True)
class Choice:
    """The weights to use of an arm."""

    run: str
    seed: int
    first: int
    last: int

    @property
    def window(self) -> Window:
        """The epochs whose weights are averaged."""
        return Window(self.first, self.last)


def choose_weights(curves: pd.DataFrame, arm: str, stopped: pd.DataFrame, rule: str = DEFAULT_RULE) -> Choice | None:
    """By a rule, whose windows are among those that are `stopped` at: of the most plausible run;
    without clips, in which bones could change, of the run that is closest to the others at the end.
    None without a finished run."""
    by_rule = stopped[(stopped["arm"] == arm) & (stopped["rule"] == rule)]
    windows: dict[int, Window] = dict(zip(by_rule["seed"], by_rule["window"], strict=True))
    if not windows:
        return None
    runs = whole_runs(curves, arm)
    try:
        seed = most_plausible(runs, windows)
    except UserError:
        distance = {seed: run.get(SEED_DISAGREEMENT, pd.Series([np.nan])).iloc[-1] for seed, run in runs.items()}
        seed = min(distance, key=lambda seed: (np.isnan(distance[seed]), distance[seed], seed))
    return Choice(str(runs[seed]["run"].iloc[0]), seed, windows[seed].first, windows[seed].last)
