"""Rules chosen on one campaign and scored on another, and errors predicted from others."""

import numpy as np
import pandas as pd
import pytest

from tips_ray.columns import BY_NAME, HEADLINE_METRIC, TRAIN_METRIC
from tips_ray.errors import UserError
from tips_ray.report.transfer.page import finding, render_transfer
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.stability.early import early_ends
from tips_ray.stability.predicted import fit, half_width, predict_left_out, rows_of
from tips_ray.stability.transfer import (
    are_related,
    leave_one_campaign_out,
    matrix,
    rank_by_worst,
    regrets_of,
    unsupervised_runs,
)
from tips_ray.stability.transfer_summary import summarise_transfer

EPOCHS = 20
ARMS = {"solo": {"objective": "adversarial"}, "parts": {"objective": "adversarial"}, "supervised": {"objective": "supervised"}}


def campaign(
    fingerprint: str,
    seed: int = 0,
    rise: float = 0.0,
    factor: float = 1.0,
    labelled: bool = True,
    noise: float = 0.02,
    subjects: tuple[str, str] = ("1", "2"),
) -> LoadedCampaign:
    """Four runs of each arm. The error is `factor` times a law of bone asymmetry, with noise of a
    run, and from the middle on rises by `rise` mm an epoch."""
    rng = np.random.default_rng(seed)
    rows = []
    for arm in ARMS:
        for number in range(4):
            own = np.exp(rng.normal(0, noise))
            for epoch in range(1, EPOCHS + 1):
                asymmetry = 0.05 + 0.2 / epoch + 0.02 * number
                error = factor * own * 300 * asymmetry + rise * max(0, epoch - EPOCHS / 2)
                row = {"arm": arm, "run": f"{arm}-seed{number}", "seed": number, "epoch": epoch, "status": "ok"}
                row |= {"bone_asymmetry": asymmetry, "bone_variation": asymmetry / 2, "bone_proportions": asymmetry / 3}
                row |= {"frechet_2d": 0.1 + rng.uniform(0, 0.02)}
                rows.append(row | ({HEADLINE_METRIC: error, TRAIN_METRIC: error} if labelled else {}))
    data = {"name": fingerprint, "fingerprint": fingerprint, "labelled": labelled, "synthetic": False, "observation": {}}
    data |= {"labelled_fingerprint": "", "train_subjects": [subjects[0]], "test_subjects": [subjects[1]]}
    return LoadedCampaign({"arms": ARMS, "data": data}, pd.DataFrame(rows))


def test_the_rule_of_the_row_is_scored_on_the_column():
    regrets = regrets_of({"falls": campaign("a"), "rises": campaign("b", rise=3.0)})
    assert set(regrets["arm"]) == {"solo", "parts"}  # a supervised arm has seen labels
    cells = {(cell.arm, cell.chosen_on, cell.scored_on): cell for cell in matrix(regrets, {})}
    assert len(cells) == 8
    there = cells["solo", "falls", "rises"]
    assert there.rule == "last epoch"
    last = regrets[(regrets["campaign"] == "rises") & (regrets["arm"] == "solo") & (regrets["rule"] == "last epoch")]["regret"]
    assert there.regret_mm.median == pytest.approx(float(np.median(last)))
    assert there.regret_mm.worst == pytest.approx(float(last.max()))
    assert last.max() > 20
    own = cells["solo", "rises", "rises"]
    assert own.regret_mm.median is not None
    assert own.regret_mm.median < 3


def test_the_default_has_the_best_worst_run_and_names_where_it_is():
    regrets = regrets_of({"falls": campaign("a"), "rises": campaign("b", rise=3.0)})
    ranked = rank_by_worst(regrets)
    worst = {entry.rule: entry.worst_regret_mm for entry in ranked}
    assert list(worst.values()) == sorted(worst.values())
    table = regrets.groupby("rule")["regret"].max()
    assert all(value == pytest.approx(table[rule]) for rule, value in worst.items())
    assert ranked[0].worst_in.split(",")[0] in ("falls", "rises")
    by_arm = regrets.groupby(["rule", "arm"])["regret"].agg(["median", "max", "size"])
    for entry in ranked:
        for arm, cost in entry.by_arm.items():
            assert (cost.median_regret_mm, cost.worst_regret_mm, cost.n) == pytest.approx(tuple(by_arm.loc[(entry.rule, arm)]))


