"""How do several studies, or versions of the code, differ: in how they were made, and in errors?

Takes the folders of studies, and pairs their runs by seed:

    tips-ray compare reports/A reports/B
"""

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import tyro

from tips_ray.errors import UserError
from tips_ray.studies.options import AGAIN, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from tips_ray.stability.comparison import Comparison


@dataclass(frozen=True)
class CompareOptions:
    """Write one page on several studies: what differs between them, and their errors, paired by
    seed."""

    campaigns: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME ...", help_behavior_hint="(required)")
    ]
    """Folders of two or more studies, as they printed them; all are compared with the first."""
    out: str = "reports/comparison"
    """Folder to write `report.html`, `comparison.json` and `comparison.csv` to."""

    def __post_init__(self) -> None:
        if len(self.campaigns) < 2:
            raise UserError(
                f"{len(self.campaigns) or 'No'} study is given; give the folders of two or more, as they printed them."
            )


def names_of(campaigns: tuple[str, ...]) -> list[str]:
    """What to call studies by their folders: the last part, with those before it where several end
    alike. Raises UserError for a folder that is given twice."""
    parts = [PurePosixPath(campaign.rstrip("/")).parts for campaign in campaigns]
    for length in range(1, 1 + max(map(len, parts))):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    twice = next(campaign for campaign, each in zip(campaigns, parts, strict=True) if parts.count(each) > 1)
    raise UserError(f"The study {twice!r} is given twice; give each once.")


def compare(options: CompareOptions) -> None:
    """Write the comparison, and print it."""
    import pandas as pd
    from rich.console import Console

    from tips_ray.report.publish import is_search
    from tips_ray.report.study.comparison_page import render_comparison
    from tips_ray.stability import comparison as comparisons
    from tips_ray.stability.campaign import load_campaign
    from tips_ray.store.storage import Storage

    folders = dict(zip(names_of(options.campaigns), map(Storage, options.campaigns), strict=True))
    searches = [name for name, folder in folders.items() if is_search(folder)]
    if searches:
        raise UserError(f"{searches[0]!r} is a search; give the folders of studies (`tips-ray report A B` merges searches).")
    campaigns = {name: load_campaign(folder) for name, folder in folders.items()}
    comparison = comparisons.compare(campaigns)
    out = Storage(options.out)
    out.write("comparison.json", json.dumps(comparison.to_json(), indent=1, allow_nan=False).encode())
    out.write("comparison.csv", pd.DataFrame(map(vars, comparison.paired)).to_csv(index=False).encode())
    out.write("report.html", render_comparison(comparison, campaigns).encode())
    print_comparison(comparison, Console())
    print(f"Report: {out / 'report.html'}")


def print_comparison(comparison: "Comparison", console: "Console") -> None:
    """Print what differs, and how the studies compare."""
    from rich.table import Table

    from tips_ray.report.study.comparison_page import cautions, findings
    from tips_ray.terminal import escaped

    table = Table(title="\nWhat differs", title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False)
    rows = [
        *((row.name, row.values) for row in comparison.made),
        *((f"{entry.setting.name} ({entry.arms or 'by arm'})", entry.setting.values) for entry in comparison.configs),
    ]
    for name, values in rows:
        for place, (whose, value) in enumerate(values.items()):
            table.add_row(escaped("" if place else name), escaped(whose), escaped(value))
    if rows:
        console.print(table)
    for sentence in findings(comparison):
        console.print(escaped(sentence), highlight=False, soft_wrap=True)
    for sentence in cautions(comparison):
        console.print(escaped(f"caution: {sentence}"), highlight=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Compare with a command line (by default this process's); returns the exit code."""
    return run_command(CompareOptions, compare, __doc__, arguments, AGAIN)
