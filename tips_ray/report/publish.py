"""From what a campaign stored to its summary, its curves in one file, and its report."""

import json
from collections.abc import Sequence

import plotly.graph_objects as go
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.lift.kept import kept_lifter
from tips_ray.lift.lifter import Lifter
from tips_ray.report.search.headline import finding as search_finding
from tips_ray.report.search.page import render_search, search_figures
from tips_ray.report.search.tables import best_and_starts, short_names
from tips_ray.report.study import label_free
from tips_ray.report.study.answers import answer_sentences, early_sentences
from tips_ray.report.study.benchmark_text import print_benchmarks
from tips_ray.report.study.headline import finding, headline_rows
from tips_ray.report.study.label_free import label_free_figures, render_label_free
from tips_ray.report.study.page import STATISTIC_LABELS, render, study_figures
from tips_ray.report.study.predictions import draw_predictions
from tips_ray.report.text import as_text
from tips_ray.search.confirmation import CONFIRMATION
from tips_ray.search.summary import SearchSummary, summarise_search
from tips_ray.search.trials import merge, read_tables
from tips_ray.stability.bodies import lifted_views
from tips_ray.stability.campaign import LoadedCampaign, load_campaign
from tips_ray.stability.label_free import LabelFreeSummary, summarise_label_free
from tips_ray.stability.predictions import Predictions, predictions
from tips_ray.stability.statistics import STATISTICS
from tips_ray.stability.summary import Summary, summarise
from tips_ray.store.records import SEARCH, holds
from tips_ray.store.storage import Storage


def publish(folder: Storage) -> Summary | LabelFreeSummary:
    """Write `summary.json`, `curves.parquet` and `report.html` of the campaign in a folder; returns
    the summary.

    Needs nothing but what the runs stored, so that it can be done at any time, also while they
    train. Raises ValueError if there is no campaign in the folder.
    """
    campaign = load_campaign(folder)
    folder.write_table("curves.parquet", campaign.curves)
    summary, page = study_page(campaign, folder)
    folder.write("summary.json", json.dumps(summary.to_json(), indent=1, allow_nan=False).encode())
    folder.write("report.html", page.encode())
    return summary


def study_page(campaign: LoadedCampaign, folder: Storage) -> tuple[Summary | LabelFreeSummary, str]:
    """The summary and the report of a campaign in a folder; nothing is written."""
    if campaign.manifest["data"]["labelled"]:
        summary = summarise(campaign)
        predicted = predictions(campaign, folder, list(summary.shown))
        return summary, render(campaign.curves, summary, predicted, chosen_lifters(folder, predicted))
    summary = summarise_label_free(campaign)
    return summary, render_label_free(campaign.curves, summary, lifted_views(campaign, list(summary.arms)))


def page_of(folder: Storage) -> str:
    """The report of the study or search in a folder, made anew; nothing is written. Raises
    ValueError if there is neither."""
    if is_search(folder):
        tables = read_tables(folder)
        return render_search(summarise_search(tables, folder), tables.surface)
    return study_page(load_campaign(folder), folder)[1]


def figures_of(folder: Storage) -> dict[str, go.Figure]:
    """The figures of the report of the study or search in a folder, by name. Raises ValueError if
    there is neither."""
    if is_search(folder):
        tables = read_tables(folder)
        return search_figures(summarise_search(tables, folder), tables.surface)
    campaign = load_campaign(folder)
    if campaign.manifest["data"]["labelled"]:
        summary = summarise(campaign)
        predicted = predictions(campaign, folder, list(summary.shown))
        synthetic = bool(summary.data.get("synthetic"))
        return study_figures(campaign.curves, summary) | draw_predictions(predicted, synthetic)
    summary = summarise_label_free(campaign)
    return label_free_figures(campaign.curves, summary, lifted_views(campaign, list(summary.arms)))


def chosen_lifters(folder: Storage, predicted: Predictions) -> dict[str, Lifter]:
    """The lifters in a campaign's folder that have the weights to use, by arm."""
    kept = {arm: kept_lifter(folder, arm) for arm in predicted.choices}
    return {
        arm: lifter
        for arm, choice in predicted.choices.items()
        if (lifter := kept[arm]) and lifter.card.has(choice.seed, str(choice.window))
    }


def publish_search(folder: Storage) -> SearchSummary:
    """Write `summary.json`, `trials.parquet`, `surface.parquet` and `report.html` of the search in
    a folder, and the report of its confirmation; returns its summary. Raises ValueError if there is
    no search in the folder.
    """
    tables = read_tables(folder)
    summary = summarise_search(tables, folder)
    folder.write_table("trials.parquet", tables.trials)
    folder.write_table("surface.parquet", tables.surface)
    folder.write("summary.json", json.dumps(summary.to_json(), indent=1, allow_nan=False).encode())
    folder.write("report.html", render_search(summary, tables.surface).encode())
    if summary.confirmation:
        publish(folder / CONFIRMATION)
    return summary


