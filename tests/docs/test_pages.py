"""What the README and the pages of the documentation say: sentences are short, and commands
exist."""

import importlib
import re
from pathlib import Path

import pytest

from docs.documents import NOTEBOOKS, PAGES, commands_in, sentences, text_of
from helpers import ROOT
from reference import command_line_page, config_page, options_of
from tips_ray.cli import STUDIES
from tips_ray.presets import ARMS
from tips_ray.studies.options import Options

OPTION = re.compile(r"--[a-z][\w.-]*")


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    """The sections of the page of commands, by command; that of all studies has the groups of
    options too."""
    parts = dict(part.split("\n", 1) for part in command_line_page().split("\n## ")[1:])
    return parts | {"Every study": parts["Every study"] + config_page()}


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_sentence_has_more_than_35_words(path: Path) -> None:
    assert [sentence for sentence in sentences(text_of(path)) if len(sentence.split()) > 35] == []


def test_the_readme_is_short_and_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert 350 <= len(text.split()) <= 500
    assert {"make study", "make test"} <= set(re.findall(r"`(make \w+)`", text))


def test_commands_of_the_pages_have_the_options_that_they_are_given(sections: dict[str, str]) -> None:
    for path in [*PAGES, *NOTEBOOKS]:
        for line in commands_in(text_of(path)):
            command, *rest = line.split()
            name = f"tips-ray {command} {rest[0]}" if command == "data" else f"tips-ray {command}"
            known = set(OPTION.findall(sections[name]))
            if command in STUDIES:
                kind = options_of(importlib.import_module(f"tips_ray.studies.{command.replace('-', '_')}"))
                known |= set(OPTION.findall(sections["Every study"])) if issubclass(kind, Options) else set()
            assert set(OPTION.findall(line)) <= known, f"{path.name}: {line}"


def test_the_reference_says_what_each_option_means(sections: dict[str, str]) -> None:
    assert {f"tips-ray {command}" for command in STUDIES} <= set(sections)
    assert "`--weights.symmetry` | number | `0.0` | Left and right bones are equally long (anatomy). |" in sections["Every study"]
    assert all(f"`{arm}`" in sections["Every study"] for arm in ARMS)
    assert "`TABLE ...`" in sections["tips-ray stop"]
    assert "`--person` | text | `largest` |" in sections["tips-ray lift"]
