"""How much each searched field tells the best trials from all, and how much of that chance alone
would give."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tips_ray.report.search.tables import SCORE_COLUMNS, complete_trials, fields_of, is_log

MIN_IMPORTANCE_TRIALS = 10
MAX_IMPORTANCE_TRIALS = 2000
TOP_TRIALS, TOP_SHARE = 5, 0.1
"""PED-ANOVA asks what tells the best tenth of the trials from all, or the best five where a tenth
is fewer."""
SHUFFLES = 19
"""With 19, chance alone puts a field above the largest of its shuffled importances in 1 of 20
searches."""


def importance_table(
    trials: pd.DataFrame, space: Mapping[str, Any], columns: Sequence[str] = tuple(SCORE_COLUMNS)
) -> pd.DataFrame:
    """Columns column, field, importance, chance, n: PED-ANOVA shares of each searched field, for
    each score that varies.

    Of complete trials only, as an early score of a pruned one is not comparable. `chance` is the
    largest share, on the same scale, when scores are dealt to the trials at random 19 times: what
    is not above it may be noise. Searches of fewer than 10 complete trials have no rows; of more
    than 2,000 a random 2,000 count. Fields that are missing in some of the trials, or that are the
    same in all, are left out; so are trials outside the space, as of a search merged from another
    one.
    """
    rows = []
    for column in columns:
        table = complete_trials(trials, [column])
        if len(table) > MAX_IMPORTANCE_TRIALS:
            table = table.sample(MAX_IMPORTANCE_TRIALS, random_state=0)
        present = [path for path in fields_of(trials, space) if table[path].notna().all()]
        inside = [all(_inside(row[path], space[path]) for path in present) for row in table.to_dict("records")]
        table = table[np.array(inside, dtype=bool)]
        fields = [path for path in present if table[path].nunique() > 1]
        if len(table) >= MIN_IMPORTANCE_TRIALS and fields and table[column].nunique() > 1:
            shares, chances = _importances(table, {path: space[path] for path in fields}, table[column].to_numpy(float))
            rows += [(column, path, shares[path], chances[path], len(table)) for path in fields]
    return pd.DataFrame(rows, columns=["column", "field", "importance", "chance", "n"])


def _importances(table: pd.DataFrame, space: Mapping[str, Any], values: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    import optuna  # here, as who reads a study's report need not wait for it

    distributions = {path: _distribution(entry) for path, entry in space.items()}
    columns = {path: table[path].tolist() for path in space}
    study = _study(
        [
            optuna.trial.create_trial(
                params={path: columns[path][place] for path in space}, distributions=distributions, value=0.0
            )
            for place in range(len(table))
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(TOP_SHARE, TOP_TRIALS / len(table))))

    def evaluate(scores: np.ndarray) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it says that low scores are taken for good ones, as they are here
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `normalize`
            return optuna.importance.get_param_importances(
                study, evaluator=evaluator, params=list(space), target=lambda trial: float(scores[trial.number]), normalize=False
            )

    importances = evaluate(values)
    rng = np.random.default_rng(0)
    shuffled = [evaluate(rng.permutation(values)) for _ in range(SHUFFLES)]
    total = sum(importances.values()) or 1.0
    return (
        {path: importances[path] / total for path in space},
        {path: max(entry[path] for entry in shuffled) / total for path in space},
    )


def _study(trials: list[Any]) -> Any:
    """Trials as a study in memory, made without the line that Optuna logs for a new one."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(before)
    study.add_trials(trials)
    return study


def _inside(value: Any, entry: Mapping[str, Any]) -> bool:
    return value in entry["choices"] if entry["kind"] == "choice" else entry["low"] <= value <= entry["high"]


def _distribution(values: Mapping[str, Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if values["kind"] == "choice":
        return CategoricalDistribution(values["choices"])
    kind = IntDistribution if values["kind"] == "integer" else FloatDistribution
    return kind(values["low"], values["high"], log=is_log(values))
