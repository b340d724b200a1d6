"""The page of a study in the gallery: what it found, in tables that can be read; `summary.json` has
the rest."""

from typing import Any

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.report.study import figures, stop_tables
from tips_ray.report.study.headline import finding
from tips_ray.report.study.page import COMPARISONS
from tips_ray.report.text import ends, mm

MANY_ARMS = 4
"""With so many, the page lists paired differences of the last half alone; more than so many are not
drawn one by one."""


def describe_study(name: str, summary: dict[str, Any]) -> list[str]:
    """The page of a study: finding and tables."""
    rows = [
        f"| {arm} | {entry['num_seeds']} | " + " | ".join(cell(entry, kind) for kind in ("best", "last_half", "last")) + " |"
        for arm, entry in {**summary["arms"], **{"supervised": summary["references"].get("supervised")}}.items()
        if entry
    ]
    pairs = [
        f"- {pair['a']} − {pair['b']}, {pair['statistic']}: {pair['difference']:+.1f} mm"
        + (
            f" (95 % interval {pair['low']:+.1f} to {pair['high']:+.1f}, n = {pair['n']} seeds)"
            if pair["low"] is not None
            else ""
        )
        for pair in summary["paired"]
        if pair["metric"] == HEADLINE_METRIC and (len(summary["arms"]) < MANY_ARMS or pair["statistic"] == "last_half")
    ]
    return [
        f"# {name}",
        "",
        finding(summary),
        "",
        "![Error by epoch](errors.png)",
        "",
        f"`{HEADLINE_METRIC}`: mean over seeds (95 % interval); last half ± deviation over its epochs. The best epoch"
        f" is an oracle. Flat prediction: {summary['references']['flat'][HEADLINE_METRIC]:.1f} mm.",
        "",
        "| arm | seeds | best epoch (oracle) | last half | last epoch |",
        "|---|---|---|---|---|",
        *rows,
        "",
        *(["Paired differences over shared seeds:", "", *pairs, ""] if pairs else []),
        *describe_stopping(summary),
        *describe_distillation(summary),
    ]


def describe_stopping(summary: dict[str, Any]) -> list[str]:
    """Stop rules and signals of the arms that are no students, and budgets."""
    rules = stop_tables.rules_to_show(summary)
    if not rules:
        return []
    names = stop_tables.in_order(entry for entries in rules.values() for entry in entries)
    cells = {(arm, entry["rule"]): entry for arm, entries in rules.items() for entry in entries}
    lines = [
        "## When to stop",
        "",
        *(f"- {sentence}" for sentence in stop_tables.rule_findings(summary)),
        "",
        "![Median regret by stop rule](rules.png)",
        "",
        "Median regret over runs, mm (95 % interval; worst run); **bold**: chosen by the error on training subjects.",
        "",
        f"| rule | {' | '.join(rules)} |",
        "|---" * (1 + len(rules)) + "|",
        *(f"| {name} | {' | '.join(regret(cells.get((arm, name))) for arm in rules)} |" for name in names),
        "",
        "Rank correlation of label-free signals with the error over the last half:",
        "",
        f"| signal | {' | '.join(f'within {arm}' for arm in rules)} | between runs | between seeds |",
        "|---" * (3 + len(rules)) + "|",
        *(
            f"| {row['label']} | {' | '.join(row['within'][arm]['text'] for arm in rules)} | "
            + " | ".join(f"{cell['text']} ({cell['span'] or 'no interval'})" for cell in row["between"])
            + " |"
            for row in stop_tables.signal_rows(summary, figures.TERM_LABELS)
        ),
        "",
    ]
    if summary["budgets"]:
        lines += [
            "## Does an arm help, or only learn faster?",
            "",
            "Paired differences, mm (95 % interval), of the curves cut at budgets a factor of three apart; below zero the first"
            " is better, or steadier.",
            "",
            f"| arms | statistic | {' | '.join(f'{epochs} epochs' for epochs in summary['budgets']['budgets'])} |",
            "|---" * (2 + len(summary["budgets"]["budgets"])) + "|",
            *(
                f"| {row['pair']} | {row['statistic']} | "
                + " | ".join(f"{one['text']} ({one['span']})" for one in row["cells"])
                + " |"
                for row in stop_tables.budget_rows(summary)
            ),
            "",
        ]
    return lines


def describe_distillation(summary: dict[str, Any]) -> list[str]:
    """Teachers, students and codependence."""
    lines: list[str] = []
    if summary["teachers"]:
        lines += [
            "## Distillation",
            "",
            "| student | teachers | rule | epochs |",
            "|---|---|---|---|",
            *(
                f"| {row['student']} | {row['whom']} | {row['rule']} | {row['epochs']} |"
                for row in stop_tables.card_rows(summary)
            ),
            "",
        ]
        for kind, title in COMPARISONS.items():
            rows = stop_tables.comparison_rows(summary, kind)
            said = [f"- {row['a']} − {row['b']}: {row['text']} mm ({row['span']}, n = {row['n']})" for row in rows]
            lines += [title, "", *said, ""] if rows else []
    if summary["codependence"]:
        lines += [
            "## Codependence",
            "",
            "Share of a depth's sensitivity that lies on keypoints outside its own part (legs or torso), mean over seeds:",
            "",
            *(
                f"- {row['arm']}: {row['text']} ({row['span'] or 'no interval'})"
                for row in stop_tables.codependence_rows(summary)
            ),
            "",
            " ".join(
                f"![Codependence of {arm}](codependence-{place}.png)"
                for place, arm in enumerate(list(summary["codependence"])[:MANY_ARMS], start=1)
            ),
            "",
        ]
    return lines


def regret(entry: dict[str, Any] | None) -> str:
    """The regret of a rule in an arm, as text."""
    if entry is None:
        return "–"
    found = entry["regret_mm"]
    text = f"{mm(found['median'])} ({ends(found)}; {mm(found['worst'])})"
    return f"**{text}**" if entry["chosen"] else text


def cell(arm: dict[str, Any], kind: str) -> str:
    """A mean with its interval, as text."""
    entry = arm[kind][HEADLINE_METRIC]
    if entry["mean"] is None:
        return "–"
    spread = f" ± {entry['std']:.1f}" if kind == "last_half" and entry["std"] is not None else ""
    interval = f" ({entry['low']:.1f} to {entry['high']:.1f})" if entry["low"] is not None else ""
    return f"{entry['mean']:.1f}{spread}{interval}"
