"""What pages and the terminal say of a study that is the twin of one of the paper's Tables 1 and 2:
tables of text from a summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tips_ray.columns import BENCHMARKS, label_of
from tips_ray.report.study.published import HUMAN36M, HUMAN36M_ACTIONS, MPI_INF_3DHP, Published
from tips_ray.report.text import mm, span
from tips_ray.stability.benchmark import STOPS, BenchmarkScore
from tips_ray.stability.statistics import Interval

FRAMES, ACTIONS = "mean over frames", "mean over actions"


@dataclass(frozen=True)
class Row:
    """Cells of a mean and its interval, which published numbers lack."""

    name: str
    note: str
    cells: list[tuple[str, str]]
    is_arm: bool = True


@dataclass(frozen=True)
class Block:
    """Rows below a heading."""

    heading: str
    rows: list[Row]


@dataclass(frozen=True)
class BenchmarkTable:
    """A table with blocks of rows."""

    caption: str
    columns: list[str]
    blocks: list[Block]


@dataclass(frozen=True)
class BenchmarkView:
    """What is said of one benchmark."""

    title: str
    unit: str
    protocol: str
    comparable: str
    """The metric that the published numbers are to be held against."""
    published: tuple[Published, ...]


VIEWS = {
    "human36m": BenchmarkView(
        "Human3.6M: the paper's Table 1",
        "mm",
        "Errors are over 16 joints relative to the pelvis, which is the origin. Published numbers are means over actions, of"
        " different protocols, which their rows name; the paper's own, as far as is known, are of the best epoch by the test"
        " error, an oracle's, and allow reflection. Its columns by action agree with those of no other method and may be"
        " mislabelled: trust the averages.",
        "p_mpjpe_reflected_mm",
        HUMAN36M,
    ),
    "mpi_inf_3dhp": BenchmarkView(
        "MPI-INF-3DHP: the paper's Table 2",
        "%",
        "Shares of 14 joints (head top, neck, shoulders, elbows, wrists, hips, knees, ankles) relative to the pelvis, each"
        " pose at the size that its keypoints have: PCK nearer than 150 mm, AUC the mean over 0, 5, ..., 150 mm. The paper"
        " takes the orientation to the camera as known, which is read as: the sign of each pose's depths is."
        " PA: after a similarity transform of these joints, with one depth sign a run.",
        "pck_reflected_percent",
        MPI_INF_3DHP,
    ),
}


def benchmark_tables(scores: Sequence[BenchmarkScore], benchmark: str) -> list[BenchmarkTable]:
    """Averages of all metrics; what is to be held against published numbers; all metrics by
    action."""
    view, of = VIEWS[benchmark], [score for score in scores if score.benchmark == benchmark]
    metrics = [label_of(metric) for metric in BENCHMARKS[benchmark]]
    blocks = [
        Block(
            f"{stop}, {over}",
            [row for arm in arms_of_scores(of) for row in mean_rows(of, arm, stop, over, BENCHMARKS[benchmark])],
        )
        for stop in STOPS
        for over in (FRAMES, ACTIONS)
    ]
    averages = BenchmarkTable(f"All metrics, {view.unit}: mean over seeds with its 95% interval.", metrics, blocks)
    return [averages, beside_published(of, benchmark), by_action(of, benchmark)]


def benchmark_entries(scores: Sequence[BenchmarkScore]) -> list[dict[str, Any]]:
    """For each benchmark that was measured, its view and its tables."""
    return [
        {"view": view, "tables": benchmark_tables(scores, name)}
        for name, view in VIEWS.items()
        if any(score.benchmark == name for score in scores)
    ]


def arms_of_scores(scores: Sequence[BenchmarkScore]) -> list[str]:
    """The arms that have scores, in their order."""
    return list(dict.fromkeys(score.arm for score in scores))


def actions_of(scores: Sequence[BenchmarkScore]) -> list[str]:
    """The actions of some scores, in the order of the paper's Table 1."""
    actions = dict.fromkeys(action for score in scores for action in score.by_action)
    return [
        *(action for action in HUMAN36M_ACTIONS if action in actions),
        *(each for each in actions if each not in HUMAN36M_ACTIONS),
    ]


def beside_published(scores: Sequence[BenchmarkScore], benchmark: str) -> BenchmarkTable:
    """The arms at both stops by the metric that published numbers are closest to, and these."""
    view = VIEWS[benchmark]
    if benchmark == "mpi_inf_3dhp":
        pair = ("pck_reflected_percent", "auc_reflected_percent")
        columns = [label_of(metric) for metric in pair]
        blocks = [
            Block(
                f"{stop}, {FRAMES}", [row for arm in arms_of_scores(scores) for row in mean_rows(scores, arm, stop, FRAMES, pair)]
            )
            for stop in STOPS
        ]
        rows = [Row(each.method, each.note, [(mm(value), "") for value in each.numbers], False) for each in view.published]
        return BenchmarkTable(f"Beside published numbers, in {view.unit}.", columns, [*blocks, Block("Published", rows)])
    actions = actions_of(scores)
    blocks = [metric_block(scores, view.comparable, stop, actions) for stop in STOPS]
    rows = [Row(each.method, each.note, published_cells(each, actions), False) for each in view.published]
    caption = f"{label_of(view.comparable)}, {view.unit}, beside published numbers."
    return BenchmarkTable(caption, [ACTIONS, FRAMES, *actions], [*blocks, Block("Published", rows)])


def by_action(scores: Sequence[BenchmarkScore], benchmark: str) -> BenchmarkTable:
    """All metrics by action."""
    actions = actions_of(scores)
    blocks = [metric_block(scores, metric, stop, actions) for metric in BENCHMARKS[benchmark] for stop in STOPS]
    caption = f"All metrics by action, {VIEWS[benchmark].unit}: mean over seeds with its 95% interval."
    return BenchmarkTable(caption, [ACTIONS, FRAMES, *actions], blocks)


def metric_block(scores: Sequence[BenchmarkScore], metric: str, stop: str, actions: Sequence[str]) -> Block:
    """A row an arm."""
    chosen = [score for score in scores if (score.metric, score.stop) == (metric, stop)]
    rows = [
        Row(
            score.arm,
            seeds(score.framewise.n),
            [cell(over) for over in (score.actionwise, score.framewise, *(score.by_action.get(action) for action in actions))],
        )
        for score in chosen
    ]
    return Block(f"{label_of(metric)}, {stop}", rows)


def mean_rows(scores: Sequence[BenchmarkScore], arm: str, stop: str, over: str, metrics: Sequence[str]) -> list[Row]:
    """The row of an arm with means of some metrics over frames or actions; none without scores."""
    of_arm = {score.metric: score for score in scores if (score.arm, score.stop) == (arm, stop)}
    means = [of_arm[metric].framewise if over == FRAMES else of_arm[metric].actionwise for metric in metrics if metric in of_arm]
    return [Row(arm, seeds(means[0].n), [cell(each) for each in means])] if len(means) == len(metrics) else []


def published_cells(published: Published, actions: Sequence[str]) -> list[tuple[str, str]]:
    """The mean of a method of Human3.6M over actions, and its numbers by action."""
    *each, average = published.numbers
    by_name = dict(zip(HUMAN36M_ACTIONS, each, strict=False))
    return [(mm(value), "") for value in (average, None, *(by_name.get(action) for action in actions))]


def cell(over: Interval | None) -> tuple[str, str]:
    """A mean, and its interval; dashes where there is none."""
    return ("–", "") if over is None or over.n == 0 else (mm(over.mean), span(over))


def seeds(n: int) -> str:
    """How many runs numbers are over."""
    return f"n = {n}"
