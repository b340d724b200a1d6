"""A figure of a report as a file for a paper: PDF, SVG or PNG.

tips-ray figure reports/CAMPAIGN regret --out regret.pdf
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tips_ray.errors import UserError
from tips_ray.studies.options import AGAIN, run_command


@dataclass(frozen=True)
class FigureOptions:
    """Draw one figure of the report of a study or a search, always on white."""

    campaign: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")]
    """Folder of the campaign, as the study printed it."""
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """The figure, such as errors, regret or rules; `list` prints the names of all."""
    out: Path | None = None
    """The file, which ends with .pdf, .svg or .png; by default CAMPAIGN-NAME.pdf."""
    metric: Literal["", "p_mpjpe_signed_mm", "p_mpjpe_reflected_mm", "p_mpjpe_mm", "n_mpjpe_mm", "mpjpe_mm"] = ""
    """The error to draw, of figures that have a dropdown of them; by default the headline's."""
    width: int = 720
    """Of the figure, in pixels of a page: 96 are an inch. A PNG has three for each of them."""
    height: int | None = None
    """The same; by default as on the page."""

    def __post_init__(self) -> None:
        for option, size in (("--width", self.width), ("--height", self.height)):
            if size is not None and not 100 <= size <= 5000:
                raise UserError(f"{option} is {size}; give 100 to 5000 pixels.")


def figure(options: FigureOptions) -> None:
    """Draw the figure, and print the file's name."""
    from tips_ray.report.picture import check_picture, with_metric, write_picture
    from tips_ray.report.publish import figures_of
    from tips_ray.store.names import safe_name
    from tips_ray.store.storage import Storage

    folder = Storage(options.campaign)
    default = Path(safe_name(f"{options.campaign.rstrip('/').rpartition('/')[2]}-{options.name}") + ".pdf")
    out = options.out or default
    browser = "" if options.name == "list" else check_picture(out)
    drawn = figures_of(folder)
    if options.name == "list":
        print("\n".join(drawn))
        return
    if options.name not in drawn:
        raise UserError(f"There is no figure {options.name!r} in '{folder}'; it has {', '.join(drawn) or 'none yet'}.")
    chosen = with_metric(drawn[options.name], options.metric) if options.metric else drawn[options.name]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_picture(chosen, out, browser, options.width, options.height)
    print(out)


def main(arguments: list[str] | None = None) -> int:
    """Draw with a command line (by default this process's); returns the exit code."""
    return run_command(FigureOptions, figure, __doc__, arguments, AGAIN)
