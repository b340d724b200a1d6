"""The texts of the documentation, by file."""

import json
import re
from pathlib import Path

from helpers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def text_of(path: Path) -> str:
    """The text of a page; of a notebook its Markdown cells."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cells_of(path, "markdown"))


def cells_of(path: Path, kind: str) -> list[str]:
    """The sources of a notebook's cells of a kind."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def code_blocks(text: str, language: str) -> list[str]:
    """The code blocks of a text in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands_in(text: str) -> list[str]:
    """The command lines of `tips-ray` in the shell blocks of a text, without comments."""
    joined = "\n".join(code_blocks(text, "bash")).replace("\\\n", " ")
    lines = re.findall(r"^(?:\.venv/bin/)?tips-ray (.*)$", joined, flags=re.MULTILINE)
    return [line.partition("  #")[0].partition(" # ")[0].strip() for line in lines]


def sentences(text: str) -> list[str]:
    """The sentences of a text, without code; a cell of a table is a text of its own."""
    text = re.sub(r"^```.*?^```", "\n\n", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]*`", "code", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text))
    text = re.sub(r"^(\||[-*>#] ?|\d+\. |#+ |!!!)", "\n\n", text, flags=re.MULTILINE).replace("|", "\n\n")
    return [sentence for block in re.split(r"\n\s*\n", text) for sentence in re.split(r"(?<=[.!?])\s", block) if sentence.strip()]
