"""The report of a campaign without labels: one HTML file that opens offline."""

import pandas as pd
import plotly.graph_objects as go

from tips_ray.columns import SIGNALS, in_group
from tips_ray.config import NOMINAL_MM
from tips_ray.report.base import LONG_TABLE, filled
from tips_ray.report.study import figures, tables
from tips_ray.report.study.answers import early_sentences
from tips_ray.report.study.bodies import describe_bodies, draw_bodies
from tips_ray.report.study.page import IN_TABLES
from tips_ray.report.style import arm_colours
from tips_ray.report.text import (
    ENOUGH_SEEDS,
    as_text,
    beyond_2d,
    data_cautions,
    described,
    execution_rows,
    few_seeds,
    mm,
    ordered,
)
from tips_ray.stability.bodies import NO_VIEWS, LiftedViews
from tips_ray.stability.label_free import LabelFreeArm, LabelFreeSummary
from tips_ray.stability.settings import beside_paper
from tips_ray.stability.statistics import Interval
from tips_ray.stability.stopping import Window

PANELS = {"losses": in_group("loss"), "adversary": in_group("adversary"), "signs": ("depth_sign",), "signals": SIGNALS}


def render_label_free(curves: pd.DataFrame, summary: LabelFreeSummary, lifted: LiftedViews = NO_VIEWS) -> str:
    """The report as the text of an HTML page: no request leaves it, plotly.js is inside."""
    panels = panel_tables(curves)
    return filled(
        "study/label_free.html.j2",
        label_free_figures(curves, summary, lifted),
        title="Study without labels",
        campaign=summary.campaign or "no runs yet",
        summary=summary,
        synthetic=bool(summary.data.get("synthetic")),
        finding=finding(summary),
        cautions=[*early_sentences(summary.early_stops), *summary.left_out, *cautions(summary)],
        advice=ADVICE,
        agreement=agreement(summary),
        bodies=describe_bodies(lifted),
        signals=signals_of(summary),
        cells={arm: {name: cell(entry.signals.get(name)) for name in signals_of(summary)} for arm, entry in summary.arms.items()},
        colours=arm_colours(list(summary.arms)),
        known={arm: beyond_2d(entry.knowledge) for arm, entry in summary.arms.items()},
        panels=tables.described_panels(panels),
        nominal=f"{NOMINAL_MM:g}",
        costs=tables.cost_table(curves).astype(object).where(lambda table: table.notna(), None).to_dict("records"),
        data=described(summary.data),
        provenance=described(ordered(summary.provenance, without=IN_TABLES)),
        settings=beside_paper(summary.provenance.get("config", {})),
        executions=execution_rows(summary.provenance),
        long_table=LONG_TABLE,
    )


def label_free_figures(curves: pd.DataFrame, summary: LabelFreeSummary, lifted: LiftedViews = NO_VIEWS) -> dict[str, go.Figure]:
    """The figures of the report, by name."""
    colours, synthetic = arm_colours(list(summary.arms)), bool(summary.data.get("synthetic"))
    terms = [(table, term) for table in panel_tables(curves).values() for term in table["term"].unique()]
    return {term: figures.draw_term(table, term, colours, synthetic) for table, term in terms} | draw_bodies(lifted)


