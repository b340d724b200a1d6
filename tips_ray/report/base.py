"""One page that opens offline: a template on `base.html.j2`, filled with values and figures."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from tips_ray.columns import label_of
from tips_ray.report import style, text
from tips_ray.report.alt_text import result_of

PAGES = Path(__file__).parent
CARTESIAN = PAGES / "vendor" / "plotly-cartesian.min.js"
"""npm's plotly.js-cartesian-dist-min; of the same version as the installed plotly's plotly.js, or
near it."""
LONG_TABLE = 15
"""Tables with more rows than this scroll."""


def environment(autoescape: bool = True) -> Environment:
    """The templates of this folder, with the filters that they use."""
    made = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "ends": text.ends,
        "mm": text.mm,
        "span": text.span,
        "verdict": text.verdict,
        "folded": text.folded,
        "percent": text.percent,
    }
    made.filters["label"] = label_of
    return made


def filled(
    template: str,
    drawn: Mapping[str, go.Figure],
    choices: Sequence[Mapping[str, Any]] = (),
    scripts: Sequence[str] = (),
    content: Mapping[str, Any] | None = None,
    **values: Any,
) -> str:
    """A page on `base.html.j2`, filled with values; its figures stand in the elements "plot-" and
    their name.

    Each of `choices` is a dropdown that several figures share: {label, plots, traces, options:
    [{label, y}]}, where `plots` names the figures, and an option's `y` has the values of each of
    `traces` (their places within a figure). `scripts` are a page's own, which find `content` in the
    element "content".
    """
    scripts = [*((PAGES / name).read_text(encoding="utf-8") for name in ("page.js", "tables.js")), *scripts]
    library = plotly_for(drawn.values()) if drawn else ""
    contents = {name: plain(figure) for name, figure in drawn.items()}
    figures = json.dumps(contents, allow_nan=False, separators=(",", ":"))
    results = {name: result for name, figure in contents.items() if (result := result_of(figure))}
    return (
        environment()
        .get_template(template)
        .render(
            drawn=list(drawn),
            packed={"plotly": packed(library), "figures": packed(figures)} if drawn else {},
            content=escaped({"choices": list(choices), "themes": themes(), "results": results, **(content or {})}),
            scripts=scripts,
            policy=policy([*scripts, *([library] if drawn else [])]),
            **values,
        )
    )


def plotly_for(drawn: Iterable[go.Figure]) -> str:
    """The library that draws these figures: plotly.js whole where one is a scene in 3D, or else its
    part for plane axes, which is a third of it."""
    if any(isinstance(trace, go.Scatter3d) for figure in drawn for trace in figure.data):
        return get_plotlyjs()
    return CARTESIAN.read_text(encoding="utf-8")


def packed(text: str) -> str:
    """A text as base64 of gzip, which `page.js` unpacks: a third as large."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def policy(scripts: Sequence[str]) -> str:
    """A content security policy that lets these scripts run, and no other; nothing is fetched."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"


def allow_script(page: str, script: str) -> str:
    """A page with one more script, which may ask the server that the page came from."""
    own = f"script-src {policy([script]).partition('script-src ')[2].partition(';')[0]} "
    allowed = page.replace("script-src ", own, 1).replace("img-src data: blob:", "img-src data: blob:; connect-src 'self'", 1)
    head, end, tail = allowed.rpartition("</body>")
    return f"{head}<script>{script}</script>\n{end}{tail}"


def with_library_beside(page: str, address: str) -> str:
    """A page that loads the library for plane axes from a file of the same server, so that several
    pages share it; without figures, or with one in 3D, the page as it is."""
    library = packed(CARTESIAN.read_text(encoding="utf-8"))
    inside = f'<script type="application/octet-stream" id="plotly">{library}</script>'
    beside = page.replace(inside, f'<script id="plotly" src="{address}"></script>', 1)
    return page if beside == page else beside.replace("script-src ", "script-src 'self' ", 1)


def plain(figure: go.Figure) -> dict[str, Any]:
    """A figure as JSON values, without markup in names.

    Its template is left out: the page gives all figures the light or the dark one.
    """
    content = json.loads(str(figure.to_json()), object_hook=literal_values)
    content["layout"].pop("template", None)
    return content


def literal_values(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry of a figure with its texts made literal, also those in lists."""
    return {key: literal(value) for key, value in entry.items()}


def literal(value: Any) -> Any:
    """Text in which Plotly finds no markup but the line breaks and the `<extra>` of this package's
    own labels; other values as they are."""
    if isinstance(value, list):
        return [literal(item) for item in value]
    return re.sub(r"<(?!/?extra>|br>)", "&lt;", value.replace("&", "&amp;")) if isinstance(value, str) else value


def themes() -> dict[str, Any]:
    """The figures' templates by colour scheme."""
    return {"light": style.theme(), "dark": style.theme(dark=True)}


def escaped(content: Any) -> str:
    """JSON for a script element: no value of it can end the element."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\u0021--")
