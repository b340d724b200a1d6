"""The twin of one of the paper's tables on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tips_ray.columns import BENCHMARKS
from tips_ray.report.study.benchmark_tables import ACTIONS, FRAMES, VIEWS, Row, actions_of, benchmark_tables, metric_block
from tips_ray.report.text import mm
from tips_ray.stability.benchmark import LAST, BenchmarkScore


def print_benchmarks(scores: Sequence[BenchmarkScore], console: Console) -> None:
    """Print, for each benchmark that was measured, all metrics by action at the last epoch, then
    their averages at both stops, and published numbers."""
    for name, view in VIEWS.items():
        of = [score for score in scores if score.benchmark == name]
        if not of:
            continue
        console.print(f"\n[bold]{view.title}[/], {view.unit}: mean over seeds, and its 95% interval", soft_wrap=True)
        actions = actions_of(of)
        for metric in BENCHMARKS[name]:
            block = metric_block(of, metric, LAST, actions)
            print_rows(f"{block.heading}, by action", [ACTIONS, FRAMES, *actions], transposed(block.rows), console)
        averages = benchmark_tables(of, name)[0]
        for block in averages.blocks:
            print_rows(
                block.heading,
                [row.name for row in block.rows],
                [averages.columns, *(in_lines(row) for row in block.rows)],
                console,
            )
        print_published(name, console)
        console.print(view.protocol, soft_wrap=True, highlight=False)


def transposed(rows: Sequence[Row]) -> list[list[str]]:
    """The heads of the columns, an arm each, and then each column of the rows as a row."""
    heads = [f"{row.name}\n[dim]{row.note}[/]" for row in rows]
    return [heads, *(list(cells) for cells in zip(*(in_lines(row) for row in rows), strict=True))]


def in_lines(row: Row) -> list[str]:
    """Each mean, and beneath it its interval."""
    return [f"{text}\n[dim]{span}[/]" if span else text for text, span in row.cells]


def print_rows(title: str, names: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print a table of which the first row has the heads of the columns."""
    table = Table(title=f"\n{escape(title)}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for head in rows[0]:
        table.add_column(head, overflow="fold")
    for name, cells in zip(names, rows[1:], strict=True):
        table.add_row(escape(name), *cells)
    console.print(table)


def print_published(benchmark: str, console: Console) -> None:
    """Print the averages of published methods, with their protocols."""
    view = VIEWS[benchmark]
    table = Table(title="\nPublished", title_justify="left", box=None, padding=(0, 2, 0, 0))
    heads = ("mean over actions",) if benchmark == "human36m" else ("PCK", "AUC")
    for head in ("method", "training and protocol", *heads):
        table.add_column(head)
    for each in view.published:
        table.add_row(each.method, each.note, *(mm(value) for value in each.numbers[-len(heads) :]))
    console.print(table)
