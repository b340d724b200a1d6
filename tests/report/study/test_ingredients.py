"""Variants of arms on the page: a section of their own, and no other figure or list is longer for
them."""

import re

import pytest

from tips_ray.report.study.figures import draw_ingredients
from tips_ray.report.study.forest import axis_limit
from tips_ray.report.study.headline import cautions, finding
from tips_ray.report.study.ingredient_tables import effects_by_base, ingredient_findings, ingredient_rows
from tips_ray.report.study.page import render, study_figures
from tips_ray.stability.statistics import Difference

EFFECTS = {"symmetry": 6.0, "a_name_that_is_longer_than_a_phone_is_wide": 3.0, "bones": 0.0, "adversary": 90.0}
ARMS = ("parts", "solo", *(f"parts_without_{ingredient}" for ingredient in EFFECTS), "solo_with_symmetry")


@pytest.fixture(scope="module")
def changed(make_curves):
    """Curves in which each ingredient of parts is worth so many mm."""
    curves = make_curves(ARMS, num_seeds=3, diverged={("solo_with_symmetry", 1): 20})
    base = curves[curves["arm"] == "parts"]
    for ingredient, effect in EFFECTS.items():
        rows = curves["arm"] == f"parts_without_{ingredient}"
        metrics = [column for column in base if str(column).startswith(("p_mpjpe", "n_mpjpe", "mpjpe"))]
        curves.loc[rows, metrics] = base[metrics].to_numpy() + effect + 0.3 * (base[["seed"]].to_numpy() - 1)
    return curves


@pytest.fixture(scope="module")
def summary(changed, make_summary):
    return make_summary(changed)


def test_the_ingredient_that_is_worth_most_comes_first_and_its_figure_holds_every_number(summary):
    group = effects_by_base(summary)[0]
    assert [effect.ingredient for effect in group.effects] == sorted(EFFECTS, key=EFFECTS.__getitem__, reverse=True)
    half, _, whole, far = draw_ingredients(group, "#0072B2", synthetic=True).data
    assert [label.split(",")[0] for label, _ in whole.customdata] == [f"without {effect.ingredient}" for effect in group.effects]
    assert whole.x[0] is None  # 90 mm would hide all others: it is a triangle with its number
    assert far.text[0].startswith("+")
    assert far.x[1:] == (None,) * 3
    for value, effect in zip(whole.x[1:], group.effects[1:], strict=True):
        assert value == pytest.approx(effect.whole.difference, abs=0.01)
    assert len(half.x) == len(EFFECTS)


def test_the_axis_reaches_all_intervals_but_those_of_effects_far_beyond_the_others():
    near = [Difference(value, value - 1.0, value + 2.0, 3) for value in (0.5, -2.0, 3.0)]
    assert axis_limit(near) > 5.0
    assert axis_limit([*near, Difference(200.0, 190.0, 210.0, 3)]) == axis_limit(near)
    assert axis_limit([*near, Difference(None, None, None, 0)]) == axis_limit(near)
    assert axis_limit([]) > 0


def test_sentences_and_rows_say_what_the_intervals_say(summary):
    parts, solo = ingredient_rows(summary)
    verdicts = {row["change"].removeprefix("without "): row["verdict"] for row in parts["rows"]}
    assert verdicts["symmetry"] == verdicts["adversary"] == "errs more"
    assert verdicts["bones"] == "cannot tell apart"
    (row,) = solo["rows"]
    assert [row[name] for name in ("change", "seeds", "lost", "signs")] == ["with symmetry", 2, "1 of 3", "2 of 2"]
    sentence = ingredient_findings(summary)[0]
    assert re.search(r"parts errs more without adversary, without symmetry.*cannot be told apart without bones.*n = 3", sentence)


def test_variants_are_in_no_other_figure_and_no_caution(changed, summary):
    page = render(changed, summary)
    assert "What is each ingredient worth?" in page
    assert "solo_with_symmetry" not in finding(summary) + " ".join(cautions(summary))
    drawn = study_figures(changed, summary)
    assert "parts (n = 3)" in [trace.name for trace in drawn["errors"].data]
    assert not any("parts_without" in str(figure) for figure in drawn.values())


def test_the_section_fits_a_phone_and_its_figures_are_drawn(changed, summary, opening, barriers, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render(changed, summary))
    with opening(path, width=360) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert barriers(page) == []
        plots = page.locator("#ingredients .plot .main-svg")
        assert plots.count() >= 2
        area = page.evaluate("document.getElementById('plot-ingredients-1')._fullLayout._size.w")
        assert area > 130  # long names leave room for the intervals
