"""One page that opens offline: a template on `base.html.j2`, filled with values and figures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from tips_ray.report import style, text

LONG_TABLE = 15
"""Tables with more rows than this scroll."""


def filled(template: str, drawn: Mapping[str, go.Figure], choices: Sequence[Mapping[str, Any]] = (), **values: Any) -> str:
    """A page on `base.html.j2`, filled with values; its figures stand in the elements "plot-" and
    their name.

    Each of `choices` is a dropdown that several figures share: {label, plots, traces, options:
    [{label, y}]}, where `plots` names the figures, and an option's `y` has the values of each of
    `traces` (their places within a figure).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ends": text.ends,
        "mm": text.mm,
        "span": text.span,
        "verdict": text.verdict,
        "folded": text.folded,
    }
    content = {"figures": {name: plain(figure) for name, figure in drawn.items()}, "choices": list(choices), "themes": themes()}
    return environment.get_template(template).render(
        drawn=list(drawn), content=escaped(content), plotlyjs=get_plotlyjs(), **values
    )


def plain(figure: go.Figure) -> dict[str, Any]:
    """A figure as JSON values without its template: the page gives all figures the template of the
    day or the night."""
    content = json.loads(str(figure.to_json()))
    content["layout"].pop("template", None)
    return content


def themes() -> dict[str, Any]:
    """The figures' templates by colour scheme."""
    return {"light": style.theme(), "dark": style.theme(dark=True)}


def escaped(content: Any) -> str:
    """JSON for a script element: no value of it can end the element."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\u0021--")
