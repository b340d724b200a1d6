"""The section of a screening design: its sentences, rows and figures agree with the effects."""

import pytest

from tips_ray.design import FACTORS, NUM_ROWS, is_high, row_name
from tips_ray.report.study.figures import draw_screening
from tips_ray.report.study.page import render, study_figures
from tips_ray.report.study.screening_tables import effects_of_bases, level_label, screening_findings, screening_rows
from tips_ray.stability.screening import RESPONSES

SIZE = 25.0
"""What layer norm adds to the error of parts."""


@pytest.fixture(scope="module")
def screened(make_curves):
    """Curves of parts, and of its rows, of which one factor alone matters."""
    rows = [row_name("parts", row) for row in range(1, NUM_ROWS + 1)]
    curves = make_curves(("parts", *rows), num_seeds=3, num_epochs=12)
    metrics = [column for column in curves if str(column).startswith(("p_mpjpe", "n_mpjpe", "mpjpe"))]
    norm = next(place for place, factor in enumerate(FACTORS) if factor.name == "norm")
    for row, arm in enumerate(rows, start=1):
        curves.loc[curves["arm"] == arm, metrics] += SIZE * is_high(row, norm)
    return curves


@pytest.fixture(scope="module")
def summary(screened, make_summary):
    return make_summary(screened)


def test_the_factor_that_matters_is_named_and_comes_first(summary):
    (entry,) = screening_rows(summary)
    assert entry["base"] == "parts"
    assert entry["rows"][0]["label"] == "norm: layer instead of batch"
    assert len(entry["rows"]) == len(FACTORS)
    assert all(len(row["cells"]) == len(RESPONSES) for row in entry["rows"])
    assert "norm: layer instead of batch (+2" in screening_findings(summary)[0]


def test_the_figure_holds_the_errors_effects(summary):
    effects = effects_of_bases(summary)["parts"]
    figure = draw_screening("parts", effects, "#0072B2", synthetic=True)
    whole = figure.data[2]
    assert [label for label, _ in whole.customdata] == [level_label(effect) for effect in effects["last_half"]]


def test_the_page_shows_the_design_and_draws_the_base_alone(screened, summary):
    page = render(screened, summary)
    assert "Which choices matter?" in page
    drawn = study_figures(screened, summary)
    assert "screening-1" in drawn
    assert "parts (n = 3)" in [trace.name for trace in drawn["errors"].data]
    assert not any("parts_row" in str(figure) for figure in drawn.values())
