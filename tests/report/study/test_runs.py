"""Every run can be found: the table of runs, and the cautions that name those that fail."""

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.report.study.headline import cautions
from tips_ray.report.study.run_tables import run_rows


def test_a_run_that_fails_is_named_and_marked(make_curves, make_summary):
    curves = make_curves(arms=("solo", "parts"), num_seeds=6, num_epochs=12, diverged={("parts", 4): 5})
    bad = (curves["arm"] == "solo") & (curves["seed"] == 3)
    curves.loc[bad, HEADLINE_METRIC] += 40
    summary = make_summary(curves)
    sentences = cautions(summary)
    assert sentences[1].startswith("1 of 6 runs of solo fails: seed 3 errs by 1")
    assert any("1 of 6 runs of parts diverged (seed 4)" in sentence for sentence in sentences)
    rows = run_rows(curves, summary)
    assert len(rows) == 12
    marked = [(row.arm, row.cells["seed"].text, row.cells["status"].text) for row in rows if row.fails]
    assert sorted(marked) == [("parts", "4", "diverged"), ("solo", "3", "ok, outlier")]
    seed = next(row for row in rows if row.arm == "solo").cells
    assert seed["last, mm"].value == summary.arms["solo"].runs[0].last
    assert seed["time"].text == "78 s"  # 12 epochs of 6.5 s
