"""Curves of other people's training: what a table says, and what is wrong with it."""

import numpy as np
import pandas as pd
import pytest

from tips_ray import compare_stop_rules
from tips_ray.columns import HEADLINE_METRIC, TRAIN_METRIC
from tips_ray.errors import UserError
from tips_ray.report.study.table_page import table_cautions, unit_for
from tips_ray.stability.table_summary import summarise_table
from tips_ray.stability.tables import ONE_ARM, TableColumns, TableCurves, curves_of

COLUMNS = TableColumns("pa_mpjpe", ("method", "seed"), ("critic", "cycle"))


def curves(methods: tuple[str, ...] = ("solo", "parts"), num_seeds: int = 3, num_epochs: int = 40) -> pd.DataFrame:
    """Errors that fall and then rise with `critic`; `cycle` falls for ever."""
    rng = np.random.default_rng(0)
    epoch = np.arange(1, num_epochs + 1)
    runs = []
    for place, method in enumerate(methods):
        for seed in range(num_seeds):
            error = (
                60
                + 4 * place
                + 30 * np.exp(-epoch / 4)
                + 0.02 * (epoch - 20.0) ** 2 * (epoch > 20)
                + rng.normal(0, 0.2, num_epochs)
            )
            signals = {"critic": error / 60 + rng.normal(0, 0.001, num_epochs), "cycle": 1 / epoch}
            runs.append(pd.DataFrame({"method": method, "seed": seed, "epoch": epoch, "pa_mpjpe": error, **signals}))
    return pd.concat(runs, ignore_index=True)


def read(table: pd.DataFrame, **changes) -> TableCurves:
    return curves_of(table, TableColumns(**{**vars(COLUMNS), **changes}))


def test_a_good_signal_is_chosen_and_a_bad_one_costs_more() -> None:
    table = compare_stop_rules(curves(), error="pa_mpjpe", run=["method", "seed"], signals=["critic", "cycle"])
    best = table[table["chosen"]].set_index("arm")["rule"].to_dict()
    assert best == {"solo": "lowest critic", "parts": "lowest critic"}
    regret = table.set_index(["arm", "rule"])["regret"]
    assert regret["solo", "lowest critic"] < 0.5 < 5 < regret["solo", "last epoch"]
    assert regret["solo", "lowest cycle"] == regret["solo", "last epoch"]
    assert set(table["num_runs"]) == {3}
    assert (table["regret_low"] <= table["regret"]).all()
    assert (table["regret"] <= table["regret_worst"]).all()
    assert table.set_index(["arm", "rule"])["stops"]["parts", "epoch at 50 %"] == {"0": 20, "1": 20, "2": 20}


def test_rules_that_average_weights_are_left_out_and_named() -> None:
    summary = summarise_table(read(curves(("solo",))))
    assert "average of the last 10 %" in summary.left_out_rules
    assert not {score.rule for score in summary.stop_rules} & set(summary.left_out_rules)


def test_neither_the_order_of_rows_nor_the_numbers_of_epochs_matter() -> None:
    table = curves(("solo",), num_epochs=12)
    other = table.sample(frac=1, random_state=2).assign(epoch=lambda rows: (rows["epoch"] - 1) * 500)
    summaries = [summarise_table(read(table)), summarise_table(read(other))]
    ours, theirs = (
        {(score.arm, score.rule): (score.chosen, score.regret_mm.median) for score in summary.stop_rules} for summary in summaries
    )
    assert ours == theirs
    assert summaries[1].stops["solo"]["last epoch"] == {"0": 5500, "1": 5500, "2": 5500}


def test_the_answer_of_a_table_is_measured_on_runs_that_had_no_say() -> None:
    answer = summarise_table(read(curves(("solo",)))).answers["solo"]
    assert (answer.rule, answer.in_hindsight, answer.n) == ("lowest critic", False, 3)
    assert answer.chosen_by_others_mm is not None
    assert answer.cautions == ("rising",)
    assert summarise_table(read(curves(("solo",), 1))).answers["solo"].in_hindsight
    other = curves(("solo",)).assign(train=lambda rows: rows["pa_mpjpe"] + 1)
    by_train = summarise_table(read(other, train_error="train")).answers["solo"]
    assert "train" in by_train.labels
    assert by_train.chosen_by_others_mm is None


def test_signals_that_are_higher_when_better_are_turned() -> None:
    table = curves().assign(score=lambda rows: -rows["critic"])
    turned = read(table, signals=("score",), higher=("score",))
    assert np.allclose(turned.curves["score"], read(table).curves["critic"])


def test_without_columns_of_runs_there_is_one_and_with_one_there_is_one_arm() -> None:
    one = curves(("solo",), num_seeds=1)
    assert set(read(one, run=()).curves["arm"]) == {ONE_ARM}
    several = read(curves(("solo",)), run=("seed",))
    assert several.curves["seed"].nunique() == 3
    assert set(several.curves["arm"]) == {ONE_ARM}


def test_rows_between_two_evaluations_lend_the_next_one_their_signals() -> None:
    steps = np.arange(1, 41)
    table = pd.DataFrame({"step": steps, "fid": np.where(steps % 10 == 0, 50.0 - steps, np.nan), "loss": steps.astype(float)})
    read_so = curves_of(table, TableColumns("fid", signals=("loss",)))
    assert read_so.epochs == {ONE_ARM: [10, 20, 30, 40]}
    assert read_so.curves["loss"].tolist() == [5.5, 15.5, 25.5, 35.5]
    assert read_so.curves[HEADLINE_METRIC].tolist() == read_so.curves[TRAIN_METRIC].tolist() == [40, 30, 20, 10]