def panel_tables(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`tables.term_table` of each group of panels."""
    return {group: tables.term_table(curves, columns) for group, columns in PANELS.items()}


ADVICE = (
    "No rule can be chosen by what it costs here. The one to use is “average of the last 10 %”: where labels exist (ten runs each"
    " of solo and parts on CMU motion capture), it cost 0.2 mm in the median and at most 0.8 mm against the best epoch of the"
    " same run, and the last epoch 0.7 to 0.9 mm. On six further studies it cost at most 1.4 mm, but 17.7 mm in one run of 54,"
    " whose legs turned over while it trained. “average of the last 10 %, guarded”, which looks at the other seeds and at joints,"
    " cost at most 1.6 mm there. Where the two are far apart, look at the depth signs."
)


COST = (
    "What that costs cannot be measured without labels. The rule used no 3D label of these poses; it was chosen by 3D labels of"
    " CMU motion capture, where it cost 0.2 mm in the median and at most 0.8 mm against the best epoch of the same run."
)


def finding(summary: LabelFreeSummary) -> str:
    """What to do with these runs, in a sentence or two."""
    if not any(entry.choice for entry in summary.arms.values()):
        return weights_to_use(summary)
    return f"{weights_to_use(summary)} {COST} There are no labels here, so nothing below is an error."


def weights_to_use(summary: LabelFreeSummary) -> str:
    """Which weights to use of each arm, in a sentence."""
    chosen = {arm: entry.choice for arm, entry in summary.arms.items() if entry.choice}
    if not chosen:
        return "No run has finished an epoch yet, so there is nothing to choose."
    epochs = {
        arm: f"epoch {choice.last}" if choice.first == choice.last else f"averaged over epochs {choice.first} to {choice.last}"
        for arm, choice in chosen.items()
    }
    return " ".join(f"For {arm}, use the weights of {choice.run}, {epochs[arm]}." for arm, choice in chosen.items())


def agreement(summary: LabelFreeSummary) -> list[str]:
    """How far the runs of each arm are from each other, and what their error is at least, a
    sentence or two an arm; none of a single run."""
    sentences = []
    for arm, entry in summary.arms.items():
        distance = cell(entry.signals.get("seed_disagreement_mm"))
        if distance["text"] != "–":
            far = f"{distance['text']} mm" + (f" (95% interval {distance['span']} mm)" if distance["span"] else "")
            sentences.append(f"The depths of a run of {arm} are {far} from the mean of the arm's other runs.")
        if entry.error_bound_mm is not None:
            sentences.append(
                f"By that alone its error is at least {mm(entry.error_bound_mm)} mm (root mean square over joints, mean over"
                " seeds), whatever the true poses are."
            )
    return sentences


def cautions(summary: LabelFreeSummary) -> list[str]:
    """What limits the finding; one sentence or two each."""
    sentences = data_cautions(summary.data)
    few = min((arm.num_seeds for arm in summary.arms.values() if arm.num_seeds > 1), default=ENOUGH_SEEDS)
    if few < ENOUGH_SEEDS:
        sentences.append(few_seeds(few))
    for name, arm in summary.arms.items():
        if arm.diverged:
            sentences.append(f"{len(arm.diverged)} of {arm.num_seeds} runs of {name} diverged and are left out of the means.")
        flipped = arm.signals.get("flipped_vote_share")
        if flipped and flipped.mean is not None and flipped.mean > 0.4:
            sentences.append(
                f"{flipped.mean:.0%} of the votes of knees and elbows of {name} are for the other depth sign: its poses are"
                " hardly told from their mirror images."
            )
    return sentences


def signals_of(summary: LabelFreeSummary) -> list[str]:
    """The signals that some arm has, in the order of the table of columns."""
    return [name for name in SIGNALS if any(name in arm.signals for arm in summary.arms.values())]


def cell(over: Interval | None) -> dict[str, str]:
    """A signal's mean over seeds and its interval, as text."""
    if over is None or over.mean is None:
        return {"text": "–", "span": ""}
    return {"text": as_text(over.mean), "span": "" if over.low is None else f"{as_text(over.low)} to {as_text(over.high)}"}


def headline_columns(entry: LabelFreeArm) -> dict[str, str]:
    """What a terminal shows of an arm, by title."""
    short = {"bone_asymmetry": "asymmetry", "flipped_vote_share": "inside out", "seed_disagreement_mm": "from other seeds, mm"}
    choice = entry.choice
    epochs = "–" if choice is None else f"{choice.run}, {Window(choice.first, choice.last)}"
    return {title: cell(entry.signals.get(name))["text"] for name, title in short.items()} | {"use": epochs}
