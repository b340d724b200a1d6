"""The page of `tips-ray data info`: what a set of poses holds, and a few of its skeletons, in one
file that opens offline."""

from pathlib import Path

import jinja2
import numpy as np
from plotly.offline import get_plotlyjs

from tips_ray.data.poseset import PoseSet
from tips_ray.data.summary import Summary, cells
from tips_ray.report.data.viewer import COLOURS, facing_viewer, in_a_row, skeleton_figure
from tips_ray.store.atomic import replacing

MAX_SKELETONS = 8
"""Each is a WebGL scene; browsers keep 16 alive at most, some telephones 8."""

PLOT_OPTIONS = {"displayModeBar": False, "scrollZoom": False, "responsive": True}


def write_data_page(poses: PoseSet, summary: Summary, path: str | Path) -> None:
    """Write the page; raises OSError if the place cannot be written, and leaves nothing
    half-written."""
    page = TEMPLATE.render(
        summary=summary,
        skeletons=skeleton_cards(poses),
        tables={"Subjects": table(summary.subjects), "Actions": table(summary.actions)},
        colours=COLOURS,
        plotly_js=get_plotlyjs(),
    )
    with replacing(Path(path)) as temporary:
        temporary.write_text(page, encoding="utf-8")


def skeleton_cards(poses: PoseSet) -> list[dict[str, str]]:
    """A caption and a Plotly <div> for each example pose, all to one scale."""
    chosen = examples(poses)
    upright = facing_viewer(poses.positions[chosen].astype(float))
    upright[..., 1] -= upright[..., 1].min(axis=1, keepdims=True)
    reach, height = in_a_row(upright)[2], float(upright[..., 1].max())
    cards = []
    for frame, pose in zip(chosen, upright, strict=True):
        figure = skeleton_figure(pose, heights=(0.0, height), reach=reach).update_layout(showlegend=False)
        cards.append(
            {
                "action": str(poses.action[frame]),
                "origin": f"subject {poses.subject[frame]}, clip {poses.clip[frame]}",
                "plot": figure.to_html(full_html=False, include_plotlyjs=False, config=PLOT_OPTIONS, default_height="100%"),
            }
        )
    return cards


def examples(poses: PoseSet) -> list[int]:
    """Frames to show: the middle of the longest clip of each of the most frequent actions, or of
    the longest clips if all poses have one action.
    """
    groups = poses.action if len(poses.actions) > 1 else poses.clip
    names, counts = np.unique(groups, return_counts=True)
    frames = []
    for name in names[np.argsort(-counts, kind="stable")][:MAX_SKELETONS]:
        clips, sizes = np.unique(poses.clip[groups == name], return_counts=True)
        longest = np.flatnonzero((groups == name) & (poses.clip == clips[sizes.argmax()]))
        frames.append(int(longest[len(longest) // 2]))
    return frames


def table(frame) -> dict:
    """Columns, rows as text, and which columns hold numbers."""
    numeric = [bool(kind.kind in "if") for kind in frame.dtypes]
    return {"columns": list(frame.columns), "rows": cells(frame), "numeric": numeric}


TEMPLATE = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
).from_string(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ summary.name }}{{ " (synthetic)" if summary.synthetic }} · poses</title>
<style>
:root {
  --page: #ffffff; --card: #f6f7f9; --ink: #1b1f24; --soft: #5b636e; --line: #dde1e6; --link: #1769aa;
  --warn: #fff3d6; --warn-ink: #6b4700;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1d2127; --ink: #e6e9ed; --soft: #a0a8b3; --line: #343a43; --link: #7cc0f5;
    --warn: #3d2f0d; --warn-ink: #ffd97a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem;
  background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
}
h1 { margin: 0; font-size: 1.9rem; overflow-wrap: anywhere; } h2 { margin: 2.5rem 0 .75rem; font-size: 1.3rem; }
nav { margin: 1rem 0; } nav a { margin-right: 1.25rem; } a { color: var(--link); }
p, figcaption small { color: var(--soft); } .lead { margin: .25rem 0 0; }
.synthetic { margin: 1.25rem 0; padding: .75rem 1rem; border-radius: .5rem; background: var(--warn); color: var(--warn-ink); }
.skeletons { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .5rem .5rem .75rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
figure > div { height: 17rem; }
figcaption { padding: 0 .5rem; line-height: 1.35; overflow-wrap: anywhere; } figcaption small { display: block; }
.key span { margin-right: 1rem; white-space: nowrap; }
.key i { display: inline-block; width: 1.4rem; height: .3rem; margin-right: .4rem; border-radius: .2rem; vertical-align: middle; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; } .number { text-align: right; white-space: nowrap; }
.overview th { width: 11rem; color: var(--soft); font-weight: 600; } .overview td { overflow-wrap: anywhere; }
</style>
<script>{{ plotly_js | safe }}</script>
</head>
<body>
<header>
<h1>{{ summary.name }}</h1>
<p class="lead">{{ summary.overview["Poses"] }} poses of 17 joints, {{ summary.overview["Subjects"] }} subjects,
{{ summary.overview["Actions"] }} actions</p>
</header>
{% if summary.synthetic %}
<p class="synthetic"><strong>These poses are synthetic.</strong> A kinematic model made them; no human was measured.
What holds on them need not hold on people.</p>
{% endif %}
<nav aria-label="Contents">
{% for name in ["Overview", "Skeletons"] + tables | list %}
<a href="#{{ name | lower }}">{{ name }}</a>
{% endfor %}
</nav>
<h2 id="overview">Overview</h2>
<div class="scroll"><table class="overview"><tbody>
{% for name, value in summary.overview.items() %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</tbody></table></div>
<h2 id="skeletons">Skeletons</h2>
<p>The middle pose of {{ "the longest clip of each of the most frequent actions" if summary.actions | length > 1 else
"each of the longest clips" }}{{ " (synthetic)" if summary.synthetic }}.
Turned about the vertical to face you, stood on the ground, to one scale. Drag to turn.</p>
<p class="key">
{% for side, colour in colours.items() %}
<span><i style="background: {{ colour }}"></i>{{ side }}</span>
{% endfor %}
(the person's own left and right)</p>
<div class="skeletons">
{% for card in skeletons %}
<figure><div>{{ card.plot | safe }}</div><figcaption>{{ card.action }}<small>{{ card.origin }}</small></figcaption></figure>
{% endfor %}
</div>
{% for name, table in tables.items() %}
<h2 id="{{ name | lower }}">{{ name }}</h2>
<div class="scroll"><table>
<thead><tr>
{% for column in table.columns %}
<th scope="col" class="{{ "number" if table.numeric[loop.index0] else "text" }}">{{ column }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows %}
<tr>
{% for value in row %}
<td class="{{ "number" if table.numeric[loop.index0] else "text" }}">{{ value }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
</body>
</html>
"""
)