def test_a_run_that_ends_without_an_error_has_diverged() -> None:
    table = curves()
    table.loc[(table["method"] == "solo") & (table["seed"] == 1) & (table["epoch"] > 7), "pa_mpjpe"] = np.nan
    summary = summarise_table(read(table))
    assert summary.arms["solo"].diverged == ["1"]
    assert (summary.arms["solo"].num_runs, summary.arms["solo"].last.n) == (3, 2)
    assert summary.arms["parts"].diverged == []


def test_gaps_and_short_runs_are_left_out_with_a_note() -> None:
    table = curves()
    gap = (table["method"] == "solo") & (table["seed"] == 0) & table["epoch"].isin([5, 6])
    short = (table["method"] == "solo") & (table["seed"] == 2) & (table["epoch"] > 3)
    given_ = read(table[~gap & ~short])
    assert "solo: run 2 is left out, which has less than half" in given_.notes[0]
    assert "solo: 2 of 40 epochs are left out" in given_.notes[1]
    assert 5 not in given_.epochs["solo"]
    assert len(given_.epochs["parts"]) == 40
    ends = read(table[(table["seed"] != 1) | (table["epoch"] <= 30)])
    assert ends.epochs["solo"][-1] == 30
    assert "all are compared up to epoch 30" in ends.notes[0]


def test_epochs_are_counted_by_a_column_that_evaluations_have() -> None:
    trained = pd.DataFrame({"epoch": [1, 1, 2, 2], "step": [50, 100, 150, 200], "loss": 1.0})
    evaluated = pd.DataFrame({"step": [1, 2], "pa": [60.0, 50.0]})
    assert curves_of(pd.concat([trained, evaluated]), TableColumns("pa")).columns.epoch == "step"


def test_a_score_that_rises_is_noted() -> None:
    table = pd.DataFrame({"epoch": [1, 2, 3], "acc": [0.1, 0.6, 0.5], "err": [0.9, 0.4, 0.5]})
    assert any("higher than it starts" in note for note in curves_of(table, TableColumns("acc")).notes)
    assert not curves_of(table, TableColumns("err")).notes


def test_repeated_rows_count_once_and_the_later_holds() -> None:
    table = curves()
    again = table[(table["seed"] == 0) & (table["epoch"] <= 3)]
    assert read(pd.concat([table, again])).notes == ["6 rows repeat an epoch of a run: the later ones hold."]
    later = read(pd.concat([table, again.assign(pa_mpjpe=99.0)], ignore_index=True)).curves
    assert (later.loc[(later["seed"] == 0) & (later["epoch"] <= 3), HEADLINE_METRIC] == 99).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"error": "pa_mpjp"}, r"no column 'pa_mpjp'. Did you mean 'pa_mpjpe'\? It has method, seed, epoch, pa_mpjpe"),
        ({"signals": ("Critic",)}, "Did you mean 'critic'"),
        ({"signals": ("pa_mpjpe",)}, "named as a signal and as something else"),
        ({"higher": ("seed",)}, "no signal"),
        ({"error": "method"}, "holds 'solo', which is no number"),
        ({"run": ("method",)}, "The column 'seed' tells them apart; give --run method seed"),
        ({"run": ("method", "seed", "epoch")}, "one epoch with 'pa_mpjpe': there is no moment to choose"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(changes: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(curves(), **changes)


def test_labels_are_no_signals() -> None:
    table = curves().assign(p_mpjpe_mm=1.0)
    with pytest.raises(UserError, match="measured with 3D labels"):
        read(table, signals=("p_mpjpe_mm",))


def test_what_holds_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="No run has an error: none of the 240 values"):
        read(curves().assign(pa_mpjpe=np.nan))
    with pytest.raises(UserError, match="All 6 runs diverged"):
        read(curves().assign(pa_mpjpe=lambda rows: rows["pa_mpjpe"].where(rows["epoch"] == 1)))
    with pytest.raises(UserError, match="No column of the table counts epochs"):
        read(curves().rename(columns={"epoch": "when"}))
    disjoint = curves(("solo",), 2).assign(epoch=lambda rows: rows["epoch"] + 1000 * rows["seed"])
    with pytest.raises(UserError, match="No two epochs have 'pa_mpjpe' in all runs"):
        read(disjoint)


def test_blanks_around_the_names_of_runs_do_not_matter() -> None:
    table = curves(("solo",), num_epochs=12)
    read_ = read(table.assign(method=[" solo" if row % 2 else "solo " for row in range(len(table))]))
    assert list(read_.epochs) == ["solo"]
    assert set(read_.seeds.values()) == {"0", "1", "2"}


def test_a_single_run_that_diverged_is_left_out_in_the_singular() -> None:
    table = curves(("solo",), num_epochs=12)
    lost = table.assign(pa_mpjpe=table["pa_mpjpe"].mask((table["seed"] == 1) & (table["epoch"] > 4)))
    summary = summarise_table(read(lost))
    assert any("1 of 3 diverged (1) and is left out" in line for line in table_cautions(summary, unit_for(summary, "mm")))
