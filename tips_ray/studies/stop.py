"""When should your own lifter, or GAN, stop training?

Reads curves of anyone's training from a table with a row a run and epoch (CSV, JSON lines or
parquet, or as W&B, TensorBoard and MLflow export it), and says what each stop rule costs:

    tips-ray stop curves.csv --error pa_mpjpe --run method seed --signals critic_loss cycle_loss
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tips_ray.store.names import safe_name
from tips_ray.studies.options import AGAIN, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from tips_ray.stability.table_summary import TableSummary

NUM_SHOWN = 8
"""Rules of an arm that the terminal shows; the page shows all."""


@dataclass(frozen=True)
class Curves:
    """Say when to stop, from a table of curves."""

    tables: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="TABLE ...", help_behavior_hint="(required)")]
    """CSV, JSON lines or parquet files, or folders of them: one row a run and epoch, or an export
    of W&B (a column a run), MLflow or TensorBoard (a row a value, or a file a run)."""
    error: str
    """Column of the error, lower when better."""
    run: tuple[str, ...] = ()
    """Columns that tell runs apart, such as `method seed`: the last one the runs of an arm, those
    before it arms. By default `run`, which exports have, or `file`, the name of each of several
    files."""
    epoch: str = ""
    """Column that counts epochs or steps; by default epoch, step, or a like one."""
    signals: tuple[str, ...] | None = None
    """Columns that stop rules may see: measured without labels, lower when better. By default those
    whose names tips-ray knows."""
    higher: tuple[str, ...] = ()
    """Those of the signals that are higher when better."""
    train_error: str = ""
    """Column of an error on other data, by which the rule of each arm is chosen; by default by
    --error itself, for each run by that of the arm's other runs."""
    unit: str = ""
    """Of the error, as it is written; mm where the column's name ends with _mm."""
    out: Path | None = None
    """The page to write; by default reports/stop-TABLE.html."""
    json: bool = False
    """Print one JSON object instead of tables."""


def stop(options: Curves) -> None:
    """Print what to take of each arm and what each rule costs, and write the page."""
    from rich.console import Console

    from tips_ray.errors import UserError
    from tips_ray.report.study.table_page import render_table, unit_for
    from tips_ray.stability.table_summary import summarise_table
    from tips_ray.stability.tables import TableColumns, curves_of
    from tips_ray.store.exports import read_tables

    if not options.tables:
        raise UserError("Give the table of curves, such as curves.csv.")
    columns = TableColumns(options.error, options.run, options.signals, options.higher, options.epoch, options.train_error)
    table = curves_of(read_tables(options.tables), columns)
    summary = summarise_table(table)
    name = options.tables[0].stem
    page = options.out or Path("reports") / f"stop-{safe_name(name)}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_table(table, summary, name, options.unit), encoding="utf-8")
    if options.json:
        print(json.dumps(summary.to_json(), indent=1, allow_nan=False))
        return
    print_table(summary, unit_for(summary, options.unit), Console())
    print(f"Page: {page}")


def print_table(summary: "TableSummary", unit, console: "Console") -> None:
    """Print the answer, how arms compare, what to be careful about, and the best rules of each
    arm."""
    from rich.markup import escape
    from rich.table import Table

    from tips_ray.report.study.answers import answer_sentences, with_ends
    from tips_ray.report.study.table_page import comparison, table_cautions
    from tips_ray.terminal import printable

    def say(text: str) -> None:
        console.print(escape(printable(text)), highlight=False, soft_wrap=True)

    for sentence in answer_sentences(summary.answers, unit):
        say(sentence)
    for sentence in comparison(summary, unit):
        say(sentence)
    for sentence in table_cautions(summary, unit):
        say(f"caution: {sentence}")
    for arm in summary.arms:
        scores = [score for score in summary.stop_rules if score.arm == arm]
        shown = [score for place, score in enumerate(scores) if place < NUM_SHOWN or score.chosen or score.rule == "last epoch"]
        table = Table(title=f"\n{escape(printable(arm))}", title_justify="left", box=None, padding=(0, 2, 0, 0))
        for column in ("rule", "error", "median regret", "worst run", "n"):
            table.add_column(column, justify="left" if column == "rule" else "right")
        for score in shown:
            cells = (unit.number(score.error_mm.mean), with_ends(score.regret_mm, unit), unit.number(score.regret_mm.worst))
            name = escape(printable(score.rule))
            table.add_row(f"[bold]{name}[/]" if score.chosen else name, *cells, str(score.n))
        console.print(table)
        if len(scores) > len(shown):
            console.print(f"… and {len(scores) - len(shown)} more rules, on the page", highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Compare stop rules with a command line (by default this process's); returns the exit code."""
    return run_command(Curves, stop, __doc__, arguments, AGAIN)
