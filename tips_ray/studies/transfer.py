"""Does a stop rule hold on other poses, and how large is an error that nobody can measure?

Takes the folders of finished studies, each on its own poses: rules are chosen on one and scored on
the others, and the error of each run is predicted from its label-free signals by what the other
studies say. A study without labels gets predicted errors alone:

    tips-ray transfer reports/A reports/B reports/WILD
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from tips_ray.errors import UserError
from tips_ray.studies.options import AGAIN, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from tips_ray.stability.transfer_summary import Transfer

MAX_RULES = 8
"""Shown in the terminal; the page shows all."""


@dataclass(frozen=True)
class TransferOptions:
    """Compare stop rules over several finished studies, and predict errors."""

    campaigns: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME ...", help_behavior_hint="(required)")
    ]
    """Folders of studies, as they printed them: at least two with errors, and any without."""
    out: str = "reports/transfer"
    """Folder to write `transfer.json` and `report.html` to."""

    def __post_init__(self) -> None:
        names = [name_of(campaign) for campaign in self.campaigns]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UserError(f"Two of the studies are called {twice!r}; give each once.")


def name_of(campaign: str) -> str:
    """The name of a campaign in a folder or under a URI."""
    return campaign.rstrip("/").rpartition("/")[2]


def transfer(options: TransferOptions) -> None:
    """Write the comparison, and print it."""
    from rich.console import Console

    from tips_ray.report.publish import is_search
    from tips_ray.report.transfer.page import render_transfer
    from tips_ray.stability.campaign import load_campaign
    from tips_ray.stability.transfer_summary import summarise_transfer
    from tips_ray.store.storage import Storage

    folders = {name_of(campaign): Storage(campaign) for campaign in options.campaigns}
    searches = [name for name, folder in folders.items() if is_search(folder)]
    if searches:
        raise UserError(f"{searches[0]!r} is a search; give the folders of studies.")
    summary = summarise_transfer({name: load_campaign(folder) for name, folder in folders.items()})
    out = Storage(options.out)
    out.write("transfer.json", json.dumps(summary.to_json(), indent=1, allow_nan=False).encode())
    out.write("report.html", render_transfer(summary).encode())
    print_transfer(summary, Console())
    print(f"Report: {out / 'report.html'}")


def print_transfer(summary: "Transfer", console: "Console") -> None:
    """Print the rules, the predicted errors, and what they say."""
    from rich.table import Table

    from tips_ray.report.publish import on_terminal
    from tips_ray.report.text import mm
    from tips_ray.report.transfer.page import finding, predicted_by_arm

    table = Table(
        title="\nRegret over all runs, mm: rules with the best worst run", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for column in ("rule", "median", "worst", "worst in"):
        table.add_column(column)
    for entry in summary.rules[:MAX_RULES]:
        table.add_row(entry.rule, mm(entry.median_regret_mm), mm(entry.worst_regret_mm), on_terminal(entry.worst_in))
    console.print(table)
    rows = predicted_by_arm(summary)
    if rows:
        predicted = Table(title="\nPredicted error at the last epoch, mm", title_justify="left", box=None, padding=(0, 2, 0, 0))
        for column in ("study", "arm", "predicted", "90% interval", "true"):
            predicted.add_column(column)
        for row in rows:
            predicted.add_row(*(on_terminal(text) for text in row))
        console.print(predicted)
    for sentence in finding(summary):
        console.print(on_terminal(sentence), highlight=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Compare with a command line (by default this process's); returns the exit code."""
    return run_command(TransferOptions, transfer, __doc__, arguments, AGAIN)
