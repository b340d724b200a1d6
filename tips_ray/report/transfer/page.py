"""The page of `tips-ray transfer`: which rule holds on other poses, and errors predicted in mm, in
one file that opens offline."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from tips_ray.report.base import filled
from tips_ray.report.style import arm_colours, finish, rounded
from tips_ray.report.text import SYNTHETIC, mm
from tips_ray.stability.predicted import Predicted
from tips_ray.stability.transfer import ArmTransfer, Cell, RuleTransfer
from tips_ray.stability.transfer_summary import Transfer


def render_transfer(summary: Transfer) -> str:
    """The page as HTML text."""
    arms = list(dict.fromkeys(arm for source in summary.campaigns.values() for arm in source.arms))
    figure = draw_predicted(summary.predicted_error.runs, arm_colours(arms), any_synthetic(summary))
    return filled(
        "transfer/page.html.j2",
        {"predicted": figure} if figure else {},
        title="Transfer",
        campaign=f"{len(summary.campaigns)} studies",
        finding=" ".join(finding(summary)),
        cautions=cautions(summary),
        summary=summary,
        synthetic=any_synthetic(summary),
        matrices={arm: grid([cell for cell in summary.matrix if cell.arm == arm]) for arm in arms},
        predicted=predicted_by_arm(summary),
    )


def any_synthetic(summary: Transfer) -> bool:
    """Whether some of the poses are synthetic."""
    return any(source.synthetic for source in summary.campaigns.values())


def finding(summary: Transfer) -> list[str]:
    """The rule to use and what it costs, and how well an error is predicted; a sentence each."""
    rule = summary.default_rule
    sentences = [
        f"Of the rules that stop in every run, “{rule.name}” has the smallest worst regret: {mm(rule.worst_regret_mm)} mm, and"
        f" {mm(rule.median_regret_mm)} mm in the median, over {rule.n} runs. It was chosen with the 3D labels of"
        f" {', '.join(rule.used_labels_of)}.",
        *(f"For {arm} alone that is “{best.rule}”: {cost(best.by_arm[arm])}." for arm, best in best_by_arm(summary).items()),
    ]
    error = summary.predicted_error
    if error.coverage is None:
        sentences.append("No error was predicted: that takes two labelled studies that share no poses with the target.")
        return sentences
    verdict = "as it should" if 0.85 <= error.coverage <= 0.95 else f"where {error.confidence:.0%} are meant: do not trust it"
    sentences.append(
        f"An error predicted without labels is {mm(error.median_deviation_mm)} mm off in the median over {error.n} runs on other"
        f" poses, and its {error.confidence:.0%} interval holds the true error in {error.coverage:.0%} of them, {verdict}."
    )
    return sentences


def best_by_arm(summary: Transfer) -> dict[str, RuleTransfer]:
    """For each of several arms the rule whose worst run of that arm is best."""
    arms = list(summary.rules[0].by_arm)
    if len(arms) < 2:
        return {}
    return {
        arm: min(summary.rules, key=lambda rule: (rule.by_arm[arm].worst_regret_mm, rule.by_arm[arm].median_regret_mm))
        for arm in arms
    }


def cost(regret: ArmTransfer) -> str:
    """The regret of a rule over the runs of an arm."""
    return f"{mm(regret.worst_regret_mm)} mm at worst, {mm(regret.median_regret_mm)} mm in the median, n = {regret.n}"


def cautions(summary: Transfer) -> list[str]:
    """What limits the finding; one sentence or two each."""
    sentences = [SYNTHETIC.replace("The poses", "Some of the poses")] if any_synthetic(summary) else []
    related = sorted(name for name, source in summary.campaigns.items() if source.related)
    if related:
        sentences.append(
            f"{', '.join(related)} share poses with one another: between these nothing is predicted, and a rule that holds there"
            " was tried on the same people."
        )
    few = min(source.num_runs / max(1, len(source.arms)) for source in summary.campaigns.values())
    if few < 5:
        sentences.append(f"Some arm has {few:.0f} runs: the worst of so few says little of the worst of many.")
    return sentences


def grid(cells: Sequence[Cell]) -> list[list[dict[str, str]]]:
    """Rows of the matrix of one arm: the campaign that a rule is chosen on, the rule, and its cells
    as text."""
    rows: dict[str, list[dict[str, str]]] = {}
    for cell in cells:
        row = rows.setdefault(cell.chosen_on, [{"text": cell.chosen_on, "more": cell.rule}])
        kind = " (its own)" if cell.scored_on == cell.chosen_on else " (same poses)" if cell.related else ""
        row.append(
            {"column": cell.scored_on, "text": mm(cell.regret_mm.median), "more": f"worst {mm(cell.regret_mm.worst)}{kind}"}
        )
    return list(rows.values())


def predicted_by_arm(summary: Transfer) -> list[tuple[str, str, str, str, str]]:
    """Study, arm, and the means over seeds of predicted error, interval and true error, as text."""
    rows = []
    runs = summary.predicted_error.runs
    for campaign, arm in dict.fromkeys((run.campaign, run.arm) for run in runs):
        of_arm = [run for run in runs if (run.campaign, run.arm) == (campaign, arm)]
        error, low, high = (float(np.mean([getattr(run, name) for run in of_arm])) for name in ("error_mm", "low_mm", "high_mm"))
        true = [run.true_mm for run in of_arm if run.true_mm is not None]
        known = mm(float(np.mean(true))) if true else "not known"
        rows.append((campaign, arm, mm(error), f"{mm(low)} to {mm(high)}", known))
    return rows


def draw_predicted(runs: Sequence[Predicted], colours: dict[str, str], synthetic: bool) -> go.Figure | None:
    """Predicted against true errors with their intervals, a symbol a campaign; None without any."""
    known = [run for run in runs if run.true_mm is not None]
    if not known:
        return None
    figure = go.Figure()
    symbols = ("circle", "square", "diamond", "cross", "triangle-up", "star", "x", "hexagon")
    names = list(dict.fromkeys(run.campaign for run in known))
    keys = list(dict.fromkeys((run.campaign, run.arm) for run in known))
    for campaign, arm in keys:
        of_arm = [run for run in known if (run.campaign, run.arm) == (campaign, arm)]
        figure.add_scatter(
            x=rounded([run.true_mm for run in of_arm]),
            y=rounded([run.error_mm for run in of_arm]),
            error_y={
                "type": "data",
                "symmetric": False,
                "array": rounded([run.high_mm - run.error_mm for run in of_arm]),
                "arrayminus": rounded([run.error_mm - run.low_mm for run in of_arm]),
                "thickness": 1,
                "width": 0,
            },
            mode="markers",
            marker={"color": colours[arm], "size": 8, "symbol": symbols[names.index(campaign) % len(symbols)]},
            name=f"{campaign}, {arm}",
            hovertemplate=f"{campaign}, {arm}: predicted %{{y:.1f}} mm, true %{{x:.1f}} mm<extra></extra>",
        )
    ends = [min(min(run.true_mm or 0, run.low_mm) for run in known), max(max(run.true_mm or 0, run.high_mm) for run in known)]
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": "#7F7F7F", "dash": "dot", "width": 1}, name="equal", hoverinfo="skip"
    )
    finish(figure, synthetic, 460 + 10 * len(keys))
    figure.update_layout(hovermode="closest", legend_traceorder="normal", margin_t=60 + 10 * len(keys))
    figure.update_xaxes(title_text="true error, mm")
    return figure.update_yaxes(title_text="predicted error, mm")