def test_ending_early_saves_what_is_not_trained_and_costs_what_would_have_come():
    runs = unsupervised_runs({"falls": campaign("a"), "rises": campaign("b", rise=3.0)})
    assert len(runs) == 16
    halves = {end.arm: end for end in early_ends(runs) if end.rule == "epoch at 50 %"}
    for arm, end in halves.items():
        of_arm = [run[HEADLINE_METRIC].to_numpy() for run in runs if run["arm"].iloc[0] == arm]
        assert (end.saved_share, end.n) == (0.5, 8)
        assert end.regret_mm.worst == pytest.approx(max(errors[EPOCHS // 2 - 1] - errors.min() for errors in of_arm))
    assert set(halves) == {"solo", "parts"}


def test_a_rule_that_lacks_a_run_is_not_ranked():
    regrets = regrets_of({"a": campaign("a"), "b": campaign("b")})
    short = regrets.drop(regrets.index[(regrets["rule"] == "last epoch")][0])
    assert "last epoch" not in [entry.rule for entry in rank_by_worst(short)]


def test_leaving_a_campaign_out_leaves_out_those_that_share_its_poses():
    regrets = regrets_of({"a": campaign("a"), "twin": campaign("a", seed=1), "b": campaign("b", rise=3.0)})
    related = {"a": ["twin"], "twin": ["a"], "b": []}
    entries = {entry.scored_on: entry for entry in leave_one_campaign_out(regrets, related)}
    of_b = rank_by_worst(regrets[regrets["campaign"] == "b"])[0].rule
    assert entries["a"].rule == entries["twin"].rule == of_b
    assert leave_one_campaign_out(regrets[regrets["campaign"] != "b"], related) == []


def test_an_error_is_predicted_where_signals_tell_it():
    campaigns = {name: campaign(name, seed=number) for number, name in enumerate("abcd")}
    rows = pd.concat([rows_of(each).assign(campaign=name) for name, each in campaigns.items()], ignore_index=True)
    predicted = predict_left_out(rows, "d", {})
    assert len(predicted) == 8  # two arms of four seeds
    for entry in predicted:
        assert entry.true_mm == pytest.approx(entry.error_mm, rel=0.15)
        assert entry.low_mm < entry.error_mm < entry.high_mm
    assert np.mean([bool(entry.holds) for entry in predicted]) >= 0.75


def test_labels_of_the_target_and_of_its_twin_change_no_prediction():
    campaigns = {name: campaign(name, seed=number) for number, name in enumerate("abc")}
    related = {"target": ["twin"], "twin": ["target"]}

    def predicted(factor: float, labelled: bool = True):
        more = {"target": campaign("t", 7, factor=factor, labelled=labelled), "twin": campaign("t", 8, factor=factor)}
        rows = [rows_of(each).assign(campaign=name) for name, each in {**campaigns, **more}.items()]
        made = predict_left_out(pd.concat(rows, ignore_index=True), "target", related)
        return [(entry.seed, entry.error_mm, entry.low_mm, entry.high_mm) for entry in made], {entry.holds for entry in made}

    plain, held = predicted(1.0)
    assert plain == predicted(5.0)[0] == predicted(1.0, labelled=False)[0]
    assert held <= {True, False}
    assert predicted(5.0)[1] == {False}
    assert predicted(1.0, labelled=False)[1] == {None}


def test_a_line_is_least_squares_with_a_ridge_and_campaigns_weigh_alike():
    one, other = (rows_of(campaign(name, noise=0.0)).assign(campaign=name) for name in "ab")
    other = other.iloc[::2].assign(error=other["error"] + 0.5)
    line = fit(pd.concat([one, other], ignore_index=True), ())
    assert line is not None
    expected = (one["error"].mean() + other["error"].mean()) / 2
    assert line(one) == pytest.approx(np.full(len(one), expected))
    law = fit(one, ("bone_asymmetry",))
    assert law is not None
    standard = (one["bone_asymmetry"] - one["bone_asymmetry"].mean()) / one["bone_asymmetry"].std(ddof=0)
    slope = (standard * (one["error"] - one["error"].mean())).mean() / 1.1  # the ridge is a tenth of the spread
    assert law.slope[0] == pytest.approx(slope)


def test_the_half_width_is_that_of_the_campaign_that_is_most_off():
    one, other = np.linspace(-1, 1, 21), np.full(500, 0.1)
    assert half_width([one, other]) == half_width([one]) == pytest.approx(np.quantile(np.abs(one), 0.9))


def test_signals_that_a_campaign_lacks_are_left_out_for_all():
    rows = pd.concat([rows_of(campaign(name, seed)).assign(campaign=name) for seed, name in enumerate("abc")], ignore_index=True)
    assert predict_left_out(rows, "c", {}, BY_NAME["churn_mm"].label) == []
    rows["view_inconsistency_mm"] = np.random.default_rng(0).normal(size=len(rows))

    def errors(rows: pd.DataFrame, name: str) -> list[float]:
        return [entry.error_mm for entry in predict_left_out(rows, "c", {}, name)]

    assert errors(rows, "bones and views") != errors(rows, "bones")
    for lacking in "ac":
        without = rows.assign(view_inconsistency_mm=rows["view_inconsistency_mm"].where(rows["campaign"] != lacking))
        assert errors(without, "bones and views") == errors(rows, "bones")


def test_the_summary_and_its_page():
    campaigns = {
        "a": campaign("<b>a"),
        "b": campaign("b", 1, rise=3.0),
        "c": campaign("c", 2),
        "wild": campaign("w", 3, labelled=False),
    }
    summary = summarise_transfer(campaigns)
    content = summary.to_json()
    assert content["default_rule"]["used_labels_of"] == ["a", "b", "c"]
    assert {run["campaign"] for run in content["predicted_error"]["runs"]} == {"a", "b", "c", "wild"}
    assert all(run["true_mm"] is None for run in content["predicted_error"]["runs"] if run["campaign"] == "wild")
    assert content["predicted_error"]["n"] == 24
    page = render_transfer(summary)
    assert "not known" in page
    assert "<b>a" not in page
    assert "3D labels of a, b, c" in " ".join(finding(summary))


def test_one_labelled_campaign_is_too_few():
    with pytest.raises(UserError, match="at least two"):
        summarise_transfer({"a": campaign("a"), "wild": campaign("w", labelled=False)})


def test_campaigns_of_other_people_of_one_file_are_not_related():
    one, other, third = (campaign("a", subjects=pair) for pair in (("1", "2"), ("3", "4"), ("5", "1")))
    assert not are_related(one, other)
    assert are_related(one, third)
    assert not are_related(one, campaign("b"))
