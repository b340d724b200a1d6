"""A summary in words and in one table: what was found, what to be careful about, and the numbers
beside the paper's."""

from collections.abc import Mapping, Sequence
from typing import Any

from tips_ray.columns import HEADLINE_METRIC
from tips_ray.report.text import ENOUGH_SEEDS, FEW_SEEDS, data_cautions, few_seeds, mm, span, verdict
from tips_ray.stability.statistics import STATISTICS

REFLECTED_METRIC = "p_mpjpe_reflected_mm"

PAPER = {
    "solo": {"best": "52.6", "last_half": "64.3 ± 6.2", "last": "70.2"},
    "legs + torso": {"best": "43.8", "last_half": "45.4 ± 1.1", "last": "45.2"},
    "TIPS (distilled)": {"best": "43.2"},
}
"""The paper's P-MPJPE on Human3.6M in mm: table 1 (best epoch) and section 4.3 (last half: epochs
400 to 800)."""

TOO_SHORT = 0.9
"""If the best epoch of an arm's runs lies, on average, past this share of the training, the page
warns that it ended too early."""


def finding(summary: Mapping[str, Any]) -> str:
    """A sentence or two: the two best arms over the last half of training, and a student against
    its teachers, with their intervals.

    Where there are no such numbers: which there are instead, or why there are none.
    """
    return " ".join([*rivals_finding(summary), *student_finding(summary)]) or unranked_finding(summary)


def unranked_finding(summary: Mapping[str, Any]) -> str:
    """The finding where no two arms can be compared: errors of students and supervised arms, or why
    there are none."""
    supervised = {name: entry for name, entry in summary["references"].items() if "last_half" in entry}
    sentences = []
    for kind, entries in (("student", summary["arms"]), ("supervised arm", supervised)):
        for name, entry in entries.items():
            error = entry["last_half"][HEADLINE_METRIC]
            if error["n"]:
                size = f"{mm(error['mean'])} mm ({span(error)})"
                sentences.append(f"The {kind} {name} errs by {size} over the last half of training.")
    if sentences:
        return " ".join([*sentences, "No other arm has finished an epoch, so there is nothing to compare."])
    lost = [run for entry in (*summary["arms"].values(), *supervised.values()) for run in entry["diverged"]]
    num_runs = sum(entry["num_seeds"] for entry in (*summary["arms"].values(), *supervised.values()))
    if lost and len(lost) == num_runs:
        which = "The only run" if num_runs == 1 else f"All {num_runs} runs"
        return f"{which} diverged, so there is nothing to compare; a lower --optimiser.learning-rate may help."
    return "No run has finished an epoch yet, so there is nothing to compare."


def student_finding(summary: Mapping[str, Any]) -> list[str]:
    """Whether a student beats its teachers: the first that learns from runs of its own seed, by no
    oracle, or else the first.

    Nothing where none has been trained, or its teachers were not measured.
    """

    def shares(entry: Mapping[str, Any]) -> bool:
        card = summary["teachers"].get(entry["a"])
        return card is None or card["oracle"] or card["teacher"]["runs"] != "own"

    for entry in sorted(summary["distillation"], key=shares):
        if entry["kind"] == "teacher" and entry["n"]:
            size = f"{mm(entry['difference'], sign=True)} mm"
            if entry["low"] is None:
                return [f"At its last epoch, {entry['a']} errs by {size} against its teachers: n = 1 seed, no interval."]
            size += f" (95% interval {mm(entry['low'], sign=True)} to {mm(entry['high'], sign=True)} mm, n = {entry['n']} seeds"
            size += ")" if entry["n"] >= FEW_SEEDS else ", too few to be sure)"
            if verdict(entry) == "cannot tell apart":
                return [f"At its last epoch, {entry['a']} cannot be told apart from its teachers: {size}."]
            return [f"At its last epoch, {entry['a']} errs {'less' if entry['high'] < 0 else 'more'} than its teachers: {size}."]
    return []


def rivals_finding(summary: Mapping[str, Any]) -> list[str]:
    """The two best arms that are no students; nothing where none has finished an epoch."""
    means = {
        arm: entry["last_half"][HEADLINE_METRIC]["mean"]
        for arm, entry in summary["arms"].items()
        if arm not in summary["students"]
    }
    arms = sorted((arm for arm in means if means[arm] is not None), key=lambda arm: means[arm])
    if not arms:
        return []
    if len(arms) == 1:
        entry = summary["arms"][arms[0]]["last_half"][HEADLINE_METRIC]
        error = f"Over the last half of training, {arms[0]} errs by {mm(entry['mean'])} mm ({span(entry)})"
        return [f"{error}; there is no other arm to compare it with."]
    return [pair_finding(summary, arms)]


def pair_finding(summary: Mapping[str, Any], arms: Sequence[str]) -> str:
    """The first two of some arms, compared by their paired difference."""
    pair = next(entry for entry in pairs(summary, "last_half") if {entry["a"], entry["b"]} == set(arms[:2]))
    if pair["n"] == 0:
        return f"{arms[0]} and {arms[1]} share no finished seed, so they cannot be compared yet."
    lower, higher = (pair["a"], pair["b"]) if pair["difference"] < 0 else (pair["b"], pair["a"])
    size = mm(abs(pair["difference"]))
    if pair["n"] == 1:
        return (
            f"Over the last half of training, {lower} errs by {size} mm less than {higher} on the one seed that both finished:"
            " n = 1 seed, no interval, so this may be luck."
        )
    ends = sorted(abs(pair[end]) for end in ("low", "high"))
    if pair["low"] <= 0 <= pair["high"]:
        return (
            f"Over the last half of training, {pair['n']} seeds cannot tell {lower} and {higher} apart: {pair['a']} − {pair['b']}"
            f" is {mm(pair['difference'], sign=True)} mm"
            f" (95% interval {mm(pair['low'], sign=True)} to {mm(pair['high'], sign=True)} mm)."
        )
    few = "" if pair["n"] >= FEW_SEEDS else ", too few to be sure"
    return (
        f"Over the last half of training, {lower} errs by {size} mm less than {higher}"
        f" (95% interval of the paired difference {mm(ends[0])} to {mm(ends[1])} mm, n = {pair['n']} seeds{few})."
    )


