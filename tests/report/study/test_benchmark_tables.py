"""What pages and the terminal say of the twins of the paper's tables."""

from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from tips_ray.columns import BENCHMARKS
from tips_ray.report.study.benchmark_tables import actions_of, benchmark_tables
from tips_ray.report.study.benchmark_text import print_benchmarks
from tips_ray.report.study.page import render
from tips_ray.report.study.published import HUMAN36M, HUMAN36M_ACTIONS, MPI_INF_3DHP
from tips_ray.store.measurements import NOTHING

ACTIONS = {"human36m": HUMAN36M_ACTIONS[::-1], "mpi_inf_3dhp": ("Sitting", "Sports")}


@pytest.fixture(params=list(BENCHMARKS))
def summary(request, make_curves, make_summary):
    """Of two arms over two seeds, of one of the benchmarks; each action 1 above the last."""
    curves = make_curves(("solo", "parts"), num_seeds=2, num_epochs=4)
    name = request.param
    rows = [
        {"benchmark": name, "arm": arm, "seed": seed, "epoch": 4, "action": action, "metric": metric, "value": 40.0 + place}
        for arm in ("solo", "parts")
        for seed in range(2)
        for metric in BENCHMARKS[name]
        for place, action in enumerate(("", *ACTIONS[name]))
    ]
    return name, make_summary(curves, replace(NOTHING, benchmark=pd.DataFrame(rows))), curves


def test_published_means_are_those_of_their_actions_and_all_have_a_protocol_or_an_approach():
    for each in HUMAN36M:
        *by_action, mean = each.numbers
        assert len(by_action) in (0, 15)
        if by_action:
            assert sum(by_action) / 15 == pytest.approx(mean, abs=1.0), each.method  # one paper's is not the mean of its columns
        assert each.note
    assert all(len(each.numbers) == 2 for each in MPI_INF_3DHP)


def test_tables_are_rectangular_and_have_every_arm_stop_and_metric(summary):
    name, whole, _ = summary
    tables = benchmark_tables(whole.benchmark, name)
    for table in tables:
        for block in table.blocks:
            assert {len(row.cells) for row in block.rows} == {len(table.columns)}
    assert len(tables[2].blocks) == 2 * len(BENCHMARKS[name])
    assert [row.name for row in tables[0].blocks[0].rows] == ["solo", "parts"]
    assert tables[0].blocks[0].rows[0].note == "n = 2"
    if name == "human36m":
        assert actions_of(whole.benchmark) == list(HUMAN36M_ACTIONS)
        assert tables[1].blocks[0].rows[0].cells[1][0] == "40.0"
        assert tables[1].blocks[0].rows[0].cells[0][0] == "48.0"


def test_the_page_and_the_terminal_have_them(summary):
    name, whole, curves = summary
    page = render(curves, whole)
    console = Console(width=100, record=True, file=StringIO())
    print_benchmarks(whole.benchmark, console)
    printed = console.export_text()
    for text in {"human36m": ("LInKs", "33.8", "SittingDown"), "mpi_inf_3dhp": ("Kundu", "39.8", "Sports")}[name]:
        assert text in page
        assert text in printed
    assert "best epoch (oracle), mean over actions" in printed
