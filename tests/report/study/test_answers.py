"""The answer comes first, and it reads differently where the curves do."""

import pandas as pd
import pytest

from tips_ray.columns import METRICS, TRAIN_METRIC
from tips_ray.report.study.answers import answer_sentences
from tips_ray.report.study.headline import cautions
from tips_ray.report.study.page import render
from tips_ray.stability.summary import Summary


def rising(curves: pd.DataFrame, per_epoch: float = 2.5, after: int = 10) -> pd.DataFrame:
    """The same runs, whose errors rise by so many mm an epoch after the tenth."""
    more = per_epoch * (curves["epoch"] - after).clip(lower=0)
    return curves.assign(**{name: curves[name] + more for name in (*METRICS, TRAIN_METRIC)})


@pytest.fixture(scope="module")
def curves(make_curves) -> pd.DataFrame:
    return make_curves(("parts", "single"), num_seeds=3)


@pytest.fixture(scope="module")
def summary(curves, make_summary) -> Summary:
    return make_summary(curves)


def test_the_first_sentence_of_the_page_is_what_to_take_of_the_first_arm(curves, summary) -> None:
    page = render(curves, summary)
    header = page[page.index("<header>") : page.index("</header>")]
    first = answer_sentences(summary.answers)[0]
    assert first.startswith(f"For parts, take “{summary.answers['parts'].rule}”: ")
    assert "above the best epoch, at worst" in first
    assert "; the last epoch costs " in first
    assert first.endswith("This choice used 3D labels of training subjects.")
    assert header.index("For parts, take") < header.index("Over the last half of training")


def test_a_campaign_that_gets_worse_by_2_5_mm_an_epoch_reads_differently(curves, summary, make_summary) -> None:
    worse = make_summary(rising(curves))
    for arm in ("parts", "single"):
        before, after = summary.answers[arm], worse.answers[arm]
        assert after.rule != before.rule
        assert after.last_epoch_mm.median is not None
        assert after.last_epoch_mm.median > 50
        assert "rising" in after.cautions
        assert "rising" not in before.cautions
    said = " ".join(cautions(worse))
    assert "The error of parts rose by" in said
    assert "do not train on blindly" in said
    assert not set(answer_sentences(worse.answers)) & set(answer_sentences(summary.answers))


def test_a_run_that_is_worse_than_flat_and_a_bad_worst_run_are_said(curves, make_summary) -> None:
    lost = curves.copy()
    bad = (lost["arm"] == "parts") & (lost["seed"] == 1) & (lost["epoch"] > 3)
    lost.loc[bad, METRICS[0]] += 60  # where each pose may be mirrored, it errs as before
    said = " ".join(cautions(make_summary(lost)))
    assert "1 of 3 runs of parts are no better than the flat prediction where the rule stops." in said
    assert "3 of 3 runs of parts end with mixed depth signs" in said  # made-up errors with reflection are 5 % lower
    assert "in one run (seed 1)" in said


def test_without_errors_on_training_subjects_the_default_rule_is_taken(curves, make_summary) -> None:
    summary = make_summary(curves.drop(columns=TRAIN_METRIC))
    answer = summary.answers["parts"]
    assert (answer.rule, answer.labels) == ("last epoch", "")  # the averages have not been measured
    assert "used no 3D label of these poses" in answer_sentences(summary.answers)[0]


def test_students_have_no_answer_of_their_own_and_json_has_the_same(curves, make_summary) -> None:
    arms = {
        "parts": {"objective": "adversarial"},
        "single": {"objective": "distilled", "teacher": {"arm": "parts", "rule": "last epoch"}},
    }
    summary = make_summary(curves, arms=arms)
    assert list(summary.answers) == ["parts"]
    content = summary.to_json()["answers"]["parts"]
    assert content["rule"] == summary.answers["parts"].rule
    assert content["labels"] == "3D labels of training subjects"
    assert content["cautions"] == list(summary.answers["parts"].cautions)
