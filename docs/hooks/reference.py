"""Pages of the reference that are made of the program: its command line, its config, its columns
and its Python functions."""

import ast
import dataclasses
import importlib
import inspect
import io
import os
import textwrap
import typing
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import tyro
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from tips_ray import MODULES, cli
from tips_ray import config as configs
from tips_ray.columns import TABLE
from tips_ray.presets import ARMS, PRESETS, arm_config, knowledge_by_arm
from tips_ray.stability.rule_sets import standard_rules
from tips_ray.studies.arm_study import ArmStudy
from tips_ray.studies.options import Options

GROUPS = (
    (configs.Config, "--"),
    (configs.Data, "--data."),
    (configs.Observation, "--data.observation."),
    (configs.Weights, "--weights."),
    (configs.Network, "--network."),
    (configs.Adversary, "--adversary."),
    (configs.Optimiser, "--optimiser."),
    (configs.Augmentation, "--augmentation."),
    (configs.Numerics, "--numerics."),
    (configs.Teacher, "--teacher."),
    (configs.Evaluation, "--evaluation."),
    (configs.KeepWeights, "--keep-weights."),
    (configs.Placement, "--"),
    (configs.FileReading, "--reading."),
    (configs.WeightRanges, "--ranges."),
)
"""The groups of options that studies share, and how the names of their options begin."""
OPTIONS = ("option", "values", "default", "meaning")
NAMES: dict[Any, str] = {str: "text", int: "integer", float: "number", Path: "path"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the reference."""
    pages = {"command_line": command_line_page, "config": config_page, "columns": columns_page, "api": api_page}
    for name, page in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def command_line_page() -> str:
    """Each command with its question, its examples and its own options."""
    blocks = [
        "# Command line",
        "`tips-ray COMMAND --help` prints the same. Commands that train share the options of [every study](#every-study),"
        " and the groups of options of the [config](config.md).",
    ]
    for command, question in cli.STUDIES.items():
        module = importlib.import_module(f"tips_ray.studies.{command.replace('-', '_')}")
        kind = options_of(module)
        described = " ".join(kind.__doc__.split()) if kind.__doc__ else question
        examples = [line.strip() for line in (module.__doc__ or "").splitlines() if line.strip().startswith("tips-ray ")]
        blocks += [f"## tips-ray {command}", f"{question} {described}"]
        blocks += ["```bash\n" + "\n".join(examples) + "\n```"] if examples else []
        blocks.append(table(OPTIONS, option_rows(kind)))
    for words in (("data", "info"), ("data", "convert"), ("data", "cmu"), ("report",), ("open",)):
        blocks += [f"## tips-ray {' '.join(words)}", f"```text\n{help_text(*words)}\n```"]
    blocks += ["## Every study", table(OPTIONS, [*option_rows(Options), *option_rows(ArmStudy)])]
    return "\n\n".join(blocks) + "\n"


def config_page() -> str:
    """All fields of a config, the presets and the arms."""
    blocks = [
        "# Config",
        "A config is everything that decides the numbers of a run, but its seed. Each field is an option of every command"
        " that trains, and a field of `tips_ray.Config` in Python. Defaults are the paper's; presets and arms change some.",
    ]
    for kind, prefix in GROUPS:
        blocks += [f"## {kind.__name__}", " ".join((kind.__doc__ or "").split()), table(OPTIONS, option_rows(kind, prefix))]
    blocks += ["## Presets", "`--preset` sets the defaults of the other options.", presets_table()]
    quick = PRESETS["quick"]().config
    arms = {arm: arm_config(quick, arm) for arm in ARMS}
    rows = [
        (f"`{arm}`", flat(configs.departures(arms[arm], quick)), ", ".join(known) or "2D poses alone")
        for arm, known in knowledge_by_arm(arms).items()
    ]
    blocks += [
        "## Arms",
        "What each arm changes in the config of its study, and what its training is told beyond single 2D poses.",
        table(("arm", "changes", "knows"), rows),
    ]
    return "\n\n".join(blocks) + "\n"


def columns_page() -> str:
    """The columns of `curves.parquet`, and the names of the stop rules."""
    rows = [(f"`{each.name}`", each.label, each.group, "yes" if each.label_free else "no") for each in TABLE]
    rules = [(f"`{rule.name}`",) for rule in standard_rules(100)]
    return "\n\n".join(
        [
            "# Columns and stop rules",
            "`curves.parquet` has one row a run and epoch: `arm`, `run`, `seed`, `epoch`, `status`, and the columns below. A stop"
            " rule may see those that need no labels. Errors are in mm.",
            table(("column", "what reports call it", "group", "without labels"), rows),
            "## Stop rules",
            "Reports compare these rules; [Regret and stop rules](../explain/regret.md) says how they are judged.",
            table(("rule",), rules),
        ]
    )


def api_page() -> str:
    """What `import tips_ray` offers, from its docstrings."""
    blocks = ["# Python", "`from tips_ray import NAME` gives each of these."]
    blocks += [f"::: {module}.{name}" for module, names in MODULES.items() for name in names]
    return "\n\n".join(blocks) + "\n"


def options_of(module: Any) -> Any:
    """The dataclass of a command's options: the last that its module defines."""
    return [each for each in vars(module).values() if dataclasses.is_dataclass(each) and each.__module__ == module.__name__][-1]


def option_rows(kind: Any, prefix: str = "--") -> Iterator[tuple[str, ...]]:
    """A row for each option of a command: those of a study alone, not those that all studies
    have."""
    shared = next((base for base in (ArmStudy, Options) if issubclass(kind, base) and kind is not base), None)
    inherited = {entry.name: entry.default for entry in dataclasses.fields(shared)} if shared else {}
    hints = typing.get_type_hints(kind, include_extras=True)
    meanings = docstrings(kind)
    for entry in dataclasses.fields(kind):
        hint = hints[entry.name]
        marks = getattr(hint, "__metadata__", ())
        plain = typing.get_origin(hint) and getattr(hint, "__origin__", hint) if marks else hint
        if entry.name in inherited and entry.default == inherited[entry.name]:
            continue
        if any(map(dataclasses.is_dataclass, (plain, *typing.get_args(plain)))):
            if tyro.conf.OmitArgPrefixes in marks:
                yield from option_rows(plain, prefix)
            continue
        helps = [mark for mark in marks if hasattr(mark, "metavar")]
        meaning = next((mark.help for mark in helps if mark.help), None) or meanings.get(entry.name, "")
        names = [f"{prefix}{entry.name.replace('_', '-')}", *(alias for mark in helps for alias in mark.aliases or ())]
        option = ", ".join(f"`{name}`" for name in names)
        if tyro.conf.Positional in marks:
            option = f"`{next((mark.metavar for mark in helps if mark.metavar), entry.name.upper())}`"
        yield option, values_of(plain), default_of(entry), " ".join(meaning.split())


def docstrings(kind: type) -> dict[str, str]:
    """The docstrings of the fields of a dataclass and of its bases."""
    texts: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                    texts[name] = meaning
    return texts


def values_of(hint: Any) -> str:
    """What an option accepts."""
    if typing.get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    if hint is bool:
        return "a switch"
    parts = [each for each in typing.get_args(hint) if each is not type(None) and each is not Ellipsis]
    if typing.get_origin(hint) is tuple:
        return f"any number of {values_of(parts[0])}" if ... in typing.get_args(hint) else " ".join(map(values_of, parts))
    return values_of(parts[0]) if parts else NAMES[hint]


def default_of(entry: dataclasses.Field) -> str:
    """The default of an option, as one would write it."""
    value = entry.default
    if value is dataclasses.MISSING:
        return "the preset's" if entry.name in Options.defaults("quick") or entry.name == "preset" else "required"
    if value in (None, "", ()) or isinstance(value, bool):
        return "on" if value is True else "–"
    return f"`{' '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def presets_table() -> str:
    """What each preset sets."""
    rows = []
    for name, preset in PRESETS.items():
        values = preset()
        changed = flat(configs.departures(values.config, configs.Config())) or "the paper's"
        placed = flat(configs.departures(values.placement, configs.Placement()))
        rows.append((f"`{name}`", str(values.num_seeds), str(values.num_epochs), ", ".join(filter(None, (changed, placed)))))
    return table(("preset", "seeds", "epochs", "config"), rows)


def flat(changes: dict[str, Any], prefix: str = "") -> str:
    """Changes of a config as options."""
    words = []
    for name, value in changes.items():
        path = f"{prefix}{name.replace('_', '-')}"
        words.append(flat(value, f"{path}.") if isinstance(value, dict) else f"`{path} {value}`")
    return ", ".join(filter(None, words))


def help_text(*words: str) -> str:
    """What a command prints with --help."""
    os.environ["COLUMNS"] = "100"
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        cli.main([*words, "--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def table(head: tuple[str, ...], rows: typing.Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