def publish_merged(folders: Sequence[Storage], out: Storage, name: str) -> SearchSummary:
    """Write one report of several searches to `out/name`, without their confirmations; returns its
    summary.

    Raises ValueError for searches that differ in objective, budget or data, whose trials cannot be
    compared.
    """
    merged = merge([read_tables(folder) for folder in folders])
    summary = summarise_search(merged)
    out.write(name, render_search(summary, merged.surface).encode())
    return summary


def is_search(folder: Storage) -> bool:
    """Whether a search, rather than a study, is kept in a folder."""
    return holds(folder, SEARCH)


def print_search(summary: SearchSummary, console: Console, num_shown: int = 5) -> None:
    """Print the best trials of a search, its first, and the finding."""
    labels = {"error_mm": "error", "instability_mm": "instability", "label_free": "consistency", "signals": "signals"}
    errors = ("error_mm", "instability_mm") if summary.labelled else ()
    labels = {key: label for key, label in labels.items() if key in (*errors, *summary.objective_columns)}
    by = f"{' and '.join(labels[key] for key in summary.objective_columns)}{' (oracle)' if summary.oracle else ''}"
    over = f"; {summary.metric}" if summary.metric else ""
    console.print(f"\nBest trials by {by}{over} over the last half of the epochs, mean over seeds", soft_wrap=True)
    best = best_and_starts(summary, num_shown)
    table = Table("trial", box=None, padding=(0, 2, 0, 0))  # a column a trial: searched fields may be many, and have long names
    for trial in best:
        label = f"{trial['trial'].rpartition('trial-')[0]}{trial['number']}"  # of merged searches, with the search
        table.add_column(on_terminal(label + (" (start)" if trial["baseline"] else "")), justify="right", overflow="fold")
    for key, label in labels.items():
        table.add_row(label, *(as_text(trial[key], ".1f" if key.endswith("_mm") else ".3g") for trial in best))
    for path, label in short_names(list(summary.space)).items():
        table.add_row(on_terminal(label), *(on_terminal(as_text(trial[path])) for trial in best))
    if best:
        console.print(table)
    console.print(on_terminal(search_finding(summary)), highlight=False, soft_wrap=True)


def on_terminal(name: str) -> str:
    """A text whose brackets are no markup for rich, and whose control characters do nothing."""
    return escape("".join(character if character.isprintable() else "\ufffd" for character in name))


def print_headline(summary: Summary | LabelFreeSummary, console: Console) -> None:
    """Print what to take of each arm, the headline table, and how arms compare."""
    if isinstance(summary, LabelFreeSummary):
        print_label_free(summary, console)
        return
    for sentence in [*answer_sentences(summary.answers), *early_sentences(summary.early_stops), *summary.left_out]:
        console.print(on_terminal(sentence), highlight=False, soft_wrap=True)
    table = Table(
        title=f"\n{HEADLINE_METRIC}: mean over seeds, and its 95% interval", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("arm", no_wrap=True)
    table.add_column("knows beyond 2D", min_width=len("anthropometry"))
    table.add_column("seeds", justify="right", no_wrap=True)
    for statistic in STATISTICS:
        table.add_column(STATISTIC_LABELS[statistic])
    table.add_column("mixed signs")
    for row in headline_rows(summary):
        cells = [row[HEADLINE_METRIC][statistic] for statistic in STATISTICS]
        texts = [f"{cell['text']}\n[dim]{cell['span']}[/]" if cell["span"] else cell["text"] for cell in cells]
        table.add_row(on_terminal(row["name"]), row["knows"], row["seeds"], *texts, row["mixed"])
    console.print(table)
    print_benchmarks(summary.benchmark, console)
    console.print(on_terminal(finding(summary)), highlight=False, soft_wrap=True)


def print_label_free(summary: LabelFreeSummary, console: Console) -> None:
    """Print what a stop rule saved, the signals of each arm, and which weights to use."""
    for sentence in [*early_sentences(summary.early_stops), *summary.left_out]:
        console.print(on_terminal(sentence), highlight=False, soft_wrap=True)
    table = Table(title="\nSignals at the last epoch, mean over seeds", title_justify="left", box=None, padding=(0, 2, 0, 0))
    rows = {arm: label_free.headline_columns(entry) for arm, entry in summary.arms.items()}
    for title in ("arm", "seeds", *next(iter(rows.values()), {})):
        table.add_column(title)
    for arm, row in rows.items():
        table.add_row(on_terminal(arm), str(summary.arms[arm].num_seeds), *(on_terminal(text) for text in row.values()))
    console.print(table)
    console.print(on_terminal(label_free.finding(summary)), highlight=False, soft_wrap=True)
