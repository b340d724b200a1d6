"""Stop rules compared: of a campaign, or of a table of anyone's curves."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.regret import rank_rules, score_stops, stops
from tips_ray.stability.statistics import arms_of
from tips_ray.stability.table_summary import rule_table, summarise_table
from tips_ray.stability.tables import TableColumns, curves_of


def compare_stop_rules(
    curves: LoadedCampaign | pd.DataFrame,
    error: str = "",
    signals: Sequence[str] | None = None,
    run: Sequence[str] = (),
    epoch: str = "",
    train_error: str = "",
) -> pd.DataFrame:
    """What stopping by each rule costs, one row a rule and arm, by arm and median regret.

    Of a campaign, or of a table of any lifter or GAN with one row a run and epoch: `error`, the
    label-free `signals` (lower when better), `run`, which tells runs apart (the last one those of
    an arm, such as the seed), `epoch` and `train_error` name its columns, as in `TableColumns`.

    Columns: arm, rule, label_free, chosen (the arm's rule with the lowest median regret on training
    subjects, or by `train_error`, or else by `error` itself), error_mm (mean over runs), regret_mm
    (median over runs), regret_low_mm and regret_high_mm (its 95% interval), regret_worst_mm,
    num_runs, and stops: the epoch or window by run. Of a table no name ends with _mm. The oracle
    (not label-free) is the yardstick. Raises ValueError for a table that cannot be read so.
    """
    if isinstance(curves, pd.DataFrame):
        named = None if signals is None else tuple(signals)
        columns = TableColumns(error, (run,) if isinstance(run, str) else tuple(run), named, epoch=epoch, train_error=train_error)
        summary = summarise_table(curves_of(curves, columns))
        return rule_table(summary.stop_rules, summary.stops, unit="")
    stopped = stops(curves.curves, arms_of(curves.curves))
    scored = score_stops(curves.curves, stopped, curves.measured.windows)
    windows: dict[str, dict[str, dict[Any, Any]]] = {}
    for arm, rule, seed, window in scored[["arm", "rule", "seed", "window"]].itertuples(index=False):
        windows.setdefault(arm, {}).setdefault(rule, {})[seed] = str(window)
    return rule_table(rank_rules(scored), windows, unit="_mm")
