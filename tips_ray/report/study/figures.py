"""Tables in, Plotly figures out. `tables` builds what is drawn here."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tips_ray.columns import BY_NAME, HEADLINE_METRIC, METRICS, label_of
from tips_ray.report.study import stop_figures, stop_tables, tables
from tips_ray.report.study.forest import draw_forest
from tips_ray.report.study.ingredient_tables import BaseEffects, change, effects_by_base
from tips_ray.report.study.screening_tables import RESPONSE_LABELS, effects_of_bases, level_label
from tips_ray.report.style import FIXED_COLOURS, OTHER_COLOURS, faded, finish, rounded
from tips_ray.stability.screening import FactorEffect
from tips_ray.stability.summary import Summary

FIRST_PART = 0.1
"""Of the epochs; the range of an error axis leaves them out, since errors there hide all others."""
ROOM = 0.05
"""Above and below what a range shows, as a share of it."""
MAX_LINE_POINTS = 200
"""Of the thin line of a run and of the edges of a band, about."""
MATTERS, WHOLE = "where it matters", "from epoch 1"
"""What an axis of errors shows."""


def draw_all(
    curves: pd.DataFrame, summary: Summary, panels: Mapping[str, pd.DataFrame], colours: Mapping[str, str]
) -> dict[str, go.Figure]:
    """The figures by name, panels by that of their term; one for which there is nothing to draw is
    left out. `curves` are those of the arms to draw."""
    synthetic = bool(summary.data.get("synthetic"))
    drawn = {
        f"ingredients-{place}": draw_ingredients(group, colours[group.base], synthetic)
        for place, group in enumerate(effects_by_base(summary), start=1)
        if any(effect.whole.n for effect in group.effects)
    }
    for place, (base, effects) in enumerate(effects_of_bases(summary).items(), start=1):
        drawn[f"screening-{place}"] = draw_screening(base, effects, colours.get(base, OTHER_COLOURS[0]), synthetic)
    if curves.empty:
        return drawn
    metrics = [metric for metric in METRICS if metric in curves]  # none where all runs diverged in their first epoch
    lines = {metric: tables.reference_lines(summary, metric) for metric in metrics}
    bands = {metric: tables.seed_band(curves, metric) for metric in metrics}
    runs = {metric: tables.seed_lines(curves, metric) for metric in metrics}
    if metrics:
        regret = tables.regret_table(curves, metrics[0], without=list(summary.supervised))
        if len(regret):
            lines_of_regret = tables.regret_lines(curves, metrics[0], without=list(summary.supervised))
            drawn["regret"] = draw_regret(regret, lines_of_regret, colours, synthetic)
        drawn["errors"] = draw_error_curves(bands, runs, lines, colours, synthetic)
        profile = tables.profile_table(curves, [arm for arm in tables.arms_of(curves) if arm in summary.shown])
        if profile["bound"].nunique() > 1:
            drawn["profile"] = draw_profile(profile, colours, synthetic)
    if summary.stop_rules:
        scores = [score for scores in stop_tables.rules_to_show(summary).values() for score in scores]
        drawn["rules"] = stop_figures.draw_rules(scores, colours, synthetic)
    sensitivities = {arm: codependence.sensitivity for arm, codependence in stop_tables.codependence_to_show(summary).items()}
    top = max((max(map(max, sensitivity)) for sensitivity in sensitivities.values()), default=1.0)
    for place, (arm, sensitivity) in enumerate(sensitivities.items(), start=1):
        drawn[f"codependence-{place}"] = stop_figures.draw_codependence(arm, sensitivity, top, synthetic)
    return drawn | {
        term: draw_term(table, term, colours, synthetic) for table in panels.values() for term in table["term"].unique()
    }


def draw_error_curves(
    bands: Mapping[str, pd.DataFrame],
    lines: Mapping[str, pd.DataFrame],
    references: Mapping[str, Mapping[str, float]],
    colours: Mapping[str, str],
    synthetic: bool,
) -> go.Figure:
    """Error by epoch with seed bands, the twin of the paper's Figure 3; the first metric shows, a
    dropdown changes it.

    bands: `tables.seed_band` by metric; lines: `tables.seed_lines` by metric; references:
    `tables.reference_lines` by metric. Arms that have a reference line are not drawn as curves.
    Single runs are thin lines that say their seeds; those that diverged end in a cross.
    """
    views, ranges = {}, {}
    end = max((int(epoch) for table in lines.values() for epoch in table["epoch"]), default=1)
    names = list(dict.fromkeys(name for values in references.values() for name in values))
    for metric, table in bands.items():
        runs = lines[metric]
        arms = [arm for arm in runs["arm"].unique() if arm not in names]
        traces = [trace for arm in arms for trace in run_traces(runs[runs["arm"] == arm], arm, colours[arm])]
        traces += [trace for arm in arms for trace in band_traces(table[table["arm"] == arm], arm, colours[arm], "mm", AT_EPOCH)]
        traces += [trace for arm in arms for trace in cross_traces(runs[runs["arm"] == arm], arm, colours[arm])]
        traces += [_reference(name, references[metric].get(name), end) for name in names]
        views[metric] = traces
        ranges[metric] = range_that_matters(runs[~runs["arm"].isin(names)], [*references[metric].values()])
    figure = _switchable(views, ranges, {metric: f"{label_of(metric)} (mm)" for metric in views}, synthetic)
    return figure.update_xaxes(range=[1, end]) if end > 1 else figure


def draw_regret(table: pd.DataFrame, lines: pd.DataFrame, colours: Mapping[str, str], synthetic: bool) -> go.Figure:
    """What stopping at each epoch costs, by arm with seed bands above the lines of single runs;
    `table` is `tables.regret_table`, `lines` `tables.regret_lines`."""
    arms = list(table["arm"].unique())
    traces = [trace for arm in arms for trace in run_traces(lines[lines["arm"] == arm], arm, colours[arm])]
    traces += [trace for arm in arms for trace in band_traces(table[table["arm"] == arm], arm, colours[arm], "mm", AT_EPOCH)]
    titles, top = {HEADLINE_METRIC: "Error above the run's best (mm)"}, range_that_matters(lines)
    figure = _switchable({HEADLINE_METRIC: traces}, {HEADLINE_METRIC: [0.0, top[1]] if top else None}, titles, synthetic)
    return figure.update_layout(yaxis_rangemode="tozero", height=380)


def draw_profile(table: pd.DataFrame, colours: Mapping[str, str], synthetic: bool) -> go.Figure:
    """What share of runs × actions errs at most by a bound, by arm with seed bands; `table` is
    `tables.profile_table`."""
    traces = [
        trace
        for arm in table["arm"].unique()
        for trace in band_traces(table[table["arm"] == arm], arm, colours[arm], "%", " up to %{x} mm", "bound")
    ]
    figure = finish(go.Figure(traces), synthetic, 380).update_layout(hovermode="closest")
    halves = [f"{arm} {rows.loc[rows['mean'] >= 50, 'bound'].min():.3g} mm" for arm, rows in table.groupby("arm", sort=False)]
    figure.update_layout(meta={"result": f"Half of runs × actions err at most by: {', '.join(halves)}."})
    figure.update_yaxes(title_text="runs × actions with such an error or less (%)", range=[-2, 102], automargin=False)
    return figure.update_xaxes(title_text="error over the last half of training (mm)", automargin=False)


def range_that_matters(lines: pd.DataFrame, references: Sequence[float] = ()) -> list[float] | None:
    """The ends of an axis that shows all runs after the first epochs, and the references that are
    not far from them; None where there is nothing."""
    late = lines.loc[lines["epoch"] > FIRST_PART * lines["epoch"].max(), "value"].dropna().to_numpy(float)
    if not len(late):
        return None
    low, high = float(late.min()), float(late.max())
    near = [value for value in references if low - (high - low) / 2 <= value <= high + (high - low) / 2]
    low, high = min(low, *near, high), max(high, *near, low)
    room = ROOM * (high - low) or ROOM * abs(high) or 1.0
    return [round(low - room, 2), round(high + room, 2)]


def draw_ingredients(group: BaseEffects, colour: str, synthetic: bool) -> go.Figure:
    """What the variants of one arm change, the ingredient that is worth most at the top."""
    series = {
        "half of the epochs": [effect.half for effect in group.effects],
        "all epochs": [effect.whole for effect in group.effects],
    }
    labels = [change(effect) for effect in group.effects]
    return draw_forest(labels, series, group.base, f"error minus that of {group.base} (mm)", colour, synthetic)


def draw_screening(base: str, effects: Mapping[str, Sequence[FactorEffect]], colour: str, synthetic: bool) -> go.Figure:
    """What each factor of a design does to the rows of a base, the largest effect at the top."""
    series = {RESPONSE_LABELS[name]: effects[name] for name in ("spread", "last_half")}
    labels = [level_label(effect) for effect in effects["last_half"]]
    return draw_forest(labels, series, base, f"effect on {base} (mm)", colour, synthetic)


def draw_term(table: pd.DataFrame, term: str, colours: Mapping[str, str], synthetic: bool) -> go.Figure:
    """One panel of small multiples: one term by epoch with seed bands; `table` is
    `tables.term_table`.

    Without a legend, as panels share one. Depth signs are drawn without bands: an interval of a
    mean of +1 and -1 says nothing.
    """
    rows = tables.thinned(table[table["term"] == term])
    traces = [trace for arm in rows["arm"].unique() for trace in band_traces(rows[rows["arm"] == arm], arm, colours[arm], "")]
    if term == "depth_sign":
        traces = [trace for trace in traces if trace.name]
    figure = finish(go.Figure(traces), synthetic, 250).update_layout(showlegend=False, margin_t=38)
    figure.update_layout(title={"text": label_of(term), "font": {"size": 14}, "x": 0, "y": 0.97, "yanchor": "top"})
    if term == "depth_sign":
        figure.update_yaxes(range=[-1.1, 1.1], tickvals=[-1, 0, 1])
    if term in BY_NAME and BY_NAME[term].share:
        figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(automargin=False)
    return figure.update_xaxes(title_text="epoch", unifiedhovertitle_text="epoch %{x}", automargin=False)


AT_EPOCH = ", epoch %{x}"
"""What a label says of a point, where hovering shows one alone."""


def band_traces(table: pd.DataFrame, arm: str, colour: str, unit: str, where: str = "", by: str = "epoch") -> list[go.Scatter]:
    """A band around a line, the mean, by a column of the table; hidden and shown together by the
    legend. `where` is said of each point."""
    seeds = int(max(table["n"], default=0))
    places, low, high = table[by].tolist(), rounded(table["low"], coarse=True), rounded(table["high"], coarse=True)
    label = f"{arm} (n = {seeds})" if seeds > 1 else f"{arm} (n = 1 seed, no interval)" if seeds else f"{arm} (no finished run)"
    span = " (band %{customdata[0]:.4g} to %{customdata[1]:.4g})" if seeds > 1 else ""
    mean = go.Scatter(
        x=places,
        y=rounded(table["mean"], coarse=True),
        customdata=[list(ends) for ends in zip(low, high, strict=True)] if seeds > 1 else None,
        mode="lines" if len(places) > 1 else "markers",
        line={"width": 2, "color": colour},
        marker={"color": colour},
        name=label,
        legendgroup=arm,
        showlegend=True,
        hovertemplate=f"{arm}{where}: %{{y:.4g}} {unit}{span}<extra></extra>",
    )
    if seeds < 2:
        return [mean]
    edges = table[["low", "high"]].apply(lambda edge: edge.fillna(table["mean"]).interpolate(limit_direction="both"))
    step = math.ceil(len(table) / MAX_LINE_POINTS)
    edges, places = edges.iloc[::-step].iloc[::-1], places[::-step][::-1]  # the last is among them
    area = go.Scatter(
        x=[*places, *reversed(places)],
        y=[*rounded(edges["high"], coarse=True), *reversed(rounded(edges["low"], coarse=True))],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=faded(colour, 0.2),
        legendgroup=arm,
        showlegend=False,
        hoverinfo="skip",
    )
    return [area, mean]


def run_traces(lines: pd.DataFrame, arm: str, colour: str) -> list[go.Scatter]:
    """Thin lines of single runs that say their seeds, all in one trace with gaps; of a single run
    only where it diverged, since it is the mean."""
    drawn = lines if lines["seed"].nunique() > 1 else lines[lines["diverged"]]
    x: list[float | None] = []
    y: list[float | None] = []
    seeds: list[int | None] = []
    for seed, whole in drawn.groupby("seed"):
        run = extremes(whole)
        x += [*run["epoch"].tolist(), None]
        y += [*rounded(run["value"], coarse=True), None]
        seeds += [int(str(seed))] * (len(run) + 1)
    traces = []
    if x:
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                customdata=seeds,
                mode="lines",
                line={"width": 1, "color": faded(colour, 0.45)},
                legendgroup=arm,
                showlegend=False,
                hovertemplate=f"{arm}, seed %{{customdata}}, epoch %{{x}}: %{{y}}<extra></extra>",
            )
        )
    return traces


def extremes(run: pd.DataFrame) -> pd.DataFrame:
    """Of a long run, blocks of epochs of which the lowest and the highest value are kept, and its
    ends: no spike is lost."""
    if len(run) <= MAX_LINE_POINTS:
        return run
    values, places = run["value"].to_numpy(float), np.arange(len(run))
    blocks, known = places * MAX_LINE_POINTS // (2 * len(run)), places[~np.isnan(values)]
    kept = np.isin(places, [0, len(run) - 1])
    for heights in (values, -values):
        ordered = known[np.lexsort((heights[known], blocks[known]))]
        kept[ordered[np.diff(blocks[ordered], prepend=-1) > 0]] = True
    return run[kept]


def cross_traces(lines: pd.DataFrame, arm: str, colour: str) -> list[go.Scatter]:
    """Crosses where the runs of an arm diverged."""
    lost = lines[lines["diverged"]]
    ends = lost.dropna(subset="value").groupby("seed").tail(1)  # the last row of a diverged run may hold no error
    if ends.empty:
        return []
    return [
        go.Scatter(
            x=ends["epoch"].tolist(),
            y=rounded(ends["value"]),
            mode="markers",
            marker={"symbol": "x", "size": 9, "color": colour},
            cliponaxis=False,
            name=f"{arm}: run diverged",
            text=[
                f"{arm}, seed {seed}: diverged in epoch {lost.loc[lost['seed'] == seed, 'epoch'].max()}" for seed in ends["seed"]
            ],
            hovertemplate="%{text}<extra></extra>",
            legendgroup=arm,
        )
    ]


def _reference(name: str, value: float | None, end: int) -> go.Scatter:
    label, dash = ("flat prediction (z = 0)", "dot") if name == "flat" else (f"{name}, last half (saw labels)", "dash")
    colour = FIXED_COLOURS.get(name, FIXED_COLOURS["flat"])
    y = rounded(pd.Series([value, value], dtype=float))
    line = {"width": 1.5, "dash": dash, "color": colour}
    return go.Scatter(
        x=[1, end], y=y, mode="lines", line=line, name=label, hovertemplate=f"{label}: %{{y:.4g}} mm<extra></extra>"
    )


def _switchable(
    views: Mapping[str, list[go.Scatter]],
    ranges: Mapping[str, list[float] | None],
    titles: Mapping[str, str],
    synthetic: bool,
) -> go.Figure:
    """The first view as a figure, with a dropdown that puts another view's values into the same
    traces (the legend stays; the first view's own are not kept twice), and one that shows all
    values or the range that matters."""
    figure = go.Figure(next(iter(views.values()), []))
    buttons = [
        {
            "label": label_of(metric),
            "method": "update",
            "args": [
                {key: [list(trace[key] or ()) for trace in traces] for key in ("x", "y", "customdata")} if place else {},
                {"yaxis.title.text": titles[metric], "yaxis.range": ranges[metric], "yaxis.autorange": ranges[metric] is None},
            ],
        }
        for place, (metric, traces) in enumerate(views.items())
    ]
    first = next(iter(ranges.values()), None)
    extents = [
        {"label": MATTERS, "method": "relayout", "args": [{"yaxis.range": first}]},
        {"label": WHOLE, "method": "relayout", "args": [{"yaxis.autorange": True}]},
    ]
    menus = [*([("Metric", buttons)] if len(buttons) > 1 else []), *([("Range", extents)] if first else [])]
    figure.update_layout(updatemenus=[{"name": name, "buttons": given} for name, given in menus])
    figure.update_yaxes(title_text=next(iter(titles.values()), None), range=first, automargin=False)
    figure.update_xaxes(title_text="epoch", automargin=False)
    return finish(figure, synthetic, 460).update_layout(hovermode="closest")
