"""A figure of a report as a file for a paper: PDF, SVG or PNG, always on white. A browser draws it,
the same as on the page; nothing is fetched from the network."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import plotly.graph_objects as go

from tips_ray.columns import label_of
from tips_ray.errors import UserError
from tips_ray.report import style
from tips_ray.report.base import escaped, plain, plotly_for
from tips_ray.store.atomic import replace_file

FORMATS = (".pdf", ".svg", ".png")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PNG_SCALE = 3
"""Pixels of a PNG in each of the page's."""
SECONDS = 120.0
"""For the browser to draw, on a machine that trains beside it."""
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--virtual-time-budget=20000")

PAGE = """<!doctype html>
<meta charset="utf-8">
<style>@page {{ size: {width}px {height}px; margin: 0; }} body {{ margin: 0; }}</style>
<div id="plot"></div>
<script>{plotly}</script>
<script>
const figure = {figure}, size = {{ width: {width}, height: {height} }};
Object.assign(figure.layout, size);
{action}
</script>
"""
SHOW = 'Plotly.newPlot("plot", figure.data, figure.layout, { staticPlot: true });'
"""For a PDF, which the browser prints."""
HAND_OVER = (
    'Plotly.toImage(figure, {{ format: "{kind}", scale: {scale}, ...size }}).then((url) => (document.body.textContent = url));'
)
"""For other formats: the image is the text of the page."""


def check_picture(path: Path) -> str:
    """The program of a browser that can draw to this path; raises UserError for another kind of
    file, and where there is no browser."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"--out {str(path)!r} is no picture's name; let it end with {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
    browser = next((program for name in BROWSERS if (program := shutil.which(name))), None)
    if browser is None:
        raise UserError(
            "A figure is drawn by Chromium or Chrome, and none is on the path; install one (Debian: apt-get install chromium), or"
            " save the figure by the buttons of the report."
        )
    return browser


def with_metric(figure: go.Figure, metric: str) -> go.Figure:
    """A figure as its dropdown shows it for this metric; raises UserError where it has none."""
    menu = figure.to_plotly_json()["layout"].get("updatemenus") or [{"buttons": []}]
    buttons = {button["label"]: button["args"] for button in menu[0]["buttons"]}
    if label_of(metric) not in buttons:
        names = f"has {', '.join(buttons)}" if buttons else "has one metric only"
        raise UserError(f"--metric {metric} is not in this figure, which {names}.")
    data, layout = buttons[label_of(metric)]
    traces: Any = figure.data
    for place, trace in enumerate(traces):
        trace.update({name: values[place] for name, values in data.items()})
    return figure.update_layout({name.replace(".", "_"): value for name, value in layout.items()})


def write_picture(figure: go.Figure, path: Path, browser: str, width: int = 720, height: int | None = None) -> None:
    """Draw a figure to a file whose name says the format; sizes are in pixels of a page, 96 to an
    inch, and the height is by default that of the report."""
    content = white(figure)
    high = height or int(content["layout"].get("height") or 450)
    kind = path.suffix.lower().removeprefix(".")
    action = SHOW if kind == "pdf" else HAND_OVER.format(kind=kind, scale=PNG_SCALE if kind == "png" else 1)
    page = PAGE.format(width=width, height=high, plotly=plotly_for([figure]), figure=escaped(content), action=action)
    with tempfile.TemporaryDirectory(prefix="tips-ray-figure-") as folder:
        source, printed = Path(folder) / "figure.html", Path(folder) / "figure.pdf"
        source.write_text(page, encoding="utf-8")
        output = [f"--print-to-pdf={printed}", "--no-pdf-header-footer"] if kind == "pdf" else ["--dump-dom"]
        command = [browser, *OPTIONS, f"--user-data-dir={folder}/profile", *output, source.as_uri()]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"{browser} has not drawn the figure in {SECONDS:.0f} s; try again when the machine is less busy."
            ) from error
        image = printed.read_bytes() if kind == "pdf" and printed.exists() else decoded(ended.stdout)
    if not image:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise UserError(f"{browser} has drawn nothing ({last}); save the figure by the buttons of the report.")
    replace_file(path, image)


def decoded(page: str) -> bytes:
    """The image whose data URL is the text of a page; empty where there is none."""
    found = re.search(r"data:image/[\w+]+(;base64)?,([^<\s]*)", page)
    if not found:
        return b""
    return base64.b64decode(found[2]) if found[1] else unquote_to_bytes(found[2])


def white(figure: go.Figure) -> Mapping[str, Any]:
    """A figure as JSON values, dark on white and without its dropdown."""
    content = json.loads(json.dumps(plain(figure)))
    content["layout"].pop("updatemenus", None)
    content["layout"] |= {"template": style.theme(), "paper_bgcolor": "white"}
    return content