def pairs(summary: Mapping[str, Any], statistic: str | None = None, metric: str = HEADLINE_METRIC) -> list[dict[str, Any]]:
    """The paired differences of `metric`; of one statistic only if given."""
    return [
        entry
        for entry in summary["paired"]
        if entry["metric"] == metric and (statistic is None or entry["statistic"] == statistic)
    ]


def cautions(summary: Mapping[str, Any]) -> list[str]:
    """What limits the finding; one sentence or two each."""
    sentences = data_cautions(summary["data"])
    arms = {arm: entry for arm, entry in summary["arms"].items() if entry["num_seeds"]}
    counts = [entry["last_half"][HEADLINE_METRIC]["n"] for entry in arms.values()]
    few = min((n for n in counts if n > 1), default=ENOUGH_SEEDS)
    if few < ENOUGH_SEEDS:
        sentences.append(few_seeds(few))
    for arm, entry in arms.items():
        if entry["diverged"]:
            sentences.append(
                f"{len(entry['diverged'])} of {entry['num_seeds']} runs of {arm} diverged. Such runs are listed below and left"
                f" out of the means, which may flatter {arm}."
            )
    for arm, entry in arms.items():
        ahead = [
            run["epochs"] for run in entry.get("runs", ()) if run["status"] != "diverged" and run["epochs"] > entry["num_epochs"]
        ]
        if ahead:
            sentences.append(
                f"{len(ahead)} of {entry['num_seeds']} runs of {arm} are further than epoch {entry['num_epochs']}, up to"
                f" {max(ahead)}; the numbers of {arm} use only the epochs that all its runs have."
            )
    for arm, entry in arms.items():
        best, end = entry["best_epoch"]["mean"], entry["num_epochs"]
        if arm not in summary["students"] and end > 1 and best is not None and best > TOO_SHORT * end:
            sentences.append(
                f"Training ended too early to say when {arm} should stop: its error was lowest at epoch {best:.1f} of {end} on"
                " average, so it may have gone on falling."
            )
    for arm, card in summary["teachers"].items():
        if card["oracle"]:
            sentences.append(f"{arm} learns from an oracle: 3D labels chose its teachers' epochs.")
        teacher = card["teacher"]["arm"]
        if summary["arms"].get(teacher, {"num_epochs": 0})["num_epochs"] > card["num_epochs"]:
            sentences.append(
                f"{arm} learns from {teacher} as it was after {card['num_epochs']} epochs; it has"
                f" {summary['arms'][teacher]['num_epochs']} by now."
            )
        if card["teacher"]["runs"] != "own":
            sentences.append(
                f"All students of {arm} share one teacher: its intervals hold the chance of the students alone, not that of other"
                " teachers, and are too narrow."
            )
    for arm, rules in summary["unmeasured_rules"].items():
        count, verb = (f"{len(rules)} stop rules", "are") if len(rules) > 1 else ("One stop rule", "is")
        sentences.append(
            f"{count} of {arm} {verb} left out below: the averages of weights that they name have not been measured."
        )
    flat = summary["references"].get("flat", {}).get(HEADLINE_METRIC)
    for arm, entry in arms.items():
        error = entry["last_half"][HEADLINE_METRIC]
        if flat is not None and error["mean"] is not None and (error["high"] or error["mean"]) >= flat:
            sentences.append(
                f"{arm} is not shown to be better than the flat prediction ({mm(flat)} mm), which needs no training."
            )
    epochs = {arm: entry["num_epochs"] for arm, entry in arms.items() if entry["num_epochs"]}
    if len(set(epochs.values())) > 1:
        epochs_by_arm = ", ".join(f"{arm} {count}" for arm, count in epochs.items())
        sentences.append(
            f"The arms stand at different epochs ({epochs_by_arm}); paired differences use the first {min(epochs.values())}."
        )
    return sentences


def headline_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row an arm or reference: name, kind ("arm", "supervised", "flat"), seeds (as text), and
    for each metric its cells by statistic.

    A cell is {text, span}: "mean ± std" where std is the spread over epochs of the last half, and
    elsewhere the mean alone.
    """
    rows = []
    entries = [(arm, "arm", entry) for arm, entry in summary["arms"].items()]
    entries += [(name, "supervised" if "last_half" in entry else "flat", entry) for name, entry in summary["references"].items()]
    for name, kind, entry in entries:
        whole = "last_half" in entry
        row: dict[str, Any] = {"name": name, "kind": kind, "seeds": _seeds(entry) if whole else ""}
        for metric in (HEADLINE_METRIC, REFLECTED_METRIC):
            row[metric] = {
                statistic: _cell(entry[statistic][metric], statistic) if whole else {"text": mm(entry.get(metric)), "span": ""}
                for statistic in STATISTICS
            }
        rows.append(row)
    return rows


def _cell(entry: Mapping[str, Any], statistic: str) -> dict[str, str]:
    spread = f" ± {mm(entry['std'])}" if statistic == "last_half" and entry["std"] is not None else ""
    return {"text": mm(entry["mean"]) + spread, "span": span(entry)}


def _seeds(entry: Mapping[str, Any]) -> str:
    used = entry["last_half"][HEADLINE_METRIC]["n"]
    return str(used) if used == entry["num_seeds"] else f"{used} of {entry['num_seeds']}"
